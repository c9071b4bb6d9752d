"""SalesFlow: sales software in which everything that happens to a lead is a replayable event."""

from salesflow.celery import app as celery_app

__all__ = ["celery_app"]
