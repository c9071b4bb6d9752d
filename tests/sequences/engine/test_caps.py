"""Caps of accounts and senders, gaps, and places that come back."""

from collections import Counter
from collections.abc import Callable
from datetime import date, datetime, timedelta
from itertools import pairwise

import pytest

from channels.models import Message
from channels.sequences.by_hand import take_out
from channels.sequences.executing import advance_due
from channels.sequences.models import DayQuota, Enrolment, PlaceLine, WorkCalendar
from channels.sequences.quotas import KEPT, forget_quotas, sender_key
from channels.sequences.work_calendars import save_calendar
from channels.services.accounts import connect_account, make_default
from channels.services.withdrawing import withdraw_messages
from events.testing import settle_events
from salesflow.accounts.models import Tenant
from tests.factories import make_user
from tests.sequences.engine.clock import Clock
from tests.sequences.engine.factories import (
    again,
    enrol,
    enrol_one,
    hours,
    mail,
    make_contact,
    make_sequence,
    reply,
    sent_to,
)
from tests.sequences.weeks import BERLIN, local, utc

pytestmark = pytest.mark.usefixtures("team")


def _moments() -> list[datetime]:
    sent = Message.objects.exclude(sent_at=None).order_by("sent_at")
    return [at for at in sent.values_list("sent_at", flat=True) if at]


def _days() -> Counter[date]:
    sent = Message.objects.exclude(sent_at=None).values_list("sent_at", flat=True)
    return Counter(at.astimezone(BERLIN).date() for at in sent if at)


def test_cap_is_kept_and_used_every_day(clock: Clock) -> None:
    clock.set("2026-11-23 06:00")
    sequence = make_sequence(mail("one"), account_cap=4)
    enrol(sequence, *(make_contact() for _ in range(20)))
    clock.run()
    assert _days() == {}
    clock.run_until("2026-11-28 00:00")
    monday = date(2026, 11, 23)
    assert _days() == {monday + timedelta(days=number): 4 for number in range(5)}
    assert {each.used for each in DayQuota.objects.filter(day__gte=monday)} == {4}


def test_cap_holds_for_all_sequences_of_an_account_together(clock: Clock) -> None:
    clock.set("2026-11-23 09:00")
    for _ in range(2):
        sequence = make_sequence(mail("one"), account_cap=4)
        enrol(sequence, *(make_contact() for _ in range(6)))
    clock.run_until("2026-11-25 00:00")
    assert [*_days().values()] == [4, 4]


def test_cap_of_a_sender_holds_through_whichever_account(team: Tenant, clock: Clock) -> None:
    clock.set("2026-11-23 09:00")
    sender = make_user(team)
    sequence = make_sequence(mail("one"), sender_cap=3)
    mine = enrol(sequence, *(make_contact() for _ in range(5)), sender=sender)
    others = enrol(sequence, *(make_contact() for _ in range(5)), sender=make_user(team))
    clock.run_until("2026-11-24 00:00")
    assert sum(len(sent_to(each)) for each in mine) == 3
    assert sum(len(sent_to(each)) for each in others) == 3


def test_cap_of_a_sender_counts_what_a_sequence_without_one_sends(
    team: Tenant, clock: Clock
) -> None:
    clock.set("2026-11-23 09:00")
    ann = make_user(team)
    enrol(make_sequence(mail("free")), *(make_contact() for _ in range(5)), sender=ann)
    clock.run()
    capped = make_sequence(mail("capped"), sender_cap=6)
    enrolments = enrol(capped, *(make_contact() for _ in range(5)), sender=ann)
    clock.run_until("2026-11-24 00:00")
    assert sum(len(sent_to(each)) for each in enrolments) == 1
    clock.run_until("2026-11-25 00:00")
    assert [*_days().values()] == [6, 4]


def test_cap_of_an_account_counts_what_a_sequence_without_one_sends(clock: Clock) -> None:
    clock.set("2026-11-23 09:00")
    enrol(make_sequence(mail("free")), *(make_contact() for _ in range(5)))
    clock.run()
    enrol(make_sequence(mail("capped"), account_cap=5), make_contact())
    clock.run_until("2026-11-25 00:00")
    assert [*_days().values()] == [5, 1]


def test_sequence_without_caps_waits_for_nobody(team: Tenant, clock: Clock) -> None:
    ann = make_user(team)
    capped = make_sequence(mail("capped"), account_cap=1, sender_cap=1)
    enrol(capped, *(make_contact() for _ in range(3)), sender=ann)
    clock.run()
    free = enrol(make_sequence(mail("free")), *(make_contact() for _ in range(3)), sender=ann)
    clock.run()
    assert [sent_to(each) for each in free] == [["free"]] * 3
    assert not any(again(each).place_at for each in free)


def test_what_a_sequence_without_caps_takes_back_counts_off_its_own_alone(
    team: Tenant, clock: Clock
) -> None:
    clock.set("2026-11-23 09:00")
    ann = make_user(team)
    capped = make_sequence(mail("capped"), sender_cap=3, account_cap=10)
    enrol(capped, *(make_contact() for _ in range(3)), sender=ann)
    clock.run_until("2026-11-23 16:00")
    enrol(make_sequence(mail("free")), *(make_contact() for _ in range(2)), sender=ann)
    advance_due(at=clock.now)
    queued = Message.objects.filter(status="queued")
    withdraw_messages([each.pk for each in queued], "The sequence is paused.")
    settle_events()
    used = DayQuota.objects.filter(day=date(2026, 11, 23))
    assert [*used.values_list("used", flat=True)] == [3, 3]
    assert used.filter(key=sender_key(ann.pk)).exists()
    later = enrol_one(capped, sender=ann)
    clock.run_until("2026-11-24 00:00")
    assert sent_to(later) == []


