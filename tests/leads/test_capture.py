"""What is read from texts that people paste: mails, web forms, signatures, notes."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from leads.capturing import capture_lead
from leads.capturing.extracting import Own, extract
from leads.capturing.words import FIELD_OF_LABEL
from leads.models import Lead, Note
from salesflow.accounts.models import Tenant
from tests.factories import make_user
from tests.leads.factories import make_lead

OWN = Own(frozenset({"bob@acme.com"}), frozenset({"acme", "bob builder"}))

# Name, language, text, and all that is found in it.
TEXTS: list[tuple[str, str, str, dict[str, Any]]] = [
    (
        "mail with header and budget",
        "en",
        "From: Ada Lovelace <Ada@Engines.com>\nTo: Sales <sales@acme.com>\nSubject: Quote\n\n"
        "Hi, our budget is € 5k. Call (415) 555-2671.\n\nBest regards,\nAda",
        {
            "name": "Ada Lovelace",
            "company": "Engines",
            "email": ["ada@engines.com"],
            "phone": ["+14155552671"],
            "value": "5000.00",
            "currency": "EUR",
        },
    ),
    (
        "German mail with signature, fax and register numbers",
        "de",
        "Guten Tag,\n\nwir suchen ein CRM. Unser Budget liegt bei 12.500 EUR.\n\n"
        "Mit freundlichen Grüßen\n\nJürgen Müller\nLeiter Einkauf\nBeispiel Maschinenbau GmbH\n"
        "Musterstraße 12, 10115 Berlin\nTel.: 030 901820\nFax: 030 901821\n"
        "j.mueller@beispiel-maschinenbau.de\nHRB 123456, USt-IdNr. DE123456789",
        {
            "name": "Jürgen Müller",
            "title": "Leiter Einkauf",
            "company": "Beispiel Maschinenbau GmbH",
            "email": ["j.mueller@beispiel-maschinenbau.de"],
            "phone": ["+4930901820"],
            "value": "12500.00",
            "currency": "EUR",
        },
    ),
    (
        "German web form",
        "de",
        "Name: Max Mustermann\nFirma: Muster & Söhne KG\nTelefon: 0171 2345678\n"
        "E-Mail: max@muster.de\nPosition: Geschäftsführer\nBudget: 10.000 – 15.000 €\n"
        "Betreff: Anfrage\nNachricht: Bitte um Rückruf",
        {
            "name": "Max Mustermann",
            "company": "Muster & Söhne KG",
            "title": "Geschäftsführer",
            "email": ["max@muster.de"],
            "phone": ["+491712345678"],
            "value": "10000.00",
            "currency": "EUR",
        },
    ),
    (
        "web form with dashes",
        "en",
        "name - Grace Hopper\ncompany - Cobol Inc\nphone - 415-555-2671\nemail - grace@gmail.com",
        {
            "name": "Grace Hopper",
            "company": "Cobol Inc",
            "email": ["grace@gmail.com"],
            "phone": ["+14155552671"],
        },
    ),
    (
        "first and last name apart",
        "en",
        "First name: Ada\nLast name: Lovelace\nCompany: n/a",
        {"name": "Ada Lovelace"},
    ),
    (
        "labels above their values",
        "de",
        "Vorname\nErika\n\nNachname\nMustermann\n\nE-Mail-Adresse\nerika@gmx.de",
        {"name": "Erika Mustermann", "email": ["erika@gmx.de"]},
    ),
    (
        "labels in one line",
        "en",
        "Name: Ada Lovelace, Company: Engines Ltd, Email: ada@engines.co.uk",
        {"name": "Ada Lovelace", "company": "Engines Ltd", "email": ["ada@engines.co.uk"]},
    ),
    ("address alone", "en", "ada.lovelace+news@gmail.com", {
        "name": "Ada Lovelace", "email": ["ada.lovelace+news@gmail.com"]}),
    ("desk of a company", "en", "info@ibm.com", {"company": "IBM", "email": ["info@ibm.com"]}),
    ("free mail is no company", "de", "katze99@web.de", {"email": ["katze99@web.de"]}),
    ("number alone", "en", "just call 4155552671 thanks", {"phone": ["+14155552671"]}),
    (
        "dashes and bars",
        "en",
        "Hello\n\n-- \nBob Smith, CTO | Engines Ltd\n+44 20 7946 0018",
        {
            "name": "Bob Smith",
            "title": "CTO",
            "company": "Engines Ltd",
            "phone": ["+442079460018"],
        },
    ),
    (
        "reply above a quote",
        "en",
        "Sounds good!\n\nThanks,\nGrace Hopper\nVP Engineering, Cobol, Inc.\n\n"
        "On Mon, 3 Mar 2025 at 10:00, Bob <bob@acme.com> wrote:\n"
        "> call 415-555-2671\n> Other Ltd",
        {"name": "Grace Hopper", "title": "VP Engineering", "company": "Cobol, Inc."},
    ),
    (
        "German reply above a quote in Outlook's manner",
        "de",
        "Gerne morgen.\n\nViele Grüße\nErika Muster\n\nVon: Bob <bob@acme.com>\n"
        "Gesendet: Montag\nAn: erika@muster.de\nBetreff: Termin\n\nIhr Budget von 9.000 EUR?",
        {"name": "Erika Muster"},
    ),
    (
        "forwarded mail",
        "en",
        "FYI, Bob Builder\n+1 415 555 2600\n\n---------- Forwarded message ---------\n"
        "From: Ada Lovelace <ada@engines.co.uk>\nDate: Mon, 3 Mar 2025\nSubject: hi\n"
        "To: <bob@acme.com>\n\nPlease send a quote",
        {"name": "Ada Lovelace", "company": "Engines", "email": ["ada@engines.co.uk"]},
    ),
    (
        "colleague's answer above the mail",
        "de",
        "Von: Bob <bob@acme.com>\nAn: Ada <ada@engines.de>\nBetreff: AW: Angebot\n\n"
        "Rufen Sie an: 030 901820\n\nVon: Ada Lovelace <ada@engines.de>\nAn: bob@acme.com\n"
        "Betreff: Angebot\n\nBitte ein Angebot, 0171 2345678",
        {
            "name": "Ada Lovelace",
            "company": "Engines",
            "email": ["ada@engines.de"],
            "phone": ["+491712345678"],
        },
    ),
    (
        "surname first",
        "en",
        'From: "Lovelace, Ada" <ada@gmail.com>\nSubject: Hello',
        {"name": "Ada Lovelace", "email": ["ada@gmail.com"]},
    ),
    (
        "form mail of a program",
        "en",
        "From: Website <noreply@acme.com>\nReply-To: Ada Lovelace <ada@gmail.com>\n"
        "Subject: Contact form\n\nPlease call",
        {"name": "Ada Lovelace", "email": ["ada@gmail.com"]},
    ),
    (
        "business card",
        "en",
        "Ada Lovelace\nHead of Computing\nAnalytical Engines PLC\nada@analytical.co.uk",
        {
            "name": "Ada Lovelace",
            "title": "Head of Computing",
            "company": "Analytical Engines PLC",
            "email": ["ada@analytical.co.uk"],
        },
    ),
    (
        "name with particles and honorific",
        "de",
        "Beste Grüße\ni. A. Dr. Anna von der Heide\nProjektleiterin\nHeide & Co. KG",
        {
            "name": "Dr. Anna von der Heide",
            "title": "Projektleiterin",
            "company": "Heide & Co. KG",
        },
    ),
    (
        "introduction in a note",
        "en",
        "Voicemail: my name is Ada Lovelace. Deal value around $1,250.50, bye",
        {"name": "Ada Lovelace", "value": "1250.50", "currency": "USD"},
    ),
    (
        "German introduction and millions",
        "de",
        "Hallo, mein Name ist Max Mustermann, das Projektbudget beträgt 1,5 Mio. Euro.",
        {"name": "Max Mustermann", "value": "1500000.00", "currency": "EUR"},
    ),
    (
        "price that is no budget",
        "en",
        "Your list price of 99 USD is fine. Ada Lovelace\nada@gmail.com",
        {"email": ["ada@gmail.com"]},
    ),
    ("budget without a currency", "en", "Name: Ada Lovelace\nBudget: 5000", {
        "name": "Ada Lovelace"}),
    (
        "sole trader in a sentence",
        "de",
        "wir von der Firma Tischlerei Holz e. K. hätten gern ein Angebot",
        {"company": "Tischlerei Holz e. K."},
    ),
    (
        "own company and colleagues",
        "en",
        "Dear Acme GmbH,\n\nplease ask bob@acme.com.\n\nRegards\nAda Lovelace",
        {"name": "Ada Lovelace"},
    ),
    (
        "colleague's signature",
        "en",
        "Ask ada@gmail.com\n\nBest regards\nBob the Builder\nCEO\nbob@acme.com\n(415) 555-2671",
        {"email": ["ada@gmail.com"]},
    ),
    (
        "address hidden from robots",
        "de",
        "Kontakt: erika.muster [at] gmx.de",
        {"name": "Erika Muster", "email": ["erika.muster@gmx.de"]},
    ),
    (
        "limited liability in brackets",
        "de",
        "Firma: Start UG (haftungsbeschränkt)\nMobil: +49 171 2345678",
        {"company": "Start UG (haftungsbeschränkt)", "phone": ["+491712345678"]},
    ),
    (
        "two addresses",
        "en",
        "From: ada@gmail.com\n\nbetter write to ada@hotmail.com, not ada@gmail.com",
        {"email": ["ada@gmail.com", "ada@hotmail.com"]},
    ),
    (
        "signature in bars, company of somebody else above",
        "de",
        "ich habe Ihre Adresse von Karl Weber (Widget AG).\n\nMit besten Grüßen aus Hamburg\n"
        "Sabine Schulz-Meyer\n\nSchulz Logistik AG | Hafenstraße 5 | 20457 Hamburg\n"
        "T +49 40 123456-0 | F +49 40 123456-99 | M +49 151 23456789\n"
        "s.schulz@schulz-logistik.de | www.schulz-logistik.de",
        {
            "name": "Sabine Schulz-Meyer",
            "company": "Schulz Logistik AG",
            "email": ["s.schulz@schulz-logistik.de"],
            "phone": ["+49401234560", "+4915123456789"],
        },
    ),
    (
        "company's name above its address",
        "en",
        "It was nice to meet you.\n\nRoe Research\njane.roe@roe-research.org",
        {
            "name": "Jane Roe",
            "company": "Roe Research",
            "email": ["jane.roe@roe-research.org"],
        },
    ),
    ("dates and bill numbers", "de", "Rechnung 4711 vom 12.03.2024, 14:30 Uhr", {}),
    ("order number", "en", "Order number 4155552671 is late", {}),
    ("nothing", "en", "Sent from my iPhone", {}),
    ("markdown", "en", "**Name:** Ada Lovelace\n**Company:** Engines\u00a0Ltd", {
        "name": "Ada Lovelace", "company": "Engines Ltd"}),
]  # fmt: skip


def told(text: str, language: str) -> dict[str, Any]:
    """What is found, with lists of addresses and numbers."""
    said: dict[str, Any] = {}
    for found in extract(text, language=language, own=OWN):
        if found.field in ("email", "phone"):
            said.setdefault(found.field, []).append(found.value)
        else:
            assert found.field not in said
            said[found.field] = found.value
    return said


@pytest.mark.parametrize(
    ("language", "text", "expected"), [row[1:] for row in TEXTS], ids=[row[0] for row in TEXTS]
)
def test_text_says_this_and_no_more(language: str, text: str, expected: dict[str, Any]) -> None:
    assert told(text, language) == expected


@pytest.mark.parametrize("text", [row[2] for row in TEXTS], ids=[row[0] for row in TEXTS])
def test_every_letter_of_a_value_stands_where_it_was_found(text: str) -> None:
    for found in extract(text, language="en", own=OWN):
        words = text[found.start : found.end].lower()
        if found.field in ("name", "company", "title"):
            for part in found.value.lower().split():
                assert part in words
        elif found.field == "phone":
            digits = "".join(filter(str.isdigit, words))
            assert digits.lstrip("0")[-6:] in found.value


LABELS = st.sampled_from(sorted(FIELD_OF_LABEL))
SNIPPETS = st.sampled_from(
    ["From: ", "Von: ", "> ", "-- \n", "Best regards\n", "MfG\n", "a.b@c.de", "bob@acme.com", "İ",
     " GmbH", "Acme Ltd", "030 901820", "€ 5k", "budget ", "Ada Lovelace", "\n", "\r\n", "\u2028",
     "On Monday Bob wrote:\n", "-----Original Message-----\n", "Sent: x\n", ": ", " - ", "ß"]
)  # fmt: skip


@settings(max_examples=150, deadline=None, database=None, derandomize=True)
@given(
    st.lists(st.one_of(SNIPPETS, LABELS, st.text(max_size=12)), max_size=25).map("".join),
    st.sampled_from(["en", "de"]),
)
def test_any_text_is_read_and_every_finding_lies_in_it(text: str, language: str) -> None:
    for found in extract(text, language=language, own=OWN):
        assert 0 <= found.start < found.end <= len(text)
        assert found.value == found.value.strip() != ""
        assert len(found.value) <= (254 if found.field == "email" else 200)


@pytest.mark.django_db
class TestWriting:
    """What capture_lead makes of it."""

    def test_new_lead_has_what_was_found_and_the_text_as_a_note(self, tenant: Tenant) -> None:
        text = TEXTS[0][2]
        author = make_user(tenant)
        capture = capture_lead(text, author=author)
        assert capture.created and capture.lead
        lead = Lead.objects.get()
        assert (lead.name, lead.company, lead.source) == ("Ada Lovelace", "Engines", "capture")
        assert (lead.emails, lead.phones) == (["ada@engines.com"], ["+14155552671"])
        assert (str(lead.value), lead.currency) == ("5000.00", "EUR")
        note = Note.objects.get()
        assert (note.body, note.author) == (text, author)

    def test_known_number_gets_a_note_and_stays_as_it_is(self, tenant: Tenant) -> None:
        lead = make_lead(name="Ada", phones=["+14155552671"])
        capture = capture_lead(TEXTS[0][2])
        assert not capture.created and capture.lead == lead
        assert Lead.objects.get().emails == []
        assert Note.objects.get().lead == lead

    def test_first_address_decides_between_two_leads(self, tenant: Tenant) -> None:
        make_lead(emails=["ada@hotmail.com"])
        first = make_lead(emails=["ada@gmail.com"])
        assert capture_lead("ada@gmail.com or ada@hotmail.com").lead == first

    def test_lead_with_only_a_number_is_called_by_it(self, tenant: Tenant) -> None:
        capture_lead("call 4155552671")
        assert Lead.objects.get().name == "+1 415-555-2671"

    def test_members_are_no_leads(self, tenant: Tenant) -> None:
        colleague = make_user(tenant, name="Grace Hopper")
        capture_lead(f"Grace Hopper\n{colleague.email}\n\nfor ada@gmail.com")
        assert Lead.objects.get().emails == ["ada@gmail.com"]

    def test_long_text_is_kept_in_several_notes(self, tenant: Tenant) -> None:
        text = "ada@gmail.com " + "x" * 19_000
        capture_lead(text)
        assert "".join(n.body for n in Note.objects.order_by("id")) == text
