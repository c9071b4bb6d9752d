"""Django's makemessages for the one catalogue in locale/: collects, tidies and compiles it.

Whatever changes although no text did is left out (line numbers, dates, the order and the breaks
that a version of gettext prefers), so that a diff of the catalogue shows texts alone.
"""

from pathlib import Path
from typing import Any

import polib
from django.conf import settings
from django.core.management.commands import makemessages

NO_SOURCES = [".venv", "tests", "benchmarks", "docs", "node_modules"]
VOLATILE_HEADERS = ["POT-Creation-Date", "PO-Revision-Date", "Report-Msgid-Bugs-To"]
WIDTH = 100


class Command(makemessages.Command):
    """Collect what people read into locale/de, and compile it."""

    # A guessed translation is worse than none: a missing one fails a test.
    msgmerge_options = [*makemessages.Command.msgmerge_options, "--no-fuzzy-matching"]

    def handle(self, *args: Any, **options: Any) -> None:
        """Collect as Django does, with our defaults, then tidy and compile."""
        languages = [code for code, _name in settings.LANGUAGES if code != settings.LANGUAGE_CODE]
        options["locale"] = options["locale"] or languages
        options["ignore_patterns"] = [*options["ignore_patterns"], *NO_SOURCES]
        options["add_location"] = options["add_location"] or "file"
        options["no_obsolete"] = True
        super().handle(*args, **options)
        for language in options["locale"]:
            catalogue = Path(str(self.default_locale_path), language, "LC_MESSAGES", "django.po")
            tidy_and_compile(catalogue)


def tidy_and_compile(catalogue: Path) -> None:
    """Write a .po file in its one form, and the .mo file beside it."""
    texts = polib.pofile(str(catalogue), wrapwidth=WIDTH)
    texts.header = ""
    for name in VOLATILE_HEADERS:
        texts.metadata.pop(name, None)
    texts.metadata |= {
        "Project-Id-Version": "SalesFlow",
        "Last-Translator": "",
        "Language-Team": "",
        "Language": catalogue.parts[-3],
    }
    texts.metadata_is_fuzzy = False
    texts.save(str(catalogue))
    texts.save_as_mofile(str(catalogue.with_suffix(".mo")))
