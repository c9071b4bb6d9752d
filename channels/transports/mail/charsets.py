"""Making text of bytes, whatever their writer called them."""

import codecs

from charset_normalizer import from_bytes

# What is declared → what is meant: mail programs name the small set and write the large one.
ALIASES = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "latin-1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "ansi": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-9": "cp1254",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "utf8mb4": "utf-8",
    "unicode": "utf-8",
}
# By Python's names for them, whatever a mail calls them. UTF-7 writes "<script>" in letters that
# look like none, the escapes any letter at all; Punycode takes hours for a megabyte.
REFUSED = {"utf-7", "punycode", "idna", "unicode-escape", "unicode_escape", "undefined"}
REFUSED |= {"raw-unicode-escape", "raw_unicode_escape"}
# Fewer bytes tell nothing about their language.
ENOUGH_TO_GUESS = 64
MOST_TO_GUESS = 20_000
# A last resort that knows a letter for every byte but five.
LAST_RESORT = "cp1252"


def decode(data: bytes, declared: str = "") -> str:
    """The text of some bytes; it never fails, at worst single letters are replaced.

    Null characters and halves of pairs, which no database takes, are left out.
    """
    return storable(_decoded(data, declared.strip().strip("\"'").lower()))


def storable(text: str) -> str:
    """The text without what PostgreSQL does not store."""
    return text.replace("\x00", "").encode("utf-8", "ignore").decode()


def _decoded(data: bytes, declared: str) -> str:
    for charset in (_meant(declared), "utf-8"):
        if charset and (text := _try(data, charset)) is not None:
            return text
    return _guessed(data)


def _meant(declared: str) -> str:
    # Bytes that are called ASCII and are not are UTF-8 more often than not.
    if declared in ("", "us-ascii", "ascii"):
        return ""
    charset = ALIASES.get(declared, declared)
    return charset if _is_usable(charset) else ""


def _is_usable(charset: str) -> bool:
    try:
        codec = codecs.lookup(charset)
    except (LookupError, ValueError):
        return False
    return codec._is_text_encoding and codec.name not in REFUSED


def _try(data: bytes, charset: str) -> str | None:
    try:
        return data.decode(charset)
    except (UnicodeError, ValueError):
        return None


def _guessed(data: bytes) -> str:
    if len(data) > ENOUGH_TO_GUESS and (best := from_bytes(data[:MOST_TO_GUESS]).best()):
        text = _try(data, best.encoding)
        if text is not None:
            return text
    return data.decode(LAST_RESORT, "replace")
