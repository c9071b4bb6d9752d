"""What people write, with all that their programs make of it."""

import base64
from collections.abc import Iterator
from email.message import EmailMessage

from channels.transports.mail.identifiers import reply_address
from tests.channels.mail.corpus.specimen import OUR_ID, Specimen, mail, mail_of, multipart, part
from tests.channels.mail.factories import CONVERSATION, OURS

# What stands before a quote, in the words of mail programs.
GMAIL = {
    "en": "On Mon, May 12, 2025 at 10:00 AM Sales <sales@acme.example.com> wrote:",
    "de": "Am Mo., 12. Mai 2025 um 10:00 Uhr schrieb Sales <sales@acme.example.com>:",
    "fr": "Le lun. 12 mai 2025 à 10:00, Sales <sales@acme.example.com> a écrit :",
    "es": "El lun, 12 may 2025 a las 10:00, Sales (<sales@acme.example.com>) escribió:",
    "it": "Il giorno lun 12 mag 2025 alle ore 10:00 Sales <sales@acme.example.com> ha scritto:",
    "nl": "Op ma 12 mei 2025 om 10:00 schreef Sales <sales@acme.example.com>:",
    "pt": "Em seg., 12 de mai. de 2025 às 10:00, Sales <sales@acme.example.com> escreveu:",
    "pl": "W dniu 12.05.2025 o 10:00, Sales pisze:",
    "thunderbird de": "Am 12.05.25 um 10:00 schrieb Sales:",
    "over two lines": "On Mon, May 12, 2025 at 10:00 AM Sales Department of Acme\n"
    "<sales@acme.example.com> wrote:",
}
OUTLOOK = {
    "en": "From: Sales <sales@acme.example.com>\nSent: Monday, 12 May 2025 10:00\n"
    "To: Ann <ann@example.com>\nSubject: Hello",
    "de": "Von: Sales <sales@acme.example.com>\nGesendet: Montag, 12. Mai 2025 10:00\n"
    "An: Ann <ann@example.com>\nBetreff: Hello",
    "fr": "De : Sales <sales@acme.example.com>\nEnvoyé : lundi 12 mai 2025 10:00\n"
    "À : Ann <ann@example.com>\nObjet : Hello",
    "es": "De: Sales <sales@acme.example.com>\nEnviado el: lunes, 12 de mayo de 2025 10:00\n"
    "Para: Ann <ann@example.com>\nAsunto: Hello",
}
DIVIDERS = ["-----Original Message-----", "-----Ursprüngliche Nachricht-----",
            "-----Message d'origine-----", "-----Mensaje original-----"]  # fmt: skip
INVITATION = """\
BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VTIMEZONE
DTSTART:19701025T030000
END:VTIMEZONE
BEGIN:VEVENT
SUMMARY:Talk about the offer\\, in
  detail
DTSTART;TZID=Europe/Berlin:20250520T100000
LOCATION:Berlin
END:VEVENT
END:VCALENDAR
"""
THREAD = {"In_Reply_To": OUR_ID, "References": OUR_ID, "Subject": "Re: Hello"}
YES = "Yes, please send the offer.\n\nAnn"


def people() -> Iterator[Specimen]:
    """All of them."""
    yield from _answers()
    yield from _threads()
    yield from _not_what_it_seems()
    yield from _nested()
    yield from _files()
    yield from _large()
    yield from _encodings()


def _answers() -> Iterator[Specimen]:
    quote = "> How are you?\n> We have an offer for you."
    for language, attribution in GMAIL.items():
        text = f"{YES}\n\n{attribution}\n\n{quote}\n"
        yield Specimen(f"answer, {language}", mail(text, **THREAD), text=YES, answers=OUR_ID)
    for language, head in OUTLOOK.items():
        text = f"{YES}\n\n{head}\n\nHow are you?\n"
        yield Specimen(f"outlook, {language}", mail(text, **THREAD), text=YES, answers=OUR_ID)
    for divider in DIVIDERS:
        text = f"{YES}\n\n{divider}\nFrom: Sales\n\nHow are you?\n"
        yield Specimen(f"answer below {divider}", mail(text, **THREAD), text=YES)
    yield Specimen("bare quote", mail(f"{YES}\n\n{quote}\n", **THREAD), text=YES)
    scanned = f"{YES}\n\n{GMAIL['en']}\n{quote}\n\n--\nThis message was scanned for viruses.\n"
    yield Specimen("footer below the quote", mail(scanned, **THREAD), text=YES)
    between = f"{GMAIL['en']}\n> How are you?\n\nFine.\n\n> An offer?\n\nYes."
    yield Specimen("answers between the lines", mail(between, **THREAD), text=between)
    html = (
        "<div>Yes, please.</div><br><div class='gmail_quote'><div>On Mon, May 12, 2025 at 10:00"
        " Sales &lt;sales@acme.example.com&gt; wrote:<br></div><blockquote>How are you?"
        "</blockquote></div>"
    )
    body = mail(html, Content_Type="text/html; charset=utf-8", **THREAD)
    yield Specimen("html alone", body, text="Yes, please.")


