"""Thin Celery entry points; losing any of these messages costs nothing but time."""

from celery import shared_task

from channels.autopilot import mending


@shared_task(name="autopilot.tasks.end_lost_runs")
def end_lost_runs() -> None:
    """End the runs whose workers are gone."""
    mending.end_lost_runs()


@shared_task(name="autopilot.tasks.expire_drafts")
def expire_drafts() -> None:
    """Close the drafts that nobody has decided about in time."""
    mending.expire_drafts()


@shared_task(name="autopilot.tasks.forget_prompts")
def forget_prompts() -> None:
    """Delete what models were asked long ago."""
    mending.forget_prompts()
