"""Teams in Berlin, Auckland and Honolulu, their sequences, and people all over the world."""

from collections.abc import Sequence as Many
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

from channels.models import AddressStanding, LawfulBasis
from channels.sequences.documents import Rules, Says
from channels.sequences.enrolling import enrol_leads
from channels.sequences.models import Sequence, WorkCalendar
from leads.models import ContactPoint, Lead
from leads.queries import default_pipeline
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.factories import make_tenant
from tests.sequences.engine.factories import branch, days, hours, mail, make_sequence, task

BEGINNING = datetime(2026, 9, 14, tzinfo=UTC)
TEAMS = ("Europe/Berlin", "Pacific/Auckland", "Pacific/Honolulu")
# Zones with and without changes of the clocks within the quarter, and whose holidays are kept.
PLACES = (
    ("Europe/Berlin", "DE"),
    ("Pacific/Auckland", "NZ"),
    ("Pacific/Honolulu", "US"),
    ("America/New_York", "US"),
    ("Australia/Lord_Howe", "AU"),
    ("Asia/Kolkata", "IN"),
    ("", ""),
)
# Of so many one has no company.
COMPANIES = 7
WAVES = 4


@dataclass(frozen=True)
class Team:
    """A tenant with its sequences.

    Attributes:
        sequences: the second one ends with a colleague's word, too.
        cap: messages a day through its account.
    """

    tenant: Tenant
    sequences: tuple[Sequence, ...]
    leads: tuple[Lead, ...]
    cap: int


def make_teams(people: int, random: Random) -> list[Team]:
    """Teams with so many leads together, or one or two more; nobody is in a sequence yet."""
    cap, share = max(5, people // 30), -(-people // len(TEAMS))
    return [_make_team(zone, share, cap, random) for zone in TEAMS]


def enrol_wave(team: Team, leads: Many[Lead], at: datetime) -> None:
    """Take leads into the team's sequences, in turn."""
    with tenant_context(team.tenant):
        for number, sequence in enumerate(team.sequences):
            chosen = leads[number :: len(team.sequences)]
            report = enrol_leads(chosen, sequence, source="bulk", at=at)
            assert len(report.enrolled) + len(report.refused) == len(chosen)


def _make_team(zone: str, people: int, cap: int, random: Random) -> Team:
    tenant = make_tenant(time_zone=zone)
    with tenant_context(tenant):
        WorkCalendar.objects.update(yearly=["11-11"])
        settings = {"account_cap": cap, "gap": 20}
        long = make_sequence(
            mail("one"),
            days(2),
            mail("two", subject=""),
            branch(
                Says(name="company", operator="known"),
                [task(is_waited_for=False), hours(5)],
                [days(1)],
            ),
            mail("three", subject=""),
            days(5),
            mail("four", subject="Last"),
            **settings,
        )
        rules = Rules(on_company_reply=True)
        steps = hours(3), mail("first"), days(10), mail("second")
        short = make_sequence(*steps, rules=rules, **settings)
        return Team(tenant, (long, short), tuple(_make_leads(tenant, people, random)), cap)


def _domain_of(number: int) -> str:
    """Of two who come in at one time one each, in either sequence, is the other one's colleague."""
    return f"company-{number % WAVES}-{number // (2 * WAVES)}.example"


def _make_leads(tenant: Tenant, people: int, random: Random) -> list[Lead]:
    stage = default_pipeline().stage_of_kind("open")
    assert stage
    leads = []
    for number in range(people):
        zone, country = random.choice(PLACES)
        company = f"Company {number}" if number % COMPANIES else ""
        lead = Lead(name=f"Ada Number{number}", company=company, stage=stage, source="manual")
        lead.time_zone, lead.country = zone, country
        leads.append(lead)
    Lead.objects.bulk_create(leads)
    addresses = [f"person{number}@{_domain_of(number)}" for number in range(people)]
    ContactPoint.objects.bulk_create(
        ContactPoint(lead=lead, kind="email", value=address, is_primary=True)
        for lead, address in zip(leads, addresses, strict=True)
    )
    AddressStanding.objects.bulk_create(
        AddressStanding(channel="email", address=address, basis=LawfulBasis.LEGITIMATE_INTEREST)
        for address in addresses
    )
    return leads
