"""The stories that the demo tells, before they are written anywhere."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import phonenumbers
import pytest

from salesflow.demo.names import TROUBLE_ENDINGS
from salesflow.demo.story import LEADS, LOST, TODAYS_TROUBLE, WON, Story, tell_stories

ZONE = ZoneInfo("Europe/Berlin")
TEAM = ["Lena Hoffmann", "Jonas Feldmann", "Deniz Aydın"]
TODAY = date(2024, 4, 2)


@pytest.fixture(scope="module")
def stories() -> list[Story]:
    return tell_stories(TODAY, ZONE, TEAM)


def test_same_day_tells_the_same_stories(stories: list[Story]) -> None:
    assert tell_stories(TODAY, ZONE, TEAM) == stories


@pytest.mark.parametrize("today", [date(2024, 2, 29), date(2024, 3, 31), date(2024, 12, 31)])
def test_everything_happened_before_today(today: date) -> None:
    midnight = datetime.combine(today, time(), ZONE)
    stories = tell_stories(today, ZONE, TEAM)
    assert max(story.last_touch for story in stories) < midnight
    first = stories[0].created_at
    assert timedelta(days=200) < midnight - first < timedelta(days=250)


def test_each_story_happens_in_order(stories: list[Story]) -> None:
    for story in stories:
        moves = [story.created_at, *(move.at for move in story.moves)]
        letters = [story.created_at, *(letter.at for letter in story.letters)]
        assert moves == sorted(moves)
        assert letters == sorted(letters)
        assert all(handover.at >= story.created_at for handover in story.handovers)


def test_lost_deals_have_reasons_and_closed_ones_end(stories: list[Story]) -> None:
    for story in stories:
        stages = [move.stage for move in story.moves]
        assert all(stage < WON for stage in stages[:-1])
        assert all(bool(move.lost_reason) == (move.stage == LOST) for move in story.moves)


def test_nobody_exists(stories: list[Story]) -> None:
    people = [story.person for story in stories]
    assert len({person.email for person in people}) == LEADS
    assert len({person.phone for person in people}) == LEADS
    for person in people:
        assert person.email.isascii()
        assert person.email == person.email.lower()
        assert person.email.endswith(".example.com")
        assert phonenumbers.is_possible_number(phonenumbers.parse(person.phone))


def test_only_the_chosen_ones_make_trouble(stories: list[Story]) -> None:
    mailboxes = ("bounce", "busy", "down", "lost")
    trouble = [
        story
        for story in stories
        if story.person.email.startswith(mailboxes) or story.person.phone.endswith(TROUBLE_ENDINGS)
    ]
    assert len(trouble) == len(TODAYS_TROUBLE)
    assert all(story.today and not story.letters for story in trouble)


def test_both_languages_and_both_channels_are_there(stories: list[Story]) -> None:
    letters = [letter for story in stories for letter in story.letters]
    assert {story.person.language for story in stories} == {"de", "en"}
    assert {(letter.channel, letter.is_inbound) for letter in letters} == {
        ("email", False),
        ("email", True),
        ("whatsapp", False),
        ("whatsapp", True),
    }
    assert not any("{" in letter.body + letter.subject for letter in letters)
