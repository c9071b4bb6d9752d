"""Showing HTML that strangers wrote: cleaned by a browser's parser, without anything that acts.

What comes out is still only shown in a frame of its own, without scripts and without our origin
(`channels.views.mail`).
"""

import html as entities
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

import nh3


def _names(words: str) -> frozenset[str]:
    return frozenset(words.split())


# The parser's work grows with the square of the nesting: 100 KB of nothing but "<div>" took 3.4 s.
LONGEST, MOST_TAGS, DEEPEST = 500_000, 15_000, 200
# "<p>" and its like end where the next one begins.
NEVER_NESTED = _names(
    "area br col hr img input link meta source wbr p li td tr th dd dt option tbody thead tfoot"
    " colgroup"
)
# What was not closed goes on in the paragraphs behind it: each of them gets a copy of its own, so
# that a small page may become a very large one. Of what looks alike at most three are copied.
# Source: HTML Standard, "Reconstruct the active formatting elements", "Noah's Ark clause".
GOES_ON = re.compile(
    r"<(?:b|big|code|em|font|i|s|small|strike|strong|tt|u)(?=[\s/>])[^>]*", re.IGNORECASE
)
MOST_ALIKE, MOST_COPIES = 3, 1_000_000
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
TAGS = _names(
    "a abbr address b big blockquote br caption center cite code col colgroup dd del details div dl"
    " dt em font h1 h2 h3 h4 h5 h6 hr i img ins li mark ol p pre q s samp small span strike strong"
    " sub summary sup table tbody td tfoot th thead tr tt u ul"
)
NOTHING_LEFT = _names(
    "script style title head noscript template iframe object embed applet svg math textarea select"
    " button audio video canvas frameset noframes xmp"
)
SHAPE = {"style", "align", "valign", "width", "height", "bgcolor", "dir", "lang", "title"}
ATTRIBUTES = {
    "*": SHAPE,
    "a": {"href"},
    "img": {"src", "alt", "border"},
    "font": {"color", "face", "size"},
    "ol": {"start", "type"},
    "table": {"border", "cellpadding", "cellspacing"},
    "td": {"colspan", "rowspan"},
    "th": {"colspan", "rowspan"},
}
# Nothing that loads, covers or hides: a mail does not draw over its frame, nor hide its words.
STYLES = _names(
    "color background-color font-family font-size font-style font-weight line-height text-align"
    " text-decoration text-transform vertical-align white-space width max-width height border"
    " border-top border-right border-bottom border-left border-collapse border-color border-radius"
    " border-spacing border-style border-width margin margin-top margin-right margin-bottom"
    " margin-left padding padding-top padding-right padding-bottom padding-left"
)
LOADING = re.compile(
    r"url\s*\(|image\s*\(|image-set\s*\(|expression\s*\(|\\|@import", re.IGNORECASE
)
SCHEMES = {"http", "https", "mailto", "tel", "cid"}
# What begins a line of its own in the text of a page.
BLOCKS = {
    "br",
    "p",
    "div",
    "tr",
    "li",
    "blockquote",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "hr",
    "pre",
}
PIECE = re.compile(r"<(/?)([a-z][a-z0-9]*)[^<>]*>")
ANY_TAG = re.compile(r"<[^<>]*>")
BLANKS = re.compile(r"[ \t\u00a0]+")
GAPS = re.compile(r"\n{3,}")
MOST_QUOTED = 20


@dataclass(frozen=True)
class Shown:
    """A page that may be shown.

    Attributes:
        blocked: images of other servers that are left out.
    """

    html: str
    blocked: int


