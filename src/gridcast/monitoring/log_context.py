"""What every line of a log carries while something is under way: run, command, tick, request."""

import contextlib
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

_BOUND: Final[ContextVar[Mapping[str, object]]] = ContextVar("log_context", default=MappingProxyType({}))


def context() -> Mapping[str, object]:
    """What is bound here."""
    return _BOUND.get()


@contextlib.contextmanager
def bound(**fields: object) -> Iterator[None]:
    """Let every line inside the block carry some fields more."""
    token = _BOUND.set({**_BOUND.get(), **fields})
    try:
        yield
    finally:
        _BOUND.reset(token)
