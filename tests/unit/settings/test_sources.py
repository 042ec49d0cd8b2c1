"""Kinds of source: told apart by `kind`, complete examples, secrets outside the settings."""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import get_args

import pytest
import yaml
from pydantic import BaseModel, ValidationError

from gridcast.domain.errors import UsageError
from gridcast.settings.pipeline import PipelineSettings
from gridcast.settings.secret import read_secret, require_secret
from gridcast.settings.source_kinds import KINDS, SourceKind
from gridcast.settings.sources import MqttSettings, SourceSettings
from gridcast.settings.yaml_source import read_settings

TWO_CLOCKS = """
sources:
  a: {kind: files, readings: x.csv, readings_format: {text: {time_zone: Europe/London}}}
  b: {kind: files, readings: x.csv, readings_format: {text: {time_zone: Europe/Paris}}}
"""

each_kind = pytest.mark.parametrize("kind", [pytest.param(kind, id=name) for name, kind in KINDS.items()])


def read(path: Path, text: str) -> PipelineSettings:
    path.write_text(text, encoding="utf-8")
    return read_settings(PipelineSettings, path, env_prefix="GRIDCAST_TEST")


def refusal(path: Path, text: str) -> str:
    with pytest.raises(UsageError) as error:
        read(path, text)
    return str(error.value).replace(str(path), "c.yaml")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "settings.yaml"


def missing_keys(settings: object, written: object, above: str = "") -> Iterator[str]:
    """Keys of a settings value that a document does not write out."""
    if isinstance(settings, BaseModel):
        names = list(type(settings).model_fields)
    elif dataclasses.is_dataclass(settings):
        names = [field.name for field in dataclasses.fields(settings)]
    else:
        return
    for name in names:
        if not isinstance(written, Mapping) or name not in written:
            yield above + name
        else:
            yield from missing_keys(getattr(settings, name), written[name], f"{above}{name}.")


def test_every_kind_of_the_settings_is_listed() -> None:
    union, _ = get_args(SourceSettings)
    assert {kind.model for kind in KINDS.values()} == set(get_args(union))


@each_kind
def test_the_example_can_be_used_and_writes_out_every_key(kind: SourceKind, path: Path) -> None:
    settings = read(path, kind.example)
    ((name, source),) = settings.sources.items()
    assert isinstance(source, kind.model)
    assert list(missing_keys(source, yaml.safe_load(kind.example)["sources"][name])) == []


@each_kind
def test_every_key_of_the_example_is_explained(kind: SourceKind) -> None:
    lines = kind.example.splitlines()
    assert lines[0].startswith("# ")
    assert sum(line.strip().startswith("#") for line in lines) >= (len(lines) - 4) / 4
    assert max(map(len, lines)) <= 120


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "sources:\n  meters:\n    kind: file\n",
            (
                "c.yaml:3: sources.meters: kind is 'file'; expected one of sample, files, drop_folder, green_button, "
                "open_meteo, gridstatus, entsoe, kafka, mqtt. Did you mean 'files'?"
            ),
        ),
        ("sources:\n  meters: {}\n", "c.yaml:2: sources.meters: has no kind; expected the key kind."),
        (
            "sources:\n  a-b: {kind: sample}\n",
            "c.yaml:2: sources.a-b.[key]: got 'a-b'; expected small letters, digits and '_', a letter first.",
        ),
        (
            "sources:\n  replay: {kind: sample}\n",
            (
                "c.yaml:2: sources.replay.[key]: 'replay' is what readings that gridcast itself puts into the log are "
                "called; expected another name"
            ),
        ),
        ("sources: {}\n", "c.yaml:1: sources: got {}; dictionary should have at least 1 item after validation, not 0."),
        ("sources: 3\n", "c.yaml:1: sources: got 3; expected keys and values below it; leave it out for its defaults."),
        ("sources:\n  a: 4\n", "c.yaml:2: sources.a: got 4; expected keys and values below it; leave it out for its"),
        (
            "sources:\n  a:\n    kind: entsoe\n    start: 2024-01-01\n    areas: {FR: france}\n    api_key: x\n",
            (
                "c.yaml:6: unknown key 'sources.a.api_key'; accepted here are api_key_file, areas, days_per_request, "
                "http, kind, start. Did you mean 'api_key_file'?"
            ),
        ),
        (
            "sources:\n  a:\n    kind: open_meteo\n    places:\n      b: {latitude: 91, longitude: 4}\n",
            "c.yaml:5: sources.a.places.b.latitude: got 91; input should be less than or equal to 90.",
        ),
        (
            "sources:\n  a:\n    kind: open_meteo\n    places:\n      b:\n        lat: 9\n        longitude: 4\n",
            (
                "c.yaml:5: sources.a.places.b.latitude: field required.\n"
                "c.yaml:6: unknown key 'sources.a.places.b.lat'; accepted here are latitude, longitude."
            ),
        ),
        (
            "sources:\n  a: {kind: open_meteo, forecast_days: 0, places: {b: {latitude: 9, longitude: 4}}}\n",
            "c.yaml:2: sources.a: neither history_from nor forecast_days asks for anything; expected one of them.",
        ),
        (
            "sources:\n  a: {kind: open_meteo, previous_runs: 1, places: {b: {latitude: 9, longitude: 4}}}\n",
            "c.yaml:2: sources.a: previous_runs needs history_from, the first day to fetch them for.",
        ),
        (
            "sources:\n  a: {kind: gridstatus, iso: nyiso, start: 2024-01-01, http: {timeout: PT0S}}\n",
            "c.yaml:2: sources.a.http: http: timeout is 0:00:00; expected a value above 0.",
        ),
        (
            "sources:\n  a: {kind: mqtt, host: h, topic: m/+, session_expiry: P60000D}\n",
            "c.yaml:2: sources.a.session_expiry: got datetime.timedelta(days=60000); input should be less ",
        ),
        (
            "sources:\n  sample: {kind: sample}\n  a: {kind: files, readings: x.csv}\n",
            "c.yaml:1: the file: the sample stands beside other sources; expected it alone, or only ",
        ),
        (
            "sources:\n  a: {kind: green_button, path: x.xml}\n",
            (
                "c.yaml:1: the file: hierarchy.time_zone is not set and the time zones of the sources do not tell it "
                "(none is set); expected the IANA zone whose calendar people live by."
            ),
        ),
        (
            TWO_CLOCKS,
            (
                "c.yaml:2: the file: hierarchy.time_zone is not set and the time zones of the sources do not tell it "
                "(a Europe/London, b Europe/Paris); expected"
            ),
        ),
    ],
)
def test_a_source_that_cannot_be_used_is_refused_on_its_line(path: Path, text: str, told: str) -> None:
    assert refusal(path, text).startswith(told)


