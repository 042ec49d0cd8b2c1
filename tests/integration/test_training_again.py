"""Training and exporting a second time: the same, and in place of the first."""

from pathlib import Path

import numpy as np
import pytest
from support.tiny_model import some_inputs, train, trained

from gridcast.domain.errors import GridcastError
from gridcast.models.tensorflow.export import save
from gridcast.models.tensorflow.train import Progress


def test_the_same_seed_gives_the_same_forecast_and_progress_is_told() -> None:
    told: list[Progress] = []
    again = train(told=told)
    np.testing.assert_allclose(again.predict(some_inputs()), trained().predict(some_inputs()), rtol=1e-4)
    done = [each.done for each in told]
    assert done == sorted(done)
    assert done[-1] == 1.0
    assert told[-1].member == len(again.losses)
    assert told[-1].held_out_loss in {epochs[-1].held_out for epochs in again.losses}


def test_an_export_replaces_the_one_before_and_a_failed_one_leaves_it_alone(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "leftover").write_text("old")
    save(trained(), target)
    assert not (target / "leftover").exists()
    (tmp_path / "file").write_text("")
    with pytest.raises(GridcastError, match="cannot be written"):
        save(trained(), tmp_path / "file" / "model")
