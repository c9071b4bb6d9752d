"""Mail servers that do as they are told."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from tests.journeys.processes import free_port

PASSWORD = "right-password"


class Script:
    """What a server answers, step by step; "drop" cuts the line, "hang" says nothing.

    Attributes:
        received: sender, recipients and content of what was taken over.
    """

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.received: list[tuple[str, list[str], bytes]] = []

    async def handle_EHLO(
        self, server: Any, session: Any, _envelope: Any, hostname: str, responses: list[str]
    ) -> list[str]:
        """Greet."""
        session.host_name = hostname
        answer = await self._answer("ehlo", server)
        return [answer] if answer else responses

    async def handle_MAIL(
        self, server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take the sender."""
        answer = await self._answer("mail", server)
        envelope.mail_from = address
        return answer or "250 OK"

    async def handle_RCPT(
        self, server: Any, _session: Any, envelope: Any, address: str, _options: Any
    ) -> str:
        """Take a recipient; "rcpt" is of all, a local part is of that one."""
        answer = await self._answer(address.partition("@")[0], server)
        answer = answer or await self._answer("rcpt", server)
        envelope.rcpt_tos.append(address)
        return answer or "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        """Take the mail, or read it and say nothing."""
        answer = await self._answer("data", server)
        if answer is None:
            recipients = list(envelope.rcpt_tos)
            self.received.append((envelope.mail_from, recipients, envelope.content))
        return answer or "250 OK"

    async def _answer(self, step: str, server: Any) -> str | None:
        answer = self.answers.get(step)
        if answer == "drop":
            server.transport.abort()
        if answer == "hang":
            await asyncio.sleep(3)
        return "451 gone" if answer in ("drop", "hang") else answer


@contextmanager
def smtp_server(script: Script, **options: Any) -> Iterator[int]:
    """The port of a server that follows the script."""
    controller = Controller(script, hostname="127.0.0.1", port=free_port(), **options)
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def only_with(password: str) -> Callable[..., Any]:
    """Who may log in."""

    def check(_server: Any, _session: Any, _envelope: Any, _how: str, data: Any) -> Any:
        is_right = isinstance(data, LoginPassword) and data.password == password.encode()
        return AuthResult(success=is_right, handled=is_right)

    return check
