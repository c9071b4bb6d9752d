"""The results for people: tables for the terminal and for docs/benchmarks.md, and its chart."""

from collections.abc import Iterable, Iterator, Sequence
from statistics import median
from typing import Any

from benchmarks.chart import Bar, chart_of
from benchmarks.latency import NO_OP
from benchmarks.peers import peer_named
from salesflow.home import PROJECT

PAGE = PROJECT / "docs" / "benchmarks.md"
CHART = PROJECT / "docs" / "benchmarks.svg"
PICTURE = f"![Events a second]({CHART.name})\n"
BEGIN, END = "<!-- figures: begin -->\n", "<!-- figures: end -->\n"

# What each ratio means, and the goal.
RATIOS = {
    "bulk_vs_task_per_event": ("bulk, against a Celery task per event", "≥ 60"),
    "bulk_vs_limit": ("bulk, against the limit", "≥ 0.6"),
    "single_vs_procrastinate": ("single publishes, against procrastinate", "≥ 2.5"),
    "latency_p50_vs_task_per_event": ("latency p50, against a Celery task per event", "≤ 1.2"),
    "time_per_event_10m_vs_10k": (
        "time per event on 10 million rows, against 10 thousand",
        "≤ 1.3",
    ),
    "replay_vs_limit": ("replay, against the limit", "≥ 0.29"),
}
MODES = {
    "bulk": "1,000 leads a transaction",
    "bulk-each": "1,000 leads a transaction, handled one by one",
    "single": "one lead a transaction",
}

Results = dict[str, Any]


def tables_of(results: Results) -> str:
    """All figures as Markdown tables."""
    sections = [
        ("Ratios", _ratios(results)),
        ("Throughput", _throughput(results)),
        ("Latency", _latency(results)),
        ("SalesFlow alone", _alone(results)),
    ]
    parts = [f"### {title}\n\n{table}\n" for title, table in sections]
    return "\n".join([*parts, _circumstances(results)])


def write_page(results: Results) -> None:
    """Put the tables into docs/benchmarks.md, between its markers, and draw the chart anew."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n{PICTURE}\n{tables_of(results)}\n{END}{after}")
    CHART.write_text(chart_of({MODES[mode]: list(_bars(results, mode)) for mode in MODES}))


def _ratios(results: Results) -> str:
    rows = [
        (
            meaning,
            goal,
            "–" if results["ratios"][name] is None else f"{results['ratios'][name]:.2f}",
        )
        for name, (meaning, goal) in RATIOS.items()
    ]
    return table(("ratio", "goal", "reached"), rows)


def _throughput(results: Results) -> str:
    rows = [
        (_title(peer), MODES[mode], _broker(peer, broker), f"{events:,}", f"{speed:,.0f}")
        for (peer, mode, broker, events), speed in _speeds(results).items()
    ]
    return table(("", "published", "messages on", "events", "events a second"), rows)


def _speeds(results: Results) -> dict[tuple[str, str, str, int], float]:
    """Peer, mode, broker and events → the median of the rounds, the fastest of a mode first."""
    rounds: dict[tuple[str, str, str, int], list[float]] = {}
    for row in results["figures"]["throughput"]:
        key = (row["peer"], row["mode"], row["broker"], row["events"])
        rounds.setdefault(key, []).append(row["per_second"])
    speeds = {key: median(values) for key, values in rounds.items()}
    order = list(MODES)
    return dict(sorted(speeds.items(), key=lambda item: (order.index(item[0][1]), -item[1])))


def _bars(results: Results, mode: str) -> Iterator[Bar]:
    for (peer, its_mode, broker, _events), speed in _speeds(results).items():
        if its_mode == mode:
            name = f"{_title(peer)} ({broker})" if _broker(peer, broker) else _title(peer)
            yield Bar(name, speed, is_ours=peer == "salesflow")


def _latency(results: Results) -> str:
    rows = [_latency_row(_title(row["peer"]), row) for row in results["figures"]["latency"]]
    return table(("", "messages on", "p50 (ms)", "p95 (ms)", "p99 (ms)"), rows)


def _latency_row(title: str, row: Results) -> tuple[str, ...]:
    return title, row["broker"], *(f"{row[name]:.1f}" for name in ("p50_ms", "p95_ms", "p99_ms"))


def _alone(results: Results) -> str:
    return table(("what", "figure"), [*_histories(results), *_other_figures(results)])


def _histories(results: Results) -> Iterator[tuple[str, str]]:
    rounds: dict[int, list[float]] = {}
    for row in results["figures"]["settled_events_in_the_tables"]:
        rounds.setdefault(row["settled_before"], []).append(row["microseconds_per_event"])
    for settled, times in rounds.items():
        yield f"an event in bulk, on top of {settled:,} settled ones", f"{median(times):,.0f} µs"


def _other_figures(results: Results) -> Iterator[tuple[str, str]]:
    figures = results["figures"]
    for row in figures["replay"]:
        yield (
            f"replay of {row['events']:,} failed events",
            f"{row['per_second']:,.0f} events a second",
        )
    for row in figures["fairness"]:
        what = f"an event of one tenant while {row['backlog']:,} of another wait"
        late = row["latency"]
        yield what, f"p50 {late['p50_ms']:,.0f} ms, p95 {late['p95_ms']:,.0f} ms"
    for row in figures["memory_in_megabytes"]:
        what = f"memory of the worker over {row['events']:,} events"
        yield what, f"{row['early']:.0f} MB early, {row['late']:.0f} MB late"


def _circumstances(results: Results) -> str:
    machine, versions = results["machine"], results["versions"]
    names = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"Measured on {results['finished_at'][:10]} in {results['seconds'] / 60:.0f} minutes on"
        f" {machine['cores']} cores ({machine['processor']}) with"
        f" {machine['memory_in_gigabytes']} GB of memory, {machine['system']}. {names}.\n"
    )


def _title(peer: str) -> str:
    return "Celery, a task that does nothing" if peer == NO_OP else peer_named(peer).title


def _broker(peer: str, broker: str) -> str:
    """What carried its messages; nothing for a peer that needs no broker."""
    return broker if len(peer_named(peer).brokers) > 1 else ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table that reads well as plain text too; figures stand at the right."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    rule = ["-" * width for width in widths]
    return "\n".join(
        "| "
        + " | ".join(text.ljust(width) for text, width in zip(line, widths, strict=True))
        + " |"
        for line in [lines[0], rule, *lines[1:]]
    )
