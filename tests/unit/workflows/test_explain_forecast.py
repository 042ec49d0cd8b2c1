"""Explanations speak of the forecasts that are issued, add up to their difference, and say what really moved it."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from support.formula import LEADS, MW_ON_HOLIDAY, MW_PER_DEGREE, formula_forecaster, without_first_series
from support.processed_history import HOUR, START, TIME_ZONE, write_history

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.domain.tables import SPECIAL_DAYS, DayKind
from gridcast.evaluation.attribution import side_by_side
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.workflows.forecasts.explain_forecast import INPUT_GROUPS, explain_against, explain_daily, explain_since
from gridcast.workflows.forecasts.explained import Explained, keep_explanation
from gridcast.workflows.forecasts.explanation_words import in_words
from gridcast.workflows.forecasts.issue_forecast import issue_forecast
from gridcast.workflows.forecasts.known import known_at
from gridcast.workflows.forecasts.refresh import refresh_at
from gridcast.workflows.readings.processed import WEATHER_FILE, Processed

ISSUE = START + timedelta(days=100, hours=7)
SINCE = ISSUE - 5 * HOUR
READINGS = Path("readings/month=all/all.parquet")


@pytest.fixture(scope="module")
def processed(tmp_path_factory: pytest.TempPathFactory) -> Processed:
    return write_history(tmp_path_factory.mktemp("history") / "processed", days=102)


@pytest.fixture(scope="module")
def forecaster(processed: Processed) -> Forecaster:
    return formula_forecaster(processed)


@pytest.fixture(scope="module")
def against(forecaster: Forecaster, processed: Processed) -> pl.DataFrame:
    return explain_against(forecaster, processed, asked(ISSUE, "system", "zone_s"), days=7)


@pytest.fixture(scope="module")
def since(forecaster: Forecaster, processed: Processed) -> pl.DataFrame:
    return explain_since(forecaster, processed, asked(ISSUE, "system", "zone_s"), since=SINCE)


def asked(issue_time: datetime = ISSUE, *series_ids: str) -> Explained:
    return Explained(series_ids or ("system",), issue_time, "1")


def changed(
    processed: Processed, folder: Path, *, file: Path, change: Callable[[pl.DataFrame], pl.DataFrame]
) -> Processed:
    """The same history with another table."""
    for source in (each for each in processed.directory.rglob("*") if each.is_file()):
        target = folder / source.relative_to(processed.directory)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.symlink_to(source)
    (folder / file).unlink()
    change(pl.read_parquet(processed.directory / file)).write_parquet(folder / file)
    return replace(processed, directory=folder)


def issued(forecaster: Forecaster, processed: Processed, issue_time: datetime) -> pl.DataFrame:
    rows = issue_forecast(forecaster, known_at(processed, issue_time), issue_time=issue_time, model_version="1")
    return rows.select("series_id", "valid_time", "p10", "p50", "p90")


def test_all_forecasts_are_those_that_were_issued(
    forecaster: Forecaster, processed: Processed, against: pl.DataFrame, since: pl.DataFrame
) -> None:
    times = (ISSUE, ISSUE - timedelta(days=7), SINCE)
    newest, week_ago, earlier = (issued(forecaster, processed, each) for each in times)
    for explained, column, rows, of in (
        (against, "forecast_mw", newest, "valid_time"),
        (against, "reference_mw", week_ago, "reference_valid_time"),
        (since, "forecast_mw", newest, "valid_time"),
        (since, "reference_mw", earlier, "valid_time"),
    ):
        both = side_by_side(explained).join(rows.rename({"valid_time": of}, strict=True), on=["series_id", of])
        assert both.height == side_by_side(explained).height
        assert both[column].to_list() == both["p50"].to_list()
        assert_allclose(both[f"width_80_{column}"], both["p90"] - both["p10"], rtol=1e-6)
    assert side_by_side(since).height == 2 * (LEADS - 5)


def test_contributions_add_up_to_the_difference(against: pl.DataFrame, since: pl.DataFrame) -> None:
    for rows in (against, since):
        keys = ["series_id", "valid_time", "quantity", "forecast_mw", "reference_mw"]
        sums = rows.group_by(keys).agg(pl.col("contribution_mw").sum())
        assert_allclose(sums["contribution_mw"], sums["forecast_mw"] - sums["reference_mw"], atol=1e-9)


def test_each_group_contributes_what_the_formula_makes_of_its_change(
    forecaster: Forecaster, processed: Processed, tmp_path: Path
) -> None:
    feast = pl.DataFrame([(ISSUE.date(), "feast", DayKind.HOLIDAY.value, None)], schema=SPECIAL_DAYS, orient="row")
    with_holiday = changed(
        processed,
        tmp_path,
        file=Path("holidays.parquet"),
        change=lambda rows: pl.concat([rows, feast]),
    )
    hours = side_by_side(explain_against(forecaster, with_holiday, asked(), days=7))
    temperature = {
        moment: processed.weather(start=moment, end=moment + LEADS * HOUR, known_at=moment)
        .sort("available_at")
        .group_by("valid_time", "station_id")
        .last()
        .group_by("valid_time")
        .agg(pl.col("temperature_c").mean())
        .sort("valid_time")["temperature_c"]
        .to_numpy()
        for moment in (ISSUE, ISSUE - timedelta(days=7))
    }
    warmer = temperature[ISSUE] - temperature[ISSUE - timedelta(days=7)]
    assert_allclose(hours["weather_mw"], MW_PER_DEGREE * warmer, atol=1e-3)
    assert_allclose(hours["calendar_mw"], MW_ON_HOLIDAY, atol=1e-3)
    assert_allclose(hours["width_80_calendar_mw"], 1 + np.arange(LEADS), atol=1e-3)
    assert_allclose(hours["width_80_weather_mw"], 0, atol=1e-3)


def test_every_input_of_a_model_belongs_to_one_group(forecaster: Forecaster) -> None:
    grouped = [name for names in INPUT_GROUPS.values() for name in names]
    assert sorted([*grouped, "series"]) == sorted(forecaster.signature)


@pytest.mark.parametrize(
    ("issue_time", "days"),
    [
        pytest.param(datetime(2024, 3, 30, 20, tzinfo=UTC), 7, id="clocks go forward in the horizon"),
        pytest.param(datetime(2024, 4, 6, 19, tzinfo=UTC), 7, id="they went forward in the reference window"),
        pytest.param(datetime(2024, 4, 2, 7, tzinfo=UTC), 7, id="they went forward between the two"),
        pytest.param(datetime(2024, 4, 2, 7, tzinfo=UTC), 1, id="they did not change"),
    ],
)
def test_hours_are_compared_with_the_same_wall_time(
    forecaster: Forecaster, processed: Processed, issue_time: datetime, days: int
) -> None:
    hours = side_by_side(explain_against(forecaster, processed, asked(issue_time), days=days))
    london = ZoneInfo(TIME_ZONE)
    pairs = [
        (valid.astimezone(london).replace(tzinfo=None), reference.astimezone(london).replace(tzinfo=None))
        for valid, reference in hours.select("valid_time", "reference_valid_time").iter_rows()
    ]
    is_skipped = {f"{valid:%d %H}" for valid, reference in pairs if valid - reference != timedelta(days=days)}
    assert is_skipped <= {"07 01"}, "01:00 did not come on 31 March; what stands in for it is 02:00"


def test_readings_that_come_as_forecast_are_no_news(
    forecaster: Forecaster, processed: Processed, since: pl.DataFrame, tmp_path: Path
) -> None:
    then = issued(forecaster, processed, SINCE).filter(pl.col("valid_time") < ISSUE)
    expected = then.select("series_id", "valid_time", "p50")
    as_forecast = changed(
        processed,
        tmp_path,
        file=READINGS,
        change=lambda rows: rows.update(expected.rename({"p50": "load_mw"}), on=["series_id", "valid_time"]),
    )
    no_news = side_by_side(explain_since(forecaster, as_forecast, asked(), since=SINCE))
    assert no_news["newer_readings_mw"].abs().max() == 0
    assert side_by_side(since)["newer_readings_mw"].abs().max() > 0.1


def test_a_reading_that_came_late_is_news_where_the_model_looks_at_it(
    forecaster: Forecaster, processed: Processed, since: pl.DataFrame, tmp_path: Path
) -> None:
    late = SINCE - 15 * HOUR
    came = pl.when(valid_time=late).then(SINCE + 2 * HOUR).otherwise("available_at")
    history = changed(
        processed, tmp_path, file=READINGS, change=lambda rows: rows.with_columns(came.alias("available_at"))
    )
    hours = side_by_side(explain_since(forecaster, history, asked(), since=SINCE))
    added = hours["newer_readings_mw"] - side_by_side(since.filter(series_id="system"))["newer_readings_mw"]
    load = dict(processed.readings(series_ids=["system"]).select("valid_time", "load_mw").iter_rows())
    expected = np.zeros(LEADS - 5)
    expected[4] = (load[late] - load[late - 24 * HOUR]) / 2
    assert_allclose(
        added, expected, atol=1e-3, err_msg="the day before the fifth hour is late; that before it stood in"
    )


def test_weather_is_news_only_where_forecasts_of_it_are_kept(
    forecaster: Forecaster, processed: Processed, since: pl.DataFrame, tmp_path: Path
) -> None:
    observed_alone = changed(
        processed,
        tmp_path,
        file=Path(WEATHER_FILE),
        change=lambda rows: rows.filter(pl.col("available_at") > pl.col("valid_time")),
    )
    assert side_by_side(since)["newer_weather_mw"].abs().min() > 0
    without = side_by_side(explain_since(forecaster, observed_alone, asked(), since=SINCE))
    assert without["newer_weather_mw"].abs().max() == 0


def test_the_rest_is_the_shorter_lead(since: pl.DataFrame) -> None:
    """The formula's band is 1 MW narrower for each hour less."""
    hours = side_by_side(since)
    assert_allclose(hours["width_80_nearer_issue_time_mw"], -5, atol=1e-3)
    assert_allclose(hours["width_80_newer_readings_mw"], 0, atol=1e-3)


