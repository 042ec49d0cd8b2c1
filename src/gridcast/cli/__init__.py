"""The command line: where settings, stores, pipelines and recipes are put together."""

import logging
import os
import sys

from gridcast.domain.errors import GridcastError


def main() -> None:
    """Run `gridcast`; known failures end with one message and their exit code, never with a traceback."""
    from gridcast.cli.app import app

    quiet_libraries()
    try:
        app()
    except GridcastError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        if os.environ.get("GRIDCAST_DEBUG"):
            raise
        sys.stderr.write(
            f"error: {error}; expected files and folders gridcast may read and write, on a disk with free space. "
            "Mend that and run the command again.\n"
        )
        sys.exit(1)
    except KeyboardInterrupt:
        sys.stderr.write("stopped.\n")
        sys.exit(130)
    except Exception as error:
        if os.environ.get("GRIDCAST_DEBUG"):
            raise
        first_line = str(error).partition("\n")[0]
        sys.stderr.write(
            f"error: internal fault, {type(error).__name__}: {first_line}. This is a bug in gridcast; set "
            "GRIDCAST_DEBUG=1 to see where, and report it.\n"
        )
        sys.exit(1)


def quiet_libraries() -> None:
    """Let libraries speak of trouble only: this must be set before they are loaded."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)
    logging.getLogger().addFilter(lambda record: not record.getMessage().startswith("apitools not found"))
