"""What broken programs write, and what people write who want to break ours."""

from collections.abc import Iterator

from channels.models import Automatic
from tests.channels.mail.corpus.specimen import ANN, Specimen, mail, mail_of, multipart, part

NO_ACTION = "Final-Recipient: rfc822; ann@example.com\nAction:\nStatus: 5.1.1\n"


def broken() -> Iterator[Specimen]:
    """All of them."""
    yield from _heads()
    yield from _bodies()
    yield from _bombs()


def _heads() -> Iterator[Specimen]:
    latin = "Gr\udcfc\udcdfe"
    yield Specimen("raw latin-1 in the subject", mail("Hi", Subject=latin), subject="Grüße")
    yield Specimen("raw utf-8 in the subject", mail("Hi", Subject="Grüße"), subject="Grüße")
    yield Specimen("no message-id", mail("Hi", Message_ID=""))
    yield Specimen("broken message-id", mail("Hi", Message_ID="<broken@"))
    yield Specimen("message-id of 2,000 letters", mail("Hi", Message_ID=f"<{'x' * 2000}@e.com>"))
    yield Specimen("no date", mail("Hi", Date=""))
    yield Specimen("no real date", mail("Hi", Date="yesterday, around noon"))
    yield Specimen("date of 1970", mail("Hi", Date="Thu, 01 Jan 1970 00:00:00 +0000"))
    yield Specimen("no subject", mail("Hi", Subject=""), subject="")
    yield Specimen("no from", mail("Hi", From="", Sender=ANN))
    yield Specimen("comma in the name", mail("Hi", From="Archer, Ann <ann@example.com>"))
    yield Specimen("bare address", mail("Hi", From="ann@example.com"))
    yield Specimen("two senders", mail("Hi", From=f"{ANN}, bob@example.com"))
    yield Specimen("unknown charset of a word", mail("Hi", Subject="=?x-what?q?Hi?="), subject="Hi")
    yield Specimen("word that is no base64", mail("Hi", Subject="=?utf-8?b?SGk?= =?utf-8?b?!!?="))
    yield Specimen("null in the subject", mail("Hi", Subject="a\x00b"), subject="ab")
    yield Specimen("folded again and again", mail("Hi", Subject="a\n b\n c\n d"), subject="a b c d")
    yield Specimen("brackets without end", mail("Hi", From="(" * 3000 + "ann@example.com"))
    yield Specimen("brackets without end around others", mail("Hi", Cc="(" * 3000))


def _bodies() -> Iterator[Specimen]:
    kinds = {
        "charset that nobody knows": "text/plain; charset=unknown-9",
        "utf-7": "text/plain; charset=utf-7",
        "no charset": "text/plain",
        "junk type": "text; x",
    }
    for name, kind in kinds.items():
        yield Specimen(name, mail("Grüße", Content_Type=kind), text="Grüße")
    latin = "Grüße aus Köln".encode("latin-1")
    yield Specimen("called utf-8, is latin-1", mail(latin), text="Grüße aus Köln")
    yield Specimen("nulls", mail("a\x00b"), text="ab")
    for name, text in {
        "punycode": "Hallo-",
        "u7": "+ADw-b+AD4-",
        "unicode_escape": r"\x3cb",
    }.items():
        kind = f"text/plain; charset={name}"
        yield Specimen(f"in {name}", mail(text, Content_Type=kind), text=text)
        named = {"Content_Disposition": f"attachment; filename*={name}''Hallo-"}
        yield Specimen(f"name in {name}", mail("Hi", **named), files=("Hallo-",))
    yield Specimen(
        "base64 that breaks off",
        mail("SGVsbG8gdGhlcm", Content_Transfer_Encoding="base64"),
    )
    yield Specimen("unknown encoding", mail("Hi", Content_Transfer_Encoding="x-what"), text="Hi")
    yield Specimen("no end of parts", mail("--b\n\nHi", Content_Type="multipart/mixed; boundary=b"),
                   text="Hi")  # fmt: skip
    yield Specimen(
        "parts without a boundary", mail("Hi", Content_Type="multipart/mixed"), text="Hi"
    )
    yield Specimen("no parts at all", mail("Hi", Content_Type='multipart/mixed; boundary="x"'),
                   text="Hi")  # fmt: skip
    yield Specimen("empty", mail(""), text="")
    yield Specimen("bare line feeds", mail("a\nb").replace(b"\r\n", b"\n"), text="a\nb")
    report = part("junk without fields", "message/delivery-status")
    yield Specimen(
        "report that says nothing",
        mail_of(part("failed"), report, kind="report", From="mailer-daemon@mx.example.com"),
        kind=Automatic.BOUNCE,
        sender="mailer-daemon@mx.example.com",
    )
    yield Specimen(
        "report without an action",
        mail_of(part("failed"), part(NO_ACTION, "message/delivery-status"), kind="report",
                From="mailer-daemon@mx.example.com"),
        kind=Automatic.BOUNCE,
        sender="mailer-daemon@mx.example.com",
    )  # fmt: skip


def _bombs() -> Iterator[Specimen]:
    deep = b"Hi"
    kind = "text/plain"
    for level in range(80):
        deep, kind = multipart(part(deep, kind), boundary=f"b{level}")
    yield Specimen("80 levels", mail(deep, Content_Type=kind), files=("…",))
    for level in range(80, 1500):
        deep, kind = multipart(part(deep, kind), boundary=f"b{level}")
    yield Specimen("1,500 levels", mail(deep, Content_Type=kind), files=("…",))
    many = [part("x", "text/plain", Content_Disposition="attachment") for _ in range(500)]
    yield Specimen("500 files", mail_of(part("Hi"), *many), text="Hi")
    nested = "<div>" * 30_000 + "Hi"
    yield Specimen("30,000 levels of html", mail(nested, Content_Type="text/html"), text="Hi")
    # Python's parser would keep each of them as a text of its own.
    yield Specimen("1,100,000 empty lines", mail("\n" * 1_100_000), text="", files=("…",))
    words = "On " * 4000 + "wrote:\n" + "\n" * 5000 + "x"
    yield Specimen("quotes without end", mail(words))
    quotes = "On 1 May, x wrote:\n> a\nb\n" * 6000
    yield Specimen("a quote in every third line", mail(quotes))
