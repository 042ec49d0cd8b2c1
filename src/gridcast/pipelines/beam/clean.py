"""Raw blocks in, clean blocks of children and parents out: the one path that batch and real time share."""

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import polars as pl
from apache_beam.metrics import Metrics

from gridcast.pipelines.beam.blocks import Block, BlockName, concat, to_bytes
from gridcast.quality.aggregate import combine_sums, partial_sums
from gridcast.quality.cleaning import clean_block
from gridcast.quality.received import REMOVED as REMOVED_ROWS
from gridcast.quality.summary import quality_counts
from gridcast.workflows.rules import CleaningRules

CLEAN = "clean"
"""Clean rows of every series, `CLEAN_READINGS`."""
REMOVED = "removed"
"""Rows that were taken out, with the reason."""
COUNTS = "counts"
"""Quality counts, additive."""
_SUMS = "sums"


class CleanAndAggregate(beam.PTransform):
    """Clean every block with its context, then sum children into parents.

    Input: blocks of `READINGS` under the name of the block they belong to or give context to.
    Output: a mapping from `CLEAN`, `REMOVED` and `COUNTS` to collections of blocks.
    """

    def __init__(self, rules: CleaningRules) -> None:
        super().__init__()
        self._rules = rules

    def expand(self, blocks: Any) -> Any:
        """Assemble the transform."""
        children = (
            blocks
            | "Gather context" >> beam.GroupByKey()
            | "Clean"
            >> beam.ParDo(_Clean(self._rules)).with_output_types(Block).with_outputs(REMOVED, COUNTS, _SUMS, main=CLEAN)
        )
        parents = (
            children[_SUMS]
            | "Gather children" >> beam.GroupByKey()
            | "Sum children" >> beam.ParDo(_Sum()).with_output_types(Block).with_outputs(COUNTS, main=CLEAN)
        )
        return {
            CLEAN: (children[CLEAN], parents[CLEAN]) | "All series" >> beam.Flatten(),
            REMOVED: children[REMOVED],
            COUNTS: (children[COUNTS], parents[COUNTS]) | "All counts" >> beam.Flatten(),
        }


class _Clean(beam.DoFn):
    def __init__(self, rules: CleaningRules) -> None:
        self._rules = rules
        self._rows = Metrics.counter("gridcast", "rows_in")

    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[Any]:
        """Clean one block; the grouped rows are the block's own and its context."""
        key, parts = element
        name = BlockName.decode(key)
        raw = concat(parts)
        self._rows.inc(raw.height)
        rules = self._rules
        clean, removed = clean_block(
            raw,
            span=(name.start, name.end),
            interval=rules.interval,
            limits=rules.limits,
            time_zones=rules.hierarchy.time_zones,
            series_since={each: since for each, since in rules.series_since.items() if name.owns(each)},
        )
        sums = partial_sums(clean, parents=rules.hierarchy.parents)
        yield key, to_bytes(clean)
        yield beam.pvalue.TaggedOutput(REMOVED, (key, to_bytes(removed)))
        yield beam.pvalue.TaggedOutput(COUNTS, (key, to_bytes(quality_counts(clean, removed))))
        yield beam.pvalue.TaggedOutput(_SUMS, (name.of_all_series().encode(), to_bytes(sums)))


class _Sum(beam.DoFn):
    def process(self, element: tuple[str, Iterable[bytes]]) -> Iterator[Any]:
        """Sum the children of one span of time into their parents."""
        key, parts = element
        parents = combine_sums(concat(parts))
        counts = quality_counts(parents, pl.DataFrame(schema=REMOVED_ROWS))
        yield key, to_bytes(parents)
        yield beam.pvalue.TaggedOutput(COUNTS, (key, to_bytes(counts)))
