"""What holds whatever was done: each invariant is a query for what breaks it.

Each query returns one column: a sentence about something that should not be. The tables and views
of the books (`ledger`, `found`, `calls`, `expected`, `parcel_events`): see `tests.chaos.audit`.
"""

from typing import NamedTuple


class Invariant(NamedTuple):
    """A promise, and the SQL that finds where it was broken."""

    name: str
    sql: str


COMMITTED = Invariant(
    "what was committed is there: its row once, its event once",
    """
    SELECT format('parcel %s: %s rows, %s events', parcel_id, rows, events)
    FROM found WHERE outcome = 'committed' AND (rows, events) <> (1, 1)
    """,
)

ROLLED_BACK = Invariant(
    "what was rolled back is not there",
    """
    SELECT format('parcel %s: %s rows, %s events', parcel_id, rows, events)
    FROM found WHERE outcome = 'rolled back' AND (rows, events) <> (0, 0)
    """,
)

ALL_OR_NOTHING = Invariant(
    "what nobody can tell is there as a whole or not at all",
    """
    SELECT format('transaction %s: %s rows and %s events of %s parcels',
                  transaction, sum(rows), sum(events), size)
    FROM found WHERE outcome = 'unknown' GROUP BY transaction, size
    HAVING (sum(rows), sum(events)) NOT IN ((0, 0), (size, size))
    """,
)

FROM_SOMEWHERE = Invariant(
    "no event is there that nobody published, and each in its publisher's tenant and words",
    """
    SELECT format('event %s of parcel %s', id, event.parcel_id)
    FROM parcel_events AS event LEFT JOIN ledger USING (parcel_id)
    WHERE ledger.parcel_id IS NULL
       OR (event.tenant_id, event.fate, event.series_id, event.number)
          IS DISTINCT FROM (ledger.tenant_id, ledger.fate, ledger.series_id, ledger.number)
       OR event.kind <> ledger.kind AND (event.kind, ledger.kind) <> ('echoed', 'counted')
    """,
)

ROWS_FROM_SOMEWHERE = Invariant(
    "no row is there that nobody wrote, and each in its publisher's words",
    """
    SELECT format('parcel %s', parcel.id)
    FROM chaos_parcel AS parcel LEFT JOIN ledger ON ledger.parcel_id = parcel.id
    WHERE (parcel.kind, parcel.fate, parcel.series_id, parcel.number)
          IS DISTINCT FROM (ledger.kind, ledger.fate, ledger.series_id, ledger.number)
    """,
)

CALM_PUBLISHERS = Invariant(
    "a publisher meets no errors but those of a database that is away",
    """
    SELECT format('transaction %s: %s', transaction, error) FROM ledger
    WHERE error <> '' AND error !~ '^(OperationalError|InterfaceError|PoolTimeout|PoolClosed)'
    GROUP BY transaction, error
    """,
)

SETTLED = Invariant(
    "every event is settled",
    """
    SELECT format('event %s (%s, %s) is %s', id, kind, fate, status)
    FROM parcel_events WHERE status NOT IN ('processed', 'failed') OR processed_at IS NULL
    """,
)

EFFECTS_ONCE = Invariant(
    "each effect in the database happened exactly as often as expected",
    """
    SELECT format('%s of event %s (%s, %s): %s effects instead of %s',
                  expected.handler, event.id, kind, fate, count(effect.id), expected.effects)
    FROM parcel_events AS event JOIN expected USING (kind, fate)
    LEFT JOIN chaos_effect AS effect ON effect.event_id = event.id
        AND effect.handler = expected.handler AND effect.parcel_id = event.parcel_id
        AND effect.tenant_id = event.tenant_id
    GROUP BY event.id, kind, fate, expected.handler, expected.effects
    HAVING count(effect.id) <> expected.effects
    """,
)

EFFECTS_DELIVERED = Invariant(
    "an effect in the database is there exactly where its delivery says that it succeeded",
    """
    SELECT format('%s of event %s: %s with %s effects', delivery.handler, delivery.event_id,
                  delivery.status, count(effect.id))
    FROM deliveries AS delivery JOIN parcel_events AS event ON event.id = delivery.event_id
    LEFT JOIN chaos_effect AS effect
        ON effect.event_id = delivery.event_id AND effect.handler = delivery.handler
    WHERE delivery.handler LIKE 'tally%' GROUP BY delivery.id
    HAVING count(effect.id) <> (delivery.status = 'succeeded')::int
    UNION ALL
    SELECT format('%s of event %s: an effect without a delivery', handler, event_id)
    FROM chaos_effect LEFT JOIN deliveries USING (event_id, handler) WHERE deliveries.id IS NULL
    """,
)

