"""The sentence that sums up what cleaning did to a history."""

from pathlib import Path

import polars as pl
import pytest
from support.processed_history import write_history

from gridcast.quality.summary import QUALITY_COUNTS
from gridcast.workflows.readings.review_quality import review_quality


@pytest.mark.parametrize(
    ("received", "verdict"),
    [
        pytest.param(1e9 + 100, "agree", id="all of it accounted for"),
        pytest.param(1e9 + 101, "DO NOT AGREE", id="one MWh in a hundred lost beside a garbage reading"),
    ],
)
def test_energy_must_agree_to_a_millionth_of_what_was_processed(tmp_path: Path, received: float, verdict: str) -> None:
    rows = [
        ("zone_n", "received", "readings", 2, received),
        ("zone_n", "rule", "above_maximum", 1, -1e9),
        ("zone_n", "quality", "good", 1, 100.0),
        ("zone_n", "quality", "bad", 1, 0.0),
    ]
    processed = write_history(tmp_path, days=2, forecasts=False)
    pl.DataFrame(rows, schema=QUALITY_COUNTS, orient="row").write_parquet(tmp_path / "counts.parquet")

    told = review_quality(processed, series_ids=["zone_n"], worst=3).verdict

    assert f"energy received and processed {verdict} up to" in told
