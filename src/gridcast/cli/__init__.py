"""The command line: where settings, stores, pipelines and recipes are put together."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Final

from gridcast.cli.run import running
from gridcast.domain.errors import GridcastError
from gridcast.monitoring.logs import Form, Level, begin_logs, is_json, tell

_LOG: Final = logging.getLogger(__name__)


def main() -> None:
    """Run `gridcast`; known failures end with one message and their exit code, never with a traceback."""
    from gridcast.cli.app import app

    quiet_libraries()
    code = 1
    with running(sys.argv[1:], groups=[str(each.name) for each in app.registered_groups]) as run:
        try:
            code = _exit_code(app)
        finally:
            run.end(code)
    sys.exit(code)


def quiet_libraries() -> None:
    """Let libraries speak of trouble only: this must be set before they are loaded."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    wants_json = os.environ.get("GRIDCAST_APP__LOGGING__FORMAT") == Form.JSON.value
    begin_logs(Form.JSON if wants_json else Form.TEXT, level=Level.WARNING)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(_is_no_remark_of_beam)


def _is_no_remark_of_beam(record: logging.LogRecord) -> bool:
    return not record.getMessage().startswith("apitools not found")


def _exit_code(app: Callable[[], object]) -> int:
    try:
        app()
    except SystemExit as ended:
        if isinstance(ended.code, str):
            raise
        return ended.code or 0
    except GridcastError as error:
        _tell_failure(str(error))
        return error.exit_code
    except OSError as error:
        if os.environ.get("GRIDCAST_DEBUG"):
            raise
        _tell_failure(
            f"{error}; expected files and folders gridcast may read and write, on a disk with free space. "
            "Mend that and run the command again."
        )
        return 1
    except KeyboardInterrupt:
        _tell_failure("stopped.", label="")
        return 130
    except Exception as error:
        if os.environ.get("GRIDCAST_DEBUG"):
            raise
        first_line = str(error).partition("\n")[0]
        _tell_failure(
            f"internal fault, {type(error).__name__}: {first_line}. This is a bug in gridcast; set "
            "GRIDCAST_DEBUG=1 to see where, and report it."
        )
        return 1
    return 0


def _tell_failure(text: str, *, label: str = "error: ") -> None:
    """On standard error, as a line of the log where that is JSON."""
    if is_json():
        tell(_LOG, text, level=logging.ERROR)
    else:
        sys.stderr.write(f"{label}{text}\n")
