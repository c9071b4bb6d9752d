"""A plain mail as HTML, for what only HTML can carry; it reads as the plain text does."""

from collections.abc import Mapping

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from channels.tracking.links import pieces_of

PAGE = "<!doctype html>\n<html><body>\n<div>{}{}</div>\n{}</body></html>\n"
PIXEL = '<img src="{}" alt="" width="1" height="1">\n'


def as_html(text: str, end: str = "", *, links: Mapping[str, str], pixel_url: str = "") -> str:
    """The text of a mail as HTML.

    Args:
        end: what stands below it, such as a signature: its links lead where they say.
        links: the addresses to which those of the text lead instead.
        pixel_url: of an image at the very end.
    """
    pixel = format_html(PIXEL, pixel_url) if pixel_url else ""
    return format_html(PAGE, _lines(text, links), _lines(end, {}), pixel)


def _lines(text: str, links: Mapping[str, str]) -> SafeString:
    broken = SafeString("<br>\n")
    return SafeString(broken.join(_line(line, links) for line in text.splitlines()) + broken)


def _line(line: str, links: Mapping[str, str]) -> SafeString:
    return format_html_join(
        "",
        "{}",
        ((_link(piece.text, links) if piece.is_link else piece.text,) for piece in pieces_of(line)),
    )


def _link(url: str, links: Mapping[str, str]) -> SafeString:
    return format_html('<a href="{}">{}</a>', links.get(url, url), url)
