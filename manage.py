#!/usr/bin/env python
"""Django's command line, on the embedded database unless SALESFLOW_DATABASE_URL names another."""

import os
import sys


def main() -> None:
    """Run the management command named on the command line."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesflow.settings")
    from django.core.management import execute_from_command_line

    from salesflow.home import HomeError
    from salesflow.postgres import attached_database

    try:
        with attached_database():
            execute_from_command_line(sys.argv)
    except HomeError as error:
        sys.exit(f"{error}")


if __name__ == "__main__":
    main()
