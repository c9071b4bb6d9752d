"""Tells whether the engine keeps up, for monitoring."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import psycopg
from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from events.backlog import Backlog, PauseRow, Waiting
from events.health import Health, Limit, Limits, examine, failure_rate_limit, wait_limit
from salesflow.accounts.commands import PlainCommand, duration


class Command(PlainCommand):
    """Exit status 0 while all is well, 1 when something is not, and says what."""

    help = (
        "Ends with exit status 1 and says why when something has been due for too long, or when a "
        "handler fails too often. The limits are SALESFLOW_HEALTH_MAX_WAIT and "
        "SALESFLOW_HEALTH_MAX_FAILURE_RATE unless options give others."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add(
            "--max-wait",
            action="append",
            metavar="SECONDS|QUEUE=SECONDS",
            help="how long what is due may wait, in all queues or in “events” or “external”",
        )
        add(
            "--max-failure-rate",
            action="append",
            metavar="SHARE|HANDLER=SHARE",
            help="which share of a handler's events may fail, from 0 to 1, for all or for one",
        )
        add(
            "--window",
            default="15m",
            metavar="SPAN",
            help="of which events failures count, such as 5m or 1h (15m)",
        )
        add("--json", action="store_true", help="print figures and problems as JSON")

    def handle(self, **options: Any) -> None:
        """Examine, print what was found, and fail if that is not good."""
        limits = _limits(options)
        try:
            health = examine(limits)
        except psycopg.Error as error:
            reason = str(error).strip().partition("\n")[0]
            raise CommandError(_("The database: %(reason)s") % {"reason": reason}) from error
        if options["json"]:
            self.stdout.write(json.dumps(_document(health), default=str, indent=2))
        else:
            self._print(health)
        if health.problems:
            names = dict.fromkeys(problem.name for problem in health.problems)
            raise CommandError(_("Unhealthy: %(names)s.") % {"names": ", ".join(names)})

    def _print(self, health: Health) -> None:
        for problem in health.problems:
            self.stdout.write(problem.text)
        for pause in health.backlog.pauses:
            self.stdout.write(_pause(pause))
        self.stdout.write(_summary(health.backlog))


def _limits(options: dict[str, Any]) -> Limits:
    return Limits(
        wait=_limit(wait_limit, settings.HEALTH_MAX_WAIT, "--max-wait", options["max_wait"]),
        failure_rate=_limit(
            failure_rate_limit,
            settings.HEALTH_MAX_FAILURE_RATE,
            "--max-failure-rate",
            options["max_failure_rate"],
        ),
        window=duration(options["window"]),
    )


def _limit(
    parse: Callable[..., Limit], setting: list[str], option: str, given: list[str] | None
) -> Limit:
    try:
        return parse(given or [], parse(setting))
    except ValueError as error:
        raise CommandError(f"{option}: {error}.") from None


def _document(health: Health) -> dict[str, Any]:
    backlog = health.backlog
    return {
        "healthy": not health.problems,
        "problems": [asdict(problem) for problem in health.problems],
        "queues": {
            "events": _figures(backlog.events),
            "external": _figures(backlog.longest_external),
        },
        "external_handlers": {name: _figures(wait) for name, wait in backlog.external.items()},
        "retries_waiting": backlog.retrying,
        "failed_events": backlog.failed,
        "oldest_batch": asdict(backlog.batch) if backlog.batch else None,
        "breakers": [asdict(row) for row in backlog.breakers],
        "pauses": [asdict(row) for row in backlog.pauses],
    }


def _figures(waiting: Waiting) -> dict[str, Any]:
    return {"oldest_seconds": round(waiting.seconds, 3), "due": waiting.count}


def _pause(pause: PauseRow) -> str:
    values = {"name": pause.handler, "reason": pause.reason, "since": f"{pause.since:%F %T %Z}"}
    return _("%(name)s has been paused since %(since)s: %(reason)s") % values


def _summary(backlog: Backlog) -> str:
    return _(
        "%(events)d events and %(calls)d calls of external handlers are due, "
        "%(retries)d retries wait, %(failed)d events failed."
    ) % {
        "events": backlog.events.count,
        "calls": backlog.longest_external.count,
        "retries": sum(backlog.retrying.values()),
        "failed": backlog.failed,
    }
