"""The project's settings, on a home and a database cluster that belong to this test session."""

import os

from tests.cluster import claim_home

claim_home()

from salesflow.settings import *  # noqa: E402, F403

# Processes that a test starts are real ones: they use the project's settings.
os.environ["DJANGO_SETTINGS_MODULE"] = "salesflow.settings"

# A million rounds of hashing for each user that a test makes would take longer than the tests.
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
