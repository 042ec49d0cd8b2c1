"""Other people's client libraries: loaded when asked for, called with patience, their failures told as ours."""

import importlib
import logging
import queue
import threading
import warnings
import zipfile
from collections.abc import Callable
from datetime import timedelta
from http.client import HTTPException
from types import ModuleType
from typing import TypeVar

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.ingestion.connectors.http_client import HttpClient, TryAgainError, is_passing

Answer = TypeVar("Answer")


def load_library(name: str, *, extra: str) -> ModuleType:
    """The library, or what to install.

    Raises:
        UsageError: it is not installed.
    """
    try:
        library = importlib.import_module(name)
    except ImportError as error:
        raise UsageError(
            f"the library {name} is not installed ({error}); expected it for this kind of source. Install it with "
            f"pip install 'gridcast[{extra}]'."
        ) from error
    logging.getLogger(name).setLevel(logging.WARNING)
    return library


def ask_library(call: Callable[[], Answer], *, http: HttpClient, where: str) -> Answer:
    """What `call` gives; servers that are busy or away are asked again. No address is told: it may hold a key.

    Raises:
        GridcastError: the server stays away or refuses, or the library cannot read its answer.
    """
    return http.patiently(lambda: _ask_once(call, http=http, where=where), where=where)


def _ask_once(call: Callable[[], Answer], *, http: HttpClient, where: str) -> Answer:
    try:
        return _within(http.rules.timeout, call)
    except (OSError, HTTPException) as error:
        status = getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "code", None)
        if status is None:
            raise TryAgainError(f"no whole answer ({type(error).__name__})") from error
        if is_passing(status):
            raise TryAgainError(f"answer {status}") from error
        raise GridcastError(
            f"{where}: answer {status}; expected data. Check the key and what is asked for in the settings."
        ) from error
    except (
        LookupError,
        ValueError,
        TypeError,
        AttributeError,
        NameError,
        ArithmeticError,
        zipfile.BadZipFile,
    ) as error:
        raise GridcastError(
            f"{where}: the answer could not be read ({type(error).__name__}: {error}); expected data as documented. "
            "Try again later, or with a newer version of the library."
        ) from error


def _within(limit: timedelta, call: Callable[[], Answer]) -> Answer:
    """What `call` gives, given up after a time: not every library has a time limit of its own."""
    outcome: queue.SimpleQueue[Answer | BaseException] = queue.SimpleQueue()

    def run() -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                outcome.put(call())
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            outcome.put(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        given = outcome.get(timeout=limit / timedelta(seconds=1))
    except queue.Empty:
        raise TryAgainError(f"no answer in {limit}") from None
    if isinstance(given, BaseException):
        raise given
    return given
