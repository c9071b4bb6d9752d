"""A night on call: a deployment breaks a handler, 2,000 events fail, and somebody finds out, tries
a replay too early, and replays all of them when the handler is mended."""

import csv
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.auth.models import Group
from django.core.management import call_command
from django.db.models import Count
from playwright.sync_api import Locator, Page, ViewportSize, expect

from events.models import AuditLine, Delivery, Event, FailureGroup, Replay, ReplayItem
from events.standard_groups import ON_CALL
from salesflow.accounts.models import Membership, Tenant, User
from tests.browser.conftest import collect_static_files, served
from tests.browser.deployment import Site
from tests.browser.test_admin_pages import enter
from tests.leads.factories import make_csv
from tests.outside.service import Service
from tests.waiting import wait_until

pytestmark = [pytest.mark.browser, pytest.mark.journey]

BEFORE = 20
# A shorter night, while one works at this file: REHEARSAL_EVENTS=200.
EVENTS = int(os.environ.get("REHEARSAL_EVENTS", "2000"))
MANY = f"{EVENTS:,}"
RATES = 'EXCHANGE_RATES = {"EUR": Decimal("1"), "USD": Decimal("0.92")}'
WITHOUT_DOLLARS = 'EXCHANGE_RATES = {"EUR": Decimal("1")}'
TOO_EARLY, MENDED = "Perhaps it was a hiccup", "Exchange rate of USD is back (release 42)"
# Twenty seconds, so that there is something to watch.
PACE = EVENTS // 20
HANDLER, OUTSIDE, EFFECT = "quote_price", "welcome_lead", "price.quoted"
PATIENCE = 300.0


# --- The place, and who is there ----------------------------------------------------------------


@pytest.fixture
def outside() -> Iterator[Service]:
    """What the external handler calls; it counts who calls."""
    with Service().serving() as service:
        yield service


@pytest.fixture
def site(
    service_environment: dict[str, str],
    outside: Service,
    tmp_path: Path,
) -> Iterator[Site]:
    """SalesFlow with its workers, which handle events by the app `billing` too."""
    environment = {**service_environment, "WELCOME_URL": f"{outside.address}/welcome"}
    home = Path(os.environ["SALESFLOW_HOME"])
    with Site(tmp_path, environment, home).at_work() as site:
        yield site


@pytest.fixture
def live(site: Site) -> Iterator[str]:
    """The address of its web server."""
    collect_static_files()
    log_file = Path(os.environ["SALESFLOW_HOME"]) / "rehearsal-web.log"
    with served(site.environment, log_file, site.folder) as address:
        yield address


@pytest.fixture
def admin(make_person: Callable[..., User]) -> User:
    """Who is on call, and may do no more than that."""
    who = {"name": "Ada Lovelace", "email": "ada@example.com"}
    person = make_person(**who, role=Membership.Role.ADMIN, is_staff=True)
    person.groups.add(Group.objects.get(name=ON_CALL))
    return person


@pytest.fixture
def import_leads(tenant: Tenant, tmp_path: Path) -> Callable[[int], None]:
    """Imports so many new leads whose deals are in dollars, and waits until all is settled."""

    def run(count: int) -> None:
        rows = [[f"Lead {count}-{number}", 100 + number, "USD"] for number in range(count)]
        columns = ["name", "value", "currency"]
        path = make_csv(tmp_path / "leads.csv", columns, rows)
        pairs = [f"{column}={column}" for column in columns]
        call_command("import_leads", str(path), tenant=tenant.slug, map=pairs, verbosity=0)
        wait_until(is_settled, "all events are settled", PATIENCE)

    return run


def is_settled() -> bool:
    return not Event.unscoped.filter(status="pending").exists()


# --- Pictures -----------------------------------------------------------------------------------

WINDOW: ViewportSize = {"width": 1360, "height": 900}
Camera = Callable[..., None]


@pytest.fixture
def camera(request: pytest.FixtureRequest) -> Camera:
    """Takes a picture for the documentation, where `--screenshots` says whereto."""
    chosen = request.config.getoption("screenshots", default=None)

    def take(page: Page, name: str, tallest: int = 1200) -> None:
        if chosen:
            path = Path(chosen) / f"console-{name}.png"
            page.evaluate("scrollTo(0, 0)")
            height = page.evaluate("document.documentElement.scrollHeight")
            page.set_viewport_size({**WINDOW, "height": min(height, tallest)})
            page.screenshot(path=path, animations="disabled")
            page.set_viewport_size(WINDOW)
            if shutil.which("pngquant"):
                command = ["pngquant", "--force", "--ext=.png", "--strip", str(path)]
                subprocess.run(command, check=True)

    return take


