"""Django's dbshell with the psql that belongs to the embedded server: none need be installed."""

import os
from typing import Any

from django.core.management.commands import dbshell

from salesflow.postgres import binary


class Command(dbshell.Command):
    """Open psql on the database, or run the SQL on standard input."""

    def handle(self, **options: Any) -> None:
        """Put our psql first, then do as Django does."""
        os.environ["PATH"] = f"{binary('psql').parent}{os.pathsep}{os.environ.get('PATH', '')}"
        super().handle(**options)
