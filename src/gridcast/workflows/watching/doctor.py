"""Checks of an installation, each by itself: one that breaks is a finding, not the end of the others."""

import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass


class State(enum.StrEnum):
    """What a check came to."""

    OK = "ok"
    WARNING = "warning"
    FAILURE = "failure"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: what was found, and what to do if it is not as it should be."""

    state: State
    found: str
    advice: str = ""
    check: str = ""


Check = Callable[[], Iterable[Finding]]


def ok(found: str) -> Finding:
    """As it should be."""
    return Finding(State.OK, found)


def warning(found: str, *, advice: str) -> Finding:
    """Works, and should be looked at."""
    return Finding(State.WARNING, found, advice)


def failure(found: str, *, advice: str) -> Finding:
    """Does not work."""
    return Finding(State.FAILURE, found, advice)


def examine(checks: Mapping[str, Check]) -> Iterator[Finding]:
    """The findings of every check, under its name; whatever goes wrong in one is told as its failure."""
    for name, check in checks.items():
        try:
            found = list(check())
        except Exception as error:  # noqa: BLE001
            found = [_broken(error)]
        for each in found:
            yield Finding(each.state, each.found, each.advice, name)


def _broken(error: Exception) -> Finding:
    """A failure in the words of the error; those of our own end with what to do."""
    text = " ".join(str(error).split()) or "no reason given"
    return failure(f"{type(error).__name__}: {text}", advice="mend what is named here, then run it again.")
