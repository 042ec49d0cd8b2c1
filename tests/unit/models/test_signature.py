"""The signature of the default model is frozen: programs that call an exported model rely on it."""

import json
from datetime import timedelta
from pathlib import Path

from gridcast.models.tensorflow.export import signature
from gridcast.models.tensorflow.spec import NetworkSpec

FROZEN = Path(__file__).parents[2] / "fixtures/signature_48h_hourly.json"


def test_the_signature_of_two_days_by_the_hour_is_the_frozen_one() -> None:
    now = json.dumps(signature(NetworkSpec(48, timedelta(hours=1))), indent=1, ensure_ascii=False) + "\n"

    assert now == FROZEN.read_text(encoding="utf-8"), (
        "inputs or output of exported models have changed, and programs that call them break. If that is meant: write "
        f"the text on the left to {FROZEN.name}, raise the version and say in CHANGELOG.md what callers have to do."
    )
