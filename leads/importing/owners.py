"""Finds the members that a file names as owners."""

from collections import Counter

from salesflow.accounts.models import Membership, User


class OwnerBook:
    """The tenant's active members, found by e-mail address or name."""

    def __init__(self) -> None:
        members = Membership.objects.filter(user__is_active=True).select_related("user")
        users = [member.user for member in members]
        self._namesakes = Counter(user.name.casefold() for user in users)
        self._users = {user.name.casefold(): user for user in users}
        self._users |= {user.email.casefold(): user for user in users}

    def find(self, text: str) -> User | None:
        """The member with that address or name; None when there is none, or several."""
        folded = text.casefold()
        return None if self._namesakes[folded] > 1 else self._users.get(folded)
