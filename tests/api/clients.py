"""Callers of the API."""

import json
from typing import Any

from django.test import Client

from salesflow.accounts.models import Tenant, User
from tests.factories import make_api_key


class ApiClient:
    """Speaks JSON with the API; `last` is the last response."""

    def __init__(self, key: str = "", user: User | None = None) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {"Authorization": f"Api-Key {key}"} if key else {}
        if user:
            self.client.force_login(user)

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """The response; `body` is sent as JSON unless it is bytes."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        content_type = given.pop("Content-Type", "application/json")
        data = b"" if body is None else body
        return self.client.generic(
            method,
            path,
            data if isinstance(data, bytes) else json.dumps(data),
            content_type=content_type,
            headers={**self.headers, **given},
        )

    def get(self, path: str, **headers: str) -> Any:
        """GET."""
        return self.request("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST."""
        return self.request("POST", path, body, **headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        """PATCH."""
        return self.request("PATCH", path, body, **headers)

    def delete(self, path: str) -> Any:
        """DELETE."""
        return self.request("DELETE", path)

    def results(self, path: str) -> list[Any]:
        """The rows of a list's first page."""
        response = self.get(path)
        assert response.status_code == 200, response.content
        rows: list[Any] = response.json()["results"]
        return rows

    def walk(self, path: str) -> list[Any]:
        """The rows of all pages of a list."""
        rows: list[Any] = []
        while path:
            page = self.get(path).json()
            rows += page["results"]
            path = (page["next"] or "").removeprefix("http://testserver")
        return rows


def api_of(tenant: Tenant) -> ApiClient:
    """A caller with a key of `tenant`."""
    return ApiClient(make_api_key(tenant))


def fields_of(response: Any) -> dict[str, list[str]]:
    """What an error names, after a look at its shape."""
    error = response.json()["error"]
    assert set(error) == {"code", "message", "fields", "request_id"}
    assert error["request_id"] == response["X-Request-ID"]
    fields: dict[str, list[str]] = error["fields"]
    return fields
