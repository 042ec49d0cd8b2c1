"""What `prepare` leaves behind and every later step starts from."""

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.membership import Membership
from gridcast.domain.series import Hierarchy, Level, Series
from gridcast.features.weather_grid import are_forecasts
from gridcast.ingestion.parquet import parquet_read

MANIFEST = "manifest.json"
WEATHER_FILE = "weather.parquet"
HOLIDAYS_FILE = "holidays.parquet"


@dataclass(frozen=True, slots=True)
class Processed:
    """The clean history in `directory` and the facts about it.

    Attributes:
        directory: the folder, data/processed.
        fingerprint: equal for equal raw data cleaned by equal rules.
        interval: length of an interval.
        hierarchy: every series.
        observed_until: end of the last interval that was measured.
    """

    directory: Path
    fingerprint: str
    interval: timedelta
    hierarchy: Hierarchy
    observed_until: datetime

    @classmethod
    def open(cls, directory: Path) -> "Processed":
        """The history that `prepare` wrote.

        Raises:
            GridcastError: there is none.
        """
        found = cls.find(directory)
        if found is None:
            raise GridcastError(f'{directory}: no clean readings here; run "gridcast prepare" first.')
        return found

    @classmethod
    def find(cls, directory: Path) -> "Processed | None":
        """The history in `directory`, if there is one."""
        try:
            facts = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
            return cls(
                directory=directory,
                fingerprint=facts["fingerprint"],
                interval=timedelta(minutes=facts["interval_minutes"]),
                hierarchy=Hierarchy(tuple(_series(each) for each in facts["series"])),
                observed_until=datetime.fromisoformat(facts["observed_until"]),
            )
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise GridcastError(
                f"{directory / MANIFEST}: cannot be read ({type(error).__name__}: {error}); expected the facts "
                '"gridcast prepare" wrote. Run it again.'
            ) from error

    def at(self, directory: Path) -> "Processed":
        """The same, under another name of its folder."""
        return replace(self, directory=directory)

    def write_manifest(self, directory: Path) -> None:
        """Write the facts into `directory`."""
        facts = {
            "fingerprint": self.fingerprint,
            "interval_minutes": self.interval // timedelta(minutes=1),
            "observed_until": self.observed_until.isoformat(),
            "series": [
                {
                    "series_id": each.series_id,
                    "level": each.level,
                    "time_zone": each.time_zone,
                    "memberships": [_facts(membership) for membership in each.memberships],
                }
                for each in self.hierarchy.series
            ],
        }
        (directory / MANIFEST).write_text(json.dumps(facts, indent=1), encoding="utf-8")

    def readings(self, *, start: datetime | None = None, series_ids: Sequence[str] | None = None) -> pl.DataFrame:
        """Clean readings from `start` on with their temperature, ordered by series and time; of some series only."""
        files = sorted(self.directory.glob("readings/*/*.parquet"))
        with self._told(*files):
            rows = pl.scan_parquet(files, hive_partitioning=False)
            rows = rows if start is None else rows.filter(pl.col("valid_time") >= start)
            rows = rows if series_ids is None else rows.filter(pl.col("series_id").is_in(list(series_ids)))
            return rows.sort("series_id", "valid_time").collect()

    def weather(
        self, *, start: datetime | None = None, end: datetime | None = None, known_at: datetime | None = None
    ) -> pl.DataFrame:
        """Vintages of every station (`WEATHER`) on the intervals of the loads, reaching as far as the weather does.

        Args:
            start: only from this valid time on.
            end: only before this valid time.
            known_at: only what was available then, if there are weather forecasts; a history without any gives its
                observations as they are, in place of forecasts.
        """
        with self._told(self.directory / WEATHER_FILE):
            rows = pl.scan_parquet(self.directory / WEATHER_FILE)
            if known_at is not None and self.has_weather_forecasts():
                rows = rows.filter(pl.col("available_at") <= known_at)
            rows = rows if start is None else rows.filter(pl.col("valid_time") >= start)
            return (rows if end is None else rows.filter(pl.col("valid_time") < end)).collect()

    def weather_version(self) -> tuple[int, int]:
        """Changes when the weather is written anew."""
        with self._told(self.directory / WEATHER_FILE):
            facts = (self.directory / WEATHER_FILE).stat()
        return facts.st_ino, facts.st_mtime_ns

    def has_weather_forecasts(self) -> bool:
        """Whether any temperature was available when its interval began."""
        with self._told(self.directory / WEATHER_FILE):
            rows = pl.scan_parquet(self.directory / WEATHER_FILE)
            return bool(rows.select(are_forecasts().any()).collect().item())

    def holidays(self) -> pl.DataFrame:
        """Local holidays and one-off events (`SPECIAL_DAYS`), some years beyond the last reading."""
        return self._table(HOLIDAYS_FILE)

    def quality_counts(self) -> pl.DataFrame:
        """Additive quality counts of the whole history."""
        return self._table("counts.parquet")

    def _table(self, name: str) -> pl.DataFrame:
        with self._told(self.directory / name):
            return pl.read_parquet(self.directory / name)

    def _told(self, *files: Path) -> AbstractContextManager[None]:
        return parquet_read(files, remedy=f'remove {self.directory} and run "gridcast prepare" again')


def _series(facts: Mapping[str, Any]) -> Series:
    memberships = tuple(_membership(each) for each in facts["memberships"])
    return Series(facts["series_id"], Level(facts["level"]), facts["time_zone"], memberships)


def _facts(membership: Membership) -> dict[str, str | None]:
    since, until = (None if each is None else each.isoformat() for each in (membership.since, membership.until))
    return {"parent_id": membership.parent_id, "since": since, "until": until}


def _membership(facts: Mapping[str, str | None]) -> Membership:
    since, until = (None if each is None else datetime.fromisoformat(each) for each in (facts["since"], facts["until"]))
    return Membership(str(facts["parent_id"]), since, until)
