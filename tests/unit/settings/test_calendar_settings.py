"""Places for all series, for some, and the file of events."""

from pathlib import Path

import pytest

from gridcast.domain.errors import UsageError
from gridcast.ingestion.public_holidays import Place
from gridcast.settings.calendar import CalendarSettings
from gridcast.settings.pipeline import PipelineSettings
from gridcast.settings.yaml_source import read_settings


def read(folder: Path, text: str) -> CalendarSettings:
    path = folder / "c.yaml"
    path.write_text(text)
    return read_settings(PipelineSettings, path, env_prefix="GRIDCAST_TEST").calendar


def test_nothing_written_is_no_place_and_no_events() -> None:
    assert CalendarSettings().resolve(["a"]) == {"a": Place()}
    assert CalendarSettings().events is None


def test_of_several_patterns_that_fit_the_first_counts_and_what_is_left_out_is_as_for_all(tmp_path: Path) -> None:
    text = (
        "calendar:\n  country: AU\n  subdivision: VIC\n  categories: [public, bank]\n  events: data/events.csv\n"
        '  series: {"n_1*": {subdivision: NSW}, "n_*": {country: NZ, categories: [public]}, "x_*": {country: null}}\n'
    )
    calendar = read(tmp_path, text)
    assert calendar.resolve(["v_1", "n_10", "n_2", "x_1"]) == {
        "v_1": Place("AU", "VIC", ("public", "bank")),
        "n_10": Place("AU", "NSW", ("public", "bank")),
        "n_2": Place("NZ"),
        "x_1": Place(None, None, ("public", "bank")),
    }
    assert calendar.events == Path("data/events.csv")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "calendar:\n  country: AU\n  subdivision: BY\n",
            r"c.yaml:3: calendar: 'BY' is no subdivision of AU; expected one of ACT, NSW, .*Western\.$",
        ),
        ("calendar:\n  country: NO\n", r"c.yaml:2: calendar.country: got False; expected a text, in quotes if need be"),
        ("calendar:\n  county: AU\n", r"c.yaml:2: unknown key 'calendar.county'; .* Did you mean 'country'"),
        (
            "calendar:\n  series:\n    n_1: {country: GB, subdivision: VIC}\n",
            r"c.yaml:3: calendar.series.n_1: 'VIC' is no subdivision of GB; expected one of ENG, NIR, SCT, WLS",
        ),
        (
            "calendar:\n  series:\n    n_1: {state: VIC}\n",
            r"c.yaml:3: unknown key 'calendar.series.n_1.state'; accepted here are categories, country, subdivision",
        ),
        ("calendar:\n  series: {n_1: VIC}\n", r"c.yaml:2: calendar.series.n_1: got 'VIC'; expected keys and values"),
    ],
)
def test_impossible_places_are_refused_where_they_stand(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read(tmp_path, text)
