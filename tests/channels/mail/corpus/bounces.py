"""Reports of servers, in the words of many of them."""

from collections.abc import Iterator

from channels.models import Automatic
from tests.channels.mail.corpus.specimen import (
    DATE,
    OUR_ID,
    REPORT,
    Specimen,
    mail,
    mail_of,
    part,
)
from tests.channels.mail.factories import MESSAGE, OURS

ANN, BOUNCE = "ann@example.com", Automatic.BOUNCE
DAEMON = "MAILER-DAEMON@mx.example.com (Mail Delivery System)"
ORIGINAL = f"""\
From: Acme Sales <{OURS}>
To: Ann <ann@example.com>
Subject: Hello
Date: {DATE}
Message-ID: {OUR_ID}
X-SalesFlow-Message: {MESSAGE}.1

How are you?
"""
RECEIPT = (
    "Reporting-UA: example.com; Mailer\nFinal-Recipient: rfc822; ann@example.com\n"
    f"Original-Message-ID: {OUR_ID}\n"
    "Disposition: manual-action/MDN-sent-manually; displayed\n"
)
# Status, words of the server, whether the address does not exist; None: it is not to blame.
REASONS: list[tuple[str, str, bool | None]] = [
    ("5.1.1", "550 5.1.1 <ann@example.com>: User doesn't exist", True),
    ("5.1.10", "550 5.1.10 RESOLVER.ADR.RecipientNotFound; not found by SMTP address lookup", True),
    ("5.2.1", "550 5.2.1 The email account that you tried to reach is disabled.", True),
    ("5.4.4", "Host or domain name not found. Name service error for name=example.com", True),
    ("5.2.2", "552 5.2.2 The email account that you tried to reach is over quota.", False),
    ("4.4.1", "connect to mx.example.com[192.0.2.1]:25: Connection timed out", False),
    ("5.7.1", "550 5.7.1 Message rejected as spam by content filtering.", None),
    ("5.0.0", "550 5.1.1 unknown user", True),
    ("5.7.26", "550-5.7.26 This mail is unauthenticated, which poses a security risk", None),
    ("5.1.8", "550 5.1.8 Access denied, bad outbound sender", None),
    ("5.0.1", "554 Message rejected as spam", None),
    ("5.4.7", "554 5.4.7 Message expired", False),
    ("5.4.1", "550 5.4.1 Recipient address rejected: Access denied", True),
]


def dsn(
    *,
    sender: str,
    subject: str,
    words: str,
    status: str = "5.1.1",
    said: str = "550 5.1.1 User unknown",
    action: str = "failed",
    address: str = ANN,
    inner: str = "message/rfc822",
    original: str = ORIGINAL,
    per_message: str = "Reporting-MTA: dns; mx.example.com",
    **headers: str,
) -> bytes:
    """A report as RFC 3464 has it."""
    report = f"{per_message}\nArrival-Date: {DATE}\n\nFinal-Recipient: rfc822; {address}\n"
    report += f"Action: {action}\nStatus: {status}\n"
    report += f"Diagnostic-Code: smtp;\n {said}\n" if said else ""
    given = original if inner == "message/rfc822" else original.split("\n\n")[0] + "\n"
    kind = 'report; report-type="delivery-status"'
    parts = [part(words), part(report, "message/delivery-status")]
    parts += [part(given, inner)] if inner else []
    usual = {"From": sender, "Subject": subject, "Return_Path": "<>"}
    usual |= {"Auto_Submitted": "auto-replied"}
    return mail_of(*parts, kind=kind.partition(";")[0], **usual | headers)


def bounces() -> Iterator[Specimen]:
    """All of them."""
    yield from _postfix()
    yield from _exchange()
    yield from _old_exchange()
    yield from _other_standard_ones()
    yield from _odd_standard_ones()
    yield from _plain_dialects()
    yield from _late_mails()
    yield from _receipts()


def _postfix() -> Iterator[Specimen]:
    words = (
        "This is the mail system at host mx.example.com.\n\nI'm sorry to have to inform you that"
        " your message could not\nbe delivered to one or more recipients.\n\n<ann@example.com>: "
    )
    for inner in ("message/rfc822", "text/rfc822-headers"):
        for status, said, hard in REASONS:
            yield Specimen(
                f"postfix {status} {inner}",
                dsn(
                    sender=DAEMON,
                    subject="Undelivered Mail Returned to Sender",
                    words=words + said,
                    status=status,
                    said=said,
                    inner=inner,
                ),
                kind=BOUNCE,
                sender="mailer-daemon@mx.example.com",
                answers=OUR_ID,
                bounced=ANN if hard is not None else "",
                hard=bool(hard),
            )


LANGUAGES = {
    "en": ("Undeliverable: Hello", "Your message to ann@example.com couldn't be delivered."),
    "de": ("Unzustellbar: Hello", "Ihre Nachricht an ann@example.com wurde nicht zugestellt."),
    "fr": ("Non remis : Hello", "Votre message à ann@example.com n'a pas pu être remis."),
    "es": ("No se puede entregar: Hello", "Su mensaje a ann@example.com no se pudo entregar."),
}


