"""The web server's entry point."""

import os

from django.core.wsgi import get_wsgi_application
from django.urls import get_resolver

from salesflow.celery import app

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "salesflow.settings")

application = get_wsgi_application()

# Pages and the broker's client library take a second or two to import: now, not in the first
# request that needs them.
_warm = get_resolver().url_patterns, app.connection_for_write().transport_cls
