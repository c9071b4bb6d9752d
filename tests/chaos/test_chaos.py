"""The short form of the suite: an honest run on each broker, and runs and books that are not."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.chaos import invariants
from tests.chaos.audit import examine, open_books
from tests.chaos.faults import MARGIN_SECONDS
from tests.chaos.invariants import INVARIANTS, Invariant
from tests.chaos.run import PROMISED, Plan, Verdict, run
from tests.chaos.servers import Postgres
from tests.chaos.stage import BATCH_SECONDS, BROKERS, Load, prepared_home
from tests.chaos.workload.places import calls_file
from tests.chaos.workload.sabotage import Sabotage
from tests.cluster import PREFIX
from tests.waiting import promised

pytestmark = [
    pytest.mark.journey,
    pytest.mark.redis,
    pytest.mark.skipif(
        not shutil.which("redis-server"), reason="needs Redis: apt-get install redis-server"
    ),
]

SEED = 7
# Seconds: time enough to freeze a worker past the time of its batch.
LONGEST = BATCH_SECONDS + MARGIN_SECONDS


@pytest.fixture(scope="module")
def root() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)
        with prepared_home(Path(directory)):
            yield Path(directory)


@pytest.fixture(scope="module")
def verdicts(root: Path) -> dict[str, Verdict]:
    """What honest runs found, by broker."""
    within = promised(PROMISED)
    plans = [
        Plan(broker, rounds=10, seed=SEED, pause=0.5, longest=LONGEST, promised=within)
        for broker in BROKERS
    ]
    return {plan.broker: run(plan, root, print) for plan in plans}


@pytest.mark.parametrize("broker", BROKERS)
def test_nothing_is_lost_and_nothing_doubled(verdicts: dict[str, Verdict], broker: str) -> None:
    verdict = verdicts[broker]
    assert not verdict.violations, "\n".join(map(str, [*verdict.violations, *verdict.diary]))
    assert verdict.faults.total() == 10


def test_dishonest_workload_is_found_out(root: Path) -> None:
    sabotage = ",".join([Sabotage.EFFECTS, Sabotage.LEDGER])
    load = Load(sabotage=sabotage)
    plan = Plan("redis", rounds=3, seed=SEED, name="dishonest", pause=1, longest=1, load=load)
    broken = {violation.invariant for violation in run(plan, root, print).violations}
    assert broken >= {invariants.EFFECTS_ONCE, invariants.COMMITTED}


# Each is done to the books of an honest run; the invariant is to notice.
FALSIFICATIONS: list[tuple[Invariant, str]] = [
    (
        invariants.COMMITTED,
        "DELETE FROM events WHERE id IN (SELECT id FROM parcel_events WHERE kind = 'queued')",
    ),
    (
        invariants.ROLLED_BACK,
        """
        UPDATE ledger SET outcome = 'rolled back'
        WHERE parcel_id = (SELECT parcel_id FROM found WHERE events = 1 LIMIT 1)
        """,
    ),
    (
        invariants.ALL_OR_NOTHING,
        """
        UPDATE ledger SET outcome = 'unknown';
        DELETE FROM chaos_parcel WHERE id = (SELECT id FROM chaos_parcel LIMIT 1)
        """,
    ),
    (
        invariants.FROM_SOMEWHERE,
        "DELETE FROM ledger WHERE parcel_id = (SELECT parcel_id FROM parcel_events LIMIT 1)",
    ),
    (
        invariants.FROM_SOMEWHERE,
        """
        UPDATE events SET tenant_id = (
            SELECT id FROM accounts_tenant WHERE id <> events.tenant_id LIMIT 1
        ) WHERE id = (SELECT id FROM parcel_events LIMIT 1)
        """,
    ),
    (
        invariants.ROWS_FROM_SOMEWHERE,
        "UPDATE chaos_parcel SET fate = '' WHERE id = (SELECT id FROM chaos_parcel LIMIT 1)",
    ),
    (invariants.CALM_PUBLISHERS, "UPDATE ledger SET error = 'RuntimeError: broker away'"),
    (
        invariants.SETTLED,
        "UPDATE events SET status = 'pending' WHERE id = (SELECT id FROM parcel_events LIMIT 1)",
    ),
    (
        invariants.EFFECTS_ONCE,
        "DELETE FROM chaos_effect WHERE id = (SELECT id FROM chaos_effect LIMIT 1)",
    ),
    (
        invariants.EFFECTS_ONCE,
        """
        INSERT INTO chaos_effect (handler, event_id, parcel_id, tenant_id, series_id, number)
        SELECT handler, event_id, parcel_id, tenant_id, series_id, number
        FROM chaos_effect LIMIT 1
        """,
    ),
    (
        invariants.EFFECTS_DELIVERED,
        "UPDATE deliveries SET status = 'failed' WHERE handler = 'tally_echo'",
    ),
    (
        invariants.EFFECTS_DELIVERED,
        "DELETE FROM deliveries WHERE handler = 'tally_singly' AND status = 'succeeded'",
    ),
    (
        invariants.IN_ITS_TENANT,
        "UPDATE calls SET tenant_id = gen_random_uuid()",
    ),
    (invariants.IN_ITS_TENANT, "UPDATE chaos_effect SET tenant_id = gen_random_uuid()"),
    (
        invariants.REPLAYED,
        "INSERT INTO replayed SELECT parcel_id FROM parcel_events WHERE kind = 'queued' LIMIT 1",
    ),
    (
        invariants.EFFECTS_OF_EVENTS,
        "DELETE FROM events WHERE id = (SELECT event_id FROM chaos_effect LIMIT 1)",
    ),
    (invariants.COUNTERS, "UPDATE chaos_counter SET total = total + 1"),
    (
        invariants.ECHOES,
        "DELETE FROM events WHERE id IN (SELECT id FROM parcel_events WHERE kind = 'echoed')",
    ),
    (
        invariants.IN_ORDER,
        """
        UPDATE chaos_effect SET number = 1000000 - id;
        UPDATE chaos_effect SET series_id = tenant_id WHERE handler = 'tally_in_order'
        """,
    ),
    (invariants.CALLED, "DELETE FROM calls WHERE key = (SELECT key FROM calls LIMIT 1)"),
    (invariants.CALLED, "UPDATE calls SET key = 'the same for all'"),
    (
        invariants.CALLED,
        "INSERT INTO calls SELECT key || '2', event_id, parcel_id, tenant_id, false FROM calls",
    ),
    (invariants.CALLED_FREELY, "UPDATE calls SET in_transaction = true"),
    (
        invariants.CALLS_COUNTED,
        "UPDATE deliveries SET attempts = 0 WHERE handler = 'call_outside'",
    ),
    (
        invariants.DELIVERIES,
        """
        UPDATE deliveries SET status = 'skipped'
        WHERE id = (SELECT id FROM deliveries WHERE handler = 'tally_in_order' LIMIT 1)
        """,
    ),
    (
        invariants.DELIVERIES,
        """
        INSERT INTO deliveries (event_id, handler, status, attempts, failures, worker, error)
        SELECT id, 'tally_echo', 'succeeded', 1, 0, '', ''
        FROM parcel_events WHERE kind = 'queued' LIMIT 1
        """,
    ),
    (invariants.ATTEMPTS, "DELETE FROM attempts WHERE number = 1"),
    (invariants.ATTEMPTS, "UPDATE deliveries SET attempts = 2 WHERE handler = 'tally_echo'"),
    (invariants.ATTEMPTS, "UPDATE attempts SET traceback = '' WHERE status = 'failed'"),
    (
        invariants.AGGREGATES,
        "UPDATE events SET error_message = '' WHERE type LIKE 'parcel.%' AND status = 'failed'",
    ),
    (
        invariants.AGGREGATES,
        """
        UPDATE events SET status = 'failed'
        WHERE id = (SELECT id FROM parcel_events WHERE status = 'processed' LIMIT 1)
        """,
    ),
    (
        invariants.NOTHING_LEFT,
        """
        UPDATE deliveries SET lease_expires_at = now()
        WHERE id = (SELECT id FROM deliveries LIMIT 1)
        """,
    ),
]


@pytest.mark.parametrize(
    ("invariant", "falsification"),
    FALSIFICATIONS,
    ids=[invariant.name for invariant, _ in FALSIFICATIONS],
)
def test_falsified_books_are_found_out(
    root: Path, verdicts: dict[str, Verdict], invariant: Invariant, falsification: str
) -> None:
    home = root / "redis"
    with psycopg.connect(Postgres(root, "redis").url) as connection:
        open_books(connection, sorted(home.glob("ledger-*.jsonl")), calls_file(home))
        connection.execute(falsification)
        assert invariant in [violation.invariant for violation in examine(connection)]
        connection.rollback()


def test_each_invariant_is_seen_to_fail() -> None:
    assert {invariant for invariant, _ in FALSIFICATIONS} == set(INVARIANTS)
