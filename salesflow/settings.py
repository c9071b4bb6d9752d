"""Settings, all from the environment with the prefix SALESFLOW_ (see docs/settings.md)."""

import os
from datetime import timedelta
from pathlib import Path

import django_stubs_ext
from celery.schedules import crontab
from django.utils.translation import gettext_lazy as _

from salesflow import broker, home, logs, mail, postgres
from salesflow.environment import Environment

# Lets Django's generic classes be subscripted, as the type checker wants them: Form[Lead].
django_stubs_ext.monkeypatch()

BASE_DIR = Path(__file__).resolve().parent.parent
env = ENVIRONMENT = Environment()

DEBUG = env.bool("DEBUG", default=False)
HOME = home.directory()
DEMO = env.bool("DEMO", default=True)
SECRET_KEY = env.str("SECRET_KEY", default="") or home.secret_key(HOME)
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["127.0.0.1", "localhost", "[::1]"])
PORT = env.int("PORT", default=8000)
BASE_URL = env.str("BASE_URL", default=f"http://127.0.0.1:{PORT}").rstrip("/")
CSRF_TRUSTED_ORIGINS = [BASE_URL]

INSTALLED_APPS = [
    "salesflow",
    "salesflow.accounts",
    "events",
    "leads",
    "channels",
    "channels.sequences",
    "channels.autopilot",
    "analytics",
    "salesflow.demo",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "rest_framework",
    "rest_framework_api_key",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "django_htmx",
    "django_celery_results",
    "django_prometheus",
    "chartkick.django",
    "heroicons",
    *env.list("EXTRA_APPS", default=[]),
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "salesflow.accounts.middleware.RequestIdMiddleware",
    "salesflow.accounts.middleware.UnreadBodyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "salesflow.accounts.middleware.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "salesflow.accounts.middleware.TenantMiddleware",
    "events.middleware.EventContextMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "salesflow.accounts.middleware.PartsLoginMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "salesflow.urls"
WSGI_APPLICATION = "salesflow.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "channels.context.inbox",
            ],
        },
    }
]

