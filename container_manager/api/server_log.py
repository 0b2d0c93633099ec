"""The server's own log on stderr: plain lines for people or JSON lines for machines, each with its request's id."""

import json
import logging
import sys
from datetime import UTC, datetime

from container_manager.api.request_id import current
from container_manager.settings import Settings


class _Plain(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        text = f"{_moment(record)} {record.levelname} [{current.get()}] {record.name}: {record.getMessage()}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _Json(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry = {
            "timestamp": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "request_id": None if current.get() == "-" else current.get(),
            "message": record.getMessage(),
        }
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry)


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")


def configure(settings: Settings) -> None:
    """Send what is logged to stderr in the form that LOG_FORMAT names. Call it once, before serving."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if settings.log_format == "json" else _Plain())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
