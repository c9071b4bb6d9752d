import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from events.models import Event
from leads.models import Lead, Pipeline
from salesflow.accounts.context import tenant_context
from salesflow.accounts.models import IdempotentResponse, Tenant
from salesflow.accounts.rest.idempotency import forget_old_responses
from tests.api.clients import ApiClient, fields_of

pytestmark = pytest.mark.django_db

KEY = {"Idempotency_Key": "order-1"}


def test_repeated_post_gets_the_first_answer_and_changes_nothing(api: ApiClient) -> None:
    first = api.post("/api/leads", {"name": "Ada"}, **KEY)
    second = api.post("/api/leads", {"name": "Ada"}, **KEY)
    assert (first.status_code, second.status_code) == (201, 201)
    assert second.json() == first.json()
    assert second["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert Lead.objects.count() == Event.objects.count() == 1


def test_same_key_for_another_request_is_refused(api: ApiClient) -> None:
    api.post("/api/leads", {"name": "Ada"}, **KEY)
    for path, body in (("/api/leads", {"name": "Bob"}), ("/api/events/replay/batch", None)):
        response = api.post(path, body, **KEY)
        assert response.status_code == 422
        assert response.json()["error"]["code"] == "idempotency_key_reused"
    assert Lead.objects.count() == 1


def test_error_leaves_the_key_free_for_the_corrected_request(api: ApiClient) -> None:
    assert api.post("/api/leads", {"name": 5}, **KEY).status_code == 400
    assert api.post("/api/leads", {"nam": "Ada"}, **KEY).status_code == 400
    assert api.post("/api/leads", b"{", **KEY).status_code == 400
    assert api.post("/api/leads", {"name": "Ada"}, **KEY).status_code == 201


def test_request_that_failed_half_way_leaves_nothing(api: ApiClient) -> None:
    api.post("/api/leads", {"name": "Ada", "emails": ["ada@example.com"]})
    body = {"name": "Bob", "emails": ["ada@example.com"]}
    assert api.post("/api/leads", body, **KEY).status_code == 400
    assert list(Lead.objects.values_list("name", flat=True)) == ["Ada"]
    assert not IdempotentResponse.objects.exists()


def test_error_of_ours_leaves_the_key_free(api: ApiClient) -> None:
    Pipeline.objects.update(is_default=False)
    assert api.post("/api/leads", {"name": "Ada"}, **KEY).status_code == 500
    Pipeline.objects.update(is_default=True)
    assert api.post("/api/leads", {"name": "Ada"}, **KEY).status_code == 201


def test_key_is_each_tenants_own(api: ApiClient, stranger: ApiClient) -> None:
    mine = api.post("/api/leads", {"name": "Ada"}, **KEY).json()
    theirs = stranger.post("/api/leads", {"name": "Ada"}, **KEY).json()
    assert mine["id"] != theirs["id"]


def test_key_is_not_looked_up_before_the_caller_is_known(api: ApiClient) -> None:
    api.post("/api/leads", {"name": "Ada"}, **KEY)
    assert ApiClient().post("/api/leads", {"name": "Ada"}, **KEY).status_code == 401


def test_key_may_be_used_again_after_a_day(api: ApiClient, tenant: Tenant) -> None:
    first = api.post("/api/leads", {"name": "Ada"}, **KEY).json()
    IdempotentResponse.objects.update(created_at=timezone.now() - timedelta(hours=25))
    second = api.post("/api/leads", {"name": "Ada"}, **KEY).json()
    assert first["id"] != second["id"]


def test_old_answers_are_forgotten(api: ApiClient) -> None:
    api.post("/api/leads", {"name": "Ada"}, **KEY)
    api.post("/api/leads", {"name": "Bob"}, Idempotency_Key="order-2")
    IdempotentResponse.objects.filter(key="order-1").update(
        created_at=timezone.now() - timedelta(hours=25)
    )
    assert forget_old_responses() == 1
    assert IdempotentResponse.objects.get().key == "order-2"


def test_key_that_is_too_long_is_named(api: ApiClient) -> None:
    response = api.post("/api/leads", {"name": "Ada"}, Idempotency_Key="x" * 256)
    assert list(fields_of(response)) == ["Idempotency-Key"]
    assert api.post("/api/leads", {"name": "Ada"}, Idempotency_Key="x" * 255).status_code == 201


def test_post_without_a_key_is_not_kept(api: ApiClient) -> None:
    for _number in range(2):
        assert api.post("/api/leads", {"name": "Ada"}).status_code == 201
    assert Lead.objects.count() == 2
    assert not IdempotentResponse.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_only_one_of_many_simultaneous_posts_takes_effect(api: ApiClient, tenant: Tenant) -> None:
    answers = []
    start = threading.Barrier(8)

    def post() -> None:
        caller = ApiClient()
        caller.headers = api.headers
        start.wait()
        try:
            answers.append(caller.post("/api/leads", {"name": "Ada"}, **KEY))
        finally:
            connection.close()

    threads = [threading.Thread(target=post) for _number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [201] * 8
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer for answer in answers) == 1
    assert Lead.objects.count() == Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_repetition_waits_for_the_first_and_takes_over_when_it_fails(
    api: ApiClient, tenant: Tenant
) -> None:
    """The first request is under way, as a transaction that holds the key, and then is undone."""
    answers = []

    def post() -> None:
        caller = ApiClient()
        caller.headers = api.headers
        try:
            answers.append(caller.post("/api/leads", {"name": "Ada"}, **KEY))
        finally:
            connection.close()

    thread = threading.Thread(target=post)
    with transaction.atomic(), tenant_context(tenant):
        IdempotentResponse.objects.create(key="order-1", fingerprint="another")
        thread.start()
        thread.join(0.5)
        assert thread.is_alive()
        assert not answers
        transaction.set_rollback(True)
    thread.join()
    assert [answer.status_code for answer in answers] == [201]
    assert Lead.objects.count() == 1
