"""Learning which stations a series listens to."""

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

from gridcast.domain.tables import UTC_TIME, WEATHER
from gridcast.features.panel import Panel, panel_from_frames
from gridcast.features.station_choice import MOST_MIXES, learn_station_mix
from gridcast.features.station_mix import StationMix
from gridcast.features.station_reports import Reports, reports_on

START = datetime(2022, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
STATIONS = ("s0", "s1", "s2", "s3", "s4")
TRUTH = {"one": (1, 0, 0, 0, 0), "two": (0, 0.5, 0.5, 0, 0), "three": (0, 0, 0, 0.75, 0.25)}
Floats = npt.NDArray[np.float64]


def temperatures(days: int, *, seed: int = 3) -> Floats:
    """A common year and five stations that go their own ways for days, (station, hour)."""
    rng = np.random.default_rng(seed)
    hours = np.arange(days * 24)
    season = 12 - 10 * np.cos(hours * 2 * np.pi / (365.25 * 24)) + 4 * np.sin((hours - 8) * 2 * np.pi / 24)
    own = np.repeat(rng.normal(0, 4, (len(STATIONS), days + 1)), 24, axis=1)[:, : days * 24]
    return season + own


def loads(stations: Floats, *, weights: tuple[float, ...], seed: int) -> Floats:
    """Heating below 16 °C and cooling above 21 °C of a mix, on top of a daily and weekly shape."""
    rng = np.random.default_rng(seed)
    hours = np.arange(stations.shape[1])
    felt = np.array(weights) @ stations
    shape = 100 + 15 * np.sin((hours - 6) * 2 * np.pi / 24) - 12 * (hours // 24 % 7 > 4)
    weather = 2.0 * np.maximum(16 - felt, 0) + 3.0 * np.maximum(felt - 21, 0)
    return shape + weather + rng.normal(0, 3, len(hours))


def plant(
    stations: Floats, series: dict[str, Floats], *, zones: tuple[str, ...] = ("Europe/London",)
) -> tuple[Panel, Reports]:
    count = stations.shape[1]
    times = pl.Series([START + HOUR * step for step in range(count)], dtype=UTC_TIME)
    weather = pl.concat(
        pl.DataFrame(
            {"station_id": name, "valid_time": times, "temperature_c": values, "available_at": times + HOUR}
        ).cast(WEATHER)
        for name, values in zip(STATIONS, stations, strict=False)
    )
    readings = pl.concat(
        pl.DataFrame({"series_id": name, "valid_time": times, "load_mw": values}).drop_nans("load_mw")
        for name, values in series.items()
    )
    panel = panel_from_frames(
        readings,
        weather=weather,
        holidays=None,
        time_zones={name: zones[place % len(zones)] for place, name in enumerate(series)},
        interval=HOUR,
        series_ids=list(series),
    )
    return panel, reports_on(weather, time=panel.time, interval=HOUR)


def learned(panel: Panel, reports: Reports, *, until: int | None = None) -> StationMix:
    return learn_station_mix(panel, reports, until=len(panel.time) if until is None else until)


def vector(mix: StationMix, series: str) -> Floats:
    return np.array([mix.of(series).get(name, 0.0) for name in STATIONS])


def distance(weights: Floats, truth: tuple[float, ...]) -> float:
    return float(np.abs(weights - np.array(truth)).sum())


@pytest.mark.parametrize("zones", [("Europe/London",), ("Europe/London", "America/New_York")])
def test_the_stations_that_made_the_loads_are_found(zones: tuple[str, ...]) -> None:
    stations = temperatures(400)
    series = {name: loads(stations, weights=truth, seed=len(name)) for name, truth in TRUTH.items()}
    mix = learned(*plant(stations, series, zones=zones))
    plain = np.full(5, 0.2)
    for name, truth in TRUTH.items():
        weights = vector(mix, name)
        assert weights.sum() == pytest.approx(1)
        assert (weights >= 0).all()
        assert distance(weights, truth) < 0.5 * distance(plain, truth), name


def test_a_learned_mix_fits_unseen_weeks_better_than_the_plain_mean() -> None:
    stations = temperatures(450)
    series = {name: loads(stations, weights=truth, seed=9) for name, truth in TRUTH.items()}
    cut = 366 * 24
    mix = learned(*plant(stations, series), until=cut)
    for name, truth in TRUTH.items():
        felt = np.array(truth) @ stations[:, cut:]
        errors = [np.abs(weights @ stations[:, cut:] - felt).mean() for weights in (vector(mix, name), np.full(5, 0.2))]
        assert errors[0] < 0.5 * errors[1], name


def test_a_load_that_cares_for_no_weather_keeps_the_plain_mean() -> None:
    stations = temperatures(400)
    indifferent = loads(stations, weights=(0, 0, 0, 0, 0), seed=4)
    indifferent -= indifferent.mean()
    mix = learned(*plant(stations, {"factory": 50 + indifferent}))
    assert "factory" not in mix.of_series
    np.testing.assert_allclose(vector(mix, "factory"), 0.2)


def test_nothing_after_the_cut_changes_the_mix() -> None:
    stations, cut = temperatures(300), 250 * 24
    series = {name: loads(stations, weights=truth, seed=2) for name, truth in TRUTH.items()}
    before = learned(*plant(stations, series), until=cut)
    stations[:, cut:] = -99.0
    for values in series.values():
        values[cut:] = 1e6
    assert learned(*plant(stations, series), until=cut) == before


def test_the_newest_hour_before_the_cut_does_change_what_is_learned_from() -> None:
    stations = temperatures(120)
    series = {"one": loads(stations, weights=TRUTH["one"], seed=2)}
    mix = learned(*plant(stations, series))
    stations[[0, 4]] = stations[[4, 0]]
    other = learned(*plant(stations, series))
    assert vector(mix, "one")[0] == vector(other, "one")[4] > 0.7


def test_holes_in_loads_and_silent_stations_do_not_hide_the_truth() -> None:
    stations = temperatures(500)
    series = {name: loads(stations, weights=truth, seed=5) for name, truth in TRUTH.items()}
    series["one"][: 200 * 24] = np.nan
    series["two"][300 * 24 : 340 * 24] = np.nan
    stations[0, 100 * 24 : 120 * 24] = np.nan
    mix = learned(*plant(stations, series))
    for name, truth in TRUTH.items():
        assert distance(vector(mix, name), truth) < 0.8 * distance(np.full(5, 0.2), truth), name


def test_too_short_a_history_or_a_single_station_teaches_nothing() -> None:
    stations = temperatures(50)
    series = {"one": loads(stations, weights=TRUTH["one"], seed=2)}
    assert learned(*plant(stations, series)).of_series == {}
    stations = temperatures(400)[:1]
    series = {"one": loads(stations, weights=(1,), seed=2)}
    assert learned(*plant(stations, series)).mixes == ({"s0": 1.0},)


def test_many_series_share_few_mixes() -> None:
    stations = temperatures(100)
    rng = np.random.default_rng(8)
    series = {
        f"m{place:03d}": loads(stations, weights=tuple(rng.dirichlet(np.ones(5))), seed=place) for place in range(300)
    }
    mix = learned(*plant(stations, series))
    assert 1 < len(mix.mixes) <= MOST_MIXES
    assert len(mix.of_series) > 200
