"""HTTP answers fetched whole: with a time limit, a size limit, and patience with servers that are busy or away."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus
from typing import Final, TypeVar

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from gridcast.domain.errors import GridcastError, UsageError

_BUSY: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS})
_BYTES_PER_MEGABYTE: Final = 1_000_000

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRules:
    """How long and how often a server is asked.

    `timeout`: for a whole answer. `attempts`: in all, when the server cannot be reached, answers 408, 429 or 5xx, or
    breaks off. `longest_wait`: between two attempts; waits double from one second, or are what the server asks for.

    Raises:
        UsageError: a limit is not positive.
    """

    timeout: timedelta = timedelta(seconds=30)
    attempts: int = 5
    longest_wait: timedelta = timedelta(minutes=1)

    def __post_init__(self) -> None:
        for name in ("timeout", "attempts", "longest_wait"):
            value = getattr(self, name)
            if value <= type(value)(0):
                raise UsageError(f"http: {name} is {value}; expected a value above 0.")


@dataclass(frozen=True, slots=True)
class HttpClient:
    """Fetches by its rules. `sleep` waits so many seconds; a body has at most `max_megabytes`."""

    rules: HttpRules = HttpRules()
    sleep: Callable[[float], None] = time.sleep
    max_megabytes: int = 64

    def get(self, url: str, *, params: Mapping[str, str]) -> bytes:
        """The body of a successful answer. Parameters never appear in messages: they may hold a key.

        Raises:
            GridcastError: the server stays away, refuses, or answers with more than is allowed.
        """
        return self.patiently(lambda: self._get_once(url, params), where=url)

    def patiently(self, ask: Callable[[], Answer], *, where: str) -> Answer:
        """What `ask` gives, asked again by the rules whenever it raises a TryAgainError.

        Raises:
            GridcastError: it did so each time.
        """
        retrying = Retrying(
            stop=stop_after_attempt(self.rules.attempts),
            wait=self._wait,
            retry=retry_if_exception_type(TryAgainError),
            sleep=self.sleep,
            reraise=True,
        )
        try:
            return retrying(ask)
        except TryAgainError as error:
            raise GridcastError(
                f"{where}: {error} after {self.rules.attempts} attempts; expected an answer. Nothing that was kept is "
                "lost: run the command again later, or check the address and the network."
            ) from error

    def _get_once(self, url: str, params: Mapping[str, str]) -> bytes:
        seconds = self.rules.timeout / timedelta(seconds=1)
        deadline = time.monotonic() + seconds
        try:
            with httpx.stream("GET", url, params=params, timeout=seconds, follow_redirects=True) as response:
                body = self._read(response, url=url, deadline=deadline)
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise TryAgainError(f"no whole answer ({type(error).__name__}: {error})") from error
        except (httpx.InvalidURL, httpx.TooManyRedirects) as error:
            raise GridcastError(
                f"{url}: {error}; expected the address of a server. Mend it in the settings."
            ) from error
        if response.is_success:
            return body
        if is_passing(response.status_code):
            raise TryAgainError(f"answer {response.status_code}", wait=_retry_after(response))
        raise GridcastError(
            f"{url}: answer {response.status_code} ({_excerpt(body)}); expected data. Mend what is asked for in the "
            "settings of the source."
        )

    def _read(self, response: httpx.Response, *, url: str, deadline: float) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > self.max_megabytes * _BYTES_PER_MEGABYTE:
                raise GridcastError(
                    f"{url}: the answer is larger than {self.max_megabytes} MB; expected less. Ask for less at a "
                    "time, or raise max_megabytes of the source."
                )
            if time.monotonic() > deadline:
                raise httpx.ReadTimeout(f"not finished in {self.rules.timeout}")
        return bytes(body)

    def _wait(self, state: RetryCallState) -> float:
        longest = self.rules.longest_wait / timedelta(seconds=1)
        error = state.outcome.exception() if state.outcome else None
        asked = error.wait if isinstance(error, TryAgainError) else None
        return min(wait_exponential_jitter(initial=1, max=longest)(state) if asked is None else asked, longest)


def is_passing(status: int) -> bool:
    """Whether a later attempt may get another answer than this HTTP status."""
    return status in _BUSY or status >= HTTPStatus.INTERNAL_SERVER_ERROR


class TryAgainError(Exception):
    """The next attempt may do better. `wait`: seconds, as the server asked for."""

    def __init__(self, told: str, *, wait: float | None = None) -> None:
        super().__init__(told)
        self.wait = wait


def _retry_after(response: httpx.Response) -> float | None:
    asked = response.headers.get("retry-after", "")
    return float(asked) if asked.isdecimal() else None


def _excerpt(body: bytes) -> str:
    text = " ".join(body[:1000].decode(errors="replace").split())
    return text[:200] or "no text"
