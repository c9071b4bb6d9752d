"""Everything that people read is collected, translated, compiled; nothing speaks past gettext."""

import ast
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import polib
import pytest
from django.apps import apps
from django.conf import settings
from django.contrib import admin
from django.core.management import call_command
from django.utils.functional import Promise

from salesflow.accounts.commands import terminal_language

ROOT = Path(settings.BASE_DIR)
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
OUR_APPS = ["analytics", "channels", "events", "leads", "salesflow"]
OUR_LABELS = {"accounts", "analytics", "channels", "events", "leads"}
CATALOGUE = ROOT / "locale" / "de" / "LC_MESSAGES" / "django.po"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]|%[sd%]|\{\w*\}")
# Names of the product and of keys, marks that stand for a missing text, units: the same everywhere.
UNTRANSLATED = re.compile(r"SalesFlow( API)?|Enter|Esc|[nejkgmclbf]|ms")


def key(entry: polib.POEntry) -> tuple[str | None, str]:
    return (entry.msgctxt, entry.msgid)


def test_every_text_is_translated_with_its_placeholders() -> None:
    problems = []
    for entry in polib.pofile(str(CATALOGUE)):
        german = list(entry.msgstr_plural.values()) or [entry.msgstr]
        source = [entry.msgid, entry.msgid_plural][: len(german)]
        if not entry.translated() or entry.fuzzy or entry.obsolete:
            problems.append(f"not translated: {entry.msgid}")
        elif [set(PLACEHOLDER.findall(text)) for text in source] != [
            set(PLACEHOLDER.findall(text)) for text in german
        ]:
            problems.append(f"other placeholders: {entry.msgid}")
    assert problems == []


