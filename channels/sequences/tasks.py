"""Thin Celery entry points; losing any of these messages costs seconds, never a step."""

from celery import shared_task
from django.utils import timezone

from channels.sequences import bulk, executing, mending, quotas


@shared_task(name="channels.sequences.tasks.advance")
def advance() -> None:
    """Execute the steps that are due; the scheduler sends this every second, and two at once do
    no harm."""
    executing.advance_due()


@shared_task(name="channels.sequences.tasks.enrol_in_bulk")
def enrol_in_bulk() -> None:
    """Carry on what takes many leads in."""
    bulk.advance_bulks()


@shared_task(name="channels.sequences.tasks.mend")
def mend() -> None:
    """Let those go on whom nobody has let go on."""
    mending.mend_enrolments()
    mending.warn_of_delay()


@shared_task(name="channels.sequences.tasks.look_at_obstacles")
def look_at_obstacles() -> None:
    """Look whether what holds people up is there still."""
    mending.look_at_obstacles()


@shared_task(name="channels.sequences.tasks.forget_quotas")
def forget_quotas() -> None:
    """Delete what was counted for days long over."""
    quotas.forget_quotas(timezone.now())
