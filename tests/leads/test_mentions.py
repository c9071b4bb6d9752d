"""Who is meant by an “@” in a note, and who is told of it."""

import pytest

from leads.mentions import mentioned_in, mentions_of, see_mentions
from leads.models import Mention
from leads.services import add_note
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant, User
from tests.factories import make_tenant, make_user
from tests.leads.factories import make_lead

PEOPLE = [
    User(pk=1, name="Ada Lovelace", email="ada@example.com"),
    User(pk=2, name="Ada", email="ada2@example.com"),
    User(pk=3, name="Ben O'Kri", email="ben@example.com"),
    User(pk=4, name="", email="nameless@example.com"),
]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("@Ada Lovelace, please look", {1}),
        ("Ask @ada lovelace.", {1}),
        ("@Ada please", {2}),
        ("@Ada Lovelace and @Ada", {1, 2}),
        ("@Ben O'Kri @Ben O'Kri", {3}),
        ("@ben@example.com", {3}),
        ("@nameless@example.com", {4}),
        ("@Adam", set()),
        ("@Ada Lovelaces", {2}),
        ("mail to x@Ada now", set()),
        ("Ada Lovelace", set()),
        ("@", set()),
        ("", set()),
    ],
)
def test_a_note_names_people_as_they_are_called(text: str, meant: set[int]) -> None:
    assert {user.pk for user in mentioned_in(text, PEOPLE)} == meant


def test_whoever_is_named_is_told_until_they_have_looked(tenant: Tenant) -> None:
    ada, ben = make_user(tenant, name="Ada"), make_user(tenant, name="Ben")
    lead = make_lead()
    note = add_note(lead, "@Ben and @Ada: call them", author=ada)
    [mention] = mentions_of(ben)
    assert (mention.note, mention.seen_at) == (note, None)
    assert not mentions_of(ada).exists(), "nobody is told of what they wrote themselves"
    see_mentions(make_lead(), ben)
    assert mentions_of(ben).filter(seen_at=None).exists()
    see_mentions(lead, ben)
    assert not mentions_of(ben).filter(seen_at=None).exists()


def test_nobody_of_another_tenant_is_told(tenant: Tenant) -> None:
    other = make_tenant()
    with tenant_context(other):
        make_user(other, name="Eve")
    add_note(make_lead(), "@Eve look")
    assert not Mention.unscoped.exists()


def test_mentions_go_with_their_lead(tenant: Tenant) -> None:
    from leads.services import delete_lead

    make_user(tenant, name="Ben")
    lead = make_lead()
    add_note(lead, "@Ben")
    assert Mention.objects.count() == 1
    delete_lead(lead)
    assert not Mention.objects.exists()
