"""Where calls may lead: not into our own network, not in clear, not to who only claims the name."""

import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from channels.autopilot import wire
from channels.autopilot.client import Endpoint, complete
from channels.autopilot.completions import NOTHING_USED
from channels.autopilot.outcomes import Outcome
from tests.autopilot.calling import MOST, PROMPT, fail
from tests.autopilot.endpoint import KEY, MODEL, Server


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/v1",
        "https://127.0.0.1:{port}/v1",
        "https://localhost:{port}/v1",
        "https://[::1]:{port}/v1",
        "https://[::ffff:127.0.0.1]:{port}/v1",
        "https://10.0.0.1/v1",
        "https://169.254.169.254/v1",
        "https://0.0.0.0:{port}/v1",
        "https://2130706433:{port}/v1",
        "https://user:pass@api.example.com/v1",
        "https://api.example.com/v1?key=abc",
        "ftp://api.example.com/v1",
        "api.example.com/v1",
        "https://api.exa mple.com/v1",
        "https://api.example.com:99999/v1",
        "",
    ],
)
def test_addresses_of_our_own_network_are_refused(server: Server, url: str) -> None:
    given = url.format(port=server.port) or "https://"
    failure = fail(server, url=given, allows_private=False)
    assert (failure.outcome, failure.is_permanent) == (Outcome.FAILED, True)
    assert failure.usage == NOTHING_USED
    assert not server.asked


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "[::ffff:169.254.169.254]",
        "[fd00:ec2::254]",
        "192.0.0.192",
        "100.100.100.200",
        "[fe80::1]",
        "0.0.0.0",
        "224.0.0.1",
    ],
)
def test_some_addresses_are_never_called(server: Server, address: str) -> None:
    failure = fail(server, url=f"http://{address}/v1", allows_private=True)
    assert (failure.outcome, failure.is_permanent) == (Outcome.FAILED, True)


def test_key_never_travels_in_clear_to_a_public_address(server: Server) -> None:
    failure = fail(server, url="http://93.184.215.14/v1", allows_private=True)
    assert (failure.outcome, failure.is_permanent) == (Outcome.FAILED, True)


def test_host_is_named_as_it_was_entered(server: Server) -> None:
    server.host = "localhost"
    endpoint = Endpoint(server.url, MODEL, SecretStr(KEY), allows_private=True)
    complete(endpoint, PROMPT, max_tokens=MOST, deadline=30)
    assert server.asked[0].headers["host"] == f"localhost:{server.port}"


# --- Encrypted -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A key, and a certificate for the name "localhost" that it has signed itself."""
    folder: Path = tmp_path_factory.mktemp("certificate")
    key, cert = folder / "key.pem", folder / "cert.pem"
    names = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    kind = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    files = ["-keyout", str(key), "-out", str(cert)]
    subprocess.run(["openssl", "req", *kind, *names, *files], check=True, capture_output=True)
    return key, cert


@pytest.fixture
def encrypted(server: Server, certificate: tuple[Path, Path]) -> Server:
    key, cert = certificate
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(cert, key)
    server.host = "localhost"
    return server


@pytest.fixture
def _trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine trusts the certificate."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[1]))
    wire._tls.cache_clear()
    yield
    wire._tls.cache_clear()


@pytest.mark.usefixtures("_trusted")
def test_trusted_server_is_called(encrypted: Server) -> None:
    endpoint = Endpoint(encrypted.url, MODEL, SecretStr(KEY), allows_private=True)
    assert encrypted.url.startswith("https://localhost:")
    assert complete(endpoint, PROMPT, max_tokens=MOST, deadline=30).text == encrypted.text


@pytest.mark.usefixtures("_trusted")
def test_certificate_for_another_name_gets_no_key(encrypted: Server) -> None:
    encrypted.host = "127.0.0.1"
    failure = fail(encrypted)
    assert (failure.outcome, failure.usage) == (Outcome.UNAVAILABLE, NOTHING_USED)
    assert encrypted.asked == []


def test_certificate_that_nobody_trusts_gets_no_key(encrypted: Server) -> None:
    failure = fail(encrypted)
    assert (failure.outcome, failure.usage) == (Outcome.UNAVAILABLE, NOTHING_USED)
    assert encrypted.asked == []
