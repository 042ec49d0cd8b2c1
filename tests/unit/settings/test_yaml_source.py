"""A settings file that cannot be used is refused with file, line, what was found and what is accepted."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import BaseModel

from gridcast.domain.errors import UsageError
from gridcast.settings.app import AppSettings
from gridcast.settings.pipeline import PipelineSettings
from gridcast.settings.sources import FilesSettings
from gridcast.settings.yaml_source import read_settings

PREFIX = "GRIDCAST_TEST"
FILES = "sources:\n  a:\n    kind: files\n    readings: x.csv\n"


def read_pipeline(path: Path | None) -> PipelineSettings:
    return read_settings(PipelineSettings, path, env_prefix=PREFIX)


def refusal(path: Path, text: str | None, model: type[BaseModel] = PipelineSettings) -> str:
    """The message about a file, named c.yaml in it, that holds `text`."""
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError) as error:
        read_settings(model, path, env_prefix=PREFIX)
    return str(error.value).replace(str(path), "c.yaml")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def test_written_values_replace_defaults_and_the_rest_stays(path: Path) -> None:
    path.write_text("interval: PT15M\nquality: {min_load_mw: -5, flatline: null}\n")
    settings = read_pipeline(path)
    assert settings.interval == timedelta(minutes=15)
    assert (settings.quality.min_load_mw, settings.quality.flatline) == (-5.0, None)
    assert settings.sources == PipelineSettings().sources
    assert settings.quality.spike_z == PipelineSettings().quality.spike_z


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n", "\n\n"])
def test_an_empty_file_stands_for_the_defaults(path: Path, text: str) -> None:
    path.write_text(text)
    assert read_pipeline(path) == read_pipeline(None) == PipelineSettings()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param(
            "# first\n\ninterva: PT1H\n",
            "c.yaml:3: unknown key 'interva'; accepted here are beam, calendar, hierarchy, interval, quality, sources, "
            "stream, upsample. Did you mean 'interval'?",
            id="at the top",
        ),
        pytest.param(
            "beam:\n  block_row: 1\n",
            "c.yaml:2: unknown key 'beam.block_row'; accepted here are block_rows. Did you mean 'block_rows'?",
            id="in a section",
        ),
        pytest.param(
            f"{FILES}    readings_format:\n      text:\n\n        timezone: UTC\n",
            "c.yaml:8: unknown key 'sources.a.readings_format.text.timezone'; accepted here are decimal_comma, "
            "encoding, interval, separator, thousands, time_format, time_zone. Did you mean 'time_zone'?",
            id="five levels down",
        ),
        pytest.param(
            "stream: {warm_start_days: 60, zebra: 1}\n",
            "c.yaml:1: unknown key 'stream.zebra'; accepted here are deadline, parts, silent_after, tick_rows, "
            "warm_start_days.",
            id="like none",
        ),
    ],
)
def test_an_unknown_key_is_refused_with_the_accepted_and_the_closest(path: Path, text: str, told: str) -> None:
    assert refusal(path, text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "beam:\n  block_rows: 0\n",
            "c.yaml:2: beam.block_rows: got 0; input should be greater than or equal to 1000.",
        ),
        ("stream:\n\n  warm_start_days: 7\n", "c.yaml:3: stream.warm_start_days: got 7; input should be greater"),
        ("beam: {}\ninterval: PT7M\n", "c.yaml:2: interval: expected PT5M, PT15M, PT30M or PT1H."),
        ("hierarchy:\n  time_zone: Mars\n", "c.yaml:2: hierarchy.time_zone: hierarchy: 'Mars' is not an IANA time"),
        ("quality:\n  flatline: PT1H\n  spike_z: -1\n", "c.yaml:3: quality: quality limit spike_z is -1.0; expected a"),
        ("quality:\n  min_load_mw: 5\n  max_load_mw: 3\n", "c.yaml:3: quality: quality limit max_load_mw is 3.0; exp"),
        ("quality:\n  flatline: PT13H\n", "c.yaml:2: quality: quality limit flatline is 13:00:00; expected a value"),
        (
            f"{FILES}    readings_format:\n      unit: GW\n",
            "c.yaml:6: sources.a.readings_format: file format: unit 'GW' of",
        ),
        (
            f"{FILES}    weather_format:\n      unit: K\n",
            "c.yaml:6: sources.a.weather_format: file format: unit 'K' of col",
        ),
        (
            f"{FILES}    readings_format:\n      text:\n        separator: ;;\n",
            "c.yaml:7: sources.a.readings_format.text: file format: separator ';;' cannot be used",
        ),
        (
            f"{FILES}    readings_format:\n      text: {{time_zone: BST}}\n",
            "c.yaml:6: sources.a.readings_format.text: file format: 'BST' is not an IANA time zone",
        ),
        (
            "sources:\n  a:\n    kind: files\n",
            "c.yaml:3: sources.a: kind is files, but neither readings nor weather names any; expected a file, a",
        ),
    ],
)
def test_an_impossible_value_is_refused_on_its_line(path: Path, text: str, told: str) -> None:
    assert refusal(path, text).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("report:\n  coverage_80: [0.9, 0.1]\n", "c.yaml:2: report: coverage_80 is [0.9, 0.1]; expected two shares"),
        ("report:\n  coverage_80:\n    - 0.7\n    - low\n", "c.yaml:4: report.coverage_80.1: got 'low'; input should"),
        ("report:\n  coverage_80: [0.7]\n", "c.yaml:2: report.coverage_80.1: field required."),
        ("status:\n  max_reading_age: -PT1H\n", "c.yaml:2: status.max_reading_age: expected a duration above zero"),
        ("report: {min_skill_vs_naive: .nan}\n", "c.yaml:1: report.min_skill_vs_naive: got nan; input should be less"),
        ("data_dir: 5\n", "c.yaml:1: data_dir: got 5; expected the path of a folder."),
    ],
)
def test_an_impossible_value_of_the_app_is_refused_on_its_line(path: Path, text: str, told: str) -> None:
    assert refusal(path, text, AppSettings).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("beam:\n  block_rows: many\n", "c.yaml:2: beam.block_rows: got 'many'; input should be a valid integer"),
        ("beam:\n  block_rows: 1.5\n", "c.yaml:2: beam.block_rows: got 1.5; input should be a valid integer"),
        ("quality:\n  spike_z: high\n", "c.yaml:2: quality.spike_z: got 'high'; input should be a valid number"),
        ("interval: hourly\n", "c.yaml:1: interval: got 'hourly'; expected an ISO 8601 duration such as PT15M, PT1H"),
        ("interval: [1]\n", "c.yaml:1: interval: got [1]; expected an ISO 8601 duration such as PT15M, PT1H"),
        (
            "sources:\n  a:\n    kind: files\n    readings: [a.csv]\n",
            "c.yaml:4: sources.a.readings: got ['a.csv']; expected a text, in quotes if need be",
        ),
        ("\nbeam: 3\n", "c.yaml:2: beam: got 3; expected keys and values below it; leave it out for its defaults."),
        ("quality:\n", "c.yaml:1: quality: got None; expected keys and values below it; leave it out for its def"),
        ("- interval\n", "c.yaml:1: got a list; expected keys and values."),
        ("interval\n", "c.yaml:1: got a str; expected keys and values."),
        ("1: PT1H\n", "c.yaml: 1: got 1; keys should be strings."),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_on_its_line(path: Path, text: str, told: str) -> None:
    assert refusal(path, text).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("interval: PT1H\nbeam: {}\ninterval: PT5M\n", "c.yaml:3: interval is given twice; keep one of them."),
        ("beam:\n  block_rows: 1\n\n  block_rows: 1\n", "c.yaml:4: beam.block_rows is given twice; keep one of them."),
    ],
)
def test_a_key_given_twice_is_refused_at_the_second(path: Path, text: str, told: str) -> None:
    assert refusal(path, text) == told


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("beam: [\n", id="unclosed"),
        pytest.param("beam:\n\tbuckets: 1\n", id="tab"),
        pytest.param("a: 1\n---\nb: 2\n", id="two documents"),
        pytest.param("interval: !!python/object/apply:os.getcwd []\n", id="code"),
        pytest.param("? [a]\n: b\n", id="a list as key"),
    ],
)
def test_a_file_that_is_not_plain_yaml_is_refused_with_the_place(path: Path, text: str) -> None:
    told = refusal(path, text)
    assert told.startswith("c.yaml: not YAML: ")
    assert "line " in told
    assert "\n" not in told


@pytest.mark.parametrize(
    ("value", "told"),
    [
        pytest.param("2023-02-29", "found '2023-02-29', an impossible timestamp; expected one that exists", id="date"),
        pytest.param("2024-04-30 25:00:00", "found '2024-04-30 25:00:00', an impossible timestamp", id="time"),
        pytest.param("!!int many", "found 'many', an impossible int", id="number"),
        pytest.param("!!bool maybe", "found 'maybe', an impossible bool", id="truth"),
        pytest.param("!!timestamp soon", "found 'soon', an impossible timestamp", id="no date"),
        pytest.param("[" * 3000, "line 2 is nested too deeply; expected a few levels", id="brackets"),
        pytest.param("[" * 3000 + "]" * 3000, "line 2 is nested too deeply; expected a few levels", id="closed"),
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_line(
    path: Path, monkeypatch: pytest.MonkeyPatch, value: str, told: str
) -> None:
    refused = refusal(path, f"interval: PT1H\nhistory_from: {value}\n")
    assert refused.startswith(f"c.yaml: not YAML: {told}")
    assert "line 2" in refused
    monkeypatch.setenv(f"{PREFIX}__INTERVAL", value)
    refused = refusal(path, "interval: PT1H\n")
    assert refused.startswith(f"environment variable {PREFIX}__INTERVAL: '{value}' is not YAML. ")
    assert told.replace("line 2", "line 1") in refused


def test_a_file_that_is_not_text_is_refused(path: Path) -> None:
    path.write_bytes(b"\xff\xfe\x00")
    assert refusal(path, None).startswith("c.yaml: not YAML: 'utf-8' codec can't decode byte 0xff")


@pytest.mark.parametrize("text", ["beam: &a [*a]\n", "beam: &a {buckets: *a}\n"])
def test_a_value_that_holds_itself_is_refused(path: Path, text: str) -> None:
    assert refusal(path, text) == "c.yaml: an anchor is used inside itself; expected values written out."


def test_a_missing_file_is_refused(path: Path) -> None:
    assert refusal(path, None) == "c.yaml: No such file or directory; expected a YAML file that gridcast may read."


def test_a_folder_in_the_place_of_a_file_is_refused(path: Path) -> None:
    path.mkdir()
    assert refusal(path, None) == "c.yaml: Is a directory; expected a YAML file that gridcast may read."


def test_every_problem_is_told_in_one_go(path: Path) -> None:
    told = refusal(path, "interval: PT7M\nstream:\n  days: x\nbeam:\n  block_rows: 0\nquality:\n  spike_z: 0\n")
    assert sorted(line.split(":")[1] for line in told.splitlines()) == ["1", "3", "5", "7"]


def test_the_environment_overrides_the_file_at_any_depth(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_text(f"interval: PT15M\n{FILES}    readings_format: {{unit: kW, load: load}}\n")
    monkeypatch.setenv(f"{PREFIX}__SOURCES__A__READINGS_FORMAT__UNIT", "kWh")
    monkeypatch.setenv(f"{PREFIX}__SOURCES__A__READINGS_FORMAT__TEXT__TIME_ZONE", "Europe/London")
    monkeypatch.setenv(f"{PREFIX}__QUALITY", "{min_load_mw: -1, max_load_mw: null}")
    monkeypatch.setenv(f"{PREFIX}__QUALITY__SPIKE_Z", "9")
    monkeypatch.setenv("GRIDCAST_TESTING__INTERVAL", "PT30M")
    settings = read_pipeline(path)
    assert settings.interval == timedelta(minutes=15)
    source = settings.sources["a"]
    assert isinstance(source, FilesSettings)
    file_format = source.readings_format
    assert (file_format.unit, file_format.load, file_format.text.time_zone) == ("kWh", "load", "Europe/London")
    assert (settings.quality.min_load_mw, settings.quality.spike_z) == (-1.0, 9.0)


def test_the_environment_overrides_defaults_without_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}__INTERVAL", "PT5M")
    assert read_pipeline(None).interval == timedelta(minutes=5)


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("INTERVA", "PT1H", "unknown key 'interva'; accepted here are"),
        ("BEAM__BLOCK_ROWS", "many", "beam.block_rows: got 'many'; input should be a valid integer"),
        (
            "BEAM",
            "{block_row: 1}",
            "unknown key 'beam.block_row'; accepted here are block_rows. Did you mean 'block_rows'?",
        ),
        ("QUALITY__SPIKE_Z", "-2", "quality: quality limit spike_z is -2.0; expected a value above 0."),
        (
            "SOURCES__A__READINGS_FORMAT__TEXT__TIME_ZONE",
            "BST",
            "sources.a.readings_format.text: file format: 'BST' is not an",
        ),
        (
            "SOURCES__B__KIND__DEEPER",
            "x",
            "sources.b: kind is \"{'deeper': 'x'}\"; expected one of sample, files, drop_",
        ),
        ("INTERVAL", "", "interval: got None; expected an ISO 8601 duration"),
        ("INTERVAL", "[PT1H", "'[PT1H' is not YAML."),
    ],
)
def test_an_impossible_override_is_refused_by_the_name_of_its_variable(
    path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    monkeypatch.setenv(f"{PREFIX}__{variable}", value)
    text = f"interval: PT1H\nquality:\n  spike_z: 3\n{FILES}"
    assert refusal(path, text).startswith(f"environment variable {PREFIX}__{variable}: {told}")


def test_an_override_whose_name_ends_with_a_number_is_named_too(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{PREFIX}__REPORT__COVERAGE_80", "[0.9, 0.1]")
    told = refusal(path, "report:\n  coverage_80: [0.7, 0.8]\n", AppSettings)
    assert told.startswith(f"environment variable {PREFIX}__REPORT__COVERAGE_80: report: coverage_80 is [0.9, 0.1];")


def test_an_override_of_a_section_is_named_in_place_of_the_lines_it_replaced(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}__REPORT", "{coverage_80: [0.9, 0.1]}")
    told = refusal(path, "report:\n  coverage_80: [0.7, 0.8]\n", AppSettings)
    assert told.startswith(f"environment variable {PREFIX}__REPORT: report: coverage_80 is [0.9, 0.1];")
