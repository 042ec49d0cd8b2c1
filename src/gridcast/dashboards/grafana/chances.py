"""SQL of the chance that a load lies above a limit, read off the quantiles of a forecast."""

import itertools
from typing import Final

from gridcast.dashboards.grafana.queries import SERIES
from gridcast.domain.quantiles import QUANTILE_COLUMNS, QUANTILE_LEVELS

_FOUR_WEEKS: Final = 28 * 86_400_000_000


def limit(run: str) -> str:
    """SQL of the limit: what the reader typed, else the largest load of the four weeks before the issue time `run`."""
    return f"""COALESCE(NULLIF(${{limit:sqlstring}}, '')::double precision, (
    SELECT max(load_mw) FROM readings WHERE series_id = {SERIES}
    AND valid_time >= {run} - {_FOUR_WEEKS} AND valid_time < {run}
  ))"""  # noqa: S608


def above(bound: str) -> str:
    """SQL of the chance of a load above `bound`: linear between quantiles, beyond the outer ones what it is there."""
    pairs = list(zip(QUANTILE_COLUMNS, QUANTILE_LEVELS, strict=True))
    cases = [f"WHEN {bound} <= {pairs[0][0]} THEN {1 - pairs[0][1]:.2f}"]
    for (lower, level), (upper, next_level) in itertools.pairwise(pairs):
        share = f"({bound} - {lower}) / NULLIF({upper} - {lower}, 0)"
        cases.append(f"WHEN {bound} <= {upper} THEN {1 - level:.2f} - {next_level - level:.2f} * {share}")
    return f"CASE {' '.join(cases)} ELSE {1 - pairs[-1][1]:.2f} END"
