"""Makes up what happened between a solar company and its leads over the last months.

Pure: nothing here reads a clock or a database. The same seed and day make the same stories.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

from salesflow.demo import texts
from salesflow.demo.names import Directory, Language, Person
from salesflow.demo.texts import Texts, Writer

SEED = 23125
LEADS = 400
MONTHS_BACK = 8
# Stages by their place in the default pipeline.
NEW, QUALIFIED, PROPOSAL, NEGOTIATION, WON, LOST = range(6)

# By stage: the chance to go on, and how many days that or giving up takes.
CHANCE = [0.78, 0.74, 0.70, 0.74]
DAYS_TO_GO_ON = [(1, 10), (4, 20), (6, 28), (7, 35)]
DAYS_TO_GIVE_UP = [(10, 40), (14, 45), (15, 55), (14, 55)]
# Source: its share, and how it changes the chances.
SOURCES = {
    "website": (38, 1.0),
    "referral": (17, 1.2),
    "trade fair": (14, 0.95),
    "partner": (12, 1.1),
    "phone": (10, 1.0),
    "linkedin": (9, 0.8),
}
TAGS = ["rooftop", "storage", "carport", "charge points", "leasing", "heat pump", "urgent"]
# Who is written to today, and what the sandbox makes of it: start of the mailbox, end of the
# phone number, language.
TODAYS_TROUBLE: list[tuple[str, str, Language]] = [
    ("bounce.", "", "de"),
    ("bounce.", "", "de"),
    ("bounce.", "", "en"),
    ("bounce.", "", "de"),
    ("bounce.", "", "en"),
    ("", "0000", "de"),
    ("", "0000", "en"),
    ("lost.", "", "de"),
    ("busy.", "", "en"),
    ("", "0001", "de"),
]
TODAYS_REMINDERS = 14


@dataclass(frozen=True)
class Move:
    """The lead entered a stage; a lost one with a reason."""

    at: datetime
    stage: int
    lost_reason: str = ""


@dataclass(frozen=True)
class Handover:
    """The lead went to a colleague."""

    at: datetime
    owner: int


@dataclass(frozen=True)
class Remark:
    """The owner wrote a note."""

    at: datetime
    body: str


@dataclass(frozen=True)
class Letter:
    """A message that was sent or came in.

    Attributes:
        delivered_at: None where the channel does not tell; so is `read_at`.
    """

    at: datetime
    channel: str
    is_inbound: bool
    body: str
    subject: str = ""
    latency_ms: int = 0
    delivered_at: datetime | None = None
    read_at: datetime | None = None


@dataclass(frozen=True)
class Draft:
    """A message that is yet to be sent."""

    channel: str
    body: str
    subject: str = ""


@dataclass
class Story:
    """One lead's history.

    Attributes:
        owner: a colleague's place in the team when the lead came in; None for nobody.
        today: what its owner writes today.
    """

    person: Person
    source: str
    value: Decimal
    tags: list[str]
    custom_fields: dict[str, int]
    created_at: datetime
    owner: int | None
    handovers: list[Handover] = field(default_factory=list)
    moves: list[Move] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    letters: list[Letter] = field(default_factory=list)
    today: Draft | None = None

    @property
    def last_owner(self) -> int:
        """The colleague who has the lead now."""
        if self.handovers:
            return self.handovers[-1].owner
        return self.owner or 0

    @property
    def is_open(self) -> bool:
        """Whether the deal can still be won."""
        return not self.moves or self.moves[-1].stage < WON

    @property
    def last_touch(self) -> datetime:
        """When something last happened."""
        parts: list[Sequence[Move | Handover | Remark | Letter]] = [
            self.handovers,
            self.moves,
            self.remarks,
            self.letters,
        ]
        return max([self.created_at, *(entry.at for part in parts for entry in part)])


def tell_stories(
    today: date, zone: ZoneInfo, team: Sequence[str], *, leads: int = LEADS
) -> list[Story]:
    """The stories of so many leads, the oldest lead first.

    Args:
        today: everything happened before this day, in `zone`.
        team: the names of the colleagues who own leads.
    """
    teller = Storyteller(Random(SEED), today, zone, team)  # noqa: S311
    fresh = [teller.fresh_story(*trouble) for trouble in TODAYS_TROUBLE]
    stories = [teller.story() for _ in range(leads - len(fresh))]
    teller.remind([story for story in stories if story.is_open])
    return sorted([*stories, *fresh], key=lambda story: story.created_at)


class Storyteller:
    """See `tell_stories`."""

    def __init__(self, random: Random, today: date, zone: ZoneInfo, team: Sequence[str]) -> None:
        self._random = random
        self._directory = Directory(random)
        self._midnight = datetime.combine(today, time(), zone)
        self._team = team

    def story(self) -> Story:
        """A lead of the last months, and all that happened to it."""
        # Business has grown: more leads of late than of old.
        days = MONTHS_BACK * 30 * (1 - self._random.random() ** 0.7)
        story = self._begin(self._directory.person(), max(days, 1))
        self._hand_over(story)
        self._move(story)
        self._write(story)
        self._remark(story)
        return story

    def fresh_story(self, mailbox: str, ending: str, language: Language) -> Story:
        """A lead of the last days that is written to for the first time today."""
        person = self._directory.person(mailbox=mailbox, ending=ending, language=language)
        story = self._begin(person, self._random.uniform(1, 3))
        story.owner = story.last_owner
        writer = self._writer(story)
        if ending:
            story.today = Draft("whatsapp", writer.write(texts.CHAT))
        else:
            story.today = Draft("email", writer.write(texts.INTRODUCTION), writer.subject)
        return story

    def remind(self, stories: Sequence[Story]) -> None:
        """Let the owners of some of these stories write a reminder today."""
        for story in self._random.sample(stories, min(TODAYS_REMINDERS, len(stories))):
            writer = self._writer(story)
            story.today = Draft("email", writer.write(texts.REMINDER), f"Re: {writer.subject}")

    # --- The parts of a story -------------------------------------------------------------------

    def _begin(self, person: Person, days_ago: float) -> Story:
        source = self._random.choices(
            list(SOURCES), [share for share, _chance in SOURCES.values()]
        )[0]
        kwp = round(min(750, self._random.lognormvariate(4.5, 0.6)))
        comes_unowned = source == "website" and self._random.random() < 0.5
        return Story(
            person=person,
            source=source,
            value=Decimal(round(kwp * self._random.uniform(9.8, 12.5))) * 100,
            tags=sorted(self._random.sample(TAGS, self._random.choice([0, 1, 1, 2]))),
            custom_fields={"kWp": kwp, "Roof area (m²)": kwp * 5 + self._random.randrange(40)},
            created_at=self._at_work(self._midnight - timedelta(days=days_ago), past=True),
            owner=None if comes_unowned else self._random.randrange(len(self._team)),
        )

    def _hand_over(self, story: Story) -> None:
        if story.owner is None:
            self._add_handover(story, self._later(story.created_at, 0.2, 3))
        elif self._random.random() < 0.08:
            self._add_handover(story, self._later(story.created_at, 24, 400))

    def _add_handover(self, story: Story, at: datetime) -> None:
        others = [index for index in range(len(self._team)) if index != story.owner]
        if at < self._midnight:
            story.handovers.append(Handover(at, self._random.choice(others)))

    def _move(self, story: Story) -> None:
        """Go from stage to stage until the deal is closed or today is reached."""
        at, luck = story.created_at, SOURCES[story.source][1]
        for stage in (NEW, QUALIFIED, PROPOSAL, NEGOTIATION):
            goes_on = self._random.random() < CHANCE[stage] * luck
            days = (DAYS_TO_GO_ON if goes_on else DAYS_TO_GIVE_UP)[stage]
            at = self._later(at, days[0] * 24, days[1] * 24)
            if at >= self._midnight:
                return
            if not goes_on:
                reasons = texts.LOST_REASONS[story.person.language]
                story.moves.append(Move(at, LOST, self._random.choice(reasons)))
                return
            story.moves.append(Move(at, stage + 1))

    def _remark(self, story: Story) -> None:
        for move in story.moves:
            if move.stage < WON and self._random.random() < 0.5:
                body = self._random.choice(texts.NOTES[story.person.language])
                story.remarks.append(Remark(self._later(move.at, 0.1, 2), body))
        story.remarks = [entry for entry in story.remarks if entry.at < self._midnight]

    # --- Correspondence -------------------------------------------------------------------------

    def _write(self, story: Story) -> None:
        writer = self._writer(story)
        owned_at = story.handovers[0].at if story.owner is None and story.handovers else None
        if story.owner is None and owned_at is None:
            return
        begun = self._later(owned_at or story.created_at, 0.3, 5)
        letters = [self._mail(writer, begun, texts.INTRODUCTION)]
        entered = {move.stage: move.at for move in story.moves}
        if QUALIFIED in entered:
            letters.append(self._answer(writer, begun, entered[QUALIFIED], texts.FIRST_ANSWER))
        for stage, at in entered.items():
            until = min([later for later in entered.values() if later > at] or [self._midnight])
            letters += self._letters_of_stage(writer, stage, at, until)
        if story.is_open and not entered:
            letters.append(self._mail(writer, self._later(begun, 100, 300), texts.REMINDER))
        past = [letter for letter in letters if letter.at < self._midnight]
        story.letters = sorted(past, key=lambda letter: letter.at)

    def _letters_of_stage(
        self, writer: Writer, stage: int, at: datetime, until: datetime
    ) -> list[Letter]:
        """What is written after a stage was entered, and before the next one."""
        after = self._later(at, 0.1, 2)
        if stage == QUALIFIED:
            mails = [
                self._mail(writer, after, texts.SURVEY),
                self._answer(writer, after, until, texts.DATE_AGREED),
            ]
            return mails + self._chat(writer, after, until)
        if stage == PROPOSAL:
            mails = [self._mail(writer, after, texts.PROPOSAL)]
            if self._random.random() < 0.8:
                mails.append(self._answer(writer, after, until, texts.QUESTION))
            return mails
        if stage == NEGOTIATION:
            return [self._mail(writer, after, texts.NEGOTIATION)]
        before = at - timedelta(minutes=self._random.randrange(15, 90))
        if stage == WON:
            order = self._inbound("email", before, writer.write(texts.ORDER), writer)
            return [order, self._mail(writer, after, texts.THANKS)]
        if self._random.random() < 0.5:
            return [self._inbound("email", before, writer.write(texts.REFUSAL), writer)]
        return []

    def _chat(self, writer: Writer, after: datetime, until: datetime) -> list[Letter]:
        if self._random.random() < 0.5:
            return []
        asked = self._between(after, until, 0.3)
        letters = [self._whatsapp(asked, writer.write(texts.CHAT))]
        if self._random.random() < 0.85:
            answered = self._between(asked, until, 0.3)
            body = writer.write(texts.CHAT_ANSWER)
            letters.append(self._inbound("whatsapp", answered, body, writer))
        return letters

    def _mail(self, writer: Writer, at: datetime, choice: Texts) -> Letter:
        body, latency = writer.write(choice), self._latency(900)
        return Letter(at, "email", False, body, writer.subject, latency)

    def _answer(self, writer: Writer, asked: datetime, until: datetime, choice: Texts) -> Letter:
        at = self._between(asked, until, 0.6)
        return self._inbound("email", at, writer.write(choice), writer)

    def _inbound(self, channel: str, at: datetime, body: str, writer: Writer) -> Letter:
        subject = f"Re: {writer.subject}" if channel == "email" else ""
        return Letter(at, channel, True, body, subject)

    def _whatsapp(self, at: datetime, body: str) -> Letter:
        latency = self._latency(350)
        delivered = at + timedelta(milliseconds=latency, seconds=self._random.uniform(0.5, 6))
        read = delivered + timedelta(minutes=self._random.uniform(1, 90))
        is_read = self._random.random() < 0.85 and read < self._midnight
        return Letter(
            at,
            "whatsapp",
            False,
            body,
            latency_ms=latency,
            delivered_at=delivered,
            read_at=read if is_read else None,
        )

    def _writer(self, story: Story) -> Writer:
        facts = {
            "kwp": str(story.custom_fields["kWp"]),
            "roof": str(story.custom_fields["Roof area (m²)"]),
            "value": _money(story.value, story.person.language),
        }
        return Writer(self._random, story.person, self._team[story.last_owner], facts)

    # --- Time -----------------------------------------------------------------------------------

    def _later(self, moment: datetime, least: float, most: float) -> datetime:
        """Between so many hours after `moment`, when people work."""
        return self._at_work(moment + timedelta(hours=self._random.uniform(least, most)))

    def _between(self, start: datetime, end: datetime, part: float) -> datetime:
        """Within the first `part` of the time between the two, two days at most."""
        span = min((end - start) * part, timedelta(days=2))
        moment = start + span * self._random.uniform(0.1, 1)
        at_work = self._at_work(moment)
        return at_work if at_work < end else moment

    def _at_work(self, moment: datetime, *, past: bool = False) -> datetime:
        """The nearest time at work, after `moment` or, for the past, before it."""
        step = timedelta(days=-1 if past else 1)
        if not past and moment.hour >= 18:
            moment += step
        while moment.weekday() >= 5:
            moment += step
        if 8 <= moment.hour < 18:
            return moment.replace(microsecond=0)
        hour, minute, second = (self._random.randrange(low, high) for low, high in CLOCK)
        return moment.replace(hour=hour, minute=minute, second=second, microsecond=0)

    def _latency(self, median_ms: int) -> int:
        return round(min(30_000, median_ms * self._random.lognormvariate(0, 0.5)))


# Hours, minutes and seconds of a moment at work that is made up.
CLOCK = [(8, 18), (0, 60), (0, 60)]


def _money(value: Decimal, language: Language) -> str:
    text = f"{value:,.0f}"
    return text.replace(",", ".") if language == "de" else text
