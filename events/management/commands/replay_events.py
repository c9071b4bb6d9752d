"""Replays events."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from events import registry, replays
from events.foreground import carry_out
from events.models import Delivery, DeliveryStatus, Event, EventStatus, Replay
from events.payloads import payload_types
from events.replays.actions import HIGHEST_STOP_PERCENT
from events.replays.judging import stopped_sentence
from events.replays.meaning import given_up, names_failures
from events.replays.progress import skipped_in
from events.selections import Selection
from salesflow.accounts.commands import PlainCommand, moment
from salesflow.accounts.models import Tenant
from salesflow.accounts.queries import get_tenant


class Command(PlainCommand):
    """Runs failed handlers again, here and in the workers that there are; or gives failures up."""

    help = (
        "Runs the failed handlers of events again, and waits until they are through; it needs no "
        "worker. Handlers with external effects are left out unless --include-external is given."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        _add_what(parser)
        _add_how(parser)

    def handle(self, **options: Any) -> None:
        """Replay, and say what came of it."""
        tenant = get_tenant(options["tenant"]) if options["tenant"] else None
        selection = _selection(tenant, options)
        if options["dry_run"]:
            self._print_plan(_events_of(selection), options)
            return
        _check(options)
        replay = _start(selection, tenant, options)
        if options["no_wait"]:
            text = _("Replay %(id)s of %(selected)d events was started.")
            self.stdout.write(text % {"id": replay.id, "selected": replay.selected})
        else:
            self._carry_out(replay)

    def _carry_out(self, replay: Replay) -> None:
        with self.progress(replay.selected, "events") as bar:

            def show(counts: dict[str, int]) -> None:
                bar.update(replay.selected - counts["waiting"] - counts["released"] - bar.n)

            counts = carry_out(replay, show)
        numbers = {"id": replay.id, "selected": replay.selected, **counts}
        self.stdout.write(_outcome(replay) % numbers)
        replay.refresh_from_db()
        for reason, number in skipped_in(replay).items():
            text = _("Left out %(number)d: %(reason)s.")
            self.stdout.write(text % {"number": number, "reason": reason})
        self._tell_unfinished(replay, numbers)

    def _tell_unfinished(self, replay: Replay, numbers: dict[str, Any]) -> None:
        if replay.status == Replay.Status.STOPPED:
            raise CommandError(stopped_sentence(replay.plan["stopped"]))
        if replay.status in (Replay.Status.PAUSED, Replay.Status.CANCELLED):
            text = _("Somebody else decided: the replay is “%(status)s” now.")
            raise CommandError(text % {"status": replay.get_status_display()})
        waiting = numbers["waiting"] + numbers["released"]
        if waiting:
            text = _("%(waiting)d wait for a later retry, which a worker will make.")
            self.stdout.write(text % {"waiting": waiting})
        if numbers["failed"]:
            raise CommandError(_("%(failed)d of %(selected)d events failed again.") % numbers)

    def _print_plan(self, events: QuerySet[Event], options: dict[str, Any]) -> None:
        groups = events.order_by("tenant__slug", "type").values_list("tenant__slug", "type")
        rows = list(groups.annotate(Count("pk")))
        total = sum(number for _slug, _type, number in rows)
        text = _("%(total)d events would be replayed; nothing was done.")
        if options["give_up"]:
            text = _("What failed of %(total)d events would be given up; nothing was done.")
        self.stdout.write(text % {"total": total})
        for slug, event_type, number in rows:
            self.stdout.write(f"  {slug}  {event_type}  {number}")
        failed = Delivery.objects.filter(
            status=DeliveryStatus.FAILED, event_id__in=events.values("pk")
        )
        by_handler = failed.order_by("handler").values_list("handler").annotate(Count("pk"))
        for name, number in by_handler if not options["handler"] else ():
            self.stdout.write(f"  {name}  {number}{_left_out(name, options)}")


def _add_what(parser: CommandParser) -> None:
    """Options that say which events are meant, and which of their handlers."""
    add = parser.add_argument
    add("--tenant", metavar="SLUG", help="only its events; by default those of all tenants")
    add("--type", metavar="T", help="only events of this type, such as lead.created")
    add(
        "--status",
        choices=["failed", "processed"],
        help="of the events; by default those that a handler has given up",
    )
    add("--since", metavar="TIME", type=str, help="recorded since: 2026-01-31, or 24h (ago)")
    add("--until", metavar="TIME", type=str, help="recorded before")
    add("--id", metavar="EVENT", action="append", help="only this event; may be repeated")
    add(
        "--group",
        metavar="FINGERPRINT",
        help="only events that failed so; the handler that failed runs again, no other",
    )
    add(
        "--handler",
        metavar="NAME",
        action="append",
        default=[],
        help="run this one, whatever came of it, instead of those that failed",
    )


def _add_how(parser: CommandParser) -> None:
    """Options that say what is done with them, and how carefully."""
    add = parser.add_argument
    add("--include-external", action="store_true", help="also what leaves the database")
    add("--canary", action="store_true", help="1, 10, 100 events first, then the rest")
    add(
        "--stop-at",
        metavar="PERCENT",
        type=int,
        help="stop above so many failures among a hundred answers (10 with --canary)",
    )
    add("--pace", metavar="N", type=int, help="at most so many events a second")
    add(
        "--give-up",
        action="store_true",
        help="run nothing: what failed is skipped, and what waits behind it goes on",
    )
    add("--reason", help="why, for the record; required unless --dry-run is given")
    add("--dry-run", action="store_true", help="say what would be replayed, do nothing")
    add("--no-wait", action="store_true", help="leave all of it to the workers")


def _events_of(selection: Selection) -> QuerySet[Event]:
    events = selection.events(Event.unscoped.all())
    return events if names_failures(selection) else given_up(events, selection)


def _outcome(replay: Replay) -> str:
    if replay.gives_up:
        return _(
            "Decision %(id)s: %(selected)d events selected, %(succeeded)d given up, "
            "%(skipped)d left out."
        )
    return _(
        "Replay %(id)s: %(selected)d events selected, %(succeeded)d processed, "
        "%(skipped)d left out."
    )


def _left_out(name: str, options: dict[str, Any]) -> str:
    if options["give_up"]:
        return ""
    handler = registry.get_handler(name)
    if handler is None:
        return "  " + _("(no installed app has it: it would fail again)")
    skipped = handler.skips_replays and not options["include_external"]
    return "  " + _("(left out without --include-external)") if skipped else ""


def _selection(tenant: Tenant | None, options: dict[str, Any]) -> Selection:
    if options["status"] == EventStatus.PROCESSED and not options["handler"]:
        raise CommandError(_("Processed events have no failed handler: name one with --handler."))
    given = {
        # Named handlers run whatever came of them: of all events that would be too many.
        "status": options["status"] or (EventStatus.FAILED if options["handler"] else ""),
        "tenant": str(tenant.pk) if tenant else "",
        "type": _known_type(options["type"]) if options["type"] else "",
        "recorded_after": moment(options["since"]).isoformat() if options["since"] else "",
        "recorded_before": moment(options["until"]).isoformat() if options["until"] else "",
        "ids": ",".join(options["id"] or []),
        "group": options["group"] or "",
    }
    return Selection.from_query(given)


def _known_type(event_type: str) -> str:
    if event_type in payload_types() or Event.unscoped.filter(type=event_type).exists():
        return event_type
    raise CommandError(
        _("There is no event type “%(type)s” (types: %(known)s).")
        % {"type": event_type, "known": ", ".join(sorted(payload_types()))}
    )


def _check(options: dict[str, Any]) -> None:
    """Refuse what no replay could do.

    Raises:
        CommandError: naming the option.
    """
    if not (options["reason"] or "").strip():
        raise CommandError(_("Give a --reason: it stays on record."))
    if options["pace"] is not None and options["pace"] < 1:
        raise CommandError(_("--pace: give at least one event a second."))
    if options["stop_at"] is not None and not 0 <= options["stop_at"] <= HIGHEST_STOP_PERCENT:
        raise CommandError(_("--stop-at: give per cent, from 0 to 99."))


def _start(selection: Selection, tenant: Tenant | None, options: dict[str, Any]) -> Replay:
    try:
        replay = replays.plan_replay(
            selection,
            Event.unscoped.all(),
            handlers=options["handler"],
            actor=None,
            tenant=tenant,
            kind=Replay.Kind.GIVE_UP if options["give_up"] else Replay.Kind.REPLAY,
        )
        replays.start(
            replay,
            actor=None,
            reason=options["reason"].strip(),
            has_canary=options["canary"],
            pace=options["pace"],
            stop_percent=options["stop_at"],
            include_external=options["include_external"],
        )
    except ValueError as error:
        raise CommandError(str(error)) from None
    return replay
