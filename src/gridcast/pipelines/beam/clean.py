"""Placed readings in, clean blocks of children and parents out: the one path that batch and real time share."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

import apache_beam as beam
import polars as pl
from apache_beam.metrics import Metrics

from gridcast.pipelines.beam.blocks import Block, PlacedBlock, concat, months_of
from gridcast.pipelines.beam.runner import NAMESPACE
from gridcast.quality.aggregate import child_counts, combine_sums, partial_sums
from gridcast.quality.cells import Placed
from gridcast.quality.cleaning import Cleaned
from gridcast.quality.received import REMOVED as REMOVED_ROWS
from gridcast.quality.summary import quality_counts, totals
from gridcast.workflows.readings.block_name import BlockName
from gridcast.workflows.readings.rules import CleaningRules

CHILDREN = "children"
"""Clean rows of the measured series, `CLEAN_READINGS`, under the name of their block."""
PARENTS = "parents"
"""Clean rows of the series summed from them, under their month (UTC)."""
REMOVED = "removed"
"""Rows that were taken out, with the reason."""
COUNTS = "counts"
"""Quality counts, additive."""
LEFT_OUT = "left_out"
"""`LEFT_OUT_SERIES`: series that could not be cleaned, and why; only where they are left out."""
LEFT_OUT_SERIES: Final = pl.Schema({"series_id": pl.String(), "why": pl.String()})
_SUMS = "sums"


class CleanAndAggregate(beam.PTransform):
    """Clean every block, then sum children into parents.

    Input: placed readings of a block and its context, under its `BlockName`.
    Output: a mapping from `CHILDREN`, `PARENTS`, `REMOVED`, `COUNTS` and `LEFT_OUT` to collections of blocks.

    A series that cannot be cleaned ends the pipeline, or is left out as if nothing had come from it.
    """

    def __init__(self, rules: CleaningRules, *, leaves_out: bool = False) -> None:
        super().__init__()
        self._rules, self._leaves_out = rules, leaves_out

    def expand(self, blocks: Any) -> Any:
        """Assemble the transform."""
        children = blocks | "Clean" >> _blocks_of(
            _Clean(self._rules, self._leaves_out), REMOVED, COUNTS, LEFT_OUT, _SUMS, main=CHILDREN
        )
        parents = (
            children[_SUMS]
            | "Gather children" >> beam.GroupByKey()
            | "Sum children" >> _blocks_of(_Sum(self._rules), COUNTS, main=PARENTS)
        )
        return {
            CHILDREN: children[CHILDREN],
            PARENTS: parents[PARENTS],
            REMOVED: children[REMOVED],
            LEFT_OUT: children[LEFT_OUT],
            COUNTS: (children[COUNTS], parents[COUNTS]) | "All counts" >> beam.Flatten(),
        }


def _blocks_of(fn: beam.DoFn, *tags: str, main: str) -> beam.PTransform:
    """A `ParDo` all of whose outputs are blocks; without being told, Beam would hand those with a tag on as pickles."""
    return beam.ParDo(fn).with_output_types(Block, **dict.fromkeys(tags, Block)).with_outputs(*tags, main=main)


class _Clean(beam.DoFn):
    def __init__(self, rules: CleaningRules, leaves_out: bool) -> None:
        self._rules, self._leaves_out = rules, leaves_out

    def process(self, block: PlacedBlock) -> Iterator[Block]:
        """Clean one block."""
        key, placed = block
        (clean, removed, counts), left_out = self._clean(placed, BlockName.decode(key))
        _count(counts)
        yield key, clean
        yield beam.pvalue.TaggedOutput(REMOVED, (key, removed))
        yield beam.pvalue.TaggedOutput(COUNTS, (key, counts))
        yield beam.pvalue.TaggedOutput(
            LEFT_OUT, (key, pl.DataFrame(list(left_out.items()), schema=LEFT_OUT_SERIES, orient="row"))
        )
        for month, sums in months_of(partial_sums(clean, hierarchy=self._rules.hierarchy)):
            yield beam.pvalue.TaggedOutput(_SUMS, (month, sums))

    def _clean(self, placed: Placed, block: BlockName) -> tuple[Cleaned, dict[str, str]]:
        return (
            self._rules.clean_what_can_be(placed, block) if self._leaves_out else (self._rules.clean(placed, block), {})
        )


class _Sum(beam.DoFn):
    def __init__(self, rules: CleaningRules) -> None:
        self._rules = rules

    def process(self, element: tuple[str, Iterable[pl.DataFrame]]) -> Iterator[Block]:
        """Sum the children of one month into their parents."""
        month, parts = element
        sums = concat(parts)
        parents = combine_sums(sums, min_completeness=self._rules.min_completeness)
        yield month, parents
        counts = quality_counts(parents, REMOVED_ROWS.to_frame(), interval=self._rules.interval)
        yield beam.pvalue.TaggedOutput(COUNTS, (month, pl.concat([counts, child_counts(sums)])))


def _count(counts: pl.DataFrame) -> None:
    for kind, name, rows, _ in totals(counts).iter_rows():
        Metrics.counter(NAMESPACE, f"{kind}.{name}").inc(rows)
