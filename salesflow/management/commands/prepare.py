"""Makes an installation ready to serve: migrations, static files, the demo on the first start."""

import hashlib
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import ProgrammingError

from salesflow.accounts.models import Tenant


class Command(BaseCommand):
    """Run before the processes start; on a later start it has little to do."""

    help = (
        "Checks the settings, migrates, collects static files, loads the demo on the first start."
    )

    def handle(self, **_: Any) -> None:
        """Do all of it, in this order; each step may be repeated."""
        self._migrate()
        self._collect_static()
        self._load_demo()

    def _migrate(self) -> None:
        try:
            # Not through the pool: that waits, and does not tell what it waited for.
            psycopg.connect(settings.DATABASE_URL, connect_timeout=5).close()
            call_command("migrate", verbosity=0, interactive=False)
        except psycopg.OperationalError as error:
            raise CommandError(f"Can't reach the database: {str(error).strip()}") from error
        except ProgrammingError as error:
            if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
                raise CommandError(f"Can't set up the database: {str(error).strip()}") from error
            raise

    def _collect_static(self) -> None:
        """Collect only what changed since the last time: hashing and packing takes seconds."""
        stamp = Path(settings.STATIC_ROOT) / ".collected"
        fingerprint = _static_fingerprint()
        if not stamp.exists() or stamp.read_text() != fingerprint:
            call_command("collectstatic", verbosity=0, interactive=False, clear=True)
            stamp.write_text(fingerprint)

    def _load_demo(self) -> None:
        loaded = (settings.HOME / "demo.json").exists()
        if settings.DEMO and not loaded and not Tenant.objects.filter(slug="demo").exists():
            self.stdout.write("Loading the demo tenant")
            call_command("load_demo")


def _static_fingerprint() -> str:
    digest = hashlib.sha256()
    for finder in get_finders():
        for name, storage in finder.list([]):
            found = Path(storage.path(name)).stat()
            digest.update(f"{name} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()