# --- The night ----------------------------------------------------------------------------------


def test_broken_deployment_is_found_and_mended(
    open_page: Callable[..., Page],
    admin: User,
    site: Site,
    import_leads: Callable[[int], None],
    outside: Service,
    camera: Camera,
) -> None:
    import_leads(BEFORE)
    page = open_page(viewport=WINDOW)
    enter(page, admin)
    see_that_all_is_well(page, camera)

    site.deploy(RATES, WITHOUT_DOLLARS)
    import_leads(EVENTS)
    see_whose_fault_it_is(page, camera)
    read_the_failure(page, camera)
    try_a_canary(page, camera)
    stopped = see_it_stop(page, camera)

    site.deploy("", "")
    plan_all_matching(page, camera)
    watch_it(page, camera)
    finished = see_it_finish(page, camera)
    resolve_it(page)
    read_the_audit(page, camera, [stopped, finished])
    check_effects(outside)


def see_that_all_is_well(page: Page, camera: Camera) -> None:
    expect(page.locator(".event-verdict")).to_contain_text("All is well.")
    expect(tile(page, "failed events").locator("strong")).to_have_text("0")


def tile(page: Page, label: str) -> Locator:
    return page.locator(".event-tile", has_text=label)


def see_whose_fault_it_is(page: Page, camera: Camera) -> None:
    verdict = page.locator(".event-verdict")
    expect(verdict).to_contain_text(f"Not fine: handler {HANDLER}.")
    expect(verdict).to_contain_text(f"{MANY} failed events wait for a replay.")
    expect(tile(page, "pending events").locator("strong")).to_have_text("0")
    group: FailureGroup = FailureGroup.objects.get()
    assert (group.handler, group.occurrences) == (HANDLER, EVENTS)
    camera(page, "health")
    page.locator("#event-health a.event-name", has_text="No exchange rate for USD").click()


def read_the_failure(page: Page, camera: Camera) -> None:
    expect(page.locator(".event-head h2")).to_contain_text("LookupError: No exchange rate for USD")
    expect(page.locator(".event-facts").first).to_contain_text(MANY)
    innermost = page.locator(".event-traceback li").first
    expect(innermost).to_contain_text("billing/handlers.py")
    expect(innermost).to_contain_text("rate_of")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.locator(".event-head [data-status=acknowledged]")).to_be_visible()
    page.get_by_label("Owner").select_option(label="Ada Lovelace")
    page.get_by_role("button", name="Assign").click()
    expect(page.get_by_label("Owner")).to_contain_text("Ada Lovelace")
    camera(page, "failure", tallest=1400)
    page.get_by_role("link", name="Its event").click()
    expect(page.locator(".event-delivery")).to_have_count(5)
    camera(page, "event")
    page.go_back()


def try_a_canary(page: Page, camera: Camera) -> None:
    page.get_by_role("link", name=re.compile(r"Replay [\d,+]+ failed")).click()
    page.get_by_role("button", name="Make the plan").click()
    expect(page.get_by_role("heading", name=f"Replay {MANY} events")).to_be_visible()
    expect(page.locator("#replay-outlook")).to_contain_text(f"{MANY} events run")
    page.get_by_label("Reason").fill(TOO_EARLY)
    expect(page.get_by_label("Canary first")).to_be_checked()
    page.get_by_role("button", name="Start the replay").click()


def see_it_stop(page: Page, camera: Camera) -> Replay:
    progress = page.locator("#replay-progress")
    expect(progress).to_contain_text("The failure came back: 1 of 1 events failed as before.")
    expect(progress).to_contain_text(f"{EVENTS - 1:,} events were not touched.")
    expect(page.locator(".event-head").first).to_contain_text("Stopped by itself")
    replay: Replay = Replay.objects.get()
    assert (replay.status, replay.reason) == (Replay.Status.STOPPED, TOO_EARLY)
    items = ReplayItem.objects.filter(replay=replay).order_by("status").values_list("status")
    assert list(items.annotate(Count("id"))) == [("failed", 1), ("waiting", EVENTS - 1)]
    assert attempts_at(HANDLER) == {1: BEFORE + EVENTS - 1, 2: 1}
    camera(page, "stopped")
    return replay


def attempts_at(handler: str) -> dict[int, int]:
    deliveries = Delivery.objects.filter(handler=handler).order_by().values_list("attempts")
    return dict(deliveries.annotate(Count("id")))


