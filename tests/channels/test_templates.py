"""Templates as they are kept, and as they are sent."""

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from channels.models import Message, MessageTemplate, MessageType
from channels.queries import template_called, templates_for
from channels.services.templates import save_template, send_template
from channels.testing import carried_by
from events.models import Event
from leads.models import Lead
from salesflow.accounts.context import tenant_context
from tests.channels.factories import ScriptedTransport, make_reachable_lead
from tests.channels.template_factories import make_approved, make_template
from tests.factories import make_tenant, make_user

pytestmark = pytest.mark.usefixtures("tenant")


def refused(template: MessageTemplate, lead: Lead, **given: Any) -> dict[str, list[str]]:
    """What `send_template` refuses, by field; nothing was written."""
    with pytest.raises(ValidationError) as refusal:
        send_template(lead, template, **{"channel": "email", **given})
    assert not Message.objects.exists()
    assert not Event.objects.filter(type="message.queued").exists()
    messages: dict[str, list[str]] = refusal.value.message_dict
    return messages


def test_template_is_sent_filled_in() -> None:
    lead = make_reachable_lead("ada@example.com", name="Ada Lovelace", company="Engines")
    template = make_template(
        subject="For {{ company|you }}",
        body="Dear {{ first_name }},\n{{ custom.deal_size|your project }}, {{ sender_first_name }}",
    )
    author = make_user(name="Grace Hopper")
    message = send_template(lead, template, channel="email", author=author)
    assert (message.subject, message.body) == ("For Engines", "Dear Ada,\nyour project, Grace")
    assert (message.type, message.template, message.status) == ("text", template, "queued")
    lead.custom_fields = {"Deal size": 40}
    lead.save()
    assert "40, Grace" in send_template(lead, template, channel="email", author=author).body


def test_missing_variable_blocks_with_its_name() -> None:
    lead = make_reachable_lead(name="Ada Lovelace")
    template = make_template(subject="{{ company }}", body="{{ first_name }} {{ custom.industry }}")
    problems = refused(template, lead)
    assert list(problems) == ["template"]
    assert "“company”, “custom.industry”" in problems["template"][0]
    assert "first_name" not in problems["template"][0]


@pytest.mark.parametrize(
    "name", ["ada@example.com", "Engines Ltd", "+49 30 901820"], ids=["address", "company", "phone"]
)
def test_who_goes_by_no_name_is_not_addressed_by_it(name: str) -> None:
    lead = make_reachable_lead(name=name, company="Engines Ltd")
    assert "“first_name”" in refused(make_template(), lead)["template"][0]


def test_approved_template_goes_out_as_that_though_the_window_is_closed() -> None:
    lead = make_reachable_lead(phone="+12025550101", name="Ada Lovelace")
    template = make_approved(body="Hi {{ first_name }} of {{ company|your company }}")
    transport = ScriptedTransport(None)
    transport.window_hours = 24
    with carried_by(transport, "whatsapp"):
        message = send_template(lead, template)
        with pytest.raises(ValidationError) as closed:
            send_template(lead, make_template(name="Canned"), channel="whatsapp")
    assert message.type == MessageType.TEMPLATE
    assert message.details == {
        "name": "hello",
        "language": "en_US",
        "variables": ["Ada", "your company"],
    }
    assert message.body == "Hi Ada of your company"
    assert "24 hours" in closed.value.message_dict["body"][0]


def test_vendor_gets_what_was_filled_in(settle_events: Callable[[], int]) -> None:
    transport = ScriptedTransport(None)
    with carried_by(transport, "whatsapp"):
        lead = make_reachable_lead(phone="+12025550101", name="Ada Lovelace")
        send_template(lead, make_approved())
        settle_events()
    [call] = transport.calls
    assert (call.message_type, call.details["variables"]) == ("template", ["Ada"])


def test_approved_template_has_no_empty_variable() -> None:
    lead = make_reachable_lead(phone="+12025550101", name="Ada Lovelace")
    template = make_approved(body="Hi {{ first_name }}{{ title| }}")
    assert "“title”" in refused(template, lead, channel="whatsapp")["template"][0]


