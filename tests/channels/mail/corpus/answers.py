"""What programs answer, in four languages."""

from collections.abc import Iterator
from datetime import date

from channels.models import Automatic
from tests.channels.mail.corpus.specimen import OUR_ID, Specimen, mail

OUT, AUTO = Automatic.OUT_OF_OFFICE, Automatic.AUTO_REPLY
# Language → subject as Exchange has it, text, the day of the return as the text tells it.
AWAY = {
    "en": ("Automatic reply: Hello",
           "Thank you for your message. I am out of the office until 23 May 2025 with limited"
           " access to e-mail.", date(2025, 5, 24)),
    "en, back on": ("Automatic reply: Hello",
                    "I'm on annual leave and will be back on Monday, June 2nd.", date(2025, 6, 2)),
    "de": ("Automatische Antwort: Hello",
           "Guten Tag, ich bin bis zum 23.05.2025 nicht im Büro.", date(2025, 5, 24)),
    "de, ab": ("Automatische Antwort: Hello",
               "Ich bin im Urlaub und ab dem 2. Juni wieder erreichbar.", date(2025, 6, 2)),
    "fr": ("Réponse automatique : Hello",
           "Je suis absente du bureau jusqu'au 23 mai 2025.", date(2025, 5, 24)),
    "fr, de retour": ("Réponse automatique : Hello",
                      "Je suis en congés, de retour le lundi 2 juin.", date(2025, 6, 2)),
    "es": ("Respuesta automática: Hello",
           "Estoy fuera de la oficina hasta el 23 de mayo de 2025.", date(2025, 5, 24)),
    "es, vuelta": ("Respuesta automática: Hello",
                   "Estoy de vacaciones, de vuelta el 02/06/2025.", date(2025, 6, 2)),
}  # fmt: skip
# Program → its marks.
MARKS: dict[str, dict[str, str]] = {
    "exchange": {
        "X_MS_Exchange_Inbox_Rules_Loop": "ann@example.com",
        "X_Auto_Response_Suppress": "All",
        "Auto_Submitted": "auto-generated",
    },
    "gmail": {
        "Auto_Submitted": "auto-replied",
        "Precedence": "bulk",
        "X_Autoreply": "yes",
    },
    "sieve": {"Auto_Submitted": "auto-replied (vacation)", "Return_Path": "<>"},
    "zimbra": {"Auto_Submitted": "auto-replied (zimbra; vacation)", "Precedence": "bulk"},
}
# Language → that a mail arrived, as desks for support tell it.
ARRIVED = {
    "en": ("We have received your request [#4711]", "Your request was received. We will answer."),
    "de": ("Ihre Anfrage [#4711] ist eingegangen", "Wir haben Ihre Anfrage erhalten."),
    "fr": ("Votre demande [#4711]", "Nous avons bien reçu votre demande."),
    "es": ("Su solicitud [#4711]", "Hemos recibido su solicitud."),
}
DESKS: dict[str, dict[str, str]] = {
    "auto-replied": {"Auto_Submitted": "auto-replied"},
    "x-autorespond": {"X_Autorespond": "yes"},
    "precedence": {"Precedence": "auto_reply"},
}


def answers() -> Iterator[Specimen]:
    """All of them."""
    for language, (subject, text, back) in AWAY.items():
        for program, marks in MARKS.items():
            yield Specimen(
                f"away, {program}, {language}",
                mail(text, Subject=subject, In_Reply_To=OUR_ID, References=OUR_ID, **marks),
                kind=OUT,
                answers=OUR_ID,
                returns=back,
                text=text,
            )
    for language, (subject, text) in ARRIVED.items():
        for desk, marks in DESKS.items():
            yield Specimen(
                f"arrived, {desk}, {language}",
                mail(text, Subject=subject, In_Reply_To=OUR_ID, **marks),
                kind=AUTO,
                answers=OUR_ID,
            )
    yield from _odd_ones()


def _odd_ones() -> Iterator[Specimen]:
    subjects = {
        "en": ("Out of Office: Hello", "I am away from my desk."),
        "de": ("Abwesenheitsnotiz: Hello", "Ich bin zurzeit nicht erreichbar."),
        "fr": ("Absence du bureau : Hello", "Je suis en déplacement."),
        "es": ("Fuera de la oficina: Hello", "Estoy ausente."),
    }
    for language, (subject, text) in subjects.items():
        yield Specimen(f"by its subject alone, {language}", mail(text, Subject=subject), kind=OUT)
    yield Specimen(
        "nobody reads it", mail("Hi", From="Shop <no-reply@shop.example.com>"), kind=AUTO,
        sender="no-reply@shop.example.com",
    )  # fmt: skip
    yield Specimen(
        "nobody reads it either",
        mail("Rechnung", From="noreply-billing@shop.example.com"),
        kind=AUTO,
        sender="noreply-billing@shop.example.com",
    )
    yield Specimen("null return path", mail("Your ticket was closed.", Return_Path="<>"), kind=AUTO)
    yield Specimen(
        "rules agent of exchange",
        mail(
            "Thanks, noted.",
            X_MS_Exchange_Generated_Message_Source="Mailbox Rules Agent",
            Subject="RE: Hello",
        ),
        kind=AUTO,
    )