def _threads() -> Iterator[Specimen]:
    address = reply_address(OURS, CONVERSATION)
    yield Specimen("by its address", mail("Hi", To=address), conversation=CONVERSATION)
    yield Specimen(
        "by its address in capitals", mail("Hi", To=address.upper()), conversation=CONVERSATION
    )
    yield Specimen(
        "by the address it was handed on to",
        mail("Hi", Delivered_To=address),
        conversation=CONVERSATION,
    )
    yield Specimen(
        "by a copy to the address", mail("Hi", Cc=f"Bob <bob@example.com>, {address}"),
        conversation=CONVERSATION,
    )  # fmt: skip
    forged = address.replace("+", "+a", 1)
    yield Specimen("forged address", mail("Hi", To=forged), conversation=None)
    yield Specimen(
        "references alone",
        mail("Hi", References=f"<root@example.com> {OUR_ID}"),
        answers=OUR_ID,
    )
    yield Specimen(
        "nearest first",
        mail("Hi", In_Reply_To="<near@example.com>", References=f"{OUR_ID} <near@example.com>"),
        answers="<near@example.com>",
    )
    yield Specimen(
        "same subject, other matter", mail("Something else", Subject="Re: Hello"), answers=""
    )


def _not_what_it_seems() -> Iterator[Specimen]:
    yield Specimen(
        "customer software marks answers as a list's",
        mail(YES, List_Unsubscribe="<https://crm.example.com/u>", **THREAD),
        answers=OUR_ID,
    )
    yield Specimen("exchange suppresses answers", mail(YES, X_Auto_Response_Suppress="All"))
    yield Specimen("auto-submitted: no", mail(YES, Auto_Submitted="no"))
    yield Specimen("holiday trade", mail("We rent flats.", Subject="Urlaub im Mai: Anfrage"))
    yield Specimen("goods came back", mail("The parcel came back.", Subject="Undeliverable goods"))
    yield Specimen(
        "answers an automatic answer", mail("Enjoy!", Subject="Re: Automatic reply: Hello")
    )
    yield Specimen("is told of leave", mail("I am on leave next week, call me before."))
    yield Specimen("talks of bounces", mail("My mail to bob@example.com got 550 5.1.1, why?"))
    yield Specimen("signs as postmaster", mail("Hi", From="Post Master <p.master@example.com>"),
                   sender="p.master@example.com")  # fmt: skip
    yield Specimen("vacation house", mail("Hi", Subject="On vacation homes and prices"))
    yield Specimen("precedence normal", mail("Hi", Precedence="normal"))
    yield Specimen(
        "forwards a bounce",
        mail_of(part("Look at this."), part("Subject: failure notice\n\nx\n", "message/rfc822")),
        files=("failure notice.eml",),
    )


def _nested() -> Iterator[Specimen]:
    inner, kind = multipart(
        part("Plain words"),
        part("<p>Rich words</p>", "text/html; charset=utf-8"),
        kind="alternative",
        boundary="inner",
    )
    pixel = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40))
    related, related_kind = multipart(
        part(inner, kind),
        part(pixel, "image/png", Content_Transfer_Encoding="base64", Content_ID="<pic@x>"),
        kind="related",
        boundary="middle",
    )
    pdf = part(
        base64.b64encode(b"%PDF-1.7"),
        "application/pdf",
        Content_Transfer_Encoding="base64",
        Content_Disposition="attachment; filename*=utf-8''Pr%C3%BCfung.pdf",
    )
    yield Specimen(
        "three levels", mail_of(part(related, related_kind), pdf), text="Plain words",
        files=("file", "Prüfung.pdf"),
    )  # fmt: skip