@pytest.mark.parametrize("away", [timedelta(0), LEADS * HOUR, -HOUR])
def test_forecasts_without_a_common_interval_are_refused(
    forecaster: Forecaster, processed: Processed, away: timedelta
) -> None:
    with pytest.raises(UsageError, match="have no interval in common"):
        explain_since(forecaster, processed, asked(), since=ISSUE - away)


def test_a_reference_before_the_history_is_refused(forecaster: Forecaster, processed: Processed) -> None:
    with pytest.raises(GridcastError, match="no readings in the 32 days before it"):
        explain_against(forecaster, processed, asked(START + timedelta(days=5)), days=7)


def test_daily_explanations_are_those_of_each_day(forecaster: Forecaster, processed: Processed) -> None:
    rows = explain_daily(forecaster, processed, asked(), days=7, last=2)
    days = [ISSUE - timedelta(days=back) for back in range(2)]
    assert rows["issue_time"].unique(maintain_order=True).to_list() == days
    one = explain_against(forecaster, processed, asked(days[1]), days=7)
    assert rows.filter(issue_time=days[1]).equals(one)


def test_a_kept_explanation_can_be_read_and_is_replaced(against: pl.DataFrame, tmp_path: Path) -> None:
    keep_explanation(against.head(1), tmp_path, name="against_P7D")
    path = keep_explanation(against, tmp_path, name="against_P7D")
    assert path == tmp_path / "1" / "20240410T0700Z_against_P7D.parquet"
    assert pl.read_parquet(path).equals(against)
    assert [each for each in tmp_path.rglob("*") if each.is_file()] == [path]


