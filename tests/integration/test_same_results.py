"""Batch and real time come to the same clean readings and forecasts, whatever the size of a tick, after any restart."""

import contextlib
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal
from support.installation import GRIDCAST, ZONES, Place
from support.killing import kill_after_progress

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CLEAN_READINGS
from gridcast.store.store import Store
from gridcast.workflows.readings.processed import Processed

WEEKS = timedelta(weeks=4)
END = datetime(2008, 6, 30, 11, tzinfo=UTC)
FAULTY = 0.05
"""Share of the readings of these weeks."""
KEY = ["series_id", "valid_time"]


@pytest.fixture(scope="module")
def faulty(promoted: Place, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Prepared once more from files in which a twentieth of the last four weeks is wrong."""
    place = Place(Path(shutil.copytree(promoted.directory, tmp_path_factory.mktemp("faulty") / "place")))
    file = place.directory / "readings.csv"
    spoilt(pl.read_csv(file, infer_schema=False)).write_csv(file)
    place.run("ingest")
    place.run("prepare")
    return place


def spoilt(rows: pl.DataFrame) -> pl.DataFrame:
    """Rows of the file with readings lost, doubled, repeated, negative, ten times or a thousand times too large."""
    rng = np.random.default_rng(4)
    is_late = pl.col("ds") >= (END - WEEKS).strftime("%Y-%m-%d")
    early, late = rows.filter(~is_late), rows.filter(is_late).with_row_index("row")
    wrong = rng.permutation(late.height)[: int(FAULTY * late.height)]
    lost, doubled, negative, spike, slipped, stuck = np.array_split(wrong, 6)
    load = pl.col("y").cast(pl.Float64, strict=False)
    is_stuck = (pl.col("row") // 8).is_in(np.unique(stuck // 8)[: len(stuck) // 8].tolist())
    changed = (
        pl.when(pl.col("row").is_in(negative.tolist()))
        .then(-load)
        .when(pl.col("row").is_in(spike.tolist()))
        .then(load * 10)
        .when(pl.col("row").is_in(slipped.tolist()))
        .then(load * 1000)
        .when(is_stuck)
        .then(load.first().over(pl.col("row") // 8))
        .otherwise(load)
    )
    spoilt_rows = late.filter(~pl.col("row").is_in(lost.tolist())).with_columns(y=changed.cast(pl.String))
    again = late.filter(pl.col("row").is_in(doubled.tolist())).with_columns(y=(load * 1.01).cast(pl.String))
    return pl.concat([early, spoilt_rows.drop("row"), again.drop("row")])


@pytest.mark.parametrize(
    ("last", "every", "kills"),
    [("P28D", "P1D", 0), ("P28D", "PT17H", 2), ("P28D", "P9D", 1), ("P3D", "PT1H", 1)],
    ids=["a day", "17 hours, killed twice", "9 days, killed", "an hour, killed"],
)
def test_a_stream_comes_to_what_the_batch_run_comes_to(
    faulty: Place, tmp_path: Path, last: str, every: str, kills: int
) -> None:
    place = Place(Path(shutil.copytree(faulty.directory, tmp_path / "place")))
    path = place.directory / "data" / "gridcast.db"
    options = ("stream", "--last", last, "--every", every)
    for number in range(kills):
        kill_after_progress(place, path, (GRIDCAST, *options), seconds=0.3 + number)
    assert place.json(*options)["ticks"] > 0

    processed = Processed.open(place.directory / "data" / "processed")
    start = processed.observed_until - (WEEKS if last == "P28D" else timedelta(days=3))
    batch = processed.readings(start=start).select(CLEAN_READINGS.names()).sort(KEY)
    with contextlib.closing(Store.open(path)) as store:
        streamed = store.readings(start=start, end=END).sort(KEY)
        issued = store.forecasts(start=END, end=END + timedelta(hours=1)).sort(KEY)
    assert set(batch["quality"]) >= {"good", "estimated"}
    assert set(batch["series_id"]) == {*ZONES, "system"}
    assert_frame_equal(streamed, batch, check_exact=True)

    again = pl.DataFrame(place.json("forecast", "--dry-run")["forecasts"]).sort("series_id", "valid_time")
    assert issued.height == again.height
    for column in QUANTILE_COLUMNS:
        np.testing.assert_allclose(issued[column], again[column], rtol=1e-5, err_msg=column)
