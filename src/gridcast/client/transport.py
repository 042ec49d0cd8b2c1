"""Requests to the service: repeated where repeating is safe, refused with the service's own text."""

import contextlib
import json
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential, wait_random

from gridcast.client.credentials import KEY_VARIABLE
from gridcast.client.errors import ApiError
from gridcast.domain.errors import UsageError

JSON: Final = "application/json"
ARROW: Final = "application/vnd.apache.arrow.stream"
_LONGEST_WAIT: Final = 30.0
_OWN_WAIT: Final = wait_exponential(multiplier=0.25, max=8) + wait_random(0, 0.25)
_BUSY: Final = frozenset(
    {
        HTTPStatus.TOO_MANY_REQUESTS,
        HTTPStatus.BAD_GATEWAY,
        HTTPStatus.SERVICE_UNAVAILABLE,
        HTTPStatus.GATEWAY_TIMEOUT,
    }
)
Params = Mapping[str, str | int | bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One request. `is_repeatable`: asking twice has the effect of asking once."""

    method: str
    path: str
    params: Params = field(default_factory=dict)
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    is_repeatable: bool = True


class Transport:
    """Asks one service in one caller's name. Redirects are not followed: the key stays with the service."""

    def __init__(self, url: str, *, secret: str | None, timeout: timedelta, verify: bool | str, attempts: int) -> None:
        self.url = _checked(url)
        self._secret = secret
        self._attempts = attempts
        self._timeout_s = timeout / timedelta(seconds=1)
        headers = {"Accept": f"{JSON}, {ARROW}"} | ({} if secret is None else {"Authorization": f"Bearer {secret}"})
        self._http = httpx.Client(
            headers=headers, timeout=self._timeout_s, verify=_trust(verify), follow_redirects=False
        )

    def close(self) -> None:
        """Give back the connections."""
        self._http.close()

    def ask_document(self, question: Question) -> dict[str, Any]:
        """A successful answer that is a JSON object.

        Raises:
            ApiError: the service refused, or could not be reached, or it is another service.
        """
        answer = self.ask(question, media_type=JSON)
        found: dict[str, Any] = answer.json()
        return found

    def ask(self, question: Question, *, media_type: str) -> httpx.Response:
        """A successful answer of a kind.

        Raises:
            ApiError: the service refused, or could not be reached, or it is another service.
        """
        answer = self._ask_patiently(question)
        given = answer.headers.get("content-type", "").partition(";")[0]
        if given != media_type:
            raise ApiError(
                f"{question.method} {self.url}/v1/{question.path}: answer of the kind {given[:100]!r}; expected "
                f"{media_type} of a gridcast service. Check the address.",
                status=answer.status_code,
            )
        return answer

    def _ask_patiently(self, question: Question) -> httpx.Response:
        if not question.is_repeatable:
            return self._ask_once(question)
        retrying = Retrying(
            stop=stop_after_attempt(self._attempts),
            wait=_wait,
            retry=retry_if_exception(lambda error: isinstance(error, ApiError) and error.is_passing),
            reraise=True,
        )
        return retrying(self._ask_once, question)

    @contextlib.contextmanager
    def listen(self, path: str, *, silence: timedelta) -> Iterator[httpx.Response]:
        """An answer that goes on; it counts as broken when nothing comes for so long.

        Raises:
            ApiError: the service refused, or could not be reached.
        """
        limits = httpx.Timeout(self._timeout_s, read=silence / timedelta(seconds=1))
        url = f"{self.url}/v1/{path}"
        with (
            self._told(url),
            self._http.stream("GET", url, headers={"Accept": "text/event-stream"}, timeout=limits) as response,
        ):
            if not response.is_success:
                response.read()
                raise self._refusal(response, f"GET {url}")
            yield response

    def _ask_once(self, question: Question) -> httpx.Response:
        url = f"{self.url}/v1/{question.path}"
        params = {name: value for name, value in question.params.items() if value is not None}
        with self._told(url):
            response = self._http.request(
                question.method, url, params=params, content=question.content, headers=dict(question.headers)
            )
        if response.is_success:
            return response
        raise self._refusal(response, f"{question.method} {url}")

    @contextlib.contextmanager
    def _told(self, url: str) -> Iterator[None]:
        try:
            yield
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise ApiError(
                self._without_secret(
                    f"{url}: no answer ({type(error).__name__}: {error}); expected a gridcast service there. Check "
                    "the address and the network, and that the service runs."
                ),
                is_passing=True,
            ) from error

    def _refusal(self, response: httpx.Response, what: str) -> ApiError:
        problem = _problem(self._without_secret(response.text))
        said = problem.get("detail") or problem.get("title") or "no reason given"
        hint = f" Give a key, or set {KEY_VARIABLE}." if response.status_code == HTTPStatus.UNAUTHORIZED else ""
        asked = response.headers.get("retry-after", "")
        return ApiError(
            f"{what}: answer {response.status_code}: {said}{hint}",
            status=response.status_code,
            problem=problem,
            is_passing=response.status_code in _BUSY,
            wait=float(asked) if asked.isdecimal() else None,
        )

    def _without_secret(self, text: str) -> str:
        return text if self._secret is None else text.replace(self._secret, "…")


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.wait if isinstance(error, ApiError) else None
    own = _OWN_WAIT(state)
    return min(_LONGEST_WAIT, own if asked is None else max(asked, own))


def _problem(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (json.JSONDecodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _checked(url: str) -> str:
    if not _is_address(url):
        shown = "the address" if "@" in url else repr(url)
        raise UsageError(f"{shown}: expected a service's address such as https://gridcast.example.org, and no more.")
    return url.rstrip("/").removesuffix("/v1")


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        port = parts.port
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return False
    is_plain = not (parts.query or parts.fragment or "@" in parts.netloc)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and is_plain and port != 0


def _trust(verify: bool | str) -> bool | ssl.SSLContext:
    if isinstance(verify, bool):
        return verify
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        raise UsageError(f"verify: {verify} cannot be used ({error}); expected a file of CA certificates.") from error
