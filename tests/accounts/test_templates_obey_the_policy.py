"""The content security policy forbids inline scripts and styles; a template that has one looks
fine to a test client and is broken in a browser."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.template.loader import get_template

TEMPLATES = Path(settings.BASE_DIR) / "templates"
NAMES = sorted(str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*.html"))
FORBIDDEN = {
    "a style attribute": re.compile(r"<[^>]*\sstyle\s*=", re.IGNORECASE),
    "a style element": re.compile(r"<style\b", re.IGNORECASE),
    "an inline script": re.compile(r"<script(?![^>]*\bsrc=)", re.IGNORECASE),
    "an event attribute": re.compile(r"<[^>]*\s(on[a-z]+|hx-on[:a-z-]*)\s*=", re.IGNORECASE),
    "an address of another server": re.compile(r"(src|href)=\"(https?:)?//", re.IGNORECASE),
}


@pytest.mark.parametrize("name", NAMES)
def test_template_compiles_and_has_nothing_inline(name: str) -> None:
    get_template(name)
    text = (TEMPLATES / name).read_text()
    assert [what for what, pattern in FORBIDDEN.items() if pattern.search(text)] == []
