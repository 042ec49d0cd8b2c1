"""What a training run keeps of itself in case it is interrupted."""

import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from gridcast.models.tensorflow.checkpoint import Checkpoint, MemberState

LOSSES = ((0.3, 0.4), (0.2, float("nan")))


def a_state(seed: int, *, losses: tuple[tuple[float, float], ...] = LOSSES) -> MemberState:
    """More variables of each kind than one digit counts, of every kind of shape."""
    rng = np.random.default_rng(seed)
    weights = [rng.normal(size=(3, 2)).astype(np.float32) for _ in range(11)]
    return MemberState(losses, [*weights, np.array([7, seed], dtype=np.uint32)], [np.array(12), *weights], weights)


def assert_equal(state: MemberState, expected: MemberState) -> None:
    assert_array_equal(state.losses, expected.losses)
    for values, others in zip(state[1:], expected[1:], strict=True):
        assert len(values) == len(others)
        for value, other in zip(values, others, strict=True):
            assert_array_equal(value, other)
            assert value.dtype == other.dtype


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    return Checkpoint(tmp_path / "models" / "unfinished.npz", "a run")


def test_states_come_back_as_they_were_kept(checkpoint: Checkpoint) -> None:
    kept = {0: a_state(1), 2: a_state(2, losses=())}
    checkpoint.write(kept)
    states = checkpoint.states(checkpoint.content())
    assert list(states) == [0, 2]
    for number, state in states.items():
        assert_equal(state, kept[number])


def test_the_newest_states_replace_the_former_and_nothing_else_is_left_in_the_folder(checkpoint: Checkpoint) -> None:
    checkpoint.write({0: a_state(1)})
    checkpoint.path.with_suffix(".partial.npz").write_bytes(b"of a run that was killed while it wrote")
    checkpoint.write({0: a_state(1), 1: a_state(3)})
    assert_equal(checkpoint.states(checkpoint.content())[1], a_state(3))
    assert list(checkpoint.path.parent.iterdir()) == [checkpoint.path]


def test_the_state_of_another_run_is_ignored(checkpoint: Checkpoint) -> None:
    checkpoint.write({0: a_state(1)})
    assert Checkpoint(checkpoint.path, "another run").states(checkpoint.content()) == {}


def test_where_nothing_was_kept_there_is_nothing_and_forgetting_it_is_no_error(checkpoint: Checkpoint) -> None:
    assert checkpoint.states(checkpoint.content()) == {}
    checkpoint.write({0: a_state(1)})
    checkpoint.remove()
    checkpoint.remove()
    assert checkpoint.states(checkpoint.content()) == {}


def test_a_failed_write_leaves_the_states_before_it(checkpoint: Checkpoint) -> None:
    checkpoint.write({0: a_state(1)})
    before = checkpoint.content()
    with pytest.raises(TypeError):
        checkpoint.write({0: a_state(1)._replace(losses=[(object(), 0.0)])})  # type: ignore[list-item]
    assert checkpoint.content() == before


def an_archive(**arrays: object) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"{'identity': 'a run'}", id="text"),
        pytest.param(b"\x93NUMPY\x01\x00v\x00", id="the start of an array"),
        pytest.param(an_archive(weights=np.ones(3)), id="no facts"),
        pytest.param(an_archive(facts=np.array("a run")), id="facts that are no JSON"),
        pytest.param(an_archive(facts=np.array("[]")), id="facts of another kind"),
        pytest.param(an_archive(facts=np.array('{"identity": "a run"}')), id="no losses"),
        pytest.param(an_archive(facts=np.array('{"identity": "a run", "losses": [3]}')), id="losses of another kind"),
        pytest.param(an_archive(facts=np.array({"identity": "a run"})), id="a pickle"),
    ],
)
def test_what_is_no_checkpoint_is_ignored(checkpoint: Checkpoint, content: bytes) -> None:
    assert checkpoint.states(content) == {}


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_half_written_file_is_ignored(checkpoint: Checkpoint, share: float) -> None:
    if not checkpoint.path.exists():
        checkpoint.write({0: a_state(1)})
    content = checkpoint.content()
    assert checkpoint.states(content[: int(share * len(content))]) == {}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_a_file_with_a_damaged_byte_is_ignored(checkpoint: Checkpoint, share: float, flip: int) -> None:
    if not checkpoint.path.exists():
        checkpoint.write({0: a_state(1)})
    content = bytearray(checkpoint.content())
    content[int(share * len(content))] ^= flip
    assert checkpoint.states(bytes(content)) == {}
