"""A Celery application with Celery's own defaults, for the peers that are plain Celery.

Not SalesFlow's: its settings suit nudges. The default prefetching, say, suits short tasks.
"""

from celery import Celery
from django.conf import settings

app = Celery("benchmarks", backend="django-db", include=["benchmarks.workload.tasks"])
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_transport_options=settings.CELERY_BROKER_TRANSPORT_OPTIONS,
    broker_connection_retry_on_startup=True,
    # As in SalesFlow's: it does not work on pgmq, but would be polled there.
    worker_enable_remote_control=settings.CELERY_WORKER_ENABLE_REMOTE_CONTROL,
    task_default_queue="benchmarks",
)