OLD_ONES = {
    "en": "Your message\n\n  To: ann@example.com\n  Subject: Hello\n\ndid not reach the"
    " following recipient(s):\n\nann@example.com on Mon, 12 May 2025 10:20:30 +0200\n"
    "    The e-mail account does not exist at the organization\n    550 5.1.1",
    "de": "Fehler bei der Nachrichtenzustellung an folgende Empfänger oder Verteilerlisten:\n\n"
    "ann@example.com\nDie eingegebene E-Mail-Adresse konnte nicht gefunden werden.\n#5.1.1",
}


def _exchange() -> Iterator[Specimen]:
    sender = (
        "Microsoft Outlook <MicrosoftExchange329e71ec88ae4615bbc36ab6ce41109e@acme.example.com>"
    )
    marks = {
        "X_MS_Exchange_Message_Is_Ndr": "",
        "X_Auto_Response_Suppress": "All",
        "In_Reply_To": OUR_ID,
        "References": OUR_ID,
    }
    for language, (subject, words) in LANGUAGES.items():
        for name, inner in (("whole", "message/rfc822"), ("no original", "")):
            yield Specimen(
                f"exchange {language} {name}",
                dsn(
                    sender=sender,
                    subject=subject,
                    words=words,
                    status="5.1.10",
                    said="550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found",
                    inner=inner,
                    **marks,
                ),
                kind=BOUNCE,
                sender="microsoftexchange329e71ec88ae4615bbc36ab6ce41109e@acme.example.com",
                answers=OUR_ID,
                bounced=ANN,
                hard=True,
            )


def _old_exchange() -> Iterator[Specimen]:
    subjects = {"en": "Undeliverable: Hello", "de": "Unzustellbar: Hello"}
    for language, text in OLD_ONES.items():
        yield Specimen(
            f"old exchange {language}",
            mail(
                text,
                From="System Administrator <postmaster@mx.example.com>",
                Subject=subjects[language],
                In_Reply_To=OUR_ID,
            ),
            kind=BOUNCE,
            sender="postmaster@mx.example.com",
            answers=OUR_ID,
            bounced=ANN,
            hard=True,
        )


DIALECTS = {
    "gmail": ("Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
              "Delivery Status Notification (Failure)",
              "** Address not found **\n\nYour message wasn't delivered to ann@example.com",
              {"X_Failed_Recipients": ANN}),
    "ses": ("MAILER-DAEMON@amazonses.com", "Delivery Status Notification (Failure)",
            "An error occurred while trying to deliver the mail to the following recipients:\n"
            "ann@example.com", {}),
    "sendmail": ("Mail Delivery Subsystem <MAILER-DAEMON@mx.example.com>",
                 "Returned mail: see transcript for details",
                 "   ----- The following addresses had permanent fatal errors -----\n"
                 "<ann@example.com>\n    (reason: 550 5.1.1 User unknown)", {}),
    "zimbra": ("MAILER-DAEMON@zimbra.example.com (Mail Delivery System)",
               "Undelivered Mail Returned to Sender", "could not be delivered", {}),
    "exim with parts": ("Mail Delivery System <Mailer-Daemon@mx.example.com>",
                        "Mail delivery failed: returning message to sender",
                        "This message was created automatically by mail delivery software.",
                        {"X_Failed_Recipients": ANN}),
    "icloud": ("Mail Delivery System <MAILER-DAEMON@p00-ms.icloud.example.com>",
               "Undelivered Mail Returned to Sender", "user unknown", {}),
    "no null path": ("postmaster@mx.example.com", "Delivery Failure", "failed",
                     {"Return_Path": "<postmaster@mx.example.com>", "Auto_Submitted": ""}),
}  # fmt: skip


def _other_standard_ones() -> Iterator[Specimen]:
    for name, (sender, subject, words, headers) in DIALECTS.items():
        yield Specimen(
            name,
            dsn(sender=sender, subject=subject, words=words, **headers),
            kind=BOUNCE,
            sender=sender.rpartition("<")[2].split(" ")[0].strip(">").lower(),
            answers=OUR_ID,
            bounced=ANN,
            hard=True,
        )


def _odd_standard_ones() -> Iterator[Specimen]:
    rewritten = ORIGINAL.replace(OUR_ID, "<0102017f@eu-west-1.amazonses.com>")
    yield Specimen(
        "ses with its own message-id",
        dsn(
            sender="MAILER-DAEMON@amazonses.com",
            subject="Delivery Status Notification (Failure)",
            words="failed",
            original=rewritten,
        ),
        kind=BOUNCE,
        sender="mailer-daemon@amazonses.com",
        answers="<0102017f@eu-west-1.amazonses.com>",
        bounced=ANN,
        hard=True,
    )
    yield Specimen(
        "two recipients, one of them gone",
        dsn(
            sender="MAILER-DAEMON@mx.example.com",
            subject="Undelivered Mail Returned to Sender",
            words="failed",
            said="550 5.1.1 unknown\n\nFinal-Recipient: rfc822; bob@example.com\n"
            "Action: relayed\nStatus: 2.0.0",
        ),
        kind=BOUNCE,
        sender="mailer-daemon@mx.example.com",
        bounced=ANN,
        hard=True,
    )


