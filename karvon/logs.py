"""Logging set up once per process: text or JSON lines by setting, every record redacted."""

from __future__ import annotations

import logging
import sys

import orjson

from karvon.redaction import redact
from karvon.settings import Settings


class _Redacting(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": self.formatTime(record, "%Y-%m-%dT%H:%M:%S%z"),
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
        }
        if record.exc_info:
            line["exception"] = redact(self.formatException(record.exc_info))
        return orjson.dumps(line).decode()


class _Cleaning(logging.Filter):
    """For loggers of libraries, whose handlers are not ours: they log addresses with their query."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = redact(record.getMessage()), None
        return True


_OF_LIBRARIES = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.proxy",
    "dlt",
    "urllib3.connectionpool",
)
_cleaning = _Cleaning()


def configure_logging(settings: Settings) -> None:
    """Send the project's logs to standard error; those of libraries go where they go, without secrets."""
    for name in _OF_LIBRARIES:
        # A filter is added once, however often this is called.
        logging.getLogger(name).addFilter(_cleaning)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _Json() if settings.log_format == "json" else _Redacting("%(levelname)s %(name)s: %(message)s")
    )
    logger = logging.getLogger("karvon")
    logger.handlers = [handler]
    logger.setLevel(settings.log_level)
    logger.propagate = False
