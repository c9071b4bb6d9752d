"""The local model as `make run AI=local` serves it, in a process of its own."""

import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pydantic import SecretStr

from channels.autopilot import local_model
from channels.autopilot.client import Endpoint
from salesflow.home import PROJECT

HOW_TO_INSTALL = "There is no local model: install it with “make install-local-model”."


@dataclass(frozen=True)
class LocalServer:
    """Where it is served, and by which process."""

    url: str
    key: str
    process: "subprocess.Popen[str]"

    @property
    def endpoint(self) -> Endpoint:
        """It as it is called; the same question gets the same answer."""
        return Endpoint(
            self.url,
            local_model.MODEL,
            SecretStr(self.key),
            options={"temperature": 0, "seed": 1},
            allows_private=True,
        )


@contextmanager
def locally_served() -> Iterator[LocalServer]:
    """A local model that answers."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, key = f"http://127.0.0.1:{port}/v1", secrets.token_urlsafe(32)
    process = start(url, key)
    try:
        assert process.stdout
        assert process.stdout.readline().startswith(f"{local_model.MODEL} answers at")
        yield LocalServer(url, key, process)
    finally:
        process.terminate()
        process.communicate(timeout=30)


def start(url: str, key: str) -> "subprocess.Popen[str]":
    """Start it, whether that goes well or not."""
    environment = os.environ | {"SALESFLOW_AI_BASE_URL": url, "SALESFLOW_AI_API_KEY": key}
    return subprocess.Popen(
        [sys.executable, "-m", "channels.autopilot.local_model"],
        env=environment,
        cwd=PROJECT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