def test_compiled_catalogue_is_that_of_its_source() -> None:
    source = {key(e): (e.msgstr, e.msgstr_plural) for e in polib.pofile(str(CATALOGUE))}
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))
    assert {key(e): (e.msgstr, e.msgstr_plural) for e in compiled} == source


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="needs gettext")
def test_collecting_again_finds_nothing_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: object
) -> None:
    for name in (*OUR_APPS, "templates", "locale"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.chdir(tmp_path)
    settings.LOCALE_PATHS = [tmp_path / "locale"]  # type: ignore[attr-defined]

    call_command("makemessages", verbosity=0)

    collected = polib.pofile(str(tmp_path / CATALOGUE.relative_to(ROOT)))
    assert {key(e) for e in collected} == {key(e) for e in polib.pofile(str(CATALOGUE))}


# --- Templates ----------------------------------------------------------------------------------

# What a template's tags leave behind: in a text of their own, where one may stand.
BLOCKS = re.compile(
    r"\{%\s*comment\b.*?\{%\s*endcomment\s*%\}"
    r"|\{%\s*block page_class\b.*?\{%\s*endblock\s*%\}"
    r"|\{%\s*blocktranslate\b.*?\{%\s*endblocktranslate\s*%\}"
    r"|\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}",
    re.DOTALL,
)
READ_ATTRIBUTES = {"placeholder", "title", "aria-label", "alt", "label", "value"}
SILENT = {"script", "style", "code", "kbd", "pre", "icon"}


class LiteralTexts(HTMLParser):
    """The words that a template says by itself."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside: list[str] = []
        self.feed(BLOCKS.sub("", source))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        # The icon font writes an icon for its name.
        is_icon = "material-symbols-outlined" in given.get("class", "")
        self.inside.append("icon" if is_icon else tag)
        for name in READ_ATTRIBUTES & given.keys():
            # The value of a <button> is sent, that of such an <input> is read.
            if name != "value" or (tag == "input" and given.get("type") in ("submit", "button")):
                self.note(given[name])

    def handle_endtag(self, tag: str) -> None:
        for number in range(len(self.inside) - 1, -1, -1):
            if self.inside[number] in (tag, "icon"):
                del self.inside[number:]
                break

    def handle_data(self, data: str) -> None:
        if not SILENT & set(self.inside):
            self.note(data)

    def note(self, text: str) -> None:
        for part in re.split(r"[·|]", text):
            words = part.strip()
            if re.search(r"[^\W\d_]", words) and not UNTRANSLATED.fullmatch(words):
                self.found.append(words)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_template_says_nothing_past_gettext(path: Path) -> None:
    assert LiteralTexts(path.read_text()).found == []


# --- Python -------------------------------------------------------------------------------------

SAID_BY = {"ValidationError", "CommandError", "PermissionDenied", "Http404", "ImportRefused"}
SAID_BY |= {"messages", "add_error", "log_change", "write"}
SAID_AS = {"label", "help_text", "verbose_name", "verbose_name_plural", "description"}
SAID_AS |= {"summary", "empty_label", "search_help_text", "title", "default_detail", "toast"}
GETTEXT = {"_", "gettext", "gettext_lazy", "gettext_noop"}
GETTEXT |= {"ngettext", "pgettext", "pgettext_lazy"}
# What operators read at the console is English.
OPERATORS = ["supervisor.py", "checks.py", "prepare.py", "event_map.py"]


def python_files() -> list[Path]:
    files = [path for app in OUR_APPS for path in (ROOT / app).rglob("*.py")]
    return sorted(p for p in files if "migrations" not in p.parts and p.name not in OPERATORS)


def called(node: ast.AST) -> str:
    """The name of the function that `node` calls; "messages" for all of that module's."""
    function = node.func if isinstance(node, ast.Call) else None
    module = getattr(getattr(function, "value", None), "id", "")
    return (
        "messages"
        if module == "messages"
        else getattr(function, "id", getattr(function, "attr", ""))
    )


def bare_texts(node: ast.AST) -> Iterator[tuple[int, str]]:
    """The texts of several words in an expression that no gettext function takes."""
    if called(node) in GETTEXT:
        return
    if isinstance(node, ast.JoinedStr):
        text = "".join(str(v.value) for v in node.values if isinstance(v, ast.Constant))
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        text = node.value
    else:
        # The keys of a mapping are names of fields.
        for child in node.values if isinstance(node, ast.Dict) else ast.iter_child_nodes(node):
            yield from bare_texts(child)
        return
    if re.search(r"[a-z]{2,} [a-z]{2,}", text):
        yield node.lineno, text


def said_past_gettext(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            given = [*node.args, *node.keywords] if called(node) in SAID_BY else []
            given += [word.value for word in node.keywords if word.arg in SAID_AS]
        elif isinstance(node, ast.Assign):
            names = [getattr(target, "id", "") for target in node.targets]
            given = [node.value] if SAID_AS & set(names) else []
        else:
            continue
        for part in given:
            yield from bare_texts(part)


@pytest.mark.parametrize("path", python_files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_module_says_nothing_past_gettext(path: Path) -> None:
    assert sorted(set(said_past_gettext(ast.parse(path.read_text())))) == []


def test_gettext_has_no_name_that_is_not_collected() -> None:
    alias = re.compile(r"gettext\w* as (?!_$)\w+", re.MULTILINE)
    assert [str(path) for path in python_files() if alias.search(path.read_text())] == []


# --- Models -------------------------------------------------------------------------------------


NEVER_SHOWN = {
    "Account.state",
    "ApiKey.hashed_key",
    "AuditLine.part_of",
    "AuditLine.target_id",
    "AuditLine.target_type",
    "Event.position",
    "Event.traceparent",
    "Replay.kind",
    "Replay.released",
    "Replay.released_at",
    "Replay.stretch_answers",
    "Replay.stretch_failed",
}


def shown_in_the_admin() -> Iterator[tuple[str, object]]:
    """Whatever the admin says of our models by itself."""
    pages = [page for model, page in admin.site._registry.items()]
    models = {page.model for page in pages} | {i.model for page in pages for i in page.inlines}
    for model in (m for m in apps.get_models() if m in models):
        if model._meta.app_label not in OUR_LABELS:
            continue
        yield model.__name__, model._meta.verbose_name
        yield f"{model.__name__} plural", model._meta.verbose_name_plural
        for field in model._meta.concrete_fields:
            name = f"{model.__name__}.{field.name}"
            if not field.primary_key and name not in NEVER_SHOWN:
                yield name, field.verbose_name
            yield from ((f"{name} help", text) for text in [field.help_text] if text)
            yield from ((f"{name} choice", label) for _value, label in field.flatchoices)


def test_models_name_themselves_in_the_readers_language() -> None:
    assert [what for what, text in shown_in_the_admin() if not isinstance(text, Promise)] == []


# --- Languages ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environ", "language"),
    [
        ({"LANG": "de_DE.UTF-8"}, "de"),
        ({"LANG": "de_AT@euro", "LC_ALL": "en_GB"}, "en"),
        ({"LANGUAGE": "fr:de", "LC_ALL": "en_US.UTF-8"}, "de"),
        ({"LANG": "C.UTF-8"}, None),
        ({}, None),
    ],
)
def test_commands_speak_the_terminals_language(
    environ: dict[str, str], language: str | None
) -> None:
    assert terminal_language(environ) == language
