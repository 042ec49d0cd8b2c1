"""What Grafana does with a board before and after it asks: variables and macros put in, rows made into fields."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

BOARDS = sorted((Path(__file__).parents[2] / "dashboards/boards").glob("*.json"))
_SECONDS = {"1h": 3600, "6h": 21_600, "1d": 86_400, "7d": 604_800}
_UNITS = {"h": "hours", "d": "days", "m": "minutes"}


@dataclass(frozen=True)
class Looked:
    """How a board is looked at: its time range and what its reader chose, some values for a variable of several."""

    start: datetime
    end: datetime
    chosen: Mapping[str, str | list[str]]
    time_zone: str = "Europe/London"

    def expanded(self, text: str) -> str:
        """The query as Grafana sends it."""

        def put(found: re.Match[str]) -> str:
            name, form = found[1] or found[3], found[2]
            value = self._values()[name]
            several = value if isinstance(value, list) else [value]
            if form == "sqlstring":
                return ",".join("'" + each.replace("'", "''") + "'" for each in several)
            return "|".join(several)

        names = "|".join(self._values())
        with_values = re.sub(rf"\$\{{(\w+)(?::(\w+))?\}}|\$({names})\b", put, text)
        return re.sub(r"\$(\w+)\(([^)]*)\)", lambda found: self._macro(found[1], found[2]), with_values)

    def _values(self) -> dict[str, str | list[str]]:
        built_in = {"__timezone": self.time_zone, "__rate_interval": "4m", "__range": "6h"}
        return {**built_in, **self.chosen}

    def _macro(self, name: str, given: str) -> str:
        arguments = [each.strip() for each in given.split(",")]
        if name in {"__unixEpochFrom", "__unixEpochTo"}:
            return str(int((self.start if name.endswith("From") else self.end).timestamp()))
        if name == "__unixEpochGroup":
            seconds = _SECONDS[arguments[1]]
            return f"floor(({arguments[0]})/{seconds})*{seconds}"
        raise AssertionError(f"macro {name} is not known")


def read(path: Path) -> dict[str, Any]:
    board: dict[str, Any] = json.loads(path.read_text())
    return board


def panels(board: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Every panel that shows something, those of rows too."""
    for each in board["panels"]:
        yield from each.get("panels", []) if each["type"] == "row" else [each]


def span(board: Mapping[str, Any], *, now: datetime) -> tuple[datetime, datetime]:
    """Its time range at first."""
    found = [re.fullmatch(r"now(?:([+-])(\d+)([hdm]))?", board["time"][end]) for end in ("from", "to")]
    start, end = (
        now + (timedelta(**{_UNITS[each[3]]: int(each[1] + each[2])}) if each and each[1] else timedelta(0))
        for each in found
    )
    return start, end


def fields(target: Mapping[str, Any], columns: list[str], rows: list[tuple[Any, ...]]) -> set[str]:
    """Names of the fields that Grafana makes of an answer."""
    if target["format"] == "table":
        return set(columns)
    assert columns == ["time", "metric", "value"]
    return {"time", *(row[1] for row in rows)}
