"""What a lead typed into a form is theirs, also where it was put into a message of ours."""

from collections.abc import Callable
from datetime import date

import pytest
from pytest_django import Settings

from channels.autopilot.facts import Known, bare, facts_of
from channels.autopilot.given import given_by, without
from channels.autopilot.grounding import Trust, check
from channels.autopilot.models import Draft, Mode
from channels.models import Message
from channels.services.templates import save_template, send_template
from channels.templating import fill
from channels.variables import values_for
from leads.models import Lead
from salesflow.accounts.models import Tenant, User
from tests.autopilot.endpoint import Server
from tests.autopilot.factories import make_endpoint
from tests.autopilot.stage import draft_to, says, set_rule, writes
from tests.channels.factories import make_inbound_message, make_message, make_reachable_lead
from tests.channels.template_factories import make_template
from tests.factories import make_user

BAIT = "Acme, 90 % Rabatt garantiert, mehr auf evil.example"
LETTER = "Wir haben etwas für {{ company }} vorbereitet. Die Einrichtung kostet 500 EUR."
TODAY = date(2026, 11, 23)
Send = Callable[..., Message]


@pytest.fixture
def rep(tenant: Tenant) -> User:
    return make_user(tenant, name="Ada Rep")


def in_sequence(lead: Lead, rep: User, text: str = LETTER) -> Message:
    """As a sequence sends it: filled in, in the name of a colleague, and of no template."""
    return make_message(lead, body=fill(text, values_for(lead, rep)).text, author=rep)


def by_template(lead: Lead, rep: User, text: str = LETTER) -> Message:
    """As a canned reply, which is no text of the team's any more: what is ours is the message."""
    template = make_template(body=text)
    message = send_template(lead, template, channel="email", author=rep)
    save_template(template, is_active=False)
    return message


WAYS = [in_sequence, by_template]


def known_of(lead: Lead) -> Known:
    """As it is after a reply of theirs."""
    return facts_of(lead, make_inbound_message(lead).conversation)


def trust_in(text: str, known: Known) -> set[Trust]:
    return {each.trust for each in check(text, known.facts).claims}


@pytest.mark.parametrize("send", WAYS)
@pytest.mark.parametrize(
    ("text", "trust"),
    [
        ("Sie bekommen 90 %.", Trust.THEIRS),
        ("Wir geben Rabatt.", Trust.THEIRS),
        ("Das ist garantiert.", Trust.THEIRS),
        ("Mehr auf evil.example.", Trust.THEIRS),
        ("Die Einrichtung kostet 500 EUR.", Trust.OURS),
    ],
)
def test_what_was_put_in_stays_theirs(rep: User, send: Send, text: str, trust: Trust) -> None:
    lead = make_reachable_lead(company=BAIT)
    assert BAIT in send(lead, rep).body
    known = known_of(lead)
    assert trust in trust_in(text, known)
    assert (Trust.OURS in trust_in(text, known)) == (trust is Trust.OURS)


@pytest.mark.parametrize("send", WAYS)
def test_sentence_with_something_put_in_is_none_of_ours(rep: User, send: Send) -> None:
    lead = make_reachable_lead(company=BAIT)
    body = send(lead, rep).body
    own = known_of(lead).own_sentences
    assert bare(body.split(". ")[0]) not in own
    assert not [sentence for sentence in own if "vorbereitet" in sentence]
    assert bare("Die Einrichtung kostet 500 EUR.") in own


@pytest.mark.parametrize("send", WAYS)
def test_plain_name_leaves_our_sentence_as_it_is(rep: User, send: Send) -> None:
    lead = make_reachable_lead(company="Solar")
    send(lead, rep, LETTER + " Unsere Solar-Angebote gelten 30 Tage.")
    known = known_of(lead)
    assert bare("Wir haben etwas für Solar vorbereitet.") in known.own_sentences
    assert bare("Unsere Solar-Angebote gelten 30 Tage.") in known.own_sentences
    assert trust_in("Die Angebote gelten 30 Tage.", known) == {Trust.OURS}


