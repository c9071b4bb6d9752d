"""The project's settings, on a home and a database cluster that belong to this test session."""

import os

from salesflow.broker import transport_options
from tests.cluster import claim_home, database_url_of_tests

claim_home()
os.environ["SALESFLOW_EXTRA_APPS"] = "tests.thirdparty,tests.chaos.workload"

from salesflow.settings import *  # noqa: E402, F403

# Celery's messages of this process go where the real processes of a test look for them.
CELERY_BROKER_TRANSPORT_OPTIONS = transport_options("pgmq", database_url_of_tests())

# Processes that a test starts are real ones: they use the project's settings.
os.environ["DJANGO_SETTINGS_MODULE"] = "salesflow.settings"

# Commands speak the language of the terminal: the tests' is English.
os.environ["LANGUAGE"] = "en"

# A million rounds of hashing for each user that a test makes would take longer than the tests.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# tests.web refuses pages that run a query for each row; tests.emptying has a `flush` of its own.
INSTALLED_APPS = [*INSTALLED_APPS, "zeal", "tests.emptying"]  # noqa: F405

# Nobody collects static files for the tests: they are served from where they lie.
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = True
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"  # noqa: F405
# WhiteNoise warns when the folder is missing, and warnings are errors.
STATIC_ROOT.mkdir()  # noqa: F405