@pytest.mark.parametrize("status", ["pending", "rejected", "paused"])
def test_template_that_is_not_approved_is_not_sent(status: str) -> None:
    lead = make_reachable_lead(phone="+12025550101", name="Ada Lovelace")
    template = make_approved(vendor_status=status)
    assert list(refused(template, lead, channel="")) == ["template"]


def test_template_out_of_use_or_for_another_channel_is_not_sent() -> None:
    lead = make_reachable_lead(phone="+12025550101", name="Ada Lovelace")
    assert list(refused(make_template(is_active=False), lead)) == ["template"]
    assert "WhatsApp" in refused(make_approved(name="B"), lead)["template"][0]


def test_subject_is_left_out_where_there_is_none() -> None:
    lead = make_reachable_lead(phone="+12025550101", name="Ada Lovelace")
    template = make_template(subject="{{ custom.nobody_knows }}")
    assert send_template(lead, template, channel="whatsapp").subject == ""
    assert "custom.nobody_knows" in str(_refusal(lead, template))


def _refusal(lead: Lead, template: MessageTemplate) -> ValidationError:
    with pytest.raises(ValidationError) as refusal:
        send_template(lead, template, channel="email")
    return refusal.value


# --- Keeping ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "given"),
    [
        ("name", {"name": ""}),
        ("body", {"body": "  "}),
        ("body", {"body": "Hi {{ first_name }"}),
        ("body", {"body": "Hi {{ fist_name }}"}),
        ("body", {"body": "Hi {{ custom }}"}),
        ("subject", {"subject": "{{ frist_name }}"}),
        ("subject", {"subject": "a\nb"}),
        ("subject", {"subject": "a", "channel": "whatsapp"}),
        ("language", {"language": "xx"}),
        ("channel", {"channel": "pigeon"}),
        ("shortcut", {"shortcut": "two words"}),
        ("vendor_name", {"vendor_name": "hello", "vendor_language": "en"}),
        ("vendor_name", {"vendor_name": "Hello!", "vendor_language": "en", "channel": "whatsapp"}),
        ("vendor_language", {"vendor_name": "hello", "channel": "whatsapp"}),
    ],
)
def test_bad_template_names_its_field_and_is_not_kept(field: str, given: dict[str, str]) -> None:
    with pytest.raises(ValidationError) as refusal:
        make_template(**given)
    assert list(refusal.value.message_dict) == [field]
    assert not MessageTemplate.objects.exists()


def test_name_and_shortcut_are_there_once_per_channel_and_language() -> None:
    make_template(shortcut="/hi")
    for given, field in (({}, "name"), ({"name": "Other", "shortcut": "HI"}, "shortcut")):
        with pytest.raises(ValidationError) as refusal:
            make_template(**given)
        assert list(refusal.value.message_dict) == [field]
    make_template(language="de", shortcut="hi")
    make_template(channel="email", shortcut="hi")
    with tenant_context(make_tenant()):
        make_template(shortcut="hi")
        assert MessageTemplate.objects.count() == 1
    assert MessageTemplate.objects.count() == 3


def test_changed_text_waits_for_approval_again() -> None:
    template = make_approved()
    assert template.vendor_status == "approved"
    assert save_template(template, name="New name").vendor_status == "approved"
    assert save_template(template, body="Another text").vendor_status == "pending"
    assert save_template(template, vendor_status="approved").vendor_status == "approved"
    assert save_template(template, vendor_name="").vendor_status == ""


def test_language_and_channel_that_suit_best_are_found(tenant: Any) -> None:
    english = make_template()
    german = make_template(language="de", body="Hallo {{ first_name }}")
    mail = make_template(language="de", channel="email", body="Sehr geehrte {{ name }}")
    make_template(name="Old", is_active=False)
    assert template_called("Hello", channel="whatsapp", language="de") == german
    assert template_called("Hello", channel="email", language="de") == mail
    assert template_called("Hello", channel="email") == english
    assert template_called("Old", channel="email") is None
    tenant.language = "de"
    assert template_called("Hello", channel="whatsapp", language="fr") == german
    assert [each.pk for each in templates_for("whatsapp")] == [german.pk, english.pk]
