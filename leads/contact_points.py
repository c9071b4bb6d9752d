"""Normal forms of e-mail addresses and phone numbers, and the rule that each leads to one lead."""

import re
from collections.abc import Iterable, Sequence

import phonenumbers
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from email_validator import EmailNotValidError, validate_email

from leads.models import ContactPoint, Lead
from salesflow.accounts.context import current_tenant

Kind = ContactPoint.Kind
# The services' name for the contact points of a kind: what an error is filed under.
FIELDS = {Kind.EMAIL: "emails", Kind.PHONE: "phones", Kind.LINKEDIN: "profiles"}
# linkedin.com/in/ada-lovelace, with or without https, www or a country before, a language behind.
PROFILE = re.compile(
    r"(?:https?://)?(?:[a-z]{2,3}\.)?linkedin\.com/in/(?P<slug>[^/?#\s]{2,100})/?(?:[a-z]{2})?/?"
    r"(?:[?#]\S*)?",
    re.IGNORECASE,
)


def normalise_email(value: str) -> str:
    """The address in lower case and Unicode normal form; whether it exists is not asked.

    Raises:
        ValidationError: it is no e-mail address.
    """
    try:
        return validate_email(value.strip(), check_deliverability=False).normalized.lower()
    except EmailNotValidError as error:
        raise ValidationError(
            _("“%(value)s” is no e-mail address: %(reason)s"),
            code="invalid",
            params={"value": value, "reason": str(error)},
        ) from None


def region_of(language: str) -> str:
    """The country whose numbers may come without a country code, such as "DE"."""
    return "DE" if language == "de" else "US"


def normalise_phone(value: str, *, language: str) -> str:
    """The number in E.164, such as +4930901820.

    Args:
        value: as people write it; without a country code it is one of the tenant's country.
        language: the tenant's language, which tells the country.

    Raises:
        ValidationError: no phone number can be read from it.
    """
    try:
        number = phonenumbers.parse(value, region_of(language))
    except phonenumbers.NumberParseException:
        number = None
    if number is None or not _is_dialled_from_abroad(number):
        raise ValidationError(
            _("“%(value)s” is no phone number."), code="invalid", params={"value": value}
        )
    formatted: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    return formatted


def normalise_profile(value: str) -> str:
    """The address of a LinkedIn profile as https://www.linkedin.com/in/ada-lovelace.

    Raises:
        ValidationError: it is none.
    """
    match = PROFILE.fullmatch(value.strip())
    if match is None:
        raise ValidationError(
            _("“%(value)s” is no LinkedIn profile: it looks like linkedin.com/in/ada-lovelace."),
            code="invalid",
            params={"value": value},
        )
    return f"https://www.linkedin.com/in/{match['slug'].lower()}"


def readable(value: str) -> str:
    """A contact point as people read it: +49 30 901820, ada-lovelace; an address as it is."""
    if profile := PROFILE.fullmatch(value):
        return profile["slug"]
    try:
        number = phonenumbers.parse(value)
    except phonenumbers.NumberParseException:
        return value
    shown: str = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.INTERNATIONAL)
    return shown


def _is_dialled_from_abroad(number: phonenumbers.PhoneNumber) -> bool:
    # Stricter than is_possible_number, which takes a number without its area code.
    possible: int = phonenumbers.is_possible_number_with_reason(number)
    return possible == phonenumbers.ValidationResult.IS_POSSIBLE


def normalise(kind: str, values: Iterable[str]) -> list[str]:
    """The normal forms of `values`, each once, in order.

    Raises:
        ValidationError: under "emails", "phones" or "profiles", naming each that cannot be read.
    """
    normal: dict[str, None] = {}
    errors: list[ValidationError] = []
    language = current_tenant().language
    for value in filter(None, (value.strip() for value in values)):
        try:
            normal[_normal_form(kind, value, language)] = None
        except ValidationError as error:
            errors.append(error)
    if errors:
        raise ValidationError({FIELDS[Kind(kind)]: errors})
    return list(normal)


def _normal_form(kind: str, value: str, language: str) -> str:
    if kind == Kind.EMAIL:
        return normalise_email(value)
    if kind == Kind.PHONE:
        return normalise_phone(value, language=language)
    return normalise_profile(value)


def set_contact_points(lead: Lead, kind: str, values: Sequence[str]) -> None:
    """Make `values`, in normal form, the lead's contact points of `kind`; the first is primary.

    Raises:
        ValidationError: under "emails" or "phones", naming the lead that has one of them.
    """
    _refuse_taken(lead, kind, values)
    kept = {point.value: point for point in lead.contact_points.filter(kind=kind)}
    lead.contact_points.filter(kind=kind).exclude(value__in=values).delete()
    lead.contact_points.filter(kind=kind, is_primary=True).exclude(value__in=values[:1]).update(
        is_primary=False
    )
    new = [
        ContactPoint(lead=lead, kind=kind, value=value, is_primary=value == values[0])
        for value in values
        if value not in kept
    ]
    try:
        with transaction.atomic():
            ContactPoint.objects.bulk_create(new)
    except IntegrityError:
        # Another request took it between our look and our insert.
        _refuse_taken(lead, kind, values)
        raise
    if values:
        lead.contact_points.filter(kind=kind, value=values[0]).update(is_primary=True)


def taken(value: str, owner: str) -> ValidationError:
    """The error for a contact point that leads to the lead called `owner` already."""
    return ValidationError(
        _("“%(value)s” already belongs to the lead “%(lead)s”."),
        code="taken",
        params={"value": value, "lead": owner},
    )


def _refuse_taken(lead: Lead, kind: str, values: Sequence[str]) -> None:
    points = ContactPoint.objects.filter(kind=kind, value__in=values).exclude(lead=lead)
    errors = [taken(point.value, point.lead.name) for point in points.select_related("lead")]
    if errors:
        raise ValidationError({FIELDS[Kind(kind)]: errors})
