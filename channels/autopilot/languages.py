"""In which language a text is written, as far as its small words and its letters give it away.

It tells whether a draft answers in the customer's language. It would rather say nothing than
something wrong: a text of two words, names or numbers alone, is in no language.
"""

import re
import unicodedata
from collections import Counter

LONGEST = 4_000
# The best one has to have so many words, and twice as many as the second one.
LEAST, LEAD = 2, 2
LETTERS = re.compile(r"[^\W\d_]+")
LATIN = "LATIN"
# In which a text is of which nobody can tell.
UNSURE = ""


def _words(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


# Words that are common in one language, and hardly written in another one of these.
SMALL_WORDS = {
    "en": _words(
        "the and you your for with this that have has are was were will would could from please",
        "thanks thank we our they their what when which how about hello hi dear regards it's i'm",
        "not but been can is of to my me be if or",
    ),
    "de": _words(
        "der das und ist nicht wir sie ihr ihre ihnen ich mit für auf ein eine einen zu zum zur",
        "dem den von bei gerne bitte danke haben hat kann können wird werden auch wie uns unser",
        "unsere hallo grüße grüßen guten vielen dank noch oder aber wenn sehr geehrte leider",
    ),
    "fr": _words(
        "le les des est et vous nous votre vos notre nos pour avec dans sur pas une je il elle ce",
        "cette qui que bonjour merci cordialement serait être avons avez êtes sommes aux du au",
    ),
    "es": _words(
        "el los las y es usted ustedes nosotros su sus nuestro nuestra para con por una que hola",
        "gracias estimado estimada saludos está están tiene tenemos puede podemos muy pero como",
    ),
    "it": _words(
        "il gli che è sono per con una del della dei delle nel nella lei voi noi vostro nostro",
        "buongiorno grazie saluti cordiali salve anche questo questa abbiamo avete può però molto",
    ),
    "nl": _words(
        "het een van voor met niet wij jullie uw ons onze zijn dat deze dit ook maar goed graag",
        "dank bedankt groet groeten vriendelijke beste kunnen wordt naar bij aan ik je u heeft",
    ),
    "pt": _words(
        "os uma não você vocês nosso nossa seu sua para com por que obrigado obrigada olá bom dia",
        "prezado prezada atenciosamente está estão temos pode podemos muito mas também ao à",
    ),
    "pl": _words(
        "i w na nie jest się że do z dla jak ale czy proszę dziękuję dzień dobry pozdrawiam",
        "pan pani państwo jesteśmy możemy oraz lub przez bardzo tylko mamy będzie",
    ),
}


def language_of(text: str) -> str:
    """The language's code, or its letters' name where these are not Latin; empty: unsure."""
    words = [word.casefold() for word in LETTERS.findall(text[:LONGEST])]
    script = _script_of(words)
    if script != LATIN:
        return script
    found = Counter({code: sum(word in known for word in words)
                     for code, known in SMALL_WORDS.items()})  # fmt: skip
    (best, most), (_second, next_most) = found.most_common(2)
    return best if most >= LEAST and most >= LEAD * next_most else UNSURE


def is_another(one: str, other: str) -> bool:
    """Whether two texts are surely in two languages."""
    first, second = language_of(one), language_of(other)
    return bool(first and second and first != second)


def _script_of(words: list[str]) -> str:
    """The letters in which most words are written, as Unicode names them."""
    scripts = Counter(unicodedata.name(word[0], "").partition(" ")[0] for word in words)
    [(script, _count)] = scripts.most_common(1) or [(LATIN, 0)]
    return script
