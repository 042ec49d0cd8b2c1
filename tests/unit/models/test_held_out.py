"""What a training run keeps to itself."""

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from gridcast.domain.errors import GridcastError
from gridcast.features.panel import Panel, panel_from_frames
from gridcast.models.tensorflow.held_out import held_out_blocks, split_windows, training_scale

HOUR = timedelta(hours=1)
LEADS = 48


def make_panel(*, days: int) -> Panel:
    start = datetime(2023, 1, 1, tzinfo=UTC)
    times = pl.Series([start + HOUR * step for step in range(24 * days)], dtype=pl.Datetime("us", "UTC"))
    load = np.random.default_rng(1).uniform(5, 9, len(times))
    return panel_from_frames(
        pl.DataFrame({"series_id": ["a"] * len(times), "valid_time": times, "load_mw": load}),
        weather=pl.DataFrame({"valid_time": times, "temperature_c": np.full(len(times), 9.0)}),
        holidays=None,
        time_zones={"a": "Europe/London"},
        interval=HOUR,
        series_ids=["a"],
    )


def test_no_interval_is_a_target_of_training_and_of_a_held_out_window() -> None:
    panel = make_panel(days=200)
    (split,) = split_windows(panel, train_until=190 * 24, leads=LEADS, blocks=4, members=1, held_out_every=7)
    targets = [
        {int(origin) + lead for origin in windows.origin for lead in range(LEADS)}
        for windows in (split.training, split.held_out)
    ]
    assert targets[0].isdisjoint(targets[1])
    assert max(targets[0] | targets[1]) < 190 * 24


def test_members_share_the_blocks_out_and_together_learn_from_everything() -> None:
    panel = make_panel(days=300)
    whole = split_windows(panel, train_until=300 * 24, leads=LEADS, blocks=6, members=1, held_out_every=7)[0]
    parts = split_windows(panel, train_until=300 * 24, leads=LEADS, blocks=6, members=3, held_out_every=7)
    held = [set(part.held_out.origin.tolist()) for part in parts]
    assert set.union(*held) == set(whole.held_out.origin.tolist())
    assert sum(map(len, held)) == len(set.union(*held))
    assert len(set.union(*(set(part.training.origin.tolist()) for part in parts))) == (300 - 14) * 24 - LEADS + 1


def test_a_block_in_a_hole_of_the_history_leaves_no_member_without_any() -> None:
    panel = make_panel(days=300)
    newest = held_out_blocks(panel, train_until=300 * 24, leads=LEADS, blocks=3)[0]
    panel.load_mw[:, newest.start - 24 : newest.end] = np.nan
    splits = split_windows(panel, train_until=300 * 24, leads=LEADS, blocks=3, members=3, held_out_every=7)
    assert all(len(split.held_out.origin) and len(split.training.origin) for split in splits)


def test_held_out_blocks_are_spread_over_the_past_year_and_end_with_the_newest_days() -> None:
    blocks = held_out_blocks(make_panel(days=800), train_until=800 * 24, leads=LEADS, blocks=8)
    assert len(blocks) == 8
    assert blocks[0].end == 800 * 24
    ends = np.array([block.end for block in blocks])
    assert set(np.diff(ends)) == {-(365 * 24 // 8)}
    assert min(block.start for block in blocks) >= 435 * 24


def test_a_short_history_keeps_at_most_a_quarter_to_itself() -> None:
    blocks = held_out_blocks(make_panel(days=80), train_until=80 * 24, leads=LEADS, blocks=8)
    assert 0 < sum(block.end - block.start for block in blocks) <= 0.25 * 66 * 24


@pytest.mark.parametrize("days", [10, 41])
def test_too_little_history_is_refused_with_the_number_of_days_needed(days: int) -> None:
    panel = make_panel(days=days)
    with pytest.raises(GridcastError, match=r"expected at least 4\d days"):
        split_windows(panel, train_until=days * 24, leads=LEADS, blocks=8, members=1, held_out_every=7)


def test_a_history_full_of_holes_is_refused() -> None:
    panel = make_panel(days=100)
    panel.load_mw[:, ::3] = np.nan
    panel.load_mw[:, 1::3] = np.nan
    with pytest.raises(GridcastError, match="complete enough"):
        split_windows(panel, train_until=100 * 24, leads=LEADS, blocks=8, members=1, held_out_every=7)


def test_the_training_scale_is_the_mean_weekly_change_and_positive_for_a_series_that_stands_still() -> None:
    panel = make_panel(days=60)
    panel.load_mw[0, :] = np.repeat(np.arange(60) // 7, 24)
    assert training_scale(panel, train_until=56 * 24)[0] == pytest.approx(1.0)
    panel.load_mw[0, :] = 0.0
    assert training_scale(panel, train_until=56 * 24)[0] > 0.0
