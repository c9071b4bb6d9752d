"""The geometry of charts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.console.charts import HEIGHT, LEAST, Column, bars, round_up, sparkline

numbers = st.floats(0, 1e12)


@pytest.mark.parametrize(
    ("value", "edge"),
    [(0, 1), (1, 1), (1.5, 2), (3, 5), (7, 10), (11, 20), (21, 50), (99, 100), (101, 200)],
)
def test_edges_are_round(value: float, edge: float) -> None:
    assert round_up(value) == edge


@given(numbers)
def test_edge_lies_above_what_it_is_for_but_not_far(value: float) -> None:
    assert value <= round_up(value) <= max(1.0, 2.5 * value)


def test_values_are_stacked_from_the_bottom() -> None:
    drawing = bars([Column({"failed": 25, "processed": 50}, "75", "/list"), Column({})], top=100)
    [column, empty] = drawing.columns
    assert [(r.status, r.y, r.height) for r in column.rects] == [
        ("failed", 75.0, 25.0),
        ("processed", 25.0, 50.0),
    ]
    assert (column.title, column.url, column.hit.x, column.hit.height) == ("75", "/list", 0, HEIGHT)
    assert (empty.rects, empty.hit.x) == ([], 1)
    assert (drawing.width, drawing.top) == (2.0, 100)


def test_a_column_is_drawn_with_its_words_escaped_and_leads_to_its_list() -> None:
    linked = Column({"failed": 100}, "<b>100 %</b>", "/list?a=1&b=2")
    [column, other] = bars([linked, Column({}, "none")], top=100).columns
    assert column.svg == (
        '<a href="/list?a=1&amp;b=2" tabindex="-1"><title>&lt;b&gt;100 %&lt;/b&gt;</title>'
        '<rect class="event-hit" x="0" y="0" width="1" height="100.0"></rect>'
        '<rect data-status="failed" x="0.1" y="0.0" width="0.8" height="100.0"></rect></a>'
    )
    assert other.svg == (
        "<g><title>none</title>"
        '<rect class="event-hit" x="1" y="0" width="1" height="100.0"></rect></g>'
    )


def test_one_failure_among_a_million_is_seen() -> None:
    [column] = bars([Column({"failed": 1, "processed": 1_000_000})]).columns
    assert column.rects[0].height == LEAST


def test_nothing_is_drawn_of_nothing() -> None:
    assert bars([]).columns == []
    assert sparkline([]) == ""
    assert sparkline([0, 0]) == "0,20 100,20"


@given(st.lists(st.dictionaries(st.sampled_from("abc"), numbers), min_size=1, max_size=60))
def test_no_rectangle_leaves_the_drawing(values: list[dict[str, float]]) -> None:
    drawing = bars(Column(each) for each in values)
    for number, column in enumerate(drawing.columns):
        for rect in column.rects:
            assert number <= rect.x <= rect.x + rect.width <= number + 1
            assert 0 <= rect.y <= rect.y + rect.height <= HEIGHT + 0.01


def test_sparkline_goes_from_edge_to_edge() -> None:
    assert sparkline([0, 5, 10]) == "0,20 50,10 100,0"
    assert sparkline([0, 5, 10], top=20) == "0,20 50,15 100,10"
    assert sparkline([3]) == "0,0"
