"""Words by which people opt out: as the whole message, never as a part of a sentence."""

import re
import unicodedata

# English, German, French, Spanish, Italian, Dutch, Portuguese, Polish, and the words that carriers
# prescribe. Source: CTIA Messaging Principles and Best Practices, 5.1.3 (STOP, UNSUBSCRIBE, END,
# QUIT, STOPALL, CANCEL, REVOKE, OPTOUT).
OPT_OUT = frozenset(
    {
        "stop",
        "stopall",
        "stopp",
        "stop promotions",
        "unsubscribe",
        "end",
        "quit",
        "cancel",
        "revoke",
        "optout",
        "opt out",
        "opt-out",
        "remove me",
        "abmelden",
        "abbestellen",
        "austragen",
        "keine werbung",
        "arret",
        "arrêt",
        "desabonner",
        "désabonner",
        "se desabonner",
        "se désabonner",
        "baja",
        "alto",
        "parar",
        "cancelar",
        "cancella",
        "disiscrivi",
        "afmelden",
        "sair",
        "rezygnuje",
        "rezygnuję",
    }
)
# What a button of ours may say, too: who presses it has answered.
ANSWERS = frozenset({"end", "quit", "cancel", "revoke", "alto", "parar", "cancelar", "cancella"})
# What mail programs put under a message: a line of hyphens before a signature, "Sent from my …".
UNDER = re.compile(
    r"^\s*(?:--|__+|(?:sent from|get outlook|gesendet von|von meinem|envoyé d[eu]|"
    r"enviado d[eo]|inviato da|verzonden v[ai]n?|wysłane z)\b.*)\s*$",
    re.IGNORECASE | re.MULTILINE,
)
AROUND = re.compile(r"^[\s\W_]+|[\s\W_]+$")
# Characters of the longest word, and of the beginning in which one is looked for.
LONGEST, BEGINNING = 40, 200


def is_opt_out(text: str, *, is_choice: bool = False) -> bool:
    """Whether a message says nothing but that its sender does not want any more.

    Args:
        is_choice: the text is that of a button.
    """
    head = unicodedata.normalize("NFKC", text.strip()[:BEGINNING])
    own = UNDER.split(head, maxsplit=1)[0]
    if len(own) > LONGEST:
        return False
    words = " ".join(AROUND.sub("", own).lower().split())
    return words in (OPT_OUT - ANSWERS if is_choice else OPT_OUT)
