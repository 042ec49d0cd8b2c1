"""Limits for all series, for some, and the file of edits."""

from datetime import timedelta
from pathlib import Path

import pytest

from gridcast.domain.errors import UsageError
from gridcast.quality.limits import Limits
from gridcast.settings.pipeline import PipelineSettings
from gridcast.settings.quality import QualitySettings
from gridcast.settings.yaml_source import read_settings


def read(folder: Path, text: str) -> QualitySettings:
    path = folder / "c.yaml"
    path.write_text(text)
    return read_settings(PipelineSettings, path, env_prefix="GRIDCAST_TEST").quality


def test_nothing_written_is_the_default_limits() -> None:
    assert QualitySettings().limits == Limits()
    assert QualitySettings().resolve(["a"]) == {}
    assert QualitySettings().edits is None


def test_a_series_has_its_own_limits_and_those_of_all_where_it_sets_none(tmp_path: Path) -> None:
    text = "quality:\n  spike_z: 5\n  flatline: PT3H\n  series:\n    zone_09: {spike_z: 8, max_load_mw: 200}\n"
    quality = read(tmp_path, text)
    assert quality.limits == Limits(spike_z=5, flatline=timedelta(hours=3))
    assert quality.resolve(["zone_01", "zone_09"]) == {
        "zone_09": Limits(spike_z=8, max_load_mw=200, flatline=timedelta(hours=3))
    }


def test_of_several_patterns_that_fit_the_first_counts(tmp_path: Path) -> None:
    text = (
        'quality: {series: {"solar_1*": {min_load_mw: -9}, "solar_*": {min_load_mw: -5}, "[!s]*": {unit_slip: false}}}'
    )
    own = read(tmp_path, text).resolve(["solar_10", "solar_2", "Solar_3", "sub"])
    assert own == {
        "solar_10": Limits(min_load_mw=-9),
        "solar_2": Limits(min_load_mw=-5),
        "Solar_3": Limits(unit_slip=False),
    }


def test_a_series_can_lift_a_limit_of_all(tmp_path: Path) -> None:
    quality = read(tmp_path, "quality: {max_load_mw: 10, series: {a: {max_load_mw: null, flatline: null}}}")
    assert quality.resolve(["a"]) == {"a": Limits(max_load_mw=None, flatline=None)}


def test_the_file_of_edits_is_a_path(tmp_path: Path) -> None:
    assert read(tmp_path, "quality: {edits: data/edits.csv}").edits == Path("data/edits.csv")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "quality:\n  series:\n    zone_09:\n      spike_zz: 8\n",
            r"c.yaml:4: unknown key 'quality.series.zone_09.spike_zz'; accepted here are .*Did you mean 'spike_z'",
        ),
        (
            "quality:\n  series:\n    zone_09: {max_load_mw: -1}\n",
            r"c.yaml:3: quality.series.zone_09: quality limit max_load_mw is -1.0; expected a value above min_load_mw",
        ),
        ("quality:\n  series: {zone_09: 8}\n", r"c.yaml:2: quality.series.zone_09: got 8; expected keys and values"),
        ("quality:\n  series: 8\n", r"c.yaml:2: quality.series: got 8; expected keys and values"),
        ("quality:\n  spike_z: 0\n", r"c.yaml:2: quality: quality limit spike_z is 0.0; expected a value above 0"),
    ],
)
def test_impossible_limits_of_a_series_are_refused_where_they_stand(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read(tmp_path, text)
