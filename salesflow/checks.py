"""System checks of the settings: each wrong value gets one sentence that says what to do."""

import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import psycopg
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from psycopg.conninfo import conninfo_to_dict

from events.health import failure_rate_limit, wait_limit
from salesflow import mail, tracing

BROKER_SCHEMES = ("pgmq", "redis", "rediss", "amqp", "amqps")
SECRET_KEY_LENGTH = 50
HIGHEST_PORT = 65535


@register(Tags.security)
def check_settings(**_: Any) -> list[CheckMessage]:
    """Report SALESFLOW_ variables that can't be used as they stand."""
    return [
        *_check_environment(),
        *_check_database_url(),
        *_check_broker_url(),
        *_check_base_url(),
        *_check_secret_key(),
        *_check_numbers(),
        *_check_health_limits(),
        *_check_email_url(),
        *_check_tracing(),
    ]


def _check_environment() -> Iterator[CheckMessage]:
    for problem in settings.ENVIRONMENT.problems:
        text = f"{problem.variable}: {problem.message}."
        yield Error(text, hint=problem.hint, id="salesflow.E001")
    for problem in settings.ENVIRONMENT.unknown(os.environ):
        text = f"{problem.variable}: {problem.message}."
        yield Warning(text, hint=problem.hint, id="salesflow.W001")


def _check_database_url() -> Iterator[CheckMessage]:
    try:
        conninfo_to_dict(settings.DATABASE_URL)
    except psycopg.ProgrammingError:  # its message may quote a password
        yield Error(
            "SALESFLOW_DATABASE_URL is no address of a PostgreSQL database.",
            hint="Write postgresql://user:password@host:5432/database, or unset it to get the"
            " embedded database.",
            id="salesflow.E002",
        )


def _check_broker_url() -> Iterator[CheckMessage]:
    scheme = settings.CELERY_BROKER_URL.partition(":")[0]
    if scheme not in BROKER_SCHEMES:
        yield Error(
            f"SALESFLOW_BROKER_URL begins with {scheme!r}, which is no broker we know.",
            hint="Write redis://host:6379/0 or amqp://user:password@host:5672//, or unset it to"
            " use the database.",
            id="salesflow.E003",
        )


def _check_base_url() -> Iterator[CheckMessage]:
    url = urlsplit(settings.BASE_URL)
    if url.scheme not in ("http", "https") or not url.hostname or url.path.strip("/") or url.query:
        yield Error(
            f"SALESFLOW_BASE_URL {settings.BASE_URL!r} is not the address of a site.",
            hint="Write the scheme and the host that people use, such as https://sales.example.com",
            id="salesflow.E004",
        )


def _check_secret_key() -> Iterator[CheckMessage]:
    if len(settings.SECRET_KEY) < SECRET_KEY_LENGTH:
        yield Error(
            f"SALESFLOW_SECRET_KEY is shorter than {SECRET_KEY_LENGTH} characters.",
            hint='Make one: python3 -c "import secrets; print(secrets.token_urlsafe(50))"; or'
            " unset it: one is made and kept in SALESFLOW_HOME.",
            id="salesflow.E005",
        )


def _check_numbers() -> Iterator[CheckMessage]:
    """Check the range of numbers: a pool of no connections helps nobody."""
    for name, value in settings.ENVIRONMENT.numbers.items():
        if value <= 0:
            hint = "Give a number above 0, or unset it to get the default."
            yield Error(f"{name} is {value}.", hint=hint, id="salesflow.E006")
    if settings.PORT > HIGHEST_PORT:
        hint = f"Choose a port between 1 and {HIGHEST_PORT}."
        yield Error(f"SALESFLOW_PORT is {settings.PORT}.", hint=hint, id="salesflow.E007")


def _check_health_limits() -> Iterator[CheckMessage]:
    for name, parse, given, example in (
        ("MAX_WAIT", wait_limit, settings.HEALTH_MAX_WAIT, "60,external=300"),
        ("MAX_FAILURE_RATE", failure_rate_limit, settings.HEALTH_MAX_FAILURE_RATE, "0.1"),
    ):
        try:
            parse(given)
        except ValueError as error:
            hint = f"Write something like {example}, or unset it to get the default."
            yield Error(f"SALESFLOW_HEALTH_{name}: {error}.", hint=hint, id="salesflow.E008")


def _check_email_url() -> Iterator[CheckMessage]:
    if settings.EMAIL_URL and mail.server_of(settings.EMAIL_URL) is None:
        yield Error(  # the address may hold a password
            "SALESFLOW_EMAIL_URL is no address of a mail server.",
            hint="Write smtp+starttls://user:password@mail.example.com:587, or smtp:// or smtps://;"
            " or unset it: no mails are sent.",
            id="salesflow.E009",
        )


def _check_tracing() -> Iterator[CheckMessage]:
    if missing := tracing.missing():
        yield Warning(
            f"OTEL_ variables ask for traces through {', '.join(missing)}, which is not installed: "
            "there will be none.",
            hint="Install it: .venv/bin/python -m pip install --require-hashes"
            " -r requirements-otel.txt; or unset OTEL_TRACES_EXPORTER and OTEL_EXPORTER_OTLP_….",
            id="salesflow.W002",
        )