def _files() -> Iterator[Specimen]:
    flowed = "This line goes \non here.\n\n-- \nAnn"
    yield Specimen(
        "format flowed",
        mail(flowed, Content_Type="text/plain; charset=utf-8; format=flowed"),
        text="This line goes on here.\n\n-- \nAnn",
    )
    named = part("x", "text/plain", Content_Disposition='attachment; filename="notes.txt"')
    yield Specimen("text as a file", mail_of(part("Hi"), named), text="Hi", files=("notes.txt",))
    words = "=?utf-8?b?UHLDvGZ1bmcucGRm?="
    old = part("x", f'application/pdf; name="{words}"', Content_Disposition="attachment")
    yield Specimen("name in encoded words", mail_of(part("Hi"), old), files=("Prüfung.pdf",))
    up = part("x", "text/plain", Content_Disposition='attachment; filename="../../etc/passwd"')
    yield Specimen("name that climbs", mail_of(part("Hi"), up), files=("passwd",))
    tnef = part(
        "x", "application/ms-tnef", Content_Disposition='attachment; filename="winmail.dat"'
    )
    yield Specimen("tnef", mail_of(part("Hi"), tnef), files=("winmail.dat",))
    calendar = part(INVITATION, "text/calendar; method=REQUEST; charset=utf-8")
    yield Specimen(
        "invitation",
        mail_of(part("Let us meet."), calendar, kind="alternative"),
        text="Let us meet.",
        files=("invite.ics",),
        details={
            "invitation": {
                "method": "request",
                "summary": "Talk about the offer, in detail",
                "dtstart": "20250520T100000",
                "location": "Berlin",
            }
        },
    )


def _large() -> Iterator[Specimen]:
    big = EmailMessage()
    big["From"], big["To"], big["Subject"] = "ann@example.com", OURS, "Plans"
    big.set_content("The plans.\n")
    big.add_attachment(bytes(range(256)) * 40_000, "application", "zip", filename="plans.zip")
    yield Specimen("10 MB", big.as_bytes(), text="The plans.", files=("plans.zip",))
    huge = EmailMessage()
    huge["From"], huge["To"], huge["Subject"] = "ann@example.com", OURS, "Film"
    huge.set_content("The film.\n")
    huge.add_attachment(bytes(16 * 1024 * 1024), "video", "mp4", filename="film.mp4")
    yield Specimen("16 MB in one file", huge.as_bytes(), text="The film.", files=("film.mp4",))


def _encodings() -> Iterator[Specimen]:
    texts = {
        "iso-8859-1": ("iso-8859-1", "Grüße aus Köln"),
        "windows quotes called iso-8859-1": ("cp1252", "“Grüße” – 5 €"),
        "iso-8859-15": ("iso-8859-15", "5 € für Käse"),
        "koi8-r": ("koi8-r", "Привет, Анна"),
        "gb2312": ("gb18030", "您好，谢谢"),
        "shift_jis": ("cp932", "こんにちは"),
        "euc-kr": ("cp949", "안녕하세요"),
        "utf-16": ("utf-16", "Grüße"),
    }
    for name, (charset, text) in texts.items():
        declared = "iso-8859-1" if name.startswith("windows") else name
        coded = base64.encodebytes(text.encode(charset))
        yield Specimen(
            name,
            mail(
                coded,
                Content_Type=f"text/plain; charset={declared}",
                Content_Transfer_Encoding="base64",
            ),
            text=text,
        )
    parted = base64.b64encode("Grüße".encode())
    cut = f"=?utf-8?b?{base64.b64encode('Grü'.encode()[:3]).decode()}?="
    cut += f" =?utf-8?b?{base64.b64encode('Grü'.encode()[3:]).decode()}?="
    yield Specimen("letter over two words", mail("Hi", Subject=cut), subject="Grü")
    yield Specimen(
        "word of the subject", mail("Hi", Subject=f"Re: =?UTF-8?B?{parted.decode()}?= an alle"),
        subject="Re: Grüße an alle",
    )  # fmt: skip
    sender = "=?iso-8859-1?q?J=F6rg_M=FCller?= <Ann@Example.com>"
    yield Specimen("name of the sender", mail("Hi", From=sender))
