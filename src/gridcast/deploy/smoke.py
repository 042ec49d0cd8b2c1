"""Whether a service that was just deployed does its work: it answers, and it has a forecast."""

import math
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import httpx
from tenacity import RetryError, Retrying, retry_if_exception_type, stop_after_delay, wait_exponential

from gridcast.deploy.errors import RolloutError
from gridcast.domain.errors import UsageError

_SECONDS: Final = 20.0
_QUANTILES: Final = ("p05", "p50", "p95")


@dataclass(frozen=True, slots=True)
class Smoke:
    """How the service is asked.

    Attributes:
        url: where it is reached from outside.
        key: of a viewer; None: only its health is asked for.
        series_id: whose forecast; None: that of the first series.
        ca_file: certificates to trust; None: those of the system.
        within: how long it may take to come about.
    """

    url: str
    key: str | None = field(repr=False)
    series_id: str | None = None
    ca_file: Path | None = None
    within: timedelta = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Answer:
    """What it said; of the forecast nothing where none was asked for."""

    service_version: str
    series_id: str | None = None
    issue_time: str | None = None
    model_version: str | None = None
    points: int = 0

    def __str__(self) -> str:
        if self.series_id is None:
            return f"healthy, version {self.service_version}; without GRIDCAST_API_KEY no forecast was asked for"
        return (
            f"healthy, version {self.service_version}; {self.points} intervals of {self.series_id}, issued at "
            f"{self.issue_time} with model {self.model_version}"
        )


class _NotYetError(Exception):
    """Not what is expected, but it may become so."""


def ask(smoke: Smoke, *, model_version: str | None = None) -> Answer:
    """Health and one forecast, asked for until they are right; `model_version`: that the newest must be made with.

    Raises:
        RolloutError: they do not come right in time.
        UsageError: the file of certificates cannot be used.
    """
    tries = Retrying(
        stop=stop_after_delay(smoke.within),
        wait=wait_exponential(multiplier=0.1, max=5),
        retry=retry_if_exception_type(_NotYetError),
    )
    headers = {} if smoke.key is None else {"Authorization": f"Bearer {smoke.key}"}
    with httpx.Client(base_url=smoke.url, headers=headers, timeout=_SECONDS, verify=_trust(smoke.ca_file)) as client:
        try:
            return tries(_ask, client, smoke, model_version)
        except RetryError as error:
            raise RolloutError(
                f"{smoke.url}: {error.last_attempt.exception()}, {smoke.within} long; expected health and a forecast."
            ) from error


def _ask(client: httpx.Client, smoke: Smoke, model_version: str | None) -> Answer:
    health = _get(client, "/v1/health")
    _get(client, "/v1/ready")
    if smoke.key is None:
        return Answer(health["version"])
    series_id = smoke.series_id or _first(_get(client, "/v1/series"))
    document = _get(client, f"/v1/forecasts/{series_id}")
    points = [each for each in document["points"] if _is_forecast(each)]
    _require(points, f"no forecast of {series_id}")
    newest = max(points, key=lambda each: str(each["issue_time"]))
    made_with = str(newest["model_version"])
    wanted = model_version is None or made_with == model_version
    _require(wanted, f"the newest forecast of {series_id} is made with model {made_with} and not {model_version}")
    return Answer(health["version"], series_id, str(newest["issue_time"]), made_with, len(points))


def _get(client: httpx.Client, path: str) -> Any:
    try:
        answer = client.get(path)
    except httpx.TransportError as error:
        raise _NotYetError(f"{path} does not answer ({error})") from error
    if answer.status_code in {401, 403}:
        raise RolloutError(
            f"{client.base_url}{path}: {answer.status_code}; expected a key of a viewer in GRIDCAST_API_KEY or in the "
            "file that GRIDCAST_API_KEY_FILE names."
        )
    _require(answer.is_success, f"{path} gives {answer.status_code}")
    try:
        return answer.json()
    except ValueError as error:
        raise _NotYetError(f"{path} gives no JSON") from error


def _first(document: Any) -> str:
    found = document["items"] if isinstance(document, dict) else document
    _require(found, "no series")
    return str(found[0]["series_id"])


def _is_forecast(point: dict[str, Any]) -> bool:
    low, middle, high = (math.nan if point[each] is None else point[each] for each in _QUANTILES)
    return bool(low <= middle <= high)


def _require(holds: object, otherwise: str) -> None:
    if not holds:
        raise _NotYetError(otherwise)


def _trust(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=str(ca_file))
    except OSError as error:
        raise UsageError(f"{ca_file} cannot be used ({error}); expected CA certificates, PEM.") from error


Test = Callable[[], Answer]