IN_ITS_TENANT = Invariant(
    "handlers run on behalf of their event's tenant, and of no other",
    """
    SELECT format('%s of event %s ran for %s instead of %s', handler, event_id, done.tenant_id,
                  event.tenant_id)
    FROM (
        SELECT handler, event_id, tenant_id FROM chaos_effect
        UNION ALL SELECT 'call_outside', event_id, tenant_id FROM calls
    ) AS done JOIN parcel_events AS event ON event.id = event_id
    WHERE done.tenant_id IS DISTINCT FROM event.tenant_id
    """,
)

REPLAYED = Invariant(
    "what failed, was mended and replayed has succeeded",
    """
    SELECT format('parcel %s is %s: %s', replayed.parcel_id, status, error_message)
    FROM replayed LEFT JOIN parcel_events USING (parcel_id) LEFT JOIN chaos_effect AS effect
        ON effect.parcel_id = replayed.parcel_id AND effect.handler = 'tally_singly'
    WHERE status IS DISTINCT FROM 'processed' OR effect.id IS NULL OR NOT EXISTS (
        SELECT FROM replay_items AS item
        WHERE item.event_id = parcel_events.id AND item.status = 'succeeded'
    )
    """,
)

EFFECTS_OF_EVENTS = Invariant(
    "no effect is there without its event",
    """
    SELECT format('%s of event %s', handler, event_id)
    FROM chaos_effect AS effect LEFT JOIN parcel_events ON parcel_events.id = effect.event_id
    WHERE parcel_events.id IS NULL
    """,
)

COUNTERS = Invariant(
    "what a handler added up is what it did",
    """
    SELECT format('tenant %s: %s added up, %s done', tenant_id, total, count(effect.id))
    FROM chaos_counter LEFT JOIN (SELECT * FROM chaos_effect WHERE handler = 'tally_in_batch')
        AS effect USING (tenant_id)
    GROUP BY tenant_id, total HAVING total <> count(effect.id)
    """,
)

ECHOES = Invariant(
    "what a handler published is there once for each of its effects",
    """
    SELECT format('parcel %s: %s echoes', parcel_id, count(echo.id))
    FROM parcel_events AS event
    LEFT JOIN (SELECT id, parcel_id FROM parcel_events WHERE kind = 'echoed') AS echo
        USING (parcel_id)
    WHERE event.kind = 'counted' AND event.fate = 'echoing'
    GROUP BY parcel_id HAVING count(echo.id) <> 1
    """,
)

IN_ORDER = Invariant(
    "within a series, ordered effects happened in the order of publishing",
    """
    SELECT format('series %s: number %s after number %s', series_id, number, before)
    FROM (
        SELECT series_id, number, lag(number) OVER (PARTITION BY series_id ORDER BY id) AS before
        FROM chaos_effect WHERE handler = 'tally_in_order'
    ) AS effects
    WHERE number <= before
    """,
)

CALLED = Invariant(
    "each call outside was made at least once, with one key of its own",
    """
    SELECT format('event %s (%s): %s calls with the keys %s', event.id, event.fate,
                  count(calls.key), array_agg(DISTINCT calls.key))
    FROM parcel_events AS event JOIN expected USING (kind, fate)
    LEFT JOIN calls ON calls.event_id = event.id AND calls.parcel_id = event.parcel_id
    WHERE expected.calls GROUP BY event.id, event.fate HAVING count(DISTINCT calls.key) <> 1
    UNION ALL
    SELECT format('key %s: used for %s events', key, count(DISTINCT event_id))
    FROM calls GROUP BY key HAVING count(DISTINCT event_id) <> 1
    """,
)

CALLED_FREELY = Invariant(
    "no call outside is made inside a database transaction",
    "SELECT format('%s of event %s', key, event_id) FROM calls WHERE in_transaction",
)

