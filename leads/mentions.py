"""Who is meant by an “@” in a note: a colleague's whole name, or their e-mail address."""

from collections.abc import Iterable

from django.db.models import QuerySet
from django.utils import timezone

from leads.models import Lead, Mention, Note
from salesflow.accounts.models import User
from salesflow.accounts.queries import team_members


def mentioned_in(text: str, people: Iterable[User]) -> list[User]:
    """Those of `people` whom the text names, in the order of their names' length, longest first.

    “@Ada Lovelace” names Ada Lovelace, and nobody who is called Ada alone.
    """
    left = text.casefold()
    found = []
    names = [(name, user) for user in people for name in {str(user), user.email} if name]
    for name, user in sorted(names, key=lambda pair: -len(pair[0])):
        rest = _without(left, f"@{name.casefold()}")
        if rest != left:
            left = rest
            found.append(user)
    return list(dict.fromkeys(found))


def note_mentions(note: Note) -> None:
    """Keep whom a note mentions, for each to see; nobody is told of what they wrote themselves."""
    if "@" not in note.body:
        return
    told = [user for user in mentioned_in(note.body, team_members()) if user.pk != note.author_id]
    Mention.objects.bulk_create(Mention(note=note, user=user) for user in told)


def mentions_of(user: User) -> QuerySet[Mention]:
    """The mentions of somebody with their notes and leads, the newest first."""
    rows: QuerySet[Mention] = Mention.objects.filter(user=user)
    return rows.select_related("note__author", "note__lead").order_by("-id")


def see_mentions(lead: Lead, user: User) -> None:
    """Note that somebody has looked at what was written about a lead."""
    unseen = Mention.objects.filter(user=user, note__lead=lead, seen_at=None)
    unseen.update(seen_at=timezone.now())


def _without(text: str, name: str) -> str:
    """The text without the places where it says exactly `name`."""
    kept, start = [], 0
    while (at := text.find(name, start)) >= 0:
        end = at + len(name)
        is_whole = not text[end : end + 1].isalnum() and not text[max(at - 1, 0) : at].isalnum()
        kept.append(text[start : at if is_whole else end])
        start = end
    return "".join([*kept, text[start:]])
