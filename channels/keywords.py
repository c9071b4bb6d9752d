"""Words by which people opt out: as the whole message, never as a part of a sentence."""

import re

# English, German, French, Spanish, Italian, Dutch, Portuguese, Polish, and the words that carriers
# prescribe. Source: CTIA Messaging Principles and Best Practices, 5.1.3 (STOP, UNSUBSCRIBE, END,
# QUIT, STOPALL, CANCEL, REVOKE, OPTOUT).
OPT_OUT = frozenset(
    {
        "stop",
        "stopall",
        "stopp",
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
AROUND = re.compile(r"^[\s\W_]+|[\s\W_]+$")
LONGEST = 40


def is_opt_out(text: str) -> bool:
    """Whether a message says nothing but that its sender does not want any more."""
    if len(text) > LONGEST:
        return False
    words = " ".join(AROUND.sub("", text).lower().split())
    return words in OPT_OUT