def plan_all_matching(page: Page, camera: Camera) -> None:
    page.locator("#replay-progress").get_by_role("link", name="No exchange rate").click()
    page.get_by_role("link", name="All of them").click()
    expect(page.get_by_role("heading", name=f"{MANY} events")).to_be_visible()
    camera(page, "list", tallest=900)
    page.get_by_role("link", name="Replay all matching").click()
    page.get_by_role("button", name="Make the plan").click()
    page.get_by_label("Reason").fill(MENDED)
    page.get_by_label("Events per second at most").fill(str(PACE))
    page.get_by_label("Events per second at most").blur()
    expect(page.locator("#replay-outlook")).to_contain_text(f"{MANY} events run, in about")
    camera(page, "plan")
    page.get_by_role("button", name="Start the replay").click()


def watch_it(page: Page, camera: Camera) -> None:
    """The page moves by itself."""
    progress = page.locator("#replay-progress")
    expect(progress).to_contain_text(re.compile(r"about .* left"))
    wait_until(lambda: shown_as_done(progress) > EVENTS / 5, "a fifth is shown as done", PATIENCE)
    camera(page, "progress", tallest=900)
    seen = shown_as_done(progress)
    assert seen < EVENTS
    wait_until(lambda: shown_as_done(progress) > seen, "more are shown as done", PATIENCE)


def shown_as_done(progress: Locator) -> int:
    [number] = re.findall(rf"([\d,]+) of {MANY} done", progress.inner_text())
    return int(number.replace(",", ""))


def see_it_finish(page: Page, camera: Camera) -> Replay:
    head = page.locator(".event-head").first
    expect(head).to_contain_text("Finished", timeout=PATIENCE * 1000)
    expect(page.locator("#replay-progress")).to_contain_text(f"{MANY} of {MANY} done")
    replay = Replay.objects.latest("id")
    assert (replay.succeeded, replay.failed, replay.skipped) == (EVENTS, 0, 0)
    assert (replay.reason, replay.pace) == (MENDED, PACE)
    camera(page, "finished", tallest=800)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    rows = list(csv.DictReader(StringIO(Path(download.value.path()).read_text())))
    assert [row["outcome"] for row in rows] == ["succeeded"] * EVENTS
    return replay


def resolve_it(page: Page) -> None:
    page.get_by_role("link", name="all failures like this").click()
    expect(page.locator(".event-facts").first).to_contain_text(re.compile(r"Failed now\s*0"))
    page.get_by_role("button", name="Resolve").click()
    expect(page.locator(".event-head [data-status=resolved]")).to_be_visible()
    page.locator("#nav-sidebar, nav, aside").get_by_text("Health").first.click()
    expect(tile(page, "failed events").locator("strong")).to_have_text("0")
    assert FailureGroup.objects.get().state == FailureGroup.State.RESOLVED


def read_the_audit(page: Page, camera: Camera, replays: list[Replay]) -> None:
    page.locator("#nav-sidebar, nav, aside").get_by_text("Audit").first.click()
    for reason in (TOO_EARLY, MENDED):
        line = page.get_by_role("row").filter(has_text="replay.started").filter(has_text=reason)
        expect(line).to_contain_text("Ada Lovelace")
    camera(page, "audit")
    lines = AuditLine.objects.filter(target_type="replay").order_by("id")
    stopped, finished = (str(replay.pk) for replay in replays)
    assert list(lines.values_list("action", "target_id", "actor__name")) == [
        ("replay.started", stopped, "Ada Lovelace"),
        ("replay.stopped", stopped, None),
        ("replay.started", finished, "Ada Lovelace"),
        ("replay.finished", finished, None),
    ]
    started = lines.filter(action="replay.started").values_list("reason", flat=True)
    assert list(started) == [TOO_EARLY, MENDED]


def check_effects(outside: Service) -> None:
    """Each lead got one price and one welcome, however often its event was tried."""
    wait_until(is_settled, "what the replay published is settled", PATIENCE)
    assert not Event.unscoped.exclude(status="processed").exists()
    created = Event.unscoped.filter(type="lead.created")
    quoted = Event.unscoped.filter(type=EFFECT).values_list("cause_id", flat=True)
    assert Counter(quoted) == Counter(created.values_list("id", flat=True))
    assert len(quoted) == BEFORE + EVENTS
    assert len(outside.calls) == outside.calls.total() == BEFORE + EVENTS
    assert attempts_at(OUTSIDE) == {1: BEFORE + EVENTS}
    assert attempts_at(HANDLER) == {1: BEFORE, 2: EVENTS - 1, 3: 1}
