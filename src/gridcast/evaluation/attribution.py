"""Attribution: the difference of two forecasts as contributions of groups of inputs that add up to it."""

from collections.abc import Mapping
from math import factorial

import numpy as np
import numpy.typing as npt
import polars as pl

from gridcast.domain.quantiles import BANDS, MEDIAN, QUANTILE_COLUMNS

Floats = npt.NDArray[np.float64]

QUANTITIES = ("p50", "width_80")
"""What is attributed, MW: the point forecast, and the width of the 80 % band (why it is as uncertain as it is)."""


def all_subsets(groups: int) -> npt.NDArray[np.bool_]:
    """Every subset of so many groups, (subset, group); subset i holds group g if bit g of i is set.

    >>> all_subsets(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    has: npt.NDArray[np.bool_] = np.arange(2**groups)[:, np.newaxis] >> np.arange(groups) & 1 > 0
    return has


def shapley(values: npt.ArrayLike) -> Floats:
    """Contribution of each group, (group, …), from the values of all subsets, (subset, …) as in `all_subsets`.

    A group's contribution is what it adds when it joins, averaged over all orders in which the groups can join.
    Contributions add up to the value of all groups less that of none; groups that always add the same contribute the
    same, one that never adds anything contributes nothing. Lundberg & Lee (2017) use them for models; Shapley (1953).

    >>> shapley([0.0, 10.0, 4.0, 20.0]).tolist()
    [13.0, 7.0]

    Raises:
        ValueError: the number of subsets is no power of two.
    """
    table = np.asarray(values, dtype=np.float64)
    groups = len(table).bit_length() - 1
    if len(table) != 2**groups:
        raise ValueError(f"{len(table)} subsets; expected one value for each subset of some groups: a power of two.")
    has = all_subsets(groups)
    others = has.sum(axis=1)[:, np.newaxis] - has
    orders = np.array([factorial(size) * factorial(groups - 1 - size) for size in range(groups)])
    weight = orders[others] / factorial(groups)
    contributions: Floats = np.tensordot(np.where(has, weight, -weight).T, table, axes=1)
    return contributions


def quantities_of(quantiles_mw: npt.ArrayLike) -> Floats:
    """`QUANTITIES` of quantiles (…, quantile): (…, quantity), MW."""
    quantiles = np.asarray(quantiles_mw, dtype=np.float64)
    low, high = (QUANTILE_COLUMNS.index(column) for column in BANDS[0.80])
    return np.stack([quantiles[..., MEDIAN], quantiles[..., high] - quantiles[..., low]], axis=-1)


def side_by_side(explanations: pl.DataFrame) -> pl.DataFrame:
    """One row per series, issue time and valid time of `EXPLANATIONS`, a column for each contribution.

    Columns: `series_id` and the four times; `forecast_mw`, `reference_mw`, `change_mw` and `<input_group>_mw` of the
    point forecast; the same of the 80 % band with `width_80_` in front.
    """
    keys = ("series_id", "issue_time", "reference_issue_time", "valid_time", "reference_valid_time")
    tables = []
    for quantity, before in zip(QUANTITIES, ("", "width_80_"), strict=True):
        rows = explanations.filter(quantity=quantity)
        wide = rows.pivot("input_group", index=[*keys, "forecast_mw", "reference_mw"], values="contribution_mw")
        groups = rows["input_group"].unique(maintain_order=True)
        figures = {"forecast_mw": pl.col("forecast_mw"), "reference_mw": pl.col("reference_mw")}
        figures["change_mw"] = pl.col("forecast_mw") - pl.col("reference_mw")
        figures |= {f"{group}_mw": pl.col(group) for group in groups}
        tables.append(wide.select(*keys, **{f"{before}{name}": column for name, column in figures.items()}))
    return tables[0].join(tables[1], on=keys, maintain_order="left")


def by_local_day(hours: pl.DataFrame, *, time_zones: Mapping[str, str]) -> pl.DataFrame:
    """Means over the intervals of each local day of rows as of `side_by_side`: `day`, `intervals` and every figure."""
    days = []
    for (series_id,), rows in hours.group_by("series_id", maintain_order=True):
        local = pl.col("valid_time").dt.convert_time_zone(time_zones[str(series_id)])
        figures = pl.col([name for name in rows.columns if name.endswith("_mw")]).mean()
        days.append(
            rows.group_by("series_id", local.dt.date().alias("day"), maintain_order=True).agg(
                pl.len().alias("intervals"), figures
            )
        )
    return pl.concat(days)


def importance(explanations: pl.DataFrame) -> pl.DataFrame:
    """How much each group of inputs moves forecasts: the mean size of its contributions, MW, over all intervals.

    Columns: `series_id`, `input_group`, `p50_mw`, `width_80_mw`; the groups that move most first.
    """
    sizes = explanations.group_by("series_id", "input_group", maintain_order=True).agg(
        pl.col("contribution_mw").filter(quantity=quantity).abs().mean().alias(f"{quantity}_mw")
        for quantity in QUANTITIES
    )
    return sizes.sort("series_id", "p50_mw", descending=[False, True], maintain_order=True)
