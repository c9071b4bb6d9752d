"""The demo's tenant and people, and how a newcomer gets in."""

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from salesflow.accounts.models import Membership, Tenant, User
from salesflow.accounts.services import add_member, create_api_key, create_tenant, create_user

SLUG = "demo"
Role = Membership.Role

# Who logs in, then those whose names are only seen: mailbox, name, role.
REP = ("lena", "Lena Hoffmann", Role.REP)
ADMIN = ("admin", "Katharina Brinkmann", Role.ADMIN)
COLLEAGUES = [
    ("jonas", "Jonas Feldmann", Role.REP),
    ("amelie", "Amelie Richter", Role.REP),
    ("deniz", "Deniz Aydın", Role.REP),
    ("sarah", "Sarah Whitmore", Role.REP),
    ("henning", "Henning Paulsen", Role.REP),
    ("marion", "Marion Sievers", Role.MANAGER),
]


@dataclass(frozen=True)
class Access:
    """A tenant with its people, and the secrets that open it."""

    tenant: Tenant
    rep: User
    admin: User
    reps: list[User]
    passwords: dict[str, str]
    api_key: str

    def write(self, path: Path) -> None:
        """Write the logins and the key to a file that only its owner may read."""
        logins = [
            {"role": role, "email": user.email, "password": self.passwords[user.email]}
            for role, user in (("rep", self.rep), ("admin", self.admin))
        ]
        draft = path.with_name(f".{path.name}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"logins": logins, "api_key": self.api_key}, file, indent=2)
        draft.replace(path)


def create_access() -> Access:
    """Create the demo tenant with its people and an API key; passwords are made up anew."""
    tenant = create_tenant(SLUG, name="Nordlicht Solar GmbH", time_zone="Europe/Berlin")
    passwords: dict[str, str] = {}
    rep, admin = _member(tenant, REP, passwords), _member(tenant, ADMIN, passwords)
    admin.is_staff = admin.is_superuser = True
    admin.save()
    colleagues = {entry: _member(tenant, entry) for entry in COLLEAGUES}
    reps = [user for (_mailbox, _name, role), user in colleagues.items() if role == Role.REP]
    _key, secret = create_api_key(tenant, name="Demo", created_by=admin)
    return Access(tenant, rep, admin, [rep, *reps], passwords, secret)


def _member(
    tenant: Tenant, entry: tuple[str, str, str], passwords: dict[str, str] | None = None
) -> User:
    """A member; one without a place in `passwords` cannot log in."""
    mailbox, name, role = entry
    email = f"{mailbox}@nordlicht.example.com"
    password = None
    if passwords is not None:
        password = passwords[email] = secrets.token_urlsafe(9)
    user = create_user(email, password, name=name)
    add_member(tenant, user, role)
    return user
