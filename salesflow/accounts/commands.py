"""What all management commands share: whatever goes wrong is one clear line and exit status 1."""

import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NoReturn

from django.conf import settings
from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, ProgrammingError
from django.utils import timezone
from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import override
from tqdm import tqdm

INTERRUPTED = 130
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class PlainCommand(BaseCommand):
    """A command that explains itself in one line when it cannot do what it is told.

    On a terminal it speaks the language of the terminal.
    """

    _called_from_command_line: bool

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """As Django's, but a wrong option is one line and exit status 1, like any other mistake."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        if self._called_from_command_line:
            parser.error = partial(_refuse, self)  # type: ignore[method-assign]
        return parser

    def execute(self, *args: Any, **options: Any) -> Any:
        """Run the command; what people cause becomes a CommandError."""
        language = terminal_language(os.environ) if self._called_from_command_line else None
        with override(language) if language else nullcontext():
            return self._execute(*args, **options)

    def _execute(self, *args: Any, **options: Any) -> Any:
        try:
            return super().execute(*args, **options)
        except ValidationError as error:
            raise CommandError(_in_one_line(error)) from None
        except ObjectDoesNotExist as error:
            raise CommandError(str(error)) from None
        except (OperationalError, ProgrammingError) as error:
            reason = str(error).strip().partition("\n")[0]
            raise CommandError(_("The database: %(reason)s") % {"reason": reason}) from error
        except KeyboardInterrupt:
            raise CommandError(_("Interrupted."), returncode=INTERRUPTED) from None

    @contextmanager
    def progress(
        self, total: int | None, unit: str, *, title: str | None = None
    ) -> Iterator["tqdm[NoReturn]"]:
        """A bar on a terminal, once the work takes longer than a second.

        Args:
            total: how many units there are; None: not known (yet).
        """
        with tqdm(
            desc=title,
            total=total,
            unit=f" {unit}",
            delay=1,
            leave=False,
            disable=not sys.stderr.isatty(),
        ) as bar:
            yield bar


def terminal_language(environ: Mapping[str, str]) -> str | None:
    """The first language of the terminal that SalesFlow speaks; None: its default one.

    Source: gettext's manual, "Locale Environment Variables": which variable precedes which.
    """
    names = ("LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG")
    wanted = next((environ[name] for name in names if environ.get(name)), "")
    codes = [re.split(r"[_.@-]", locale)[0].lower() for locale in wanted.split(":")]
    spoken = dict(settings.LANGUAGES)
    return next((code for code in codes if code in spoken), None)


def _refuse(command: BaseCommand, message: str) -> NoReturn:
    command.stderr.write(_("%(message)s; see --help.") % {"message": message})
    sys.exit(1)


def _in_one_line(error: ValidationError) -> str:
    if not hasattr(error, "error_dict"):
        return " ".join(error.messages)
    fields = error.message_dict.items()
    return " ".join(f"{field}: {' '.join(messages)}" for field, messages in fields)


def duration(text: str) -> timedelta:
    """The time span in an option such as "90d", "12h" or "2w".

    Raises:
        CommandError: it is none.
    """
    match = re.fullmatch(r"([0-9]{1,6})([smhdw])", text.strip().lower())
    if match is None:
        raise CommandError(
            _("“%(text)s” is no time span: write a number and s, m, h, d or w, such as 90d.")
            % {"text": text}
        )
    number, unit = match.groups()
    return timedelta(**{UNITS[unit]: int(number)})


def moment(text: str) -> datetime:
    """The point in time in an option: a date, a date and time, or a time span ago ("24h").

    Raises:
        CommandError: it is none.
    """
    if re.fullmatch(r"[0-9]+[smhdw]", text.strip().lower()):
        return timezone.now() - duration(text)
    try:
        day = parse_date(text)
        found = datetime(day.year, day.month, day.day) if day else parse_datetime(text)  # noqa: DTZ001
    except ValueError:
        found = None
    if found is None:
        raise CommandError(
            _("“%(text)s” is no point in time: write 2026-01-31, 2026-01-31T18:00 or 24h (ago).")
            % {"text": text}
        )
    return found if timezone.is_aware(found) else timezone.make_aware(found)