@pytest.mark.parametrize(
    "topic",
    [
        "meters/#/load",
        "meters/+x/load",
        "#/load",
        "m#",
        "$share/+/m",
        "$share/g",
        "$share//m",
        "a\0b",
        "",
        "é" * 40_000,
    ],
)
def test_a_topic_that_no_broker_takes_is_refused(topic: str) -> None:
    with pytest.raises(ValidationError, match="is no MQTT topic filter; expected levels such as meters/"):
        MqttSettings(kind="mqtt", host="h", topic=topic)


@pytest.mark.parametrize("topic", ["meters/+/load", "#", "+", "/", "a//b", "a/+/#", "$SYS/#", "$share/g/m/+", "köln/+"])
def test_every_topic_filter_of_mqtt_is_taken(topic: str) -> None:
    assert MqttSettings(kind="mqtt", host="h", topic=topic).topic == topic


def test_a_source_of_the_users_own_replaces_the_sample(path: Path) -> None:
    settings = read(
        path, "sources:\n  meters: {kind: files, readings: x.csv, readings_format: {text: {time_zone: UTC}}}\n"
    )
    assert list(settings.sources) == ["meters"]


def test_the_environment_can_name_a_source_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRIDCAST_TEST__SOURCES__METERS__KIND", "files")
    monkeypatch.setenv("GRIDCAST_TEST__SOURCES__METERS__READINGS", "x.csv")
    monkeypatch.setenv("GRIDCAST_TEST__HIERARCHY__TIME_ZONE", "Europe/London")
    settings = read_settings(PipelineSettings, None, env_prefix="GRIDCAST_TEST")
    assert [(name, source.kind) for name, source in settings.sources.items()] == [("meters", "files")]


def test_a_secret_comes_from_its_file_or_else_from_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "key").write_text("from-file\n")
    monkeypatch.setenv("SOME_KEY", "from-environment")
    assert read_secret(env="SOME_KEY", file=str(tmp_path / "key"), what="key") == "from-file"
    assert read_secret(env="SOME_KEY", file=None, what="key") == "from-environment"
    assert read_secret(env="OTHER_KEY", file=None, what="key") is None
    assert read_secret(env=None, file=None, what="key") is None


@pytest.mark.parametrize("content", [None, "", "\n", " \n"])
def test_a_secret_file_without_a_secret_is_refused(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "key").write_text(content)
    with pytest.raises(UsageError, match=rf"key of X: {tmp_path}/key (cannot be read|is empty)"):
        read_secret(env="SOME_KEY", file=str(tmp_path / "key"), what="key of X")


def test_a_secret_that_is_nowhere_is_asked_for() -> None:
    with pytest.raises(UsageError, match="key of X: not set; expected it in the environment variable NO_SUCH_KEY"):
        require_secret(env="NO_SUCH_KEY", file=None, what="key of X")
