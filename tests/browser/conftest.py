"""A real web server on the test database, and a real browser that looks at it."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Playwright, expect, sync_playwright

from salesflow.accounts.models import Tenant, User
from salesflow.home import PROJECT
from tests.cluster import database_url_of_tests
from tests.factories import make_user

ARTIFACTS = Path(__file__).parent.parent / "artifacts"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
HOW_TO_INSTALL = "There is no Chromium: install it with “apt-get install chromium”."
# Milliseconds that a page may take; what is there at once costs none of them.
SLOW_MACHINE = 30_000
OPTIONS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let `make screenshots` choose where the pictures go."""
    parser.addoption("--screenshots", help="folder for the pictures of the main pages")


@pytest.fixture(scope="session")
def web_server(django_db_setup: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real web server on the test database, with the static files it serves."""
    collect_static_files()
    service_environment = {**os.environ, "SALESFLOW_DATABASE_URL": database_url_of_tests()}
    with served(service_environment, tmp_path_factory.mktemp("web") / "web.log") as address:
        yield address


def collect_static_files() -> None:
    """Put them where web servers look for them."""
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "--verbosity=0"]
    subprocess.run(collect, check=True)


@contextmanager
def served(environment: dict[str, str], log_file: Path, folder: Path = PROJECT) -> Iterator[str]:
    """The address of a real web server that runs the code in `folder`."""
    with socket.create_server(("127.0.0.1", 0)) as listener, log_file.open("w") as log:
        command = [sys.executable, "-m", "gunicorn", "salesflow.wsgi", "--no-control-socket"]
        options = ["--threads=8", f"--bind=fd://{listener.fileno()}"]
        process = subprocess.Popen(
            [*command, *options],
            cwd=folder,
            env=environment,
            pass_fds=[listener.fileno()],
            stdout=log,
            stderr=log,
        )
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture
def live(web_server: str, transactional_db: None) -> str:
    """The address of the web server, for a test that fills the database with real commits."""
    return web_server


@pytest.fixture
def make_person(live: str, tenant: Tenant, settings: Any) -> Callable[..., User]:
    """Makes members of the tenant whose passwords the web server can check."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]

    def make(**fields: Any) -> User:
        return make_user(tenant, **fields)

    return make


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    """Playwright, whose event loop is no reason for Django to refuse the database."""
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=SLOW_MACHINE)
    with sync_playwright() as started:
        yield started
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture(scope="module")
def chromium(playwright: Playwright) -> Iterator[Browser]:
    """A real Chromium."""
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip(HOW_TO_INSTALL)
    browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
    yield browser
    browser.close()


@pytest.fixture
def open_page(chromium: Browser, live: str) -> Iterator[Callable[..., Page]]:
    """Opens windows. What goes wrong in them, or leaves the server, fails the test at its end."""
    troubles: list[str] = []
    contexts = []

    def open_window(**options: Any) -> Page:
        given = {"viewport": {"width": 1280, "height": 800}, "locale": "en-GB", **options}
        context = chromium.new_context(base_url=live, **given)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SLOW_MACHINE)
        page.on("pageerror", lambda error: troubles.append(f"script: {error}"))
        page.on("console", lambda message: _note_console(message, troubles))
        page.on("request", lambda request: _note_request(request.url, live, troubles))
        return page

    yield open_window
    for context in contexts:
        context.close()
    assert not troubles, troubles


def _note_console(message: Any, troubles: list[str]) -> None:
    # An answer that refuses a form is one that the page expects; and a page that is left while it
    # refreshes itself gives that up, which htmx tells in these two words.
    gives_up = message.text in ("htmx:afterRequest", "htmx:sendAbort")
    expected = gives_up or "status of 422" in message.text
    if message.type == "error" and not expected:
        troubles.append(f"console: {message.text}")


def _note_request(url: str, live: str, troubles: list[str]) -> None:
    if urlsplit(url).scheme in ("http", "https") and not url.startswith(live):
        troubles.append(f"leaves the server: {url}")


@pytest.fixture
def page(open_page: Callable[..., Page], request: pytest.FixtureRequest) -> Iterator[Page]:
    """A window on the product; the last thing it showed is kept in tests/artifacts."""
    window = open_page()
    yield window
    ARTIFACTS.mkdir(exist_ok=True)
    window.screenshot(path=ARTIFACTS / f"{request.node.name}.png")


def log_in(page: Page, user: User) -> None:
    """Log in as somebody, at the door."""
    page.goto("/login")
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password", exact=True).fill("secret-password")
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/leads")


def follow_keys(page: Page, keys: str, address: str) -> None:
    """Press `keys`, as "g i", that lead to `address`, a glob, and wait until it hears keys itself.

    What a page says is there before its scripts are: a key that is pressed then is lost.
    """
    for key in keys.split():
        page.keyboard.press(key)
    page.wait_for_url(address)
