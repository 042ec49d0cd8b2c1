"""The contract of every source: batches of what arrived, each with the position to go on from."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, Protocol, Self

import polars as pl

from gridcast.domain.errors import GridcastError
from gridcast.domain.tables import HOLIDAYS, READINGS, WEATHER
from gridcast.ingestion.tabular.columns import DEAD_ROWS


class Batch(NamedTuple):
    """What a source handed over in one piece.

    `readings` (READINGS), `weather` (WEATHER) and `holidays` (HOLIDAYS) stand in order of arrival, `dead` (DEAD_ROWS)
    holds what could not be read. `position`: where to go on after this batch, the source's own JSON text.
    """

    readings: pl.DataFrame
    weather: pl.DataFrame
    holidays: pl.DataFrame
    dead: pl.DataFrame
    position: str

    @classmethod
    def of(
        cls,
        *,
        position: str,
        readings: pl.DataFrame | None = None,
        weather: pl.DataFrame | None = None,
        holidays: pl.DataFrame | None = None,
        dead: pl.DataFrame | None = None,
    ) -> Self:
        """A batch in which None stands for no rows."""
        return cls(
            _rows(readings, READINGS),
            _rows(weather, WEATHER),
            _rows(holidays, HOLIDAYS),
            _rows(dead, DEAD_ROWS),
            position,
        )


class Source(Protocol):
    """Where readings, weather and holidays come from.

    A bounded source ends its batches; a live one goes on until the event it was constructed with is set. A batch whose
    position was kept is never handed over again; one that was not is handed over again, identical.
    """

    def batches(self, position: str | None) -> Iterator[Batch]:
        """What arrived after `position` (None: from the start), piece by piece.

        Raises:
            GridcastError: the source cannot be read; batches handed over before stay valid.
        """
        ...

    def done(self, position: str) -> None:
        """Called once the batch with this position is safely kept: acknowledge it, or move its files away."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class OfKind:
    """A source whose positions tell its kind too, so that those of another kind are never taken for its own."""

    source: Source
    name: str
    kind: str

    def batches(self, position: str | None) -> Iterator[Batch]:
        """See Source.

        Raises:
            GridcastError: also if the position is of another kind of source.
        """
        for batch in self.source.batches(None if position is None else self._own(position)):
            yield batch._replace(position=json.dumps({"kind": self.kind, "position": batch.position}))

    def done(self, position: str) -> None:
        """See Source."""
        self.source.done(self._own(position))

    def _own(self, position: str) -> str:
        try:
            kept = json.loads(position)
            kind, own = kept["kind"], str(kept["position"])
        except (ValueError, KeyError, TypeError):
            kind, own = "unknown", ""
        if kind != self.kind:
            raise GridcastError(
                f"source {self.name!r}: where it ended is kept as {position[:100]}, of kind {kind}; expected kind "
                f"{self.kind}. The name stood for another kind of source before: give this one a new name."
            )
        return own


def unreadable_position(position: str, *, owner: str) -> GridcastError:
    """What to raise for a position that its `owner` cannot have written."""
    return GridcastError(
        f"position {position!r} of {owner} cannot be read; expected one that it wrote. Give the source another name in "
        "the settings to read it anew."
    )


def _rows(frame: pl.DataFrame | None, schema: pl.Schema) -> pl.DataFrame:
    return schema.to_frame() if frame is None else frame
