import json
from typing import Any

import pytest
from django.test import Client

from leads.models import Lead, Pipeline
from salesflow.accounts import services
from salesflow.accounts.models import ApiKey, Tenant
from tests.api.clients import ApiClient, fields_of
from tests.factories import make_user

pytestmark = pytest.mark.django_db


def code_of(response: Any) -> str:
    fields_of(response)
    assert response["Content-Type"] == "application/json"
    return str(response.json()["error"]["code"])


@pytest.mark.parametrize(
    "path", ["/api/nothing", "/api/leads/5", "/api/leads/x/events", "/api/leads//", "/api//leads"]
)
def test_unknown_route_is_not_found(api: ApiClient, path: str) -> None:
    response = api.get(path)
    assert (response.status_code, code_of(response)) == (404, "not_found")


def test_address_that_only_begins_like_the_api_gets_a_page(client: Client) -> None:
    response = client.get("/apiary")
    assert response.status_code == 404
    assert response["Content-Type"].startswith("text/html")


def test_caller_without_credentials_is_asked_for_them(db: None) -> None:
    response = ApiClient().get("/api/leads")
    assert (response.status_code, code_of(response)) == (401, "not_authenticated")
    assert response["WWW-Authenticate"] == "Api-Key"


@pytest.mark.parametrize("key", ["", "x", "abc.def", "abc.def.ghi", "é", " ", "x" * 5000])
def test_unknown_key_is_refused(db: None, key: str) -> None:
    response = ApiClient().get("/api/leads", Authorization=f"Api-Key {key}")
    assert (response.status_code, code_of(response)) == (401, "authentication_failed")


def test_revoked_key_is_refused(api: ApiClient) -> None:
    assert api.get("/api/leads").status_code == 200
    services.revoke_api_key(ApiKey.objects.get())
    assert api.get("/api/leads").status_code == 401


def test_key_is_known_in_any_spelling_of_its_scheme(api: ApiClient) -> None:
    key = api.headers["Authorization"].partition(" ")[2]
    assert ApiClient().get("/api/leads", Authorization=f"api-key {key}").status_code == 200


def test_user_without_a_tenant_is_refused(db: None) -> None:
    response = ApiClient(user=make_user()).get("/api/leads")
    assert (response.status_code, code_of(response)) == (403, "permission_denied")


def test_browser_session_needs_the_csrf_token_to_write(tenant: Tenant) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(make_user(tenant))
    assert browser.get("/api/leads").status_code == 200
    response = browser.post("/api/leads", {"name": "Ada"}, content_type="application/json")
    assert (response.status_code, code_of(response)) == (403, "permission_denied")
    assert not Lead.objects.exists()


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/api/leads"),
        ("DELETE", "/api/leads"),
        ("PATCH", "/api/events"),
        ("POST", "/api/events/status/pending"),
        ("GET", "/api/events/replay/batch"),
        ("OPTIONS", "/api/leads"),
        ("TRACE", "/api/leads"),
    ],
)
def test_other_methods_are_not_allowed(api: ApiClient, method: str, path: str) -> None:
    response = api.request(method, path)
    assert (response.status_code, code_of(response)) == (405, "method_not_allowed")
    assert response["Allow"]


def test_only_json_is_spoken(api: ApiClient) -> None:
    response = api.get("/api/leads", Accept="text/html")
    assert (response.status_code, code_of(response)) == (406, "not_acceptable")
    assert api.get("/api/leads", Accept="text/html,*/*;q=0.8").status_code == 200


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"]
)
def test_only_json_is_understood(api: ApiClient, content_type: str) -> None:
    response = api.post("/api/leads", b"name=Ada", Content_Type=content_type)
    assert (response.status_code, code_of(response)) == (415, "unsupported_media_type")


DEEP = b'{"name": "Ada", "custom_fields": ' + b'{"a":' * 50 + b"1" + b"}" * 51
BOTTOMLESS = b"[" * 100_000


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": ',
        b"{'name': 'Ada'}",
        b"\xff\xfe",
        b'{"name": "\xff"}',
        b"\xef\xbb\xbf{}",
        b'{"name": "A\\u0000da"}',
        b'{"name": "Ada", "custom_fields": {"a\\u0000": 1}}',
        b'{"name": "\\ud800"}',
        b'{"name": "Ada", "custom_fields": {"a": ["\\udfff"]}}',
        b'{"name": "Ada", "custom_fields": {"a": 1e999}}',
        b'{"name": "Ada", "value": NaN}',
        b'{"name": "Ada", "value": Infinity}',
        b'{"name": "Ada", "value": ' + b"9" * 5000 + b"}",
        DEEP,
        BOTTOMLESS,
        b'{"a":' * 100_000,
    ],
    ids=lambda body: repr(body[:45]),
)
def test_malformed_body_is_refused_and_nothing_is_written(api: ApiClient, body: Any) -> None:
    response = api.post("/api/leads", body)
    assert (response.status_code, code_of(response)) == (400, "parse_error")
    assert not Lead.objects.exists()


@pytest.mark.parametrize("charset", ["utf-8", "hex", "base64", "utf-16", "no-such", "rot13"])
def test_json_is_utf_8_whatever_its_header_says(api: ApiClient, charset: str) -> None:
    body = json.dumps({"name": "Jörg"}, ensure_ascii=False).encode()
    response = api.post("/api/leads", body, Content_Type=f"application/json; charset={charset}")
    assert response.status_code == 201
    assert response.json()["name"] == "Jörg"


@pytest.mark.parametrize(
    "content_type", ["application/json", "application/x-www-form-urlencoded", "multipart/form-data"]
)
def test_body_of_ten_megabytes_is_refused(
    api: ApiClient, tenant: Tenant, content_type: str
) -> None:
    body = json.dumps({"name": "Ada", "company": "x" * 10 * 1024 * 1024}).encode()
    for caller in (api, ApiClient(user=make_user(tenant))):
        response = caller.post("/api/leads", body, Content_Type=content_type)
        expected = {413} if content_type == "application/json" else {413, 415}
        assert response.status_code in expected
        assert code_of(response)
    assert not Lead.objects.exists()


def test_body_as_large_as_allowed_is_read(api: ApiClient) -> None:
    response = api.post("/api/leads", {"name": "Ada", "company": "x" * 2_000_000})
    assert list(fields_of(response)) == ["company"]


def test_our_own_error_is_told_without_its_traceback(api: ApiClient) -> None:
    Pipeline.objects.update(is_default=False)
    response = api.post("/api/leads", {"name": "Ada"})
    assert (response.status_code, code_of(response)) == (500, "error")
    assert b"Traceback" not in response.content


def test_host_that_is_not_ours_gets_json(api: ApiClient) -> None:
    response = api.get("/api/leads", Host="evil.example.com")
    assert response.status_code == 400
    assert code_of(response)


@pytest.mark.parametrize("given", ["x" * 65, "a b", "ümläut", "<script>"])
def test_unusable_request_id_is_replaced(api: ApiClient, given: str) -> None:
    response = api.get("/api/leads", X_Request_ID=given)
    assert response["X-Request-ID"] != given
    assert len(response["X-Request-ID"]) == 36


def test_root_lists_where_to_begin(db: None) -> None:
    for path in ("/api", "/api/"):
        routes = ApiClient().get(path).json()
        assert routes["leads"] == "http://testserver/api/leads"
        assert routes["schema"] == "http://testserver/api/schema"
