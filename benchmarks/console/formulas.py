"""The log as formulas: everything about an event follows from its number.

So millions of rows are made by a few statements, and any of them can be named without being read.
"""

from benchmarks.console.kinds import Kind, Way
from benchmarks.console.shape import (
    DAYS,
    OLDER_THAN_A_DAY,
    OLDER_THAN_AN_HOUR,
    TENANTS,
    Shape,
    ends_of,
)
from benchmarks.database import rows_of
from salesflow.accounts.models import Tenant

# `share_of` is a number from 0 to 1, as if by chance; `id_of` a UUID of version 7, as rising as the
# moment; `moment_of` says when the event was recorded.
FUNCTIONS = """
    CREATE OR REPLACE FUNCTION pg_temp.share_of(n bigint, seed int) RETURNS float8
    LANGUAGE sql IMMUTABLE AS $$
        SELECT (hashint8extended(n, seed) & 1048575)::float8 / 1048576
    $$;

    CREATE OR REPLACE FUNCTION pg_temp.id_of(n bigint, moment timestamptz) RETURNS uuid
    LANGUAGE sql STABLE AS $$
        SELECT (lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || '7'
            || lpad(to_hex(extract(microseconds FROM moment)::bigint %% 1000 * 4096 / 1000), 3, '0')
            || '8' || lpad(to_hex(hashint8extended(n, 1) & 1152921504606846975), 15, '0'))::uuid
    $$;

    CREATE OR REPLACE FUNCTION pg_temp.lead_of(lead bigint) RETURNS uuid
    LANGUAGE sql IMMUTABLE AS $$
        SELECT overlay(overlay(
            lpad(to_hex(hashint8extended(lead, 11)), 16, '0')
            || lpad(to_hex(hashint8extended(lead, 12)), 16, '0')
            PLACING '7' FROM 13) PLACING '8' FROM 17)::uuid
    $$;

    CREATE OR REPLACE FUNCTION pg_temp.moment_of(n bigint) RETURNS timestamptz
    LANGUAGE sql STABLE AS $$
        SELECT '{moment}'::timestamptz - interval '1 second' * CASE
            WHEN n BETWEEN {first_imported} AND {last_imported}
                THEN 86400 - (n - {first_imported}) * 0.0002
            WHEN n < {a_day} THEN 86400 + (1 - n / {a_day}::float8) * {days} * 86400
            WHEN n < {an_hour}
                THEN 3600 + (1 - (n - {a_day}) / ({an_hour} - {a_day})::float8) * 82800
            ELSE (1 - (n - {an_hour}) / ({events} - {an_hour})::float8) * 3600
        END
    $$;
"""
TABLES = """
    CREATE TEMP TABLE kinds (
        no int PRIMARY KEY, name text, version int, subject text, payload jsonb,
        handlers text[], external bool[]
    );
    CREATE TEMP TABLE owners (no int PRIMARY KEY, id uuid, slug text);
    CREATE TEMP TABLE ways (
        g int PRIMARY KEY, kind int, handler text, external bool, most int, tenants int,
        fingerprint uuid, error_type text, sentence text, frame text, message text, traceback text,
        state text
    );
    CREATE TEMP TABLE quotas (g int, fate text, after int, upto int);
    CREATE TEMP TABLE windows (g int PRIMARY KEY, first bigint, last bigint, total int);
"""
KIND = "INSERT INTO kinds VALUES (%(no)s, %(name)s, %(version)s, %(subject)s, %(payload)s, "
KIND += "%(handlers)s::text[], %(external)s::bool[])"
WAY = """
    INSERT INTO ways VALUES (
        %(g)s, %(kind)s, %(handler)s, %(external)s, %(most)s, %(tenants)s, %(fingerprint)s,
        %(error_type)s, %(sentence)s, %(frame)s, %(message)s, %(traceback)s, %(state)s
    )
"""


def prepare_formulas(
    shape: Shape, tenants: list[Tenant], known: list[Kind], failing: list[Way]
) -> None:
    """Make the functions and temporary tables of which the statements that fill speak."""
    a_day, an_hour = shape.upto(OLDER_THAN_A_DAY), shape.upto(OLDER_THAN_AN_HOUR)
    functions = FUNCTIONS.format(
        moment=shape.moment.isoformat(),
        first_imported=shape.imported.first,
        last_imported=shape.imported.last,
        a_day=a_day,
        an_hour=an_hour,
        days=DAYS - 1,
        events=shape.events,
    )
    rows_of(functions)
    rows_of(TABLES)
    for number, tenant in enumerate(tenants):
        values = {"no": number, "id": tenant.pk, "slug": tenant.slug}
        rows_of("INSERT INTO owners VALUES (%(no)s, %(id)s, %(slug)s)", **values)
    for kind in known:
        _add_kind(kind)
    for way in failing:
        _add_way(way, shape)
    rows_of("ANALYZE kinds, owners, ways, quotas, windows")


def _add_kind(kind: Kind) -> None:
    values = {
        "no": kind.number,
        "name": kind.name,
        "version": kind.payload.version,
        "subject": kind.payload.subject,
        "payload": kind.example,
        "handlers": [handler.name for handler in kind.handlers],
        "external": [handler.is_external for handler in kind.handlers],
    }
    rows_of(KIND, **values)


def _add_way(way: Way, shape: Shape) -> None:
    values = {
        "g": way.number,
        "kind": way.kind,
        "handler": way.handler.name,
        "external": way.handler.is_external,
        "most": way.handler.retry.max_attempts,
        "tenants": way.tenants,
        "fingerprint": way.fingerprint,
        "error_type": way.error,
        "sentence": way.sentence,
        "frame": way.frame,
        "message": way.signature.message,
        "traceback": way.traceback,
        "state": way.state,
    }
    rows_of(WAY, **values)
    after = 0
    for fate, count in shape.fates_of(way.number).items():
        values = {"g": way.number, "fate": fate, "after": after, "upto": after + count}
        rows_of("INSERT INTO quotas VALUES (%(g)s, %(fate)s, %(after)s, %(upto)s)", **values)
        after += count
    window = shape.window_of(way.number)
    values = {"g": way.number, "first": window.first, "last": window.last, "total": after}
    rows_of("INSERT INTO windows VALUES (%(g)s, %(first)s, %(last)s, %(total)s)", **values)


def chosen(shares: tuple[float, ...], seed: int, number: str) -> str:
    """SQL that picks an index by these shares, as if by chance.

    Args:
        number: the SQL of the number that decides.
    """
    ends = ", ".join(f"{end:.6f}" for end in ends_of(shares))
    return f"width_bucket(pg_temp.share_of({number}, {seed}), ARRAY[{ends}]::float8[])"


def tenant_chosen(number: str) -> str:
    """SQL that picks a tenant: four events in a row are of one."""
    return chosen(TENANTS, 3, f"{number} / 4")
