"""A Green Button (ESPI) feed taken apart: interval readings, and the resources that say what they are."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias
from xml.etree.ElementTree import Element, ParseError

import polars as pl
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import iterparse

from gridcast.domain.errors import GridcastError

BLOCK: Final = "IntervalBlock"
INTERVALS: Final = pl.Schema(
    {
        "row": pl.Int64(),
        "block": pl.String(),
        "start": pl.String(),
        "duration": pl.String(),
        "value": pl.String(),
        "quality": pl.String(),
    }
)
"""As written. `row`: 1 is the file's first; `block`: address of the list of blocks it stands in."""
_CHUNK_ROWS: Final = 50_000

Fields: TypeAlias = dict[str, str]


@dataclass(frozen=True, slots=True)
class Resource:
    """An entry of the feed: its fields, where it is, the list it stands in, and what it refers to."""

    fields: Fields
    address: str
    above: str
    related: frozenset[str]


@dataclass(frozen=True, slots=True)
class Feed:
    """`intervals`: INTERVALS; `resources`: per kind (UsagePoint, MeterReading, ReadingType, …) in order of the file."""

    intervals: pl.DataFrame
    resources: dict[str, list[Resource]]


def read_feed(file: Path) -> Feed:
    """What a feed holds; entries are dropped from memory as soon as they are read.

    Raises:
        GridcastError: the file is not well-formed XML, or defines entities of its own.
    """
    rows = _Rows()
    resources: dict[str, list[Resource]] = {}
    try:
        for entry in _entries(file):
            found, kind = _resource(entry), _kind(entry)
            if kind == BLOCK:
                for block in _child(entry, "content") or ():
                    rows.add(block, block=found.above)
            elif kind is not None:
                resources.setdefault(kind, []).append(found)
    except (ParseError, DefusedXmlException, OSError, ValueError) as error:
        raise GridcastError(
            f"{file}: not a whole XML file ({error or type(error).__name__}); expected a Green Button file. Nothing of "
            "it was kept; get it anew."
        ) from error
    return Feed(rows.frame(), resources)


@dataclass(slots=True)
class _Rows:
    """Interval readings as they are met; a full chunk becomes a compact frame."""

    number: int = 0
    pending: list[tuple[int, str, str | None, str | None, str | None, str | None]] = field(default_factory=list)
    chunks: list[pl.DataFrame] = field(default_factory=list)

    def add(self, content: Element, *, block: str) -> None:
        for reading in content:
            if _name(reading) != "IntervalReading":
                continue
            self.number += 1
            period = _child(reading, "timePeriod")
            quality = _child(reading, "ReadingQuality")
            written = (_text(period, "start"), _text(period, "duration"), _text(reading, "value"))
            self.pending.append((self.number, block, *written, _text(quality, "quality")))
        if len(self.pending) >= _CHUNK_ROWS:
            self._pack()

    def frame(self) -> pl.DataFrame:
        self._pack()
        return pl.concat([INTERVALS.to_frame(), *self.chunks])

    def _pack(self) -> None:
        self.chunks.append(pl.DataFrame(self.pending, schema=INTERVALS, orient="row"))
        self.pending.clear()


def _entries(file: Path) -> Iterator[Element]:
    """Each entry once it is complete, forgotten once the next is asked for."""
    steps = iterparse(str(file), events=("start", "end"), forbid_dtd=True)
    _, root = next(steps)
    for event, element in steps:
        if event == "end" and _name(element) == "entry":
            yield element
            root.clear()


def _resource(entry: Element) -> Resource:
    links = [(each.get("rel"), (each.get("href") or "").rstrip("/")) for each in entry if _name(each) == "link"]
    first = dict(reversed(links))
    return Resource(
        fields={_name(each): (each.text or "").strip() for each in _content(entry)},
        address=first.get("self", ""),
        above=first.get("up", ""),
        related=frozenset(href for rel, href in links if rel == "related"),
    )


def _kind(entry: Element) -> str | None:
    content = _child(entry, "content")
    return None if content is None or len(content) == 0 else _name(content[0])


def _content(entry: Element) -> list[Element]:
    content = _child(entry, "content")
    return [] if content is None or len(content) == 0 else list(content[0])


def _child(element: Element, name: str) -> Element | None:
    return next((each for each in element if _name(each) == name), None)


def _text(element: Element | None, name: str) -> str | None:
    found = None if element is None else _child(element, name)
    return None if found is None or found.text is None else found.text.strip()


def _name(element: Element) -> str:
    """Name without its namespace; utilities do not agree on that of ESPI."""
    return str(element.tag).rpartition("}")[2]