# --- Data ---------------------------------------------------------------------------------------
DATABASE_URL = env.str("DATABASE_URL", default="") or postgres.app_url(HOME)
DATABASES = {"default": postgres.database_settings(DATABASE_URL)}
DATABASES["default"]["OPTIONS"] = {
    "pool": {
        "min_size": 1,
        "max_size": env.int("DATABASE_POOL_SIZE", default=12),
        "timeout": 10,
        # Left alone, a pool waits longer after each failed attempt, up to minutes. One that gave
        # up tries anew as soon as somebody asks.
        "reconnect_timeout": 3,
    },
    "connect_timeout": 5,
    **DATABASES["default"]["OPTIONS"],
}
# The pool's connections do not survive a restart of the server; nobody's request pays for that.
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Celery -------------------------------------------------------------------------------------
BROKER_URL = env.str("BROKER_URL", default="")
CELERY_BROKER_URL = BROKER_URL or "pgmq://localhost"
CELERY_BROKER_TRANSPORT_OPTIONS = broker.transport_options(CELERY_BROKER_URL, DATABASE_URL)
CELERY_BROKER_CONNECTION_TIMEOUT = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_RESULT_BACKEND = "django-db"
CELERY_RESULT_EXTENDED = True
# What a task did is on the events. A long job says ignore_result=False; its results are pruned by
# a task that Celery schedules of itself, daily.
CELERY_TASK_IGNORE_RESULT = True
CELERY_RESULT_EXPIRES = timedelta(days=30)
# Messages are nudges: the sweeper makes up for a lost one, nothing need be redelivered.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_POOL = "salesflow.pools:TaskPool"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
# `celery inspect` can't work on pgmq (its reply queue's name is too long), but would be polled.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = not CELERY_BROKER_URL.startswith("pgmq")
CELERY_TASK_DEFAULT_QUEUE = "events"
# Each queue has worker processes of its own: slow calls do not delay events, and neither of them
# can keep the sweeper from its work.
CELERY_TASK_ROUTES = {
    "events.tasks.run_external": {"queue": "external"},
    "events.tasks.sweep": {"queue": "sweeps"},
    "events.tasks.advance_replays": {"queue": "sweeps"},
    # It waits for other people's servers.
    "channels.tasks.poll_mailbox": {"queue": "external"},
}
CELERY_TASK_SEND_SENT_EVENT = False
CELERY_BEAT_SCHEDULE_FILENAME = str(HOME / "beat-schedule")
CELERY_BEAT_SCHEDULE = {
    "sweep": {
        "task": "events.tasks.sweep",
        # No message expires: a worker whose clock is fast would do nothing at all.
        "schedule": env.float("SWEEP_INTERVAL", default=2.0),
    },
    "forget-old-responses": {
        "task": "accounts.tasks.forget_old_responses",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "poll-mailboxes": {
        "task": "channels.tasks.poll_mailboxes",
        "schedule": env.float("MAIL_POLL_INTERVAL", default=30.0),
        "options": {"expires": 600},
    },
    "wake-conversations": {
        "task": "channels.tasks.wake_conversations",
        "schedule": 60.0,
        "options": {"expires": 600},
    },
    "judge-hits": {
        "task": "channels.tasks.judge_hits",
        "schedule": 5.0,
        "options": {"expires": 60},
    },
    "forget-places": {
        "task": "channels.tasks.forget_places",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "prune-inbounds": {
        "task": "channels.tasks.prune_inbounds",
        "schedule": crontab(hour=3, minute=45),
        "options": {"expires": 12 * 3600},
    },
    "advance-sequences": {
        "task": "channels.sequences.tasks.advance",
        "schedule": env.float("SEQUENCE_INTERVAL", default=1.0),
        "options": {"expires": 600},
    },
    "enrol-in-bulk": {
        "task": "channels.sequences.tasks.enrol_in_bulk",
        "schedule": 2.0,
        "options": {"expires": 600},
    },
    "mend-sequences": {
        "task": "channels.sequences.tasks.mend",
        "schedule": 600.0,
        "options": {"expires": 600},
    },
    "look-at-obstacles": {
        "task": "channels.sequences.tasks.look_at_obstacles",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "forget-sequence-quotas": {
        "task": "channels.sequences.tasks.forget_quotas",
        "schedule": crontab(hour=3, minute=50),
        "options": {"expires": 12 * 3600},
    },
    "end-lost-runs": {
        "task": "autopilot.tasks.end_lost_runs",
        "schedule": 300.0,
        "options": {"expires": 600},
    },
    "expire-drafts": {
        "task": "autopilot.tasks.expire_drafts",
        "schedule": 300.0,
        "options": {"expires": 600},
    },
    "forget-prompts": {
        "task": "autopilot.tasks.forget_prompts",
        "schedule": crontab(hour=4, minute=0),
        "options": {"expires": 12 * 3600},
    },
}

# --- People -------------------------------------------------------------------------------------
AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["salesflow.accounts.backends.BackoffBackend"]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "login"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
LANGUAGES = [("en", _("English")), ("de", _("German"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

# --- Web ----------------------------------------------------------------------------------------
STATIC_URL = "static/"
STATIC_ROOT = HOME / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
# Source maps are large, and nobody but a developer's browser asks for them.
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["jpg", "png", "webp", "gz", "br", "woff", "woff2", "map"]
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_HANDLERS = [
    "salesflow.accounts.uploads.QuotaHandler",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
APPEND_SLASH = False
X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SERVED_OVER_HTTPS = BASE_URL.startswith("https://")
SECURE_SSL_REDIRECT = False
SECURE_HSTS_SECONDS = 31536000 if SERVED_OVER_HTTPS else 0
# The domain's owner decides on its other hosts (W005, W021), the proxy redirects to HTTPS (W008).
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W008", "security.W021"]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SERVED_OVER_HTTPS
SESSION_COOKIE_HTTPONLY = True
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if BEHIND_PROXY else None

# --- API ----------------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "salesflow.accounts.rest.authentication.ApiKeyAuthentication",
        "salesflow.accounts.rest.authentication.TenantSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["salesflow.accounts.rest.authentication.HasTenant"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["salesflow.accounts.rest.parsing.LimitedJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["salesflow.accounts.rest.filters.StrictFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "salesflow.accounts.rest.pagination.KeysetPagination",
    "DEFAULT_SCHEMA_CLASS": "salesflow.accounts.rest.schema.IdempotentAutoSchema",
    "DEFAULT_METADATA_CLASS": None,
    "URL_FORMAT_OVERRIDE": None,
    "EXCEPTION_HANDLER": "salesflow.accounts.rest.errors.error_response",
    "UNAUTHENTICATED_USER": "django.contrib.auth.models.AnonymousUser",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "SalesFlow",
    "DESCRIPTION": (
        "Leads, messages, and the events that everything becomes.\n\n"
        "An API key belongs to one tenant and does what its managers do. Replays with external"
        " effects and corrections take permissions of a person’s own; no key has them."
    ),
    "VERSION": "0.1.0",
    "OAS_VERSION": "3.1.0",
    "DEFAULT_GENERATOR_CLASS": "salesflow.accounts.rest.schema.TenantlessSchemaGenerator",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "salesflow.accounts.rest.schema.describe_errors",
        "events.schema.describe_payloads",
    ],
    "ENUM_NAME_OVERRIDES": {
        "EventStatus": "events.models.EventStatus",
        "DeliveryStatus": "events.models.DeliveryStatus",
        "AttemptStatus": "events.models.Attempt.Status",
        "ReplayStatus": "events.models.Replay.Status",
        "ReplayKind": "events.models.Replay.Kind",
        "FailureState": "events.models.FailureGroup.State",
        "Outcome": "leads.models.Outcome",
        "TaskKind": "leads.models.Task.Kind",
        "TaskState": "leads.models.Task.State",
        "Channel": "channels.models.Channel",
        "ConversationState": "channels.models.Conversation.State",
        "MessageStatus": "channels.models.MessageStatus",
        "AttachmentStatus": "channels.models.Attachment.Status",
        "SequenceState": "channels.sequences.models.Sequence.State",
        "EnrolmentState": "channels.sequences.models.Enrolment.State",
        "EnrolmentSource": "channels.sequences.models.Enrolment.Source",
        "DraftState": "channels.autopilot.models.Draft.State",
        "SuggestionKind": "channels.autopilot.models.Suggestion.Kind",
        "SuggestionState": "channels.autopilot.models.Suggestion.State",
        "RunAction": "channels.autopilot.models.ActionType",
        "RunState": "channels.autopilot.models.Run.State",
        "RunOutcome": "channels.autopilot.queries.OUTCOME_CHOICES",
    },
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/",
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {"deepLinking": True, "docExpansion": "list"},
}

# --- Events -------------------------------------------------------------------------------------
EVENT_BATCH_SIZE = env.int("EVENT_BATCH_SIZE", default=300)
# A worker that is at one batch for longer hangs, and is ended.
EVENT_BATCH_SECONDS = env.float("EVENT_BATCH_SECONDS", default=120.0)
# Seconds for which a call's lease lasts without a heartbeat.
EXTERNAL_LEASE_SECONDS = env.float("EXTERNAL_LEASE_SECONDS", default=15.0)
# Seconds without another try after the broker did not answer.
BROKER_AWAY_SECONDS = env.float("BROKER_AWAY_SECONDS", default=5.0)
# Settled events that are older are deleted; unset: never.
EVENT_RETENTION_DAYS = env.int("EVENT_RETENTION_DAYS", default=None)
if EVENT_RETENTION_DAYS is not None:
    CELERY_BEAT_SCHEDULE["prune-events"] = {
        "task": "events.tasks.prune_events",
        "schedule": crontab(hour=3, minute=30),
        "options": {"expires": 12 * 3600},
    }

# --- Health -------------------------------------------------------------------------------------
# Who may read /metrics from another machine; unset: only this machine.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")
# Each process counts in a file there; prometheus_client reads the variable when it is imported.
METRICS_DIRECTORY = home.metrics(HOME)
os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(METRICS_DIRECTORY)
# What `manage.py event_health` calls healthy: seconds by queue, shares by handler.
HEALTH_MAX_WAIT = env.list("HEALTH_MAX_WAIT", default=["60", "external=300"])
HEALTH_MAX_FAILURE_RATE = env.list("HEALTH_MAX_FAILURE_RATE", default=["0.1"])

# --- Alerts -------------------------------------------------------------------------------------
# The server that takes our mails; unset: none are sent.
EMAIL_URL = env.str("EMAIL_URL", default="")
EMAIL_FROM = DEFAULT_FROM_EMAIL = env.str("EMAIL_FROM", default="SalesFlow <salesflow@localhost>")
EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
EMAIL_TIMEOUT = 10
mail_server = mail.server_of(EMAIL_URL) or mail.NONE
EMAIL_HOST, EMAIL_PORT = mail_server.host, mail_server.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = mail_server.user, mail_server.password
EMAIL_USE_TLS, EMAIL_USE_SSL = mail_server.uses_starttls, mail_server.uses_tls
# Whether webhooks may go to addresses that only this network reaches, and without encryption.
ALERT_PRIVATE_ADDRESSES = env.bool("ALERT_PRIVATE_ADDRESSES", default=False)

# --- Channels -----------------------------------------------------------------------------------
# Where WhatsApp's Cloud API is, with its version.
WHATSAPP_API_URL = env.str("WHATSAPP_API_URL", default="https://graph.facebook.com/v26.0")
# How many files go out with one mail, and bytes of each and of all together: most servers take
# mails of 25 MB, and Base64 makes 37 % more of a file.
MAIL_FILES_MOST = env.int("MAIL_FILES_MOST", default=10)
MAIL_FILE_BYTES = env.int("MAIL_FILE_BYTES", default=15 * 1024 * 1024)
MAIL_FILES_BYTES = env.int("MAIL_FILES_BYTES", default=18 * 1024 * 1024)
# Of one request: so much more than goes out that whoever took too large a file is told which.
UPLOAD_BYTES = MAIL_FILES_BYTES + 64 * 1024 * 1024

# --- Models -------------------------------------------------------------------------------------
# The model of all tenants that have none of their own: where it is, what it is called, its key.
# With "local" one is served beside the site, and the supervisor sets the others.
AI = env.choice("AI", ["", "local"], default="")
AI_BASE_URL = env.str("AI_BASE_URL", default="").rstrip("/")
AI_MODEL = env.str("AI_MODEL", default="")
AI_API_KEY = env.str("AI_API_KEY", default="")
# Whether tenants' endpoints may lie in this network, and be spoken to without encryption.
AI_PRIVATE_ADDRESSES = env.bool("AI_PRIVATE_ADDRESSES", default=False)
# US dollars that each tenant may spend a day until it says otherwise.
AI_DAILY_BUDGET = env.float("AI_DAILY_BUDGET", default=5.0)
# Days for which it is kept what models were asked.
AI_PROMPT_DAYS = env.int("AI_PROMPT_DAYS", default=30)
# Calls to models that may be under way at once, in all workers together: fewer than the external
# worker has processes, so that mails never stand behind models alone.
AI_CALLS_AT_ONCE = env.int("AI_CALLS_AT_ONCE", default=2)

# --- Admin --------------------------------------------------------------------------------------
UNFOLD = {
    "SITE_TITLE": "SalesFlow",
    "SITE_HEADER": "SalesFlow",
    "SITE_SUBHEADER": _("Administration"),
    "SITE_URL": "/",
    "SITE_ICON": "salesflow.admin_site.icon",
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": "salesflow.admin_site.icon"},
    ],
    "ENVIRONMENT": "salesflow.admin_site.environment",
    "SHOW_LANGUAGES": True,
    "SHOW_BACK_BUTTON": False,
    "BORDER_RADIUS": "8px",
    "STYLES": ["salesflow.admin_site.stylesheet"],
    "DASHBOARD_CALLBACK": "salesflow.admin_site.overview",
    "SIDEBAR": {"navigation": "salesflow.admin_site.sidebar"},
    # The web pages' colours (salesflow/static/salesflow/app.css): their accent and their greys.
    "COLORS": {
        "primary": {
            "50": "#eef8fa",
            "100": "#e1f0f3",
            "200": "#c3e1e8",
            "300": "#8bdcec",
            "400": "#62cadf",
            "500": "#2a9ab3",
            "600": "#0b6074",
            "700": "#084c5d",
            "800": "#0a4251",
            "900": "#12303a",
            "950": "#04222a",
        },
        "base": {
            "50": "#f6f8f8",
            "100": "#eef2f2",
            "200": "#e2e8e9",
            "300": "#ccd5d7",
            "400": "#8e9da2",
            "500": "#5f6d72",
            "600": "#4a585d",
            "700": "#36434a",
            "800": "#222b2f",
            "900": "#12181b",
            "950": "#0c1113",
        },
    },
}

# --- Logs ---------------------------------------------------------------------------------------
LOG_LEVEL = env.choice("LOG_LEVEL", ["DEBUG", "INFO", "WARNING", "ERROR"], default="INFO")
LOG_FORMAT = env.choice("LOG_FORMAT", ["console", "json"], default="console")
LOGGING_CONFIG = None
logs.configure(LOG_LEVEL, LOG_FORMAT)
