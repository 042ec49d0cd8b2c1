"""Contributions keep the promises of Shapley values and come out as tables that add up."""

import itertools
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.testing import assert_allclose
from support.explanations import explanations

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.evaluation.attribution import (
    all_subsets,
    by_local_day,
    importance,
    quantities_of,
    shapley,
    side_by_side,
)

Floats = npt.NDArray[np.float64]
LOADS = st.floats(-1e4, 1e4)


@st.composite
def set_functions(draw: st.DrawFn) -> Floats:
    """Values (subset, window, lead) of up to four groups."""
    groups, windows, leads = (draw(st.integers(1, most)) for most in (4, 2, 3))
    values: Floats = draw(arrays.arrays(np.float64, (2**groups, windows, leads), elements=LOADS))
    return values


def averaged_over_orders(values: Floats) -> Floats:
    """The definition of 1953, word for word."""
    groups = len(values).bit_length() - 1
    orders = list(itertools.permutations(range(groups)))
    total = np.zeros((groups, *values.shape[1:]))
    for order in orders:
        joined = 0
        for group in order:
            total[group] += values[joined | 1 << group] - values[joined]
            joined |= 1 << group
    return total / len(orders)


@given(set_functions())
def test_contributions_are_means_over_all_orders_and_add_up(values: Floats) -> None:
    contributions = shapley(values)
    assert_allclose(contributions, averaged_over_orders(values), atol=1e-8)
    assert_allclose(contributions.sum(axis=0), values[-1] - values[0], atol=1e-8)


@given(set_functions(), st.data())
def test_a_group_that_never_adds_anything_contributes_nothing(values: Floats, data: st.DataObject) -> None:
    groups = len(values).bit_length() - 1
    idle = data.draw(st.integers(0, groups - 1))
    without = np.arange(2**groups) & ~(1 << idle)
    assert_allclose(shapley(values[without])[idle], 0, atol=1e-8)


@given(set_functions(), st.data())
def test_groups_that_add_the_same_contribute_the_same(values: Floats, data: st.DataObject) -> None:
    groups = len(values).bit_length() - 1
    one, other = (data.draw(st.integers(0, groups - 1)) for _ in range(2))
    has = all_subsets(groups)
    swapped = has.copy()
    swapped[:, [one, other]] = has[:, [other, one]]
    place = (swapped << np.arange(groups)).sum(axis=1)
    contributions = shapley(values + values[place])
    assert_allclose(contributions[one], contributions[other], atol=1e-8)


@given(set_functions(), LOADS)
def test_contributions_to_a_sum_are_the_sums_of_contributions(values: Floats, factor: float) -> None:
    other = values[::-1] ** 2 / 1e4
    assert_allclose(shapley(values + factor * other), shapley(values) + factor * shapley(other), atol=1e-3)


def test_the_gloves_game_is_worth_what_the_books_say() -> None:
    """One left and two right gloves; only a pair is worth anything: 2/3, 1/6, 1/6."""
    has_left, *has_right = all_subsets(3).T
    assert_allclose(shapley(has_left & (has_right[0] | has_right[1])), [2 / 3, 1 / 6, 1 / 6])


def test_a_number_of_values_that_fits_no_groups_is_refused() -> None:
    with pytest.raises(ValueError, match="6 subsets; expected one value for each subset"):
        shapley(np.zeros(6))


def test_the_quantities_are_the_median_and_the_width_of_the_80_percent_band() -> None:
    quantiles = dict(zip(QUANTILE_COLUMNS, (1.0, 2.0, 4.0, 7.0, 11.0, 16.0, 22.0), strict=True))
    assert quantities_of([list(quantiles.values())]).tolist() == [[7.0, 14.0]]


def test_contributions_stand_beside_the_difference_they_add_up_to() -> None:
    start = datetime(2024, 1, 5, tzinfo=UTC)
    hours = side_by_side(explanations(start=start, hours=4))
    last = hours.row(3, named=True)
    assert (last["forecast_mw"], last["reference_mw"], last["change_mw"]) == (97.0, 100.0, -3.0)
    assert (last["weather_mw"], last["recent_load_mw"]) == (3.0, -6.0)
    assert last["width_80_recent_load_mw"] == -0.6
    assert (last["valid_time"], last["reference_issue_time"]) == (start + timedelta(hours=3), start - timedelta(days=7))


def test_days_are_those_of_the_local_clock() -> None:
    hours = side_by_side(explanations(start=datetime(2024, 3, 30, 23, tzinfo=UTC), hours=30))
    days = by_local_day(hours, time_zones={"system": "Europe/London"})
    assert days.select("day", "intervals").rows() == [
        (date(2024, 3, 30), 1),
        (date(2024, 3, 31), 23),
        (date(2024, 4, 1), 6),
    ]
    assert days["weather_mw"].to_list() == [0.0, 12.0, 26.5]


def test_importance_is_the_mean_size_whatever_the_sign() -> None:
    rows = importance(explanations(start=datetime(2024, 1, 5, tzinfo=UTC), hours=5)).rows()
    assert [row[1:3] for row in rows] == [("recent_load", 4.0), ("weather", 2.0), ("calendar", 0.0)]
    assert [row[3] for row in rows] == pytest.approx([0.4, 0.2, 0.0])
