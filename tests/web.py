"""Looking at pages the way a browser and a screen reader do."""

from html.parser import HTMLParser
from typing import Any

from django.test import Client
from zeal import zeal_context

from salesflow.accounts.models import User

HTMX = {"HX-Request": "true"}
VOID = {"area", "br", "col", "hr", "img", "input", "link", "meta", "path", "circle"}
FIELDS = {"input", "select", "textarea"}


class Browser(Client):
    """A browser; a page that it shows must not run a query for each row."""

    def request(self, **request: Any) -> Any:
        """Send one request."""
        # A change reads its lead, locks it, and reads it again to show it: that is no loop.
        if request.get("REQUEST_METHOD") != "GET":
            return super().request(**request)
        with zeal_context():
            return super().request(**request)


def browser_of(user: User) -> Browser:
    """A browser in which `user` is logged in."""
    client = Browser()
    client.force_login(user)
    return client


class Page(HTMLParser):
    """The elements of an HTML page or fragment.

    Attributes:
        elements: tag and attributes, in order; an attribute without a value is "".
        errors: what is wrong with it for somebody without a mouse, or for a strict browser.
    """

    def __init__(self, response: Any) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.errors: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self._inside_label = 0
        self._buttons: list[dict[str, Any]] = []
        self.feed(response.content.decode())
        self._check()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element."""
        given = {name: value or "" for name, value in attrs}
        if "label" in self._open:
            given["in-label"] = "yes"
        # What a drawing says on hover is called like a page's title.
        is_hint = tag == "title" and "svg" in self._open
        self.elements.append(("svg:title" if is_hint else tag, given))
        if tag not in VOID:
            self._open.append(tag)
        if tag in ("button", "a"):
            self._buttons.append({"attrs": given, "text": ""})

    def handle_endtag(self, tag: str) -> None:
        """Close the element, and complain when another one is open."""
        if tag in VOID:
            return
        if not self._open or self._open.pop() != tag:
            self.errors.append(f"</{tag}> closes nothing, at {self.getpos()}")

    def handle_data(self, data: str) -> None:
        """Keep the words."""
        self.text += data
        if self._buttons and {"button", "a"} & set(self._open):
            self._buttons[-1]["text"] += data
        if self._runs_inline() and data.strip():
            self.errors.append(f"inline {self._open[-1]}: {data.strip()[:60]}")

    def _runs_inline(self) -> bool:
        # Data for a script is no script.
        is_data = self.elements and self.elements[-1][1].get("type") == "application/json"
        return self._open[-1:] in (["script"], ["style"]) and not is_data

    def all(self, tag: str) -> list[dict[str, str]]:
        """The attributes of all elements of a kind."""
        return [attrs for name, attrs in self.elements if name == tag]

    def _check(self) -> None:
        self._check_strictness()
        self._check_labels()
        ids = [attrs["id"] for _tag, attrs in self.elements if "id" in attrs]
        self.errors += [f"id “{name}” twice" for name in {i for i in ids if ids.count(i) > 1}]
        if self.all("html"):
            self._check_landmarks()

    def _check_strictness(self) -> None:
        for tag, attrs in self.elements:
            if "style" in attrs:
                self.errors.append(f"inline style on <{tag}>")
            self.errors += [f"{name} on <{tag}>" for name in attrs if name.startswith("on")]
            for name in ("src", "href", "action", "hx-get", "hx-post"):
                if attrs.get(name, "").startswith(("http:", "https:", "//", "javascript:")):
                    self.errors.append(f"<{tag} {name}={attrs[name]}> leaves the server")

    def _check_labels(self) -> None:
        labelled = {label.get("for") for label in self.all("label")}
        for tag, attrs in self.elements:
            hidden = attrs.get("type") in ("hidden", "submit") or tag not in FIELDS
            named = {"aria-label", "aria-labelledby", "in-label"} & attrs.keys()
            if not hidden and not named and attrs.get("id") not in labelled:
                self.errors.append(f"<{tag} name={attrs.get('name')}> has no label")
        for button in self._buttons:
            if not button["text"].strip() and "aria-label" not in button["attrs"]:
                self.errors.append(f"a link or button says nothing: {button['attrs']}")

    def _check_landmarks(self) -> None:
        for tag in ("main", "h1", "title"):
            found = len(self.all(tag))
            if found != 1:
                self.errors.append(f"{found} × <{tag}>")
        if not self.all("html")[0].get("lang"):
            self.errors.append("no language")


def page_of(response: Any) -> Page:
    """The page of a response, checked.

    Raises:
        AssertionError: naming all that is wrong with it.
    """
    page = Page(response)
    assert not page.errors, f"{getattr(response, 'request', {}).get('PATH_INFO')}: {page.errors}"
    return page
