"""Newsletters, lists and notifications."""

from collections.abc import Iterator

from channels.models import Automatic
from tests.channels.mail.corpus.specimen import Specimen, mail, mail_of, part

# Who sends → its marks.
SENDERS: dict[str, dict[str, str]] = {
    "mailman": {
        "List_Id": "Users <users.lists.example.org>",
        "List_Post": "<mailto:users@lists.example.org>",
        "Precedence": "list",
    },
    "google groups": {
        "List_ID": "<group.example.org>",
        "Mailing_list": "list group@example.org; contact group+owners@example.org",
        "Precedence": "list",
    },
    "mailchimp": {
        "List_Unsubscribe": "<https://news.example.org/u?x=1>, <mailto:u@example.org>",
        "List_Unsubscribe_Post": "List-Unsubscribe=One-Click",
        "X_MC_User": "1234",
        "Feedback_ID": "1:2:3:mc",
    },
    "unsubscribe alone": {"List_Unsubscribe": "<https://news.example.org/u?x=1>"},
    "bulk": {"Precedence": "bulk"},
    "junk": {"Precedence": "junk"},
    "campaign": {"X_Campaign": "spring"},
    "forge": {
        "List_ID": "acme/app <app.acme.example.org>",
        "Auto_Submitted": "auto-generated",
        "Precedence": "list",
    },
}
SUBJECTS = {
    "en": "Our news in May",
    "de": "Neuigkeiten im Mai",
    "fr": "Les nouvelles de mai",
    "es": "Novedades de mayo",
}


def lists() -> Iterator[Specimen]:
    """All of them."""
    sender = "News <news@example.org>"
    for name, marks in SENDERS.items():
        for language, subject in SUBJECTS.items():
            text = f"{subject}\n\nhttps://news.example.org"
            html = f"<p>{subject}</p><img src='https://news.example.org/pixel.gif'>"
            plain = part(text)
            rich = part(html, "text/html; charset=utf-8")
            given = {"From": sender, "Subject": subject, **marks}
            yield Specimen(
                f"{name}, {language}",
                mail_of(plain, rich, kind="alternative", **given)
                if language in ("en", "de")
                else mail(text, **given),
                kind=Automatic.LIST,
                sender="news@example.org",
                subject=subject,
            )
