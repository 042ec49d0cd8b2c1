"""Logs: one event a line on standard error, as text or JSON, whichever library speaks."""

import enum
import logging
import sys
from collections.abc import Mapping
from typing import Final

from gridcast.monitoring.log_context import context
from gridcast.monitoring.redaction import text_without_secrets
from gridcast.monitoring.traces import trace_id

FIELDS: Final = "fields"
"""Under this name a record's `extra` holds what an event says beside its name."""
OWN: Final = ("gridcast", "alembic", "mlflow", "uvicorn")
"""Loggers that follow the level that is asked for; every other one tells of trouble only."""


class Form(enum.StrEnum):
    """How a line looks."""

    TEXT = "text"
    JSON = "json"


class Level(enum.StrEnum):
    """From which weight on events are told."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def tell(
    logger: logging.Logger, event: str, *, fields: Mapping[str, object] | None = None, level: int = logging.INFO
) -> None:
    """Log one event with its fields; costs a comparison where nobody listens."""
    if logger.isEnabledFor(level):
        logger.log(level, event, extra={FIELDS: fields or {}})


def begin_logs(form: Form, *, level: Level) -> None:
    """Let everything that is logged from now on come out in one form; called again, it changes form and level."""
    handler = _handler()
    handler.setFormatter(_TextLines() if form is Form.TEXT else _json_lines())
    logging.captureWarnings(form is Form.JSON)
    for name in OWN:
        logging.getLogger(name).setLevel(level.upper())


def is_json() -> bool:
    """Whether standard error carries JSON, and nothing else may be written there."""
    return any(isinstance(each, _StandardError) and not isinstance(each.formatter, _TextLines) for each in _handlers())


def facts_of(record: logging.LogRecord) -> dict[str, object]:
    """What a record says beside its event: the context it was logged in, and its own fields."""
    found = {**context(), **getattr(record, FIELDS, {})}
    trace = trace_id()
    return {**found, "trace_id": trace} if trace else found


class _StandardError(logging.Handler):
    """Writes to what standard error is at that moment."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(f"{self.format(record)}\n")
            sys.stderr.flush()
        except Exception:  # noqa: BLE001 - as every handler does: a log that fails stops nobody
            self.handleError(record)


class _TextLines(logging.Formatter):
    """`LEVEL logger: event name=value …`."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the standard library's name
        facts = " ".join(f"{name}={value}" for name, value in facts_of(record).items())
        return f"{super().formatMessage(record)} {facts}".rstrip()

    def format(self, record: logging.LogRecord) -> str:
        return text_without_secrets(super().format(record))


def _json_lines() -> logging.Formatter:
    """Loads structlog, which takes a tenth of a second."""
    from gridcast.monitoring.json_lines import json_formatter  # noqa: PLC0415

    return json_formatter(facts_of)


def _handler() -> _StandardError:
    """The one handler of ours."""
    found = next((each for each in _handlers() if isinstance(each, _StandardError)), None)
    if found is None:
        found = _StandardError()
        logging.getLogger().addHandler(found)
    return found


def _handlers() -> list[logging.Handler]:
    return logging.getLogger().handlers
