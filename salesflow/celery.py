"""The Celery application: carries nudges to workers, and the beat of the sweeper."""

from celery import Celery

app = Celery("salesflow")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
