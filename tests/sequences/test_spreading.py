"""Places in a day: how many there are, how far apart they lie, and that nobody is forgotten."""

from collections import Counter
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channels.sequences.calendars import Calendar, read_calendar
from channels.sequences.spreading import FARTHEST, NoPlace, Place, Quota, Room, share_of
from channels.sequences.working_time import NeverOpens, is_open
from tests.sequences.weeks import AUCKLAND, BERLIN, NEVER, NEW_YORK, OFFICE, local

MORNING = local("2026-11-23 09:00", BERLIN)
MONDAY = date(2026, 11, 23)
LUNCH = read_calendar(
    {day: [["08:00", "12:00"], ["13:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}
)
NIGHTS = read_calendar({day: [["22:00", "06:00"]] for day in ("mon", "tue", "wed")})


def room_of(*caps: int, gap: timedelta = timedelta()) -> Room:
    quotas = tuple(Quota(f"key {number}", cap) for number, cap in enumerate(caps))
    return Room(quotas, BERLIN, gap=gap)


def draw_many(
    room: Room,
    number: int,
    now: datetime = MORNING,
    calendar: Calendar = OFFICE,
    zone: ZoneInfo = BERLIN,
) -> tuple[Room, list[Place]]:
    places = []
    for each in range(number):
        place = room.draw(now, calendar, zone, share_of(each))
        if isinstance(place, NoPlace):
            break
        places.append(place)
        room = room.taken(place)
    return room, places


def test_first_one_goes_at_once() -> None:
    _, (place,) = draw_many(room_of(10), 1)
    assert (place.at, place.day) == (MORNING, MONDAY)


def test_cap_of_ten_lets_ten_out_on_each_of_five_days() -> None:
    _, places = draw_many(room_of(10), 50)
    assert Counter(place.day for place in places) == {
        MONDAY + timedelta(days=day): 10 for day in range(5)
    }
    assert all(is_open(place.at, OFFICE, BERLIN) for place in places)


@pytest.mark.parametrize("calendar", [OFFICE, LUNCH])
def test_places_lie_half_to_one_and_a_half_distances_apart(calendar: Calendar) -> None:
    _, places = draw_many(room_of(16), 16, now=local("2026-11-23 08:00", BERLIN), calendar=calendar)
    distances = {later.at - place.at for place, later in pairwise(places)}
    # Eight hours, sixteen places; over lunch an hour more passes.
    assert min(distances) >= timedelta(minutes=15)
    assert max(distances) <= timedelta(minutes=45 + 60 * (calendar is LUNCH))
    assert len(distances) > 10, "Machines are punctual, people are not."
    assert places[-1].at > local("2026-11-23 16:15", BERLIN)


def test_gap_is_kept_though_fewer_go() -> None:
    _, places = draw_many(room_of(100, gap=timedelta(minutes=10)), 100)
    assert all(later.at - place.at >= timedelta(minutes=10) for place, later in pairwise(places))
    assert Counter(place.day for place in places)[MONDAY] == 48


def test_smallest_cap_counts() -> None:
    _, places = draw_many(room_of(10, 4), 12)
    assert Counter(place.day for place in places) == {
        MONDAY + timedelta(days=day): 4 for day in range(3)
    }


def test_what_was_sent_already_counts() -> None:
    room = Room((Quota("account", 10, {MONDAY: 8}),), BERLIN)
    _, places = draw_many(room, 4)
    assert [place.day for place in places] == [MONDAY] * 2 + [date(2026, 11, 24)] * 2


def test_same_question_has_the_same_answer() -> None:
    assert draw_many(room_of(7), 30) == draw_many(room_of(7), 30)


def test_waiting_in_auckland_takes_no_place_from_a_morning_in_berlin() -> None:
    evening = local("2026-11-24 09:00", AUCKLAND)
    room, places = draw_many(room_of(10), 3, now=evening, zone=AUCKLAND)
    # It is Monday evening in Berlin, whose days are counted.
    assert {place.day for place in places} == {MONDAY}
    assert room.draw(MORNING, OFFICE, BERLIN, 0.5).at == MORNING
    # All count for the caps: a full day is full for everybody.
    full = Room((Quota("account", 3, room.quotas[0].used),), BERLIN, room.lines)
    assert full.draw(MORNING, OFFICE, BERLIN, 0.5).at == local("2026-11-24 09:00", BERLIN)


def test_contact_whose_hours_are_never_those_of_the_tenant_is_written_to() -> None:
    _, places = draw_many(room_of(10), 25, now=MORNING, zone=AUCKLAND)
    assert all(is_open(place.at, OFFICE, AUCKLAND) for place in places)
    assert max(Counter(place.day for place in places).values()) == 10


def test_hours_over_midnight_have_places_on_both_days() -> None:
    room, places = draw_many(room_of(8), 8, now=local("2026-11-23 22:00", BERLIN), calendar=NIGHTS)
    assert {place.name for place in places} == {local("2026-11-23 22:00", BERLIN)}
    assert Counter(place.day for place in places) == {MONDAY: 2, date(2026, 11, 24): 6}
    assert room.draw(local("2026-11-24 05:50", BERLIN), NIGHTS, BERLIN, 0.5).at == local(
        "2026-11-24 22:00", BERLIN
    )


def test_late_in_the_day_there_are_fewer_places() -> None:
    now = local("2026-11-23 16:00", BERLIN)
    _, places = draw_many(room_of(8), 4, now=now)
    assert [place.day for place in places] == [MONDAY, *[date(2026, 11, 24)] * 3]


def test_whoever_finds_no_place_in_a_month_looks_again_after_it() -> None:
    room, places = draw_many(room_of(1), FARTHEST)
    assert len({place.day for place in places}) == FARTHEST
    last = room.draw(MORNING, OFFICE, BERLIN, 0.5)
    assert isinstance(last, NoPlace)
    # Thirty open days from Monday, 23 November on are over on Friday, 1 January.
    assert last.at == local("2027-01-04 09:00", BERLIN)


def test_calendar_that_opens_once_a_year_may_be_full() -> None:
    closed = [MONDAY + timedelta(days=day) for day in range(1, 365)]
    calendar = read_calendar(
        {day: [["09:00", "17:00"]] for day in ("mon", "tue", "wed", "thu", "fri")},
        closed=[str(day) for day in closed],
    )
    room = Room((Quota("account", 1, {MONDAY: 1}),), BERLIN)
    place = room.draw(MORNING, calendar, BERLIN, 0.5)
    assert place.at == local("2027-11-23 09:00", BERLIN)


def test_place_that_is_given_back_is_free() -> None:
    room, places = draw_many(room_of(4), 4)
    tomorrow = local("2026-11-24 09:00", BERLIN)
    assert room.draw(MORNING, OFFICE, BERLIN, 0.5).at == tomorrow
    freed = room.returned(places[2].at, OFFICE, BERLIN).returned(places[1].at, OFFICE, BERLIN)
    assert freed.quotas[0].used == {MONDAY: 2}
    again, given = draw_many(freed, 3)
    assert [place.at for place in given] == [places[1].at, places[2].at, tomorrow]
    assert again.quotas[0].used[MONDAY] == 4


def test_free_place_that_is_over_is_not_given() -> None:
    room, places = draw_many(room_of(4), 4)
    freed = room.returned(places[1].at, OFFICE, BERLIN)
    later = local("2026-11-23 16:00", BERLIN)
    assert freed.draw(later, OFFICE, BERLIN, 0.5).at == local("2026-11-24 09:00", BERLIN)


def test_place_comes_back_though_the_hours_were_changed() -> None:
    room, places = draw_many(room_of(4), 4)
    freed = room.returned(places[1].at, NIGHTS, BERLIN)
    assert freed.quotas[0].used == {MONDAY: 3}
    assert freed.lines == room.lines


def test_lowered_cap_holds_for_places_that_were_given() -> None:
    room, places = draw_many(room_of(5), 5)
    assert room.keeps(places[4].at)
    lowered = Room((Quota("key 0", 2, room.quotas[0].used),), BERLIN, room.lines)
    assert not lowered.keeps(places[4].at)
    for place in places[2:]:
        lowered = lowered.returned(place.at, OFFICE, BERLIN)
    assert lowered.keeps(places[0].at)


def test_cap_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="account:7"):
        Quota("account:7", 0)


def test_calendar_without_hours_has_no_places() -> None:
    with pytest.raises(NeverOpens):
        room_of(1).draw(MORNING, NEVER, BERLIN, 0.5)


@given(
    cap=st.integers(1, 40),
    minute=st.integers(0, 7 * 24 * 60),
    gap=st.sampled_from([0, 90, 600]),
    number=st.integers(1, 60),
)
@settings(max_examples=60, deadline=None)
def test_caps_hours_and_order_hold_whatever_is_asked(
    cap: int, minute: int, gap: int, number: int
) -> None:
    now = MORNING + timedelta(minutes=minute)
    _, places = draw_many(room_of(cap, gap=timedelta(seconds=gap)), number, now, LUNCH)
    assert len(places) == min(number, cap * FARTHEST) or minute % (24 * 60)
    assert max(Counter(place.day for place in places).values()) <= cap
    assert all(is_open(place.at, LUNCH, BERLIN) and place.at >= now for place in places)
    assert all(
        later.at - place.at >= timedelta(seconds=gap) and later.at > place.at
        for place, later in pairwise(places)
    )


HALF = read_calendar({day: [["10:00", "13:00"]] for day in ("mon", "tue", "wed", "thu", "fri")})


@given(
    asked=st.lists(
        st.tuples(
            st.sampled_from([BERLIN, NEW_YORK, ZoneInfo("Europe/Lisbon"), AUCKLAND]),
            st.sampled_from([OFFICE, LUNCH, HALF, NIGHTS]),
            st.sampled_from([0, 90, 600, 3600, 10_000]),
            st.sampled_from([None, 3, 40]),
            st.integers(0, 900),
            st.booleans(),
        ),
        min_size=2,
        max_size=40,
    )
)
@settings(max_examples=80, deadline=None)
def test_gap_is_kept_over_zones_calendars_and_caps(
    asked: list[tuple[ZoneInfo, Calendar, int, int | None, int, bool]],
) -> None:
    now, room, places = MORNING, room_of(50), list[datetime]()
    for number, (zone, calendar, gap, cap, minutes, is_returned) in enumerate(asked):
        now += timedelta(minutes=minutes)
        distance = timedelta(seconds=gap)
        room = replace(room, gap=distance, quotas=(replace(room.quotas[0], cap=cap),))
        place = room.draw(now, calendar, zone, share_of(number))
        assert isinstance(place, Place), "There is one within a month."
        assert place.at >= now
        assert is_open(place.at, calendar, zone)
        assert all(abs(place.at - other) >= distance for other in places)
        room = room.taken(place)
        if is_returned and place.at > now:
            room = room.returned(place.at, calendar, zone)
        else:
            places.append(place.at)


def test_place_that_comes_back_is_not_given_too_near_to_another_one() -> None:
    room, places = draw_many(room_of(100, gap=timedelta(hours=1)), 3)
    freed = room.returned(places[1].at, OFFICE, BERLIN)
    lisbon = ZoneInfo("Europe/Lisbon")
    # In the other line it is half an hour later than the place that came back.
    between = replace(freed, moments=(places[0].at, places[1].at + timedelta(minutes=30)))
    assert between.draw(MORNING, OFFICE, BERLIN, 0.5).at == local("2026-11-23 12:00", BERLIN)
    assert freed.draw(places[1].at, OFFICE, lisbon, 0.5).at == places[1].at


def test_crowded_morning_elsewhere_costs_one_look_at_each_of_its_places() -> None:
    moments = tuple(MORNING + number * timedelta(minutes=1) for number in range(400))
    room = Room((Quota("account", None),), BERLIN, gap=timedelta(minutes=1), moments=moments)
    later, places = draw_many(room, 2, zone=ZoneInfo("Europe/Lisbon"))
    assert places[0].at == MORNING + timedelta(minutes=400)
    assert places[1].at == MORNING + timedelta(minutes=401)
    assert later.lines[places[0].name or MORNING].next_at >= places[1].at


def test_shares_look_like_chance_and_never_change() -> None:
    shares = [share_of(number, "place") for number in range(20_000)]
    assert all(0 <= share < 1 for share in shares)
    tenths = Counter(int(share * 10) for share in shares)
    # Chi-squared with nine degrees of freedom: 27.9 is passed by one in a thousand.
    assert sum((tenths[n] - 2000) ** 2 / 2000 for n in range(10)) < 27.9
    # Source: `printf '1|2' | sha256sum` begins with 22074227d8462b39.
    assert share_of(1, 2) == pytest.approx(0x22074227D8462B39 / 2**64, abs=1e-15)
    assert share_of(1, 2) != share_of(2, 1)
