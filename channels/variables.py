"""What a template may say of a lead, of whoever writes, and of their team."""

from collections.abc import Iterable
from itertools import dropwhile
from typing import Any

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from channels.templating import normal_name
from leads.models import Lead
from salesflow.accounts.context import current_tenant
from salesflow.accounts.models import User

# Name of a variable → what it is.
VARIABLES: dict[str, str | Promise] = {
    "first_name": _("The lead's first name"),
    "last_name": _("The lead's last name"),
    "name": _("The lead's whole name"),
    "company": _("The lead's company"),
    "title": _("The lead's job title"),
    "email": _("The lead's e-mail address"),
    "phone": _("The lead's phone number"),
    "sender_name": _("The name of whoever sends it"),
    "sender_first_name": _("The first name of whoever sends it"),
    "sender_email": _("The e-mail address of whoever sends it"),
    "team": _("The name of your team"),
}
# In front of the name of a lead's custom field: `{{ custom.industry }}`.
CUSTOM = "custom."
# What stands before a name and is none.
FORMS_OF_ADDRESS = frozenset(
    {
        *("mr", "mrs", "ms", "miss", "mx", "sir", "dr", "prof", "ing", "dipl.-ing"),
        *("herr", "frau", "mme", "mlle", "monsieur", "madame", "sr", "sra", "srta"),
        *("señor", "señora"),
    }
)


def values_for(lead: Lead, author: User | None = None) -> dict[str, str]:
    """What is known, by name of variable; what is not known is empty or not there."""
    first, last = split_name(person_name(lead))
    sender = str(author) if author and author.name else ""
    return {
        **_custom_values(lead.custom_fields),
        "first_name": first,
        "last_name": last,
        "name": person_name(lead),
        "company": lead.company,
        "title": lead.title,
        "email": next(iter(lead.emails), ""),
        "phone": next(iter(lead.phones), ""),
        "sender_name": sender,
        "sender_first_name": split_name(sender)[0],
        "sender_email": author.email if author else "",
        "team": current_tenant().name,
    }


def is_known(name: str) -> bool:
    """Whether there is such a variable; a custom field may always be one."""
    return name in VARIABLES or (name.startswith(CUSTOM) and len(name) > len(CUSTOM))


def names_in_words(names: Iterable[str]) -> str:
    """Names of variables as they stand in a sentence."""
    return ", ".join(gettext("“%(name)s”") % {"name": name} for name in names)


def person_name(lead: Lead) -> str:
    """The lead's name if it is a person's: one who gave none goes by their company or address."""
    name = lead.name.strip()
    is_company = lead.company and name.casefold() == lead.company.strip().casefold()
    letters = any(character.isalpha() for character in name)
    return "" if is_company or "@" in name or not letters else name


def split_name(name: str) -> tuple[str, str]:
    """First and last name, without forms of address: “Lovelace, Ada” and “Dr. Ada Lovelace” too."""
    before, comma, after = (part.strip() for part in name.partition(","))
    if comma and len(before.split()) == 1 and after.isalpha():
        before = f"{after} {before}"
    words = before.split()
    own = list(dropwhile(_is_form_of_address, words))
    if len(own) == 1 and len(words) > 1:
        # “Frau Berg” tells no first name.
        return "", own[0]
    return (own[0], " ".join(own[1:])) if own else ("", "")


def _is_form_of_address(word: str) -> bool:
    return word.lower().rstrip(".") in FORMS_OF_ADDRESS


def _custom_values(fields: dict[str, Any]) -> dict[str, str]:
    return {normal_name(CUSTOM + name): _as_text(value) for name, value in fields.items()}


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(filter(None, map(_as_text, value)))
    # A truth value or an object says nothing that could stand in a sentence.
    is_text = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return str(value) if is_text else ""