PLAIN = {
    "qmail": ("MAILER-DAEMON@mx.example.com", "failure notice",
              "Hi. This is the qmail-send program at mx.example.com.\n"
              "I'm afraid I wasn't able to deliver your message to the following addresses.\n"
              "This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
              "<ann@example.com>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n"
              "--- Below this line is a copy of the message.\n\n"
              "Return-Path: <sales@acme.example.com>\n" + ORIGINAL, {}),
    "exim": ("Mail Delivery System <Mailer-Daemon@mx.example.com>",
             "Mail delivery failed: returning message to sender",
             "This message was created automatically by mail delivery software.\n\n"
             "A message that you sent could not be delivered to one or more of its\n"
             "recipients. This is a permanent error. The following address(es) failed:\n\n"
             "  ann@example.com\n    Unrouteable address\n    550 5.1.1 unknown user\n\n"
             "------ This is a copy of the message, including all the headers. ------\n\n"
             + ORIGINAL, {"X_Failed_Recipients": ANN, "Auto_Submitted": "auto-replied"}),
    "gmail in one text": ("Mail Delivery Subsystem <mailer-daemon@googlemail.com>",
                          "Delivery Status Notification (Failure)",
                          "Delivery to the following recipient failed permanently:\n\n"
                          "     ann@example.com\n\nTechnical details of permanent failure:\n"
                          "550 5.1.1 The email account does not exist.\n\n"
                          "----- Original message -----\n\n" + ORIGINAL,
                          {"X_Failed_Recipients": ANN}),
    "sendmail in one text": ("MAILER-DAEMON@mx.example.com (Mail Delivery Subsystem)",
                             "Returned mail: User unknown",
                             "   ----- The following addresses had permanent fatal errors -----"
                             "\n<ann@example.com>\n\n   ----- Transcript of session follows"
                             " -----\n550 5.1.1 <ann@example.com>... User unknown\n\n"
                             "   ----- Original message follows -----\n\n" + ORIGINAL, {}),
    "german hoster": ("Mailer Daemon <mailer-daemon@hoster.example.com>",
                      "Mail delivery failed: Nachricht nicht zustellbar",
                      "Ihre Nachricht konnte nicht zugestellt werden:\n\n<ann@example.com>: Die"
                      " Adresse existiert nicht. (550 5.1.1)\n\n"
                      "--- Original message ---\n\n" + ORIGINAL, {}),
}  # fmt: skip


def _plain_dialects() -> Iterator[Specimen]:
    for name, (sender, subject, text, headers) in PLAIN.items():
        yield Specimen(
            name,
            mail(text, From=sender, Subject=subject, Return_Path="<>", **headers),
            kind=BOUNCE,
            sender=sender.rpartition("<")[2].split(" ")[0].strip(">").lower(),
            answers=OUR_ID,
            bounced=ANN,
            hard=True,
        )


def _late_mails() -> Iterator[Specimen]:
    for name, status in (("postfix", "4.4.1"), ("exchange", "4.4.7"), ("sendmail", "4.2.0")):
        yield Specimen(
            f"late mail, {name}",
            dsn(
                sender=DAEMON,
                subject="Delayed Mail (still being retried)",
                words="You do not need to resend your message.",
                status=status,
                said="451 4.4.1 try later",
                action="delayed",
            ),
            kind=Automatic.AUTO_REPLY,
            sender="mailer-daemon@mx.example.com",
            answers=OUR_ID,
        )


def _receipts() -> Iterator[Specimen]:
    yield Specimen(
        "delivered",
        dsn(
            sender=DAEMON,
            subject="Successful Mail Delivery Report",
            words="delivered",
            status="2.0.0",
            said="250 OK",
            action="delivered",
        ),
        kind=REPORT,
        details={"status": "delivered"},
    )
    yield Specimen(
        "read receipt",
        mail_of(
            part("Your message was read."),
            part(RECEIPT, "message/disposition-notification"),
            kind="report",
            Subject="Read: Hello",
        ),
        kind=REPORT,
        details={"status": "read"},
    )
    yield Specimen(
        "complaint",
        mail_of(
            part("This is an email abuse report."),
            part("Feedback-Type: abuse\nUser-Agent: x\nVersion: 1\n", "message/feedback-report"),
            part(ORIGINAL, "message/rfc822"),
            kind="report",
            From="feedback@isp.example.com",
            Subject="Abuse report",
        ),
        kind=REPORT,
        details={"opted_out": ANN},
    )
