"""Station mixes: weights, what follows from them, and how they are kept."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridcast.domain.errors import GridcastError
from gridcast.features.station_mix import LEAST_WEIGHT, StationMix, mix_stations, plain_mix

MIX = StationMix(
    ({"a": 0.5, "b": 0.5, "c": 0.0}, {"a": 0.2, "b": 0.0, "c": 0.8}, {"a": 1.0}), {"zone_1": 1, "zone_2": 2}
)


def test_a_series_without_a_mix_of_its_own_gets_the_first() -> None:
    assert MIX.of("zone_1") == {"a": 0.2, "b": 0.0, "c": 0.8}
    assert MIX.of("somebody") == {"a": 0.5, "b": 0.5, "c": 0.0}


def test_series_that_mix_alike_share_a_row() -> None:
    rows = MIX.weights(series_ids=["zone_1", "new", "newer"], station_ids=["a", "b", "c", "unheard_of"])
    assert rows.mix_of_series.tolist() == [1, 0, 0]
    np.testing.assert_array_equal(rows.weights, [[0.5, 0.5, 0, 0], [0.2, 0, 0.8, 0], [1, 0, 0, 0]])


def test_the_weights_are_taken_among_the_stations_that_report() -> None:
    nan = np.nan
    stations = np.array([[10.0, 10.0, nan, nan, nan], [20.0, nan, 20.0, nan, nan], [30.0, 30.0, 30.0, 30.0, nan]])
    mixed = mix_stations(stations, weights=np.array([[0.6, 0.4, 0.0], [0.2, 0.2, 0.6]]))
    np.testing.assert_allclose(mixed.temperature_c, [[14, 10, 20, 30, nan], [24, 25, 27.5, 30, nan]], rtol=1e-6)
    np.testing.assert_array_equal(mixed.is_thin, [[False, False, True, True, True], [False, False, False, False, True]])


def test_exactly_half_of_the_weight_is_enough() -> None:
    assert not mix_stations(np.array([[1.0], [np.nan]]), weights=np.array([[LEAST_WEIGHT, LEAST_WEIGHT]])).is_thin.any()


@given(
    st.lists(st.floats(0.01, 1), min_size=2, max_size=6),
    st.lists(st.lists(st.one_of(st.none(), st.floats(-40, 45)), min_size=6, max_size=6), min_size=1, max_size=5),
)
def test_a_mix_lies_between_its_coldest_and_warmest_station_and_equals_the_weighted_mean(
    shares: list[float], times: list[list[float | None]]
) -> None:
    weights = np.array(shares) / sum(shares)
    stations = np.array(times, dtype=float).T[: len(shares)]
    mixed = mix_stations(stations, weights=weights[np.newaxis]).temperature_c[0]
    for at, value in enumerate(mixed):
        there = np.isfinite(stations[:, at])
        if not there.any():
            assert np.isnan(value)
            continue
        assert value == pytest.approx(np.average(stations[there, at], weights=weights[there]), abs=1e-4)
        assert stations[there, at].min() - 1e-4 <= value <= stations[there, at].max() + 1e-4


def test_a_value_does_not_depend_on_what_stands_beside_it() -> None:
    rng = np.random.default_rng(1)
    stations, weights = rng.normal(10, 8, (7, 300)), rng.dirichlet(np.ones(7), 5)
    whole = mix_stations(stations, weights=weights).temperature_c
    alone = mix_stations(stations[:, 123:124], weights=weights[2:3]).temperature_c
    assert whole[2, 123] == alone[0, 0]


def test_a_mix_survives_being_written_as_json() -> None:
    again = StationMix.from_facts(json.loads(json.dumps(MIX.to_facts())))
    assert again == MIX


@pytest.mark.parametrize(
    ("facts", "message"),
    [
        pytest.param({"mixes": [{"a": 0.4}], "series": {}}, "add up to 1", id="too little"),
        pytest.param({"mixes": [{"a": 1.4, "b": -0.4}], "series": {}}, "add up to 1", id="negative"),
        pytest.param({"mixes": [{"a": 1.0}], "series": {"zone": 1}}, "to name one of 1 mixes", id="no such mix"),
        pytest.param({"mixes": [], "series": {}}, "to name one of 0 mixes", id="none"),
        pytest.param({"mixes": 3}, "cannot be read", id="something else"),
    ],
)
def test_what_is_no_mix_is_refused(facts: dict[str, object], message: str) -> None:
    with pytest.raises(GridcastError, match=message):
        StationMix.from_facts(facts)


def test_the_plain_mix_counts_every_station_alike_for_everybody() -> None:
    assert plain_mix(["x", "y", "z", "w"]).of("anybody") == {"x": 0.25, "y": 0.25, "z": 0.25, "w": 0.25}
