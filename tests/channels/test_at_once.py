"""Two people at the same thing at the same moment: each in a connection of their own, and both
begin before either can end."""

import pytest
from django.core.exceptions import ValidationError
from django.urls import reverse

from channels.models import Account, Message
from leads.services import lock_lead
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.account_factories import make_scripted_account, scripted
from tests.channels.inbox_factories import make_conversation
from tests.events.threads import behind
from tests.factories import make_user
from tests.web import HTMX, browser_of

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_two_colleagues_who_answer_at_once_the_second_is_held_back(tenant: Tenant) -> None:
    row = make_conversation()
    address = reverse("channels:composer", args=[row.lead_id])
    given = {"channel": "email", "mode": "email", "place": "inbox"}
    seen = str(Message.objects.get().pk)

    def answer(name: str) -> int:
        form = {**given, "seen": seen, "body": f"{name} here"}
        status: int = browsers[name].post(address, form, headers=HTMX).status_code
        return status

    browsers = {name: browser_of(make_user(tenant, name=name)) for name in ("Ada", "Ben")}
    works = [lambda name=name: answer(name) for name in browsers]
    assert sorted(behind(lambda: lock_lead(row.lead), *works)) == [200, 422]
    assert Message.objects.filter(direction="outbound").count() == 1


def test_a_form_that_is_sent_twice_at_once_goes_once(tenant: Tenant) -> None:
    row, user = make_conversation(), make_user(tenant)
    address = reverse("channels:composer", args=[row.lead_id])
    form = {"channel": "email", "mode": "email", "key": "0" * 32, "body": "Once"}

    def press() -> int:
        status: int = browser_of(user).post(address, form, headers=HTMX).status_code
        return status

    assert behind(lambda: lock_lead(row.lead), press, press) == [200, 200]
    assert Message.objects.filter(direction="outbound").count() == 1


@pytest.mark.parametrize("is_default", [True, False])
def test_an_account_that_is_connected_twice_at_once_is_there_once(
    tenant: Tenant, is_default: bool
) -> None:
    def connect() -> str:
        with tenant_context(tenant):
            try:
                return str(make_scripted_account(is_default=is_default).pk)
            except ValidationError as refusal:
                return ",".join(refusal.message_dict)

    def lock() -> None:
        list(Account.objects.select_for_update().filter(channel="email"))

    with scripted():
        answers = behind(lock, connect, connect)
    assert "address" in answers
    assert str(Account.objects.get(transport="scripted").pk) in answers
    assert Account.objects.get(channel="email", is_default=True).transport == "scripted"