def test_messages_of_an_account_keep_their_distance(clock: Clock) -> None:
    clock.set("2026-11-23 09:00")
    sequence = make_sequence(mail("one"), gap=600)
    enrol(sequence, *(make_contact() for _ in range(8)))
    clock.run_until("2026-11-23 17:00")
    sent = _moments()
    assert len(sent) == 8
    assert all(later - earlier >= timedelta(minutes=10) for earlier, later in pairwise(sent))


def test_messages_of_an_account_keep_their_distance_over_zones(clock: Clock) -> None:
    clock.set(utc("2026-11-23 10:00"))
    sequence = make_sequence(mail("one"), gap=3600)
    zones = ["Europe/Berlin", "Europe/Lisbon"]
    enrol(sequence, *(make_contact(time_zone=zone) for zone in zones * 2))
    clock.run_until("2026-11-24 00:00")
    assert _moments() == [utc(f"2026-11-23 {hour}:00") for hour in (10, 11, 12, 13)]


def test_messages_of_an_account_keep_their_distance_over_calendars_and_batches(
    clock: Clock,
) -> None:
    clock.set("2026-11-23 09:00")
    late = save_calendar(WorkCalendar(name="Late"), hours={"mon": [["10:00", "18:00"]]})
    for calendar in (None, late.pk):
        sequence = make_sequence(mail("one"), gap=3600, calendar_id=calendar)
        enrol(sequence, *(make_contact() for _ in range(4)))
        clock.run()
    clock.run_until("2026-11-23 23:00")
    assert _moments() == [local(f"2026-11-23 {hour:02}:00", BERLIN) for hour in range(9, 17)]


def test_gap_holds_to_messages_of_a_sequence_without_one(clock: Clock) -> None:
    clock.set("2026-11-23 09:00")
    enrol(make_sequence(mail("free")), *(make_contact() for _ in range(3)))
    clock.run()
    clock.skip(minutes=30)
    spread = enrol_one(make_sequence(mail("spread"), gap=3600))
    free = enrol_one(make_sequence(mail("free")))
    clock.run()
    assert sent_to(free) == ["free"]
    assert again(spread).place_at == local("2026-11-23 10:00", BERLIN)


def test_who_finds_no_distance_today_goes_tomorrow(clock: Clock) -> None:
    clock.set("2026-11-23 09:00")
    sequence = make_sequence(mail("one"), gap=4 * 3600)
    enrol(sequence, *(make_contact(time_zone="Europe/Berlin") for _ in range(2)))
    clock.run()
    other = enrol_one(sequence, make_contact(time_zone="Europe/Paris", country="FR"))
    lisbon = enrol_one(sequence, make_contact(time_zone="Europe/Lisbon"))
    clock.run()
    clock.run_at("2026-11-23 10:00")
    tomorrow = local("2026-11-24 09:00", BERLIN)
    assert again(other).place_at == tomorrow
    assert again(lisbon).place_at == local("2026-11-23 17:00", BERLIN)


def test_those_who_wait_are_not_looked_at_before_their_place(clock: Clock) -> None:
    sequence = make_sequence(mail("one"), account_cap=2)
    enrol(sequence, *(make_contact() for _ in range(20)))
    assert advance_due(at=clock.now) == 20
    clock.skip(minutes=1)
    assert advance_due(at=clock.now) == 0


def test_delay_tells_that_it_is_the_cap(clock: Clock) -> None:
    sequence = make_sequence(mail("one"), account_cap=1)
    first, second = enrol(sequence, make_contact(), make_contact())
    clock.run()
    assert sorted(again(each).delay for each in (first, second)) == ["", "cap"]


def _by_reply(enrolment: Enrolment) -> None:
    reply(enrolment.lead)
    settle_events()


def _by_hand(enrolment: Enrolment) -> None:
    take_out([enrolment.pk])


@pytest.mark.parametrize("leave", [_by_reply, _by_hand])
def test_place_of_somebody_who_leaves_goes_to_another(
    clock: Clock, leave: Callable[[Enrolment], None]
) -> None:
    sequence = make_sequence(mail("one"), account_cap=1)
    enrolments = enrol(sequence, make_contact(), make_contact())
    clock.run()
    [waiting] = [each for each in enrolments if again(each).delay]
    place = again(waiting).place_at
    leave(waiting)
    assert again(waiting).state == "finished"
    later = enrol_one(sequence)
    clock.run()
    assert again(later).place_at == place


def test_what_was_counted_long_ago_is_forgotten(clock: Clock) -> None:
    enrol(make_sequence(mail("one"), account_cap=1), make_contact(), make_contact())
    clock.run()
    assert DayQuota.objects.exists()
    assert PlaceLine.objects.exists()
    assert forget_quotas(clock.now) == 0
    assert forget_quotas(clock.now + KEPT + timedelta(days=3)) > 0
    assert not DayQuota.objects.exists()


def test_follow_ups_go_through_the_account_of_the_first_mail(clock: Clock) -> None:
    enrolment = enrol_one(make_sequence(mail("one"), hours(1), mail("two")))
    clock.run()
    first = Message.objects.get().account
    other = connect_account(channel="email", transport="sandbox", name="Other")
    make_default(other)
    clock.skip(hours=1)
    clock.run()
    assert sent_to(enrolment) == ["one", "two"]
    assert {each.account for each in Message.objects.all()} == {first}
