#!/usr/bin/env python
"""Django's command line, on the embedded database unless SALESFLOW_DATABASE_URL names another."""

import os
import sys


def main() -> None:
    """Run the management command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesflow.settings")
    from salesflow.postgres import attached_database

    from django.core.management import execute_from_command_line

    with attached_database():
        execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
