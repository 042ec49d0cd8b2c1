"""Positions tell of which kind of source they are."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from gridcast.domain.errors import GridcastError
from gridcast.ingestion.source import Batch, OfKind


@dataclass
class Counting:
    """Hands over one batch and notes what it is told."""

    told: list[str | None] = field(default_factory=list)

    def batches(self, position: str | None) -> Iterator[Batch]:
        self.told.append(position)
        yield Batch.of(position='{"0": 7}')

    def done(self, position: str) -> None:
        self.told.append(position)


def test_a_source_is_told_its_own_positions_as_it_gave_them() -> None:
    inner = Counting()
    source = OfKind(source=inner, name="scada", kind="kafka")
    (batch,) = source.batches(None)
    source.done(batch.position)
    list(source.batches(batch.position))
    assert inner.told == [None, '{"0": 7}', '{"0": 7}']


@pytest.mark.parametrize(
    ("position", "kind"),
    [
        ('{"kind": "mqtt", "position": "[]"}', "mqtt"),
        ('{"log_offset": 3}', "unknown"),
        ('{"taken": {}}', "unknown"),
        ("[]", "unknown"),
        ("p1", "unknown"),
    ],
)
def test_a_position_of_another_kind_is_refused(position: str, kind: str) -> None:
    source = OfKind(source=Counting(), name="scada", kind="kafka")
    with pytest.raises(GridcastError) as told:
        list(source.batches(position))
    assert str(told.value) == (
        f"source 'scada': where it ended is kept as {position}, of kind {kind}; expected kind kafka. The name stood "
        "for another kind of source before: give this one a new name."
    )