def clean(html: str, *, images: Mapping[str, str], show_remote: bool) -> Shown | None:
    """A stranger's page without what acts, loads or covers.

    Args:
        images: content id → `data:` address of an image that came with it.
        show_remote: load images of other servers, who then know that it was read.

    Returns:
        None where it is too long or too deep to be shown.
    """
    if not is_showable(html):
        return None
    kept = _Attributes(images, show_remote=show_remote)
    cleaned = nh3.clean(
        html,
        tags=set(TAGS),
        clean_content_tags=set(NOTHING_LEFT),
        attributes={tag: set(names) for tag, names in ATTRIBUTES.items()},
        attribute_filter=kept.filter,
        set_tag_attribute_values={"a": {"target": "_blank"}},
        link_rel="noopener noreferrer nofollow",
        url_schemes=SCHEMES,
        url_relative="deny",
        filter_style_properties=set(STYLES),
    )
    return Shown(html=cleaned, blocked=kept.blocked)


def is_showable(html: str) -> bool:
    """Whether a page is short and flat enough to be cleaned."""
    if len(html) > LONGEST:
        return False
    open_tags: Counter[str] = Counter()
    seen = depth = 0
    for match in TAG.finditer(html):
        seen += 1
        name = match[2].lower()
        if name in NEVER_NESTED:
            continue
        step = -1 if match[1] else 1
        if open_tags[name] + step >= 0:
            open_tags[name] += step
            depth += step
        if depth > DEEPEST or seen > MOST_TAGS:
            return False
    return seen <= MOST_TAGS and MOST_ALIKE * _different(html) * seen <= MOST_COPIES


def _different(html: str) -> int:
    """How many elements that go on there are, of those that look different."""
    found = [match[0] for match in GOES_ON.finditer(html)]
    # Of one whose quotes are open we have seen the beginning alone.
    cut = sum(1 for each in found if each.count("'") % 2 or each.count('"') % 2)
    return cut + len(set(found))


def text_of(html: str) -> str:
    """What a page says, line by line; quoted lines begin with ">"."""
    if not is_showable(html):
        return _tidy(entities.unescape(ANY_TAG.sub(" ", html)))
    plain = nh3.clean(
        html, tags=BLOCKS, clean_content_tags=set(NOTHING_LEFT), attributes={}, link_rel=None
    )
    lines = _Lines()
    end = 0
    for match in PIECE.finditer(plain):
        lines.write(plain[end : match.start()])
        lines.begin(match[2], closes=bool(match[1]))
        end = match.end()
    lines.write(plain[end:])
    return _tidy(lines.text)


class _Attributes:
    """Decides on attributes while a page is cleaned; counts the images that it leaves out."""

    def __init__(self, images: Mapping[str, str], *, show_remote: bool) -> None:
        self.images = images
        self.show_remote = show_remote
        self.blocked = 0

    def filter(self, element: str, attribute: str, value: str) -> str | None:
        """The attribute's value; None: it goes."""
        if attribute == "style":
            return None if LOADING.search(value) else value
        if element != "img" or attribute != "src":
            return value
        if value.lower().startswith("cid:"):
            # RFC 2392: as in any address, signs may be written as "%40".
            return self.images.get(unquote(value[4:]).strip("<> "))
        if self.show_remote:
            return value
        self.blocked += 1
        return None


class _Lines:
    """Collects the lines of a page."""

    def __init__(self) -> None:
        self._lines: list[list[str]] = [[]]
        self._quoted = 0

    def write(self, text: str) -> None:
        """Go on with the line."""
        if text:
            self._lines[-1].append(entities.unescape(text.replace("\n", " ")))

    def begin(self, tag: str, *, closes: bool) -> None:
        """Begin a line, within as many quotes as are open."""
        if tag == "blockquote":
            self._quoted = max(0, min(MOST_QUOTED, self._quoted + (-1 if closes else 1)))
        is_break = tag == "br" or any(piece.strip(" >") for piece in self._lines[-1])
        if is_break or tag == "blockquote":
            self._lines.append([">" * self._quoted + " "] if self._quoted else [])
        if tag in ("p", "h1", "h2", "h3") and closes and not self._quoted:
            self._lines.append([])

    @property
    def text(self) -> str:
        """All lines."""
        return "\n".join("".join(line) for line in self._lines)


def _tidy(text: str) -> str:
    lines = (BLANKS.sub(" ", line).strip() for line in text.split("\n"))
    return GAPS.sub("\n\n", "\n".join(lines)).strip()
