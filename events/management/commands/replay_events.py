"""Replays events."""

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db.models import Count, QuerySet
from django.utils.translation import gettext as _

from events import registry
from events.foreground import carry_out
from events.models import Delivery, DeliveryStatus, Event, EventStatus, Replay
from events.payloads import payload_types
from events.replays import start_replay
from events.replays.progress import skipped_in
from salesflow.accounts.commands import PlainCommand, moment
from salesflow.accounts.models import Tenant
from salesflow.accounts.queries import get_tenant


class Command(PlainCommand):
    """Runs failed handlers again, here and in the workers that there are."""

    help = (
        "Runs the failed handlers of events again, and waits until they are through; it needs no "
        "worker. Handlers with external effects are left out unless --include-external is given."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        add = parser.add_argument
        add("--tenant", metavar="SLUG", help="only its events; by default those of all tenants")
        add("--type", metavar="T", help="only events of this type, such as lead.created")
        add("--status", choices=["failed", "processed"], default="failed", help="(failed)")
        add("--since", metavar="TIME", type=str, help="recorded since: 2026-01-31, or 24h (ago)")
        add("--until", metavar="TIME", type=str, help="recorded before")
        add("--id", metavar="EVENT", action="append", help="only this event; may be repeated")
        add(
            "--handler",
            metavar="NAME",
            action="append",
            default=[],
            help="run this one, whatever came of it, instead of those that failed",
        )
        add("--include-external", action="store_true", help="also what leaves the database")
        add("--reason", help="why, for the record; required unless --dry-run is given")
        add("--dry-run", action="store_true", help="say what would be replayed, do nothing")
        add("--no-wait", action="store_true", help="leave all of it to the workers")

    def handle(self, **options: Any) -> None:
        """Replay, and say what came of it."""
        tenant = get_tenant(options["tenant"]) if options["tenant"] else None
        events = _selection(tenant, options)
        if options["dry_run"]:
            self._print_plan(events, options)
            return
        if not (options["reason"] or "").strip():
            raise CommandError(_("Give a --reason: it stays on record."))
        replay = _start(events, tenant, options)
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
        text = _(
            "Replay %(id)s: %(selected)d events selected, %(succeeded)d processed, "
            "%(skipped)d left out."
        )
        self.stdout.write(text % numbers)
        for reason, number in skipped_in(replay).items():
            text = _("Left out %(number)d: %(reason)s.")
            self.stdout.write(text % {"number": number, "reason": reason})
        self._tell_unfinished(numbers)

    def _tell_unfinished(self, numbers: dict[str, Any]) -> None:
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
        self.stdout.write(text % {"total": total})
        for slug, event_type, number in rows:
            self.stdout.write(f"  {slug}  {event_type}  {number}")
        failed = Delivery.objects.filter(
            status=DeliveryStatus.FAILED, event_id__in=events.values("pk")
        )
        by_handler = failed.order_by("handler").values_list("handler").annotate(Count("pk"))
        for name, number in by_handler if not options["handler"] else ():
            self.stdout.write(f"  {name}  {number}{_left_out(name, options)}")


def _left_out(name: str, options: dict[str, Any]) -> str:
    handler = registry.get_handler(name)
    if handler is None:
        return "  " + _("(no installed app has it: it would fail again)")
    skipped = handler.on_replay == "skip" and not options["include_external"]
    return "  " + _("(left out without --include-external)") if skipped else ""


def _selection(tenant: Tenant | None, options: dict[str, Any]) -> QuerySet[Event]:
    events = Event.unscoped.filter(status=EventStatus(options["status"]))
    if options["status"] == EventStatus.PROCESSED and not options["handler"]:
        raise CommandError(_("Processed events have no failed handler: name one with --handler."))
    if tenant:
        events = events.filter(tenant=tenant)
    if options["type"]:
        events = events.filter(type=_known_type(options["type"]))
    if options["since"]:
        events = events.filter(created_at__gte=moment(options["since"]))
    if options["until"]:
        events = events.filter(created_at__lt=moment(options["until"]))
    return events.filter(pk__in=options["id"]) if options["id"] else events


def _known_type(event_type: str) -> str:
    if event_type in payload_types() or Event.unscoped.filter(type=event_type).exists():
        return event_type
    raise CommandError(
        _("There is no event type “%(type)s” (types: %(known)s).")
        % {"type": event_type, "known": ", ".join(sorted(payload_types()))}
    )


def _start(events: QuerySet[Event], tenant: Tenant | None, options: dict[str, Any]) -> Replay:
    try:
        return start_replay(
            events,
            reason=options["reason"].strip(),
            handlers=options["handler"],
            include_external=options["include_external"],
            tenant=tenant,
        )
    except ValueError as error:
        raise CommandError(str(error)) from None
