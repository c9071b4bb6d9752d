"""What is asked of a tracked mail's image and links: kept at once, judged some moments later."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Window
from django.db.models.functions import Now, RowNumber
from django.utils import timezone

from channels.models import Message, TrackedLink, TrackingHit
from channels.payloads import MessageClicked, MessageOpened
from channels.tracking.machines import (
    BURST_WITHIN,
    Asked,
    Reason,
    family_of,
    is_burst,
    network_of,
    reasons_for,
)
from channels.tracking.permission import may_tell
from events import publish
from salesflow.accounts.context import tenant_context

Kind = TrackingHit.Kind
# Whatever may tell a burst has come in by then.
SETTLED = 2 * BURST_WITHIN
JUDGED_AT_ONCE = 500
# Anybody may ask for an image a thousand times. So many of one kind are kept of a mail, and as many
# of machines apart from these: a scanner must not use up the place of the person after it.
MOST_HITS = 200
# For as long a machine's hits may tell that others beside them were its own, too.
NEIGHBOURS = timedelta(minutes=1)


def note_hit(
    message: Message,
    link: TrackedLink | None,
    *,
    method: str,
    agent: str,
    address: str,
    purpose: str = "",
) -> TrackingHit | None:
    """Keep that a mail's image was asked for, or one of its links.

    Args:
        link: None: the image.
        method: of HTTP; `agent` and `address` are who asked, of which little is kept.
        purpose: why, as a browser says that asks before anybody wants to see it.

    Returns:
        None where so many of the same are kept that nothing new would be learned, and where the
        reader has taken their consent back.
    """
    now = timezone.now()
    asked = Asked(method, agent, address, now, message.sent_at, link is not None, purpose)
    hit = TrackingHit(
        message=message,
        link=link,
        kind=Kind.CLICKED if link else Kind.OPENED,
        at=now,
        agent=family_of(agent),
        network=network_of(address),
        reasons=[reason.value for reason in reasons_for(asked)],
    )
    if _is_one_of_many(hit) or not may_tell(message):
        return None
    hit.save()
    return hit


def _is_one_of_many(hit: TrackingHit) -> bool:
    alike = TrackingHit.objects.filter(message=hit.message, kind=hit.kind)
    # A machine has reasons from the start, or is given one when it is judged.
    alike = alike.exclude(reasons=[]) if hit.reasons else alike.filter(reasons=[])
    many: bool = alike[MOST_HITS - 1 : MOST_HITS].exists()
    return many


def judge_hits() -> int:
    """Say of the hits of all tenants whether a person made them; returns how many there were.

    The first person to open a mail, and the first to follow one of its links, are told of:
    `message.opened`, `message.clicked`.
    """
    judged = 0
    while count := _judge_some():
        judged += count
    return judged


@transaction.atomic
def _judge_some() -> int:
    rows = TrackingHit.unscoped.select_for_update(skip_locked=True, no_key=True)
    due = rows.filter(judged_at=None, at__lt=Now() - SETTLED)
    hits = list(due.order_by("at")[:JUDGED_AT_ONCE])
    if not hits:
        return 0
    _judge(hits)
    people: dict[UUID, list[TrackingHit]] = defaultdict(list)
    for hit in hits:
        if not hit.is_machine:
            people[hit.message_id].append(hit)
    _tell(people)
    return len(hits)


def _judge(hits: Sequence[TrackingHit]) -> None:
    messages = {hit.message_id for hit in hits if hit.link_id}
    clicks: dict[UUID, dict[int, list[datetime]]] = defaultdict(lambda: defaultdict(list))
    clicked = TrackingHit.unscoped.filter(message__in=messages, kind=Kind.CLICKED)
    for message, link, at in clicked.values_list("message", "link", "at"):
        clicks[message][link].append(at)
    links = TrackedLink.unscoped.filter(message__in=messages).values("message").order_by()
    number = dict(links.annotate(number=Count("id")).values_list("message", "number"))
    now = timezone.now()
    for hit in hits:
        own = clicks[hit.message_id] if hit.link_id else {}
        if own and is_burst(hit.at, own, number[hit.message_id]):
            hit.reasons = [*hit.reasons, Reason.BURST.value]
        hit.is_machine, hit.judged_at = bool(hit.reasons), now
    TrackingHit.unscoped.bulk_update(hits, ["reasons", "is_machine", "judged_at"])
    _forget_surplus({hit.message_id for hit in hits if Reason.BURST.value in hit.reasons})


def _forget_surplus(messages: Collection[UUID]) -> None:
    """Keep the first of a machine's hits: those of a burst count as a person's until they are
    judged, so that any number of them comes in over time."""
    if not messages:
        return
    rows = TrackingHit.unscoped.filter(message__in=messages, is_machine=True)
    nth = Window(RowNumber(), partition_by=["message", "kind"], order_by=["at", "id"])
    surplus = rows.annotate(nth=nth).filter(nth__gt=MOST_HITS, at__lt=Now() - NEIGHBOURS)
    TrackingHit.unscoped.filter(pk__in=surplus.values("pk")).delete()


def _tell(people: dict[UUID, list[TrackingHit]]) -> None:
    """Note on the messages what people have done for the first time, and publish it."""
    # By their ids, as all who change several messages at once.
    rows = Message.unscoped.select_related("tenant").filter(pk__in=people).order_by("pk")
    for message in rows.defer("body", "html", "quoted", "references"):
        with tenant_context(message.tenant):
            _tell_of(message, people[message.pk])


def _tell_of(message: Message, hits: Sequence[TrackingHit]) -> None:
    """Whoever has followed a link has opened the mail, even where they load no images."""
    rows = Message.objects.filter(pk=message.pk)
    opened_at = min(hit.at for hit in hits)
    if rows.filter(opened_at=None).update(opened_at=opened_at):
        publish(MessageOpened.about(message), occurred_at=opened_at)
    clicks = sorted((hit for hit in hits if hit.link_id), key=lambda hit: hit.at)
    if clicks and rows.filter(clicked_at=None).update(clicked_at=clicks[0].at):
        link = TrackedLink.objects.get(pk=clicks[0].link_id)
        publish(MessageClicked.about(message, link=link.url), occurred_at=clicks[0].at)
