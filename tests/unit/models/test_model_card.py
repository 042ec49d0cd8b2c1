"""What a model says of itself."""

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from gridcast.domain.quantiles import QUANTILE_LEVELS
from gridcast.models.tensorflow.artefact import STATION_MIX, Manifest, read_manifest
from gridcast.models.tensorflow.calibration import HeldOut
from gridcast.models.tensorflow.held_out_scores import held_out_scores
from gridcast.models.tensorflow.model_card import DATA_LICENCE, WEATHER_KNOWN, card_facts, model_card

HOUR = timedelta(hours=1)
SPREAD = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])


def make_manifest() -> Manifest:
    return Manifest(
        files={},
        gridcast="1.2.3",
        series_ids=("north", "south"),
        leads=48,
        interval=HOUR,
        quantiles=QUANTILE_LEVELS,
        lead_correlation=(1.0,) * 48,
        trained_from="2024-01-01T00:00:00+00:00",
        trained_until="2025-06-01T05:00:00+00:00",
        seed=7,
        spec={"network": {"size": {"width": 64}}, "training": {"members": 3, "blind_share": 0.25}},
        metadata={
            STATION_MIX: None,
            WEATHER_KNOWN: "observed temperatures (ex-post)",
            DATA_LICENCE: "CC0",
            "data_fingerprint": "abc",
        },
        held_out_scores=(
            {"lead_bucket": "all", "n": 1200, "pinball_mw": 2.5, "wape": 0.031}
            | {"coverage_80_raw": 0.72, "coverage_80": 0.8, "coverage_90_raw": 0.85, "coverage_90": 0.9},
        ),
    )


def test_held_out_scores_are_told_before_and_after_calibration_and_by_lead_bucket() -> None:
    target = np.full((4, 8), 100.0)
    target[0] = 102.5
    target[3, 7] = np.nan
    narrow = np.broadcast_to(100.0 + SPREAD, (4, 8, 7))
    zeros = np.zeros(4, dtype=np.int32)
    held_out = HeldOut(target, narrow, np.zeros((4, 8)), zeros, zeros)

    everything, first, second = held_out_scores(held_out, calibrated_mw=100.0 + 2 * (narrow - 100.0), interval=HOUR)

    assert [each["lead_bucket"] for each in (everything, first, second)] == ["all", "0–6 h", "6–12 h"]
    assert [each["n"] for each in (everything, first, second)] == [31, 24, 7]
    assert (first["coverage_80_raw"], first["coverage_80"], first["coverage_90_raw"]) == (0.75, 1.0, 1.0)
    assert first["wape"] == pytest.approx(2.5 / 402.5)
    assert first["pinball_mw"] == pytest.approx((18 * 2.4 + 6 * 4.15) / (24 * 7))
    assert second["pinball_mw"] == pytest.approx((5 * 2.4 + 2 * 4.15) / (7 * 7))


def test_the_card_tells_facts_scores_and_settings() -> None:
    card = model_card(make_manifest())

    assert "- **Training data.** 2024-01-01 00:00 to 2025-06-01 05:00 UTC." in card
    assert "- **Weather learned from.** Observed temperatures (ex-post)." in card
    assert "- **Data licence.** CC0." in card
    assert "operating and buying decisions up to 48 hours ahead" in card
    assert "| all | 1,200 | 2.5 | 3.1 % | 72.0 % | 80.0 % | 85.0 % | 90.0 % |" in card
    assert "| `network.size.width` | 64 |" in card
    assert "25% of the windows" in card


def test_facts_that_nobody_knows_are_not_made_up() -> None:
    facts = card_facts(replace(make_manifest(), metadata={}, spec={}, held_out_scores=()))

    assert facts["Data fingerprint"] == facts["Weather learned from"] == "?"
    assert "Data licence" not in facts
    assert "%" not in facts["Calibration"]


def test_the_same_card_comes_from_the_manifest_as_it_is_read_back(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text(make_manifest().to_json(), encoding="utf-8")

    assert model_card(read_manifest(tmp_path)) == model_card(make_manifest())
    assert json.loads(make_manifest().to_json())["held_out_scores"][0]["n"] == 1200
