"""Structured logs: one line an event, with request id, tenant, event and handler bound to it."""

import logging.config
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from opentelemetry import trace

# Seconds for which the same complaint about a server that is away is not repeated.
SILENCE = 60.0
# How such complaints begin, by logger. The exception among their arguments says it all.
COMPLAINTS = {
    "celery.beat": ("Message Error: ", "beat: Connection error: "),
    "celery.worker.consumer.consumer": ("consumer: Cannot connect to ",),
}
NEVER = ("\0",)
# Celery warns of it at each outage, though the setting is made.
NOTICE = "worker_cancel_long_running_tasks_on_connection_loss"


def add_trace(
    _logger: Any, _method: str, line: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    """Add the id of the trace that this belongs to, if it belongs to one."""
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        line["trace_id"] = trace.format_trace_id(context.trace_id)
    return line


SHARED_PROCESSORS: list[Any] = [
    structlog.contextvars.merge_contextvars,
    add_trace,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]


def configure(level: str, style: str) -> None:
    """Send the logs of all libraries and of ours through one formatter.

    Args:
        level: the lowest level that is printed, such as "INFO".
        style: "json" (one object a line) or "console" (for people).
    """
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if style == "json"
        else structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0)
    )
    logging.config.dictConfig(_logging_config(level, renderer))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED_PROCESSORS,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.StackInfoRenderer(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def _logging_config(level: str, renderer: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "structured": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": SHARED_PROCESSORS,
                "processors": [
                    structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                    structlog.processors.format_exc_info,
                    renderer,
                ],
            }
        },
        "filters": {"outages": {"()": OutageFilter}},
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": "structured",
                "filters": ["outages"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # One line a task is noise at thousands of events a second; failures stay visible.
            "celery.app.trace": {"level": "WARNING"},
            "celery.worker.strategy": {"level": "WARNING"},
            # A sweep that waited behind a backlog until the next one came is dropped, as it should.
            "celery.worker.request": {"level": "WARNING"},
            "celery.beat": {"level": "WARNING"},
            # It tells addresses, and those of files are as good as a key to them.
            "httpx": {"level": "WARNING"},
            "psycopg.pool": {"level": "ERROR"},
        },
    }


class OutageFilter(logging.Filter):
    """Makes one line a minute of what libraries say at length while a server is away.

    Celery's scheduler prints two stacks each time that a task is due, which is every two seconds.
    """

    def __init__(self) -> None:
        super().__init__()
        self._told: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Shorten the record; False when its like was printed a moment ago."""
        if record.name == "py.warnings":
            return NOTICE not in record.getMessage()
        if record.name.startswith("opentelemetry."):  # its collector is away: nobody misses it
            return self._is_news(record.name)
        if not str(record.msg).startswith(COMPLAINTS.get(record.name, NEVER)):
            return True
        errors = [value for value in record.args or () if isinstance(value, Exception)]
        record.msg = f"broker_away: {' '.join(' '.join(map(str, errors)).split())}"
        record.args, record.exc_info = (), None
        return self._is_news(record.name)

    def _is_news(self, name: str) -> bool:
        now = time.monotonic()
        news = now - self._told.get(name, -SILENCE) >= SILENCE
        if news:
            self._told[name] = now
        return news