CALLS_COUNTED = Invariant(
    "each call outside was counted as an attempt before it was made",
    """
    SELECT format('%s: %s calls, %s attempts', key, count(*), attempts)
    FROM calls LEFT JOIN deliveries
        ON deliveries.event_id = calls.event_id AND handler = 'call_outside'
    GROUP BY key, calls.event_id, attempts HAVING attempts IS NULL OR count(*) > attempts
    """,
)

DELIVERIES = Invariant(
    "each handler's delivery ended as the parcel's fate has it",
    """
    SELECT format('%s of event %s (%s, %s): %s instead of %s: %s', expected.handler, event.id,
                  kind, fate, coalesce(delivery.status, 'nothing'), expected.status, delivery.error)
    FROM parcel_events AS event JOIN expected USING (kind, fate)
    LEFT JOIN deliveries AS delivery
        ON delivery.event_id = event.id AND delivery.handler = expected.handler
    WHERE delivery.status IS DISTINCT FROM expected.status
    UNION ALL
    SELECT format('%s took event %s (%s), which is none of its own', handler, event.id, kind)
    FROM parcel_events AS event JOIN deliveries AS delivery ON delivery.event_id = event.id
    WHERE (kind, handler) NOT IN (SELECT kind, handler FROM expected)
    """,
)

# A success at once is told by its delivery alone.
ATTEMPTS = Invariant(
    "each attempt but a success at once is on the record: once, and with what went wrong",
    """
    SELECT format('%s of event %s, %s: %s attempts, on the record: %s', delivery.handler, event.id,
                  delivery.status, attempts, array_agg(attempt.number ORDER BY attempt.number))
    FROM parcel_events AS event JOIN deliveries AS delivery ON delivery.event_id = event.id
    LEFT JOIN attempts AS attempt ON attempt.delivery_id = delivery.id
    WHERE (attempts, delivery.status) <> (1, 'succeeded')
    GROUP BY delivery.id, event.id
    HAVING array_agg(attempt.number ORDER BY attempt.number)
           <> ARRAY(SELECT generate_series(1, delivery.attempts))
    UNION ALL
    SELECT format('attempt %s of delivery %s failed without a reason', number, delivery_id)
    FROM attempts WHERE status = 'failed' AND (error = '' OR traceback = '')
    """,
)

AGGREGATES = Invariant(
    "an event failed exactly if one of its deliveries did, and says why",
    """
    SELECT format('event %s is %s with deliveries %s', event.id, event.status,
                  array_agg(delivery.status))
    FROM parcel_events AS event LEFT JOIN deliveries AS delivery ON delivery.event_id = event.id
    GROUP BY event.id, event.status, event.error_message
    HAVING (event.status = 'failed') IS DISTINCT FROM bool_or(delivery.status = 'failed')
        OR (event.status = 'failed') <> (event.error_message <> '')
    """,
)

NOTHING_LEFT = Invariant(
    "no lease, no journal entry, no retry and no replay is left over",
    """
    SELECT format('delivery %s of event %s: %s, lease until %s, next attempt at %s', handler,
                  event_id, status, lease_expires_at, next_attempt_at)
    FROM deliveries WHERE lease_expires_at IS NOT NULL OR next_attempt_at IS NOT NULL
        OR status IN ('pending', 'running')
    UNION ALL SELECT format('journal: %s', journal) FROM journal
    UNION ALL SELECT format('replay %s is %s', id, status) FROM replays WHERE status <> 'finished'
    UNION ALL SELECT format('replay %s has an item that is %s', replay_id, status)
    FROM replay_items WHERE status IN ('waiting', 'released')
    """,
)

INVARIANTS = [
    COMMITTED,
    ROLLED_BACK,
    ALL_OR_NOTHING,
    FROM_SOMEWHERE,
    ROWS_FROM_SOMEWHERE,
    CALM_PUBLISHERS,
    SETTLED,
    EFFECTS_ONCE,
    EFFECTS_DELIVERED,
    IN_ITS_TENANT,
    REPLAYED,
    EFFECTS_OF_EVENTS,
    COUNTERS,
    ECHOES,
    IN_ORDER,
    CALLED,
    CALLED_FREELY,
    CALLS_COUNTED,
    DELIVERIES,
    ATTEMPTS,
    AGGREGATES,
    NOTHING_LEFT,
]