def test_words_name_the_largest_contribution_first_and_tell_local_time() -> None:
    noon = datetime(2024, 7, 3, 11, tzinfo=UTC)
    hour = {
        "series_id": "system",
        "valid_time": noon,
        "reference_valid_time": noon - timedelta(days=7),
        "reference_issue_time": noon - timedelta(days=8),
        "forecast_mw": 1834.4,
        "change_mw": 42.04,
        "weather_mw": -2.0,
        "calendar_mw": 0.0,
        "recent_load_mw": 44.04,
        "width_80_forecast_mw": 120.04,
        "width_80_change_mw": -0.5,
        "width_80_weather_mw": -0.6,
        "width_80_calendar_mw": 0.1,
        "width_80_recent_load_mw": 0.0,
    }
    groups = ("weather", "calendar", "recent_load")
    assert in_words(hour, groups=groups, time_zone="Europe/London") == (
        "forecast of system for Wed 3 Jul 2024, 12:00 (Europe/London): 1,834.4 MW, +42.0 MW (recent load +44.0, "
        "weather −2.0, calendar +0.0) against that of the same wall time 7 days before; 80 % band: 120.040 MW, "
        "−0.500 MW (weather −0.600, calendar +0.100, recent load +0.000)"
    )
    later = in_words({**hour, "reference_valid_time": noon}, groups=groups, time_zone="Europe/London")
    assert "against the one issued Tue 12:00; 80 % band" in later


def test_it_speaks_of_the_forecast_as_it_was_issued_with_refreshed_bands_and_new_series_as_their_kin(
    forecaster: Forecaster, processed: Processed
) -> None:
    model = without_first_series(forecaster)
    new = forecaster.series_ids[0]
    known = known_at(processed, ISSUE)
    refresh = refresh_at(model, known, issue_time=ISSUE)
    issued = issue_forecast(model, known, issue_time=ISSUE, model_version="1", refresh=refresh)
    wanted = asked(ISSUE, new, "system")
    told = {
        "against": explain_against(model, processed, wanted, days=7, refresh=refresh),
        "since": explain_since(model, processed, wanted, since=SINCE, refresh=refresh),
    }
    for name, rows in told.items():
        hours = side_by_side(rows)
        both = hours.join(issued, on=["series_id", "valid_time"])
        assert both.height == hours.height
        assert_allclose(both["forecast_mw"], both["p50"], rtol=1e-4, err_msg=name)
        assert_allclose(both["width_80_forecast_mw"], both["p90"] - both["p10"], rtol=1e-3, err_msg=name)
        groups = rows["input_group"].unique()
        total = hours.select(pl.sum_horizontal(f"{group}_mw" for group in groups)).to_series()
        assert_allclose(total, hours["change_mw"], atol=1e-6, err_msg=name)
    plain = issue_forecast(model, known, issue_time=ISSUE, model_version="1")
    assert np.abs(plain.filter(series_id=new)["p50"] - issued.filter(series_id=new)["p50"]).max() > 100
