"""What follows from measurements: medians, ratios, the chart."""

from dataclasses import replace
from xml.etree import ElementTree

from benchmarks.chart import Bar, chart_of
from benchmarks.findings import Findings, ratios_of
from benchmarks.history import OnHistory
from benchmarks.latency import Latency
from benchmarks.peers.peer import Broker, Mode
from benchmarks.replay import ReplayRun
from benchmarks.stolen import Stopwatch
from benchmarks.throughput import Throughput


def make_throughput(
    peer: str, per_second: float, mode: Mode = Mode.BULK, broker: Broker = Broker.PGMQ
) -> Throughput:
    return Throughput(peer, mode, broker, 1000, 1000 / per_second, 0.1, 0.0)


def make_latency(peer: str, p50: float, broker: Broker) -> Latency:
    return Latency(peer, broker, 100, p50, 2 * p50, 3 * p50)


def make_findings() -> Findings:
    return Findings(
        "full",
        [
            *(make_throughput("salesflow", speed) for speed in (8000, 9000, 1000)),
            *(make_throughput("salesflow", 6000, broker=Broker.REDIS) for _round in range(3)),
            *(make_throughput("limit", speed) for speed in (10_000, 10_000, 2000)),
            *(make_throughput("task_per_event", speed) for speed in (100, 100, 10)),
            *(make_throughput("task_per_event", 120, broker=Broker.REDIS) for _round in range(3)),
            make_throughput("salesflow", 900, Mode.SINGLE),
            make_throughput("salesflow", 1000, Mode.SINGLE, Broker.REDIS),
            make_throughput("procrastinate", 300, Mode.SINGLE),
            make_latency("salesflow", 20, Broker.PGMQ),
            make_latency("task_per_event", 25, Broker.PGMQ),
            make_latency("salesflow", 12, Broker.REDIS),
            make_latency("task_per_event", 10, Broker.REDIS),
            OnHistory(10_000, 1000, 0.1),
            OnHistory(10_000_000, 1000, 0.11),
            ReplayRun(Broker.PGMQ, 1000, 0.2),
        ],
    )


def test_median_of_the_rounds_counts() -> None:
    assert make_findings().per_second("salesflow", Mode.BULK, Broker.PGMQ) == 8000


def test_ratios_compare_on_the_same_broker_and_take_the_worse_one() -> None:
    ratios = {name: round(ratio or 0, 3) for name, ratio in ratios_of(make_findings()).items()}
    assert ratios == {
        "bulk_vs_task_per_event": 50,  # Redis: 6000 / 120
        "bulk_vs_limit": 0.6,  # Redis: 6000 / 10,000
        "single_vs_procrastinate": 3,  # PGMQ: 900 / 300
        "latency_p50_vs_task_per_event": 1.2,  # Redis: 12 / 10
        "time_per_event_10m_vs_10k": 1.1,
        "replay_vs_limit": 0.5,
    }


def test_figure_tells_what_others_on_the_machine_took() -> None:
    quiet = make_throughput("limit", 1000)
    assert quiet.figure == "1,000 events/s"
    assert replace(quiet, stolen=0.423).figure == "1,000 events/s (42 % stolen)"


def test_stolen_time_is_a_share() -> None:
    stopwatch = Stopwatch()
    assert sum(number * number for number in range(200_000)) > 0
    assert 0 <= stopwatch.share() <= 1


def test_round_that_is_slow_for_all_changes_no_ratio() -> None:
    rounds = [(6000, 100), (1500, 20), (2500, 50)]
    ours = [make_throughput("salesflow", speed) for speed, _their_speed in rounds]
    theirs = [make_throughput("task_per_event", speed) for _our_speed, speed in rounds]
    assert ratios_of(Findings("full", [*ours, *theirs]))["bulk_vs_task_per_event"] == 60


def test_ratio_is_missing_where_a_side_was_not_measured() -> None:
    assert set(ratios_of(Findings("quick")).values()) == {None}


def test_chart_is_plain_svg_with_a_bar_for_each_peer() -> None:
    bars = [Bar("This & that", 9000, is_ours=True), Bar("Peer", 100, is_ours=False)]
    chart = ElementTree.fromstring(chart_of({"bulk": bars, "nothing measured": []}))
    shapes = [element.tag.rpartition("}")[2] for element in chart.iter()]
    assert shapes.count("rect") == 1 + len(bars)
    assert set(shapes) == {"svg", "title", "rect", "text"}
