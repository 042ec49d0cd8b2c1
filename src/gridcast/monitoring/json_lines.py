"""Log records as JSON, one object a line."""

import logging
from collections.abc import Callable
from typing import Final

import structlog
from structlog.typing import EventDict, WrappedLogger

from gridcast.monitoring.redaction import without_secrets

_FIRST: Final = ("timestamp", "level", "event", "logger")


def json_formatter(facts_of: Callable[[logging.LogRecord], dict[str, object]]) -> logging.Formatter:
    """A formatter of any library's records: time, level, event, logger, then what the record says, without secrets."""

    def with_facts(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
        return {**facts_of(line["_record"]), **line}

    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            with_facts,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            _redacted,
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
    )


def _redacted(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    names = [*_FIRST, *(name for name in line if name not in _FIRST)]
    return {name: without_secrets(line[name], name=name) for name in names if name in line}
