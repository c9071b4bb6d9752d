"""The page of a mail and the files of messages: whose they are, and what they may do."""

from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse

from channels.models import Attachment, AttachmentContent, Message
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import Tenant
from tests.channels.factories import make_inbound_message
from tests.factories import make_tenant, make_user
from tests.web import Browser, browser_of

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
HTML = '<p>Hi</p><img src="https://tracker.example.org/pixel.gif"><script>alert(1)</script>'


@pytest.fixture
def browser(tenant: Tenant) -> Browser:
    """A rep's browser."""
    return browser_of(make_user(tenant))


def make_file(message: Message, data: bytes, **fields: Any) -> Attachment:
    """A file that hangs on a message."""
    given = {"name": "file", "content_type": "text/html", "size": len(data), **fields}
    attachment: Attachment = Attachment.objects.create(message=message, **given)
    AttachmentContent.objects.create(attachment=attachment, data=data)
    return attachment


def page_url(message: Message, query: str = "") -> str:
    """The address of a mail's page."""
    return reverse("mail:page", args=[message.pk]) + query


def file_url(attachment: Attachment) -> str:
    """The address of a file."""
    return reverse("mail:file", args=[attachment.pk])


def policy_of(response: Any) -> dict[str, str]:
    """A response's content security policy."""
    rules = response.headers["Content-Security-Policy"].split(";")
    return {name: value for name, _space, value in (rule.strip().partition(" ") for rule in rules)}


def test_page_of_a_mail_can_do_nothing(browser: Browser) -> None:
    message = make_inbound_message(html=HTML, subject="<b>Hello</b>")
    response = browser.get(page_url(message))
    text = response.content.decode()
    assert response.status_code == 200
    assert "<p>Hi</p>" in text
    assert "&lt;b&gt;Hello&lt;/b&gt;" in text
    assert "tracker" not in text
    assert "alert" not in text
    policy = policy_of(response)
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    assert policy["frame-ancestors"] == "'self'"
    # Without a word of scripts or of our origin.
    assert policy["sandbox"] == "allow-popups allow-popups-to-escape-sandbox"
    assert response.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert response.headers["Referrer-Policy"] == "no-referrer"


def test_images_of_other_servers_are_loaded_when_asked_for(browser: Browser) -> None:
    message = make_inbound_message(html=HTML)
    response = browser.get(page_url(message, "?images=shown"))
    assert "https://tracker.example.org/pixel.gif" in response.content.decode()
    assert policy_of(response)["img-src"] == "data: http: https:"


def test_images_that_came_along_are_within_the_page(browser: Browser) -> None:
    message = make_inbound_message(html='<img src="cid:a@x"><img src="cid:b@x">')
    make_file(message, PNG, content_id="a@x")
    make_file(message, b"<svg onload=alert(1)>", content_id="b@x", content_type="image/png")
    text = browser.get(page_url(message)).content.decode()
    assert text.count("data:image/png;base64,") == 1
    assert "svg" not in text


def test_mail_that_is_too_deep_is_shown_as_text(browser: Browser) -> None:
    message = make_inbound_message(html="<div>" * 5000, body="What <b> it says")
    text = browser.get(page_url(message)).content.decode()
    assert "What &lt;b&gt; it says" in text
    assert "<div><div>" not in text


def test_file_is_saved_under_a_type_that_its_bytes_tell(browser: Browser) -> None:
    message = make_inbound_message()
    page = make_file(message, b"<script>alert(1)</script>", name='Prü"fung\r\n.html')
    picture = make_file(message, PNG, name="a.png")
    response = browser.get(file_url(page))
    assert response.content == b"<script>alert(1)</script>"
    assert response.headers["Content-Type"] == "application/octet-stream"
    assert response.headers["Content-Disposition"].startswith("attachment")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert policy_of(response)["sandbox"] == ""
    assert browser.get(file_url(picture)).headers["Content-Type"] == "image/png"


def test_what_was_not_taken_in_cannot_be_saved(browser: Browser) -> None:
    message = make_inbound_message()
    refused = Attachment.objects.create(
        message=message, name="x", content_type="x/y", size=1, status=Attachment.Status.REFUSED
    )
    assert browser.get(file_url(refused)).status_code == 404


def test_other_messages_have_no_page(browser: Browser) -> None:
    plain = make_inbound_message()
    other = make_inbound_message(channel="whatsapp", address="+4930901820", html=HTML)
    assert [browser.get(page_url(each)).status_code for each in (plain, other)] == [404, 404]


def test_strangers_and_other_tenants_see_nothing(browser: Browser) -> None:
    with tenant_context(make_tenant()):
        theirs = make_inbound_message(html=HTML)
        file = make_file(theirs, PNG)
    own = make_inbound_message(html=HTML)
    addresses = [page_url(theirs), file_url(file)]
    assert [browser.get(address).status_code for address in addresses] == [404, 404]
    assert browser.get(page_url(own)).status_code == 200
    for address in [*addresses, page_url(own)]:
        assert Client().get(address).status_code == 302
        assert browser_of(make_user()).get(address).status_code == 403


@pytest.mark.parametrize("has_images", [True, False])
def test_frame_of_a_mail_is_closed_off(tenant: Tenant, has_images: bool) -> None:
    message = make_inbound_message(html=HTML)
    context = {"message": message, "has_images": has_images}
    html = render_to_string("channels/mail/_frame.html", context)
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in html
    assert f'src="{page_url(message)}"' in html
    assert "srcdoc" not in html
    assert (f"{page_url(message)}?images=shown" in html) is has_images
