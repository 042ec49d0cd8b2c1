"""The API from Python: typed frames of what the service knows, and the few things a caller may change."""

import io
import uuid
from collections.abc import Generator, Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Final, Literal

import polars as pl

from gridcast.client.credentials import find_secret
from gridcast.client.documents import (
    ACCURACY,
    HAPPENED,
    PEAK_DAYS,
    SERIES,
    WHAT_IF,
    Landed,
    Model,
    NewForecast,
    OneOff,
    Override,
    frame_of,
    model_of,
    override_of,
)
from gridcast.client.feed import follow
from gridcast.client.parameters import json_body, length_text, moment_text, path_part
from gridcast.client.transport import ARROW, Params, Question, Transport
from gridcast.domain.errors import UsageError
from gridcast.domain.tables import CLEAN_READINGS, FORECASTS, OVERRIDES, READINGS

_JSON: Final = {"Content-Type": "application/json"}
_ARROW: Final = {"Content-Type": ARROW}


@dataclass(slots=True, eq=False)
class Client:
    """One service, asked in one caller's name. Use it in a `with` block. Times need a UTC offset; loads are MW.

    Every method raises `ApiError` when the service refuses or cannot be reached. What is safe to repeat is repeated.

    Attributes:
        url: where the service is, such as https://gridcast.example.org.
        key: an API key; without key and token that of GRIDCAST_API_KEY_FILE or GRIDCAST_API_KEY.
        token: a bearer token instead of a key.
        timeout: for one answer.
        verify: whether certificates are checked, or a file of CA certificates to check them with.
        attempts: in all, of what is safe to repeat.
    """

    url: str
    _: KW_ONLY
    key: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    timeout: timedelta = timedelta(seconds=30)
    verify: bool | str = True
    attempts: int = 4
    _transport: Transport = field(init=False, repr=False)

    def __post_init__(self) -> None:
        secret = find_secret(key=self.key, token=self.token)
        self._transport = Transport(
            self.url, secret=secret, timeout=self.timeout, verify=self.verify, attempts=self.attempts
        )

    def __enter__(self) -> "Client":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back the connections."""
        self._transport.close()

    def series(self, *, level: str | None = None) -> pl.DataFrame:
        """Every series, with its parents and how fresh it is."""
        return frame_of(self._items("series", {"level": level}), SERIES)

    def readings(
        self,
        series_id: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        as_of: datetime | None = None,
    ) -> pl.DataFrame:
        """`CLEAN_READINGS` of a series in start ≤ time < end, at most 31 days; `as_of`: as known then."""
        params = {"start": moment_text(start), "end": moment_text(end), "as_of": moment_text(as_of)}
        answer = self._get(f"readings/{path_part(series_id)}", params)
        return frame_of(answer["points"], CLEAN_READINGS, series_id=series_id)

    def forecast(
        self,
        series_id: str,
        *,
        issued_at: datetime | None = None,
        as_of: datetime | None = None,
        lead_at_least: timedelta | None = None,
        start: datetime | None = None,
        end: datetime | None = None,
        layer: Literal["effective", "model", "operator", "shadow"] = "effective",
    ) -> pl.DataFrame:
        """`FORECASTS` of a series: the newest, or as issued at a time, or for each interval the freshest at some lead.

        `effective` is the operator's where there is one, else the model's. `model_version` is null for rows of an
        earlier issue time than the newest among them.
        """
        params = {
            "issued_at": moment_text(issued_at),
            "as_of": moment_text(as_of),
            "lead_at_least": length_text(lead_at_least),
            "start": moment_text(start),
            "end": moment_text(end),
            "layer": layer,
        }
        answer = self._get(f"forecasts/{path_part(series_id)}", params)
        newest = answer["issue_time"]
        version = answer["model_version"]
        points = (
            {"model_version": version if each["issue_time"] == newest else None, **each} for each in answer["points"]
        )
        return frame_of(points, FORECASTS, series_id=series_id)

    def peaks(self, series_id: str) -> pl.DataFrame:
        """`PEAK_DAYS` that the newest forecast covers: size, hour, and how likely above the limit."""
        answer = self._get(f"forecasts/{path_part(series_id)}/peaks", {})
        return frame_of(answer["days"], PEAK_DAYS, series_id=series_id, issue_time=answer["issue_time"])

    def accuracy(
        self, *, series_id: str | None = None, start: datetime | None = None, end: datetime | None = None
    ) -> pl.DataFrame:
        """`ACCURACY` of the forecasts issued in start ≤ time < end, by series, layer and lead bucket."""
        params = {"series_id": series_id, "start": moment_text(start), "end": moment_text(end)}
        return frame_of(self._items("accuracy", params), ACCURACY)

    def models(self) -> list[Model]:
        """Every registered model, newest first."""
        return [model_of(each) for each in self._items("models", {})]

    def events(self, *, kind: str | None = None, as_of: datetime | None = None, limit: int = 1000) -> pl.DataFrame:
        """`HAPPENED`: what happened, newest first, at most `limit` of it."""
        return frame_of(self._items("events", {"kind": kind, "as_of": moment_text(as_of)}, most=limit), HAPPENED)

    def push_readings(self, frame: pl.DataFrame, *, idempotency_key: str | None = None) -> Landed:
        """Send `READINGS`, all rows or none; the column `available_at` may be left out.

        Sent again with the same key they land once; a new key is made where none is given.
        """
        columns = [name for name in READINGS.names() if name in frame.columns]
        if missing := {"series_id", "valid_time", "load_mw"} - set(columns):
            raise UsageError(f"readings without {', '.join(sorted(missing))}; expected the columns of READINGS.")
        buffer = io.BytesIO()
        frame.select(columns).write_ipc_stream(buffer, compat_level=pl.CompatLevel.oldest())
        headers = {**_ARROW, "Idempotency-Key": idempotency_key or str(uuid.uuid4())}
        answer = self._sent("POST", "readings", buffer.getvalue(), headers=headers, is_repeatable=True)
        return Landed(answer["received"], answer["landed"], answer["repeated"])

    def what_if(
        self,
        series_id: str,
        *,
        temperature_shift_c: float | None = None,
        temperatures: pl.DataFrame | None = None,
        event: OneOff | None = None,
    ) -> pl.DataFrame:
        """`WHAT_IF`: the newest forecast with other temperatures or with an event; nothing of it is kept.

        `temperatures` has the columns `valid_time` and `temperature_c`.
        """
        given = () if temperatures is None else temperatures.select("valid_time", "temperature_c").iter_rows()
        asked = {
            "series_id": series_id,
            "temperature_shift_c": temperature_shift_c,
            "temperatures": [{"valid_time": moment_text(at), "temperature_c": value} for at, value in given] or None,
            "event": event and {"start": f"{event.start}", "end": f"{event.end}", "name": event.name},
        }
        answer = self._sent("POST", "what-if", json_body(asked), headers=_JSON, is_repeatable=True)
        return frame_of(answer.pop("points"), WHAT_IF, **answer)

    def overrides(self, *, series_id: str | None = None, active: bool = False) -> pl.DataFrame:
        """`OVERRIDES`, newest first; `active`: only those in force."""
        return frame_of(self._items("overrides", {"series_id": series_id, "active": active or None}), OVERRIDES)

    def add_override(
        self,
        series_id: str,
        *,
        start: datetime,
        end: datetime,
        operation: Literal["set", "add", "scale"],
        value: float,
        reason: str,
        expires_at: datetime | None = None,
    ) -> Override:
        """Overrule the forecasts of a series for start ≤ time < end. Never repeated by itself."""
        asked = {
            "series_id": series_id,
            "start": moment_text(start),
            "end": moment_text(end),
            "operation": operation,
            "value": value,
            "reason": reason,
            "expires_at": moment_text(expires_at),
        }
        answer = self._sent("POST", "overrides", json_body(asked), headers=_JSON, is_repeatable=False)
        return override_of(answer, OVERRIDES)

    def withdraw_override(self, override_id: str) -> Override:
        """Let an override count no longer, from the newest forecast on."""
        answer = self._sent("DELETE", f"overrides/{path_part(override_id)}", None, headers={}, is_repeatable=True)
        return override_of(answer, OVERRIDES)

    def export(
        self,
        table: Literal["readings", "forecasts", "scores", "events", "overrides"],
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        series_id: str | None = None,
        as_of: datetime | None = None,
    ) -> pl.DataFrame:
        """A table of the store, start ≤ time < end, over Arrow."""
        params: Params = {
            "format": "arrow",
            "start": moment_text(start),
            "end": moment_text(end),
            "series_id": series_id,
            "as_of": moment_text(as_of),
        }
        question = Question(method="GET", path=f"export/{path_part(table)}", params=params)
        return pl.read_ipc_stream(self._transport.ask(question, media_type=ARROW).content)

    def new_forecasts(self) -> Generator[NewForecast, None, None]:
        """The newest forecast, then every one as it is issued. Connects again where the connection is lost.

        Raises:
            ApiError: the service refuses, or stays away for `attempts` tries in a row.
        """
        return follow(self._transport, attempts=self.attempts)

    def _get(self, path: str, params: Params) -> dict[str, Any]:
        return self._transport.ask_document(Question(method="GET", path=path, params=params))

    def _items(self, path: str, params: Params, *, most: int | None = None) -> Iterator[Mapping[str, Any]]:
        cursor, left = None, most
        while left is None or left > 0:
            page = self._get(path, {**params, "limit": 1000 if left is None else min(1000, left), "cursor": cursor})
            yield from page["items"]
            cursor = page["next"]
            if cursor is None:
                return
            left = None if left is None else left - len(page["items"])

    def _sent(
        self, method: str, path: str, content: bytes | None, *, headers: Mapping[str, str], is_repeatable: bool
    ) -> dict[str, Any]:
        question = Question(method=method, path=path, content=content, headers=headers, is_repeatable=is_repeatable)
        return self._transport.ask_document(question)