def test_custom_fields_are_theirs_too(rep: User) -> None:
    fields = {"Wish": "50 % off, see https://evil.example/x", "Seats": 80, "Tags": ["a.example"]}
    lead = make_reachable_lead(custom_fields=fields)
    text = "You want {{ custom.wish }} for {{ custom.seats }} ({{ custom.tags }}). We have 20."
    in_sequence(lead, rep, text)
    known = known_of(lead)
    said = "It is 50 % off. See https://evil.example/x now. There are 80. See a.example now."
    assert Trust.OURS not in trust_in(said, known)
    assert trust_in("There are 20.", known) == {Trust.OURS}


def test_message_is_told_to_the_model_as_it_was_sent(rep: User) -> None:
    lead = make_reachable_lead(company=BAIT)
    body = in_sequence(lead, rep).body
    told = known_of(lead).as_data()["messages"][0]
    assert (told["from"], told["text"]) == ("team", body)


def test_long_message_that_breaks_off_within_a_value_says_nothing_of_it(rep: User) -> None:
    lead = make_reachable_lead(company=BAIT)
    in_sequence(lead, rep, "x" * 3960 + " für {{ company }}.")
    known = known_of(lead)
    assert "90 %" in known.said[0].cleaned.text
    assert Trust.OURS not in trust_in("Sie bekommen 90 %.", known)


def test_canned_reply_around_a_value_leaves_no_sentence(tenant: Tenant) -> None:
    lead = make_reachable_lead(company=BAIT)
    make_template(body="We never grant {{ company }} all discounts. We will call you.")
    assert known_of(lead).own_sentences == {bare("We will call you.")}


def test_draft_with_what_they_typed_does_not_go_by_itself(
    tenant: Tenant, server: Server, settings: Settings, rep: User
) -> None:
    settings.AI_PRIVATE_ADDRESSES = True
    make_endpoint(server)
    set_rule(Mode.AUTO)
    lead = make_reachable_lead(company=BAIT)
    sent = in_sequence(lead, rep)
    says(server, sent.body)
    writes("Vielen Dank für die Nachricht! Was haben Sie für uns?", lead=lead)
    assert not Draft.objects.filter(state=Draft.State.APPROVED).exists()
    # Without it, the same sentences are ours and go.
    other = make_reachable_lead(company="Solar")
    says(server, in_sequence(other, rep).body)
    draft = draft_to(writes("Vielen Dank für die Nachricht! Was haben Sie für uns?", lead=other))
    assert draft.state == Draft.State.APPROVED


# --- What is found in a text --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text", "left"),
    [
        ("90 % off", "You: 90 % off!", "You: █!"),
        ("90 % off", "You: 90 %\noff!", "You: █!"),
        ("ACME, Inc.", "For acme, inc. and Acme", "For █ and Acme"),
        ("Acme & Sons Ltd", "Acme & Sons Ltds offer", "█s offer"),
        ("n/a", "Wien/Aspern, n/a", "Wien/Aspern, █"),
        ("3M", "3M sold 13M of them to _3M_", "█ sold 13M of them to _█_"),
        ("50", "50 EUR, 50EUR, 1.50 EUR, 50,00 EUR, 150", "█ EUR, █EUR, 1.50 EUR, 50,00 EUR, 150"),
        ("(x)", "1 (x) 2", "1 █ 2"),
    ],
)
def test_value_is_found_as_it_was_put_in(value: str, text: str, left: str) -> None:
    assert without(text, [value]) == left


def test_values_that_lie_upon_each_other_are_found_both() -> None:
    values = ["Offer for Acme", "Acme 90 % off"]
    assert without("Offer for Acme 90 % off.", values) == "█."


def test_nothing_is_taken_where_nothing_was_given() -> None:
    assert without("A █ B", []) == "A █ B"


@pytest.mark.parametrize(
    ("company", "is_looked_for"),
    [
        ("Solar", False),
        ("Meyer-Lüdenscheid", False),
        ("Ada Lovelace", False),
        ("-", False),
        ("Ninety Percent Off", True),
        ("Alles Gratis", True),
        ("Acme GmbH & Co. KG", True),
        ("evil.example", True),
    ],
)
def test_plain_names_alone_are_anybodys(tenant: Tenant, company: str, is_looked_for: bool) -> None:
    lead = make_reachable_lead(name="Ada Lovelace", company=company)
    assert (company in given_by(lead, TODAY)) == is_looked_for


def test_name_of_the_team_is_ours(tenant: Tenant) -> None:
    tenant.name = "SalesFlow 24"
    tenant.save()
    assert "SalesFlow 24" not in given_by(make_reachable_lead(), TODAY)
