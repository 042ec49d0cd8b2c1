"""What `gridcast quality` says of readings whose every fault is known, through the real commands."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from support.installation import Place

FIRST = datetime(2024, 3, 1, tzinfo=UTC)
DAYS = 42
HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
CONFIG = """
sources:
  hourly: {kind: files, readings: hourly.csv, readings_format: {received: received, text: {time_zone: Europe/London}}}
  quarters: {kind: files, readings: quarters.csv, readings_format: {text: {time_zone: Europe/London, interval: PT15M}}}
quality: {edits: edits.csv, series: {"fine*": {max_load_mw: 400}}}
"""
EDITS = """series_id,start,end,load_mw,author,reason,edited_at
coarse,2024-04-01T10:00+01:00,2024-04-01T12:00+01:00,50.5,kim,meter was tested,2024-04-02T08:00Z
"""
AUDITED = ("valid_time", "raw_load_mw", "load_mw", "quality", "rule", "author", "reason")


def profile(step: timedelta) -> pl.DataFrame:
    """A load with a daily and weekly shape by London's clock."""
    time = pl.datetime_range(FIRST, FIRST + timedelta(days=DAYS), step, closed="left", time_unit="us", eager=True)
    local = time.dt.convert_time_zone("Europe/London")
    hours = (local.dt.hour() + local.dt.minute() / 60).to_numpy()
    noise = np.random.default_rng(7).normal(0, 0.4, len(time))
    load = 60 + 15 * np.sin((hours - 8) * np.pi / 12) - 6 * (local.dt.weekday() > 5).to_numpy() + noise
    return pl.DataFrame({"valid_time": time, "load_mw": load.round(6)})


def hourly() -> pl.DataFrame:
    """Three hours lack, one is a thousand times too large, one is a spike, two come again with other values."""
    rows = profile(HOUR).with_columns(received=pl.col("valid_time") + HOUR, hour=pl.int_range(pl.len()))
    wrong = {500: 1000.0, 600: 6.0}
    factor = pl.col("hour").replace_strict(wrong, default=1.0)
    rows = rows.with_columns(pl.col("load_mw") * factor).filter(~pl.col("hour").is_in([700, 701, 702]))
    again = rows.filter(pl.col("hour").is_in([100, 101])).with_columns(
        pl.col("load_mw") + 1, pl.col("received") + timedelta(days=1)
    )
    return pl.concat([rows, again]).drop("hour")


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("quality"))
    (place.directory / "config").mkdir()
    (place.directory / "config" / "pipeline_config.yaml").write_text(CONFIG)
    (place.directory / "edits.csv").write_text(EDITS)
    for name, series_id, rows in (("hourly", "coarse", hourly()), ("quarters", "fine", profile(QUARTER))):
        texts = rows.with_columns(pl.col(pl.Datetime).dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
        texts.with_columns(series_id=pl.lit(series_id)).write_csv(place.directory / f"{name}.csv")
    place.run("ingest")
    place.run("prepare")
    return place


def by_series(rows: list[dict[str, Any]], series_id: str) -> dict[str, Any]:
    return next(row for row in rows if row["series_id"] == series_id)


def test_raw_energy_is_processed_energy_and_itemised_corrections(cleaned: Place) -> None:
    energy = cleaned.json("quality")["energy"]

    raw = {"coarse": hourly()["load_mw"].sum(), "fine": profile(QUARTER)["load_mw"].sum() / 4}
    for series_id, received in raw.items():
        row = by_series(energy, series_id)
        causes = {
            name: value for name, value in row.items() if name not in {"series_id", "received", "removed", "processed"}
        }
        assert row["received"] == pytest.approx(received, rel=1e-9)
        assert row["received"] - row["removed"] + sum(causes.values()) == pytest.approx(row["processed"], rel=1e-9)
    system = by_series(energy, "system")["processed"]
    assert system == pytest.approx(sum(by_series(energy, each)["processed"] for each in raw), rel=1e-9)


def test_every_fault_is_listed_with_the_rule_that_found_it(cleaned: Place) -> None:
    found = cleaned.json("quality", "--series", "coarse")

    rows = {row["name"]: row["rows"] for row in found["rules"]}
    assert rows == {
        "duplicate": 2,
        "edit": 2,
        "gap": 3,
        "like_days": 3,
        "spike": 1,
        "interpolated": 1,
        "unit_slip": 1,
        "rescaled": 1,
    }
    assert by_series(found["worst"], "coarse")["main_rule"] == "gap"
    assert "2 edited" in found["summary"]
    assert "agree" in found["summary"]


def test_the_audit_names_raw_value_rule_author_and_reason_of_every_change(cleaned: Place) -> None:
    audit = cleaned.directory / "audit.csv"

    cleaned.run("quality", "--audit", str(audit))

    rows = pl.read_csv(audit, try_parse_dates=True)
    assert rows.height == 2 + 3 + 1 + 1
    edited = rows.filter(pl.col("quality") == "edited").select(AUDITED[2:]).unique()
    assert edited.rows() == [(50.5, "edited", "edit", "kim", "meter was tested")]
    slipped = rows.filter(pl.col("rule").str.starts_with("unit_slip"))
    assert slipped["raw_load_mw"].item() == pytest.approx(1000 * slipped["load_mw"].item())


def test_a_wrong_edit_fails_before_any_work_starts(cleaned: Place, copy_of: Callable[[Place], Place]) -> None:
    place = copy_of(cleaned)
    before = (place.directory / "data" / "processed" / "manifest.json").read_text()
    (place.directory / "edits.csv").write_text(EDITS.replace("50.5", "a lot").replace("kim", ""))

    told = place.run("prepare", code=2).stderr

    assert "edits.csv:2" in told
    assert (place.directory / "data" / "processed" / "manifest.json").read_text() == before


def test_coarser_series_are_refused_unless_upsampling_is_asked_for(
    cleaned: Place, copy_of: Callable[[Place], Place]
) -> None:
    place = copy_of(cleaned)
    quarters = {"GRIDCAST_PIPELINE__INTERVAL": "PT15M"}

    told = place.run("prepare", env=quarters, code=1).stderr
    place.run("prepare", env={**quarters, "GRIDCAST_PIPELINE__UPSAMPLE": "true"})

    assert "'coarse'" in told
    assert "upsample" in told
    rules = {row["name"] for row in place.json("quality", "--series", "coarse")["rules"]}
    assert "upsampled" in rules


def test_an_audit_that_cannot_be_named_is_refused(tmp_path: Path, cleaned: Place) -> None:
    told = cleaned.run("quality", "--audit", str(tmp_path / "audit.txt"), code=2).stderr
    assert "--audit" in told
    assert ".csv or .parquet" in told
