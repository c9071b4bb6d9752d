"""Thin Celery entry points."""

from celery import shared_task

from salesflow.accounts.rest import idempotency


@shared_task(name="accounts.tasks.forget_old_responses")
def forget_old_responses() -> None:
    """Delete the answers kept for repeated POSTs of yesterday; the scheduler sends it hourly."""
    idempotency.forget_old_responses()
