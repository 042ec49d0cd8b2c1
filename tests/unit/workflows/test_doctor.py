"""Each check of the doctor finds what is really broken, and says what to do."""

import os
import socket
import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from support.empty_registry import copy_empty_registry
from support.processed_history import write_history
from support.small_disk import small_disk_in
from support.tiny_model import exported_in
from support.workers import run_folder

from gridcast.domain.tables import READINGS
from gridcast.ingestion.raw import write_source
from gridcast.registry.catalogue import CHAMPION, RegisteredModel
from gridcast.registry.mlflow_registry import Registry
from gridcast.store import backup
from gridcast.store.store import Store
from gridcast.workflows.readings.workspace import Workspace
from gridcast.workflows.watching import doctor_data, doctor_environment, doctor_network
from gridcast.workflows.watching.doctor import Finding, State, examine
from gridcast.workflows.watching.doctor_network import Address

NOW = datetime(2024, 6, 1, tzinfo=UTC)


def only(findings: Iterable[Finding], state: State) -> Finding:
    """The one finding of a state; every one that is not ok says what to do."""
    found = list(findings)
    assert all(bool(each.advice) == (each.state is not State.OK) for each in found)
    (one,) = (each for each in found if each.state is state)
    return one


def all_ok(findings: Iterable[Finding]) -> bool:
    return all(each.state is State.OK for each in findings)


def write_readings(raw: Path, *, at: datetime) -> None:
    row = {"series_id": "zone_n", "valid_time": at, "load_mw": 1.0, "available_at": at + timedelta(hours=1)}
    write_source(raw, source="files", readings=pl.DataFrame([row], schema_overrides=READINGS).select(READINGS.names()))


def registered(here: Workspace, *, run: Path) -> RegisteredModel:
    """A model in the registry of an installation."""
    copy_empty_registry(here.registry, run=run)
    return Registry.open(here.registry).register(exported_in(run), params={}, metrics={}, tags={}, pip_requirements=())


def test_a_check_that_breaks_is_a_failure_and_the_others_go_on() -> None:
    def breaks() -> Iterable[Finding]:
        raise ZeroDivisionError("division by zero")

    first, second = examine({"one": breaks, "two": doctor_environment.python_version})

    assert (first.check, first.state) == ("one", State.FAILURE)
    assert "ZeroDivisionError: division by zero" in first.found
    assert (second.check, second.state) == ("two", State.OK)


def test_packages_that_are_absent_or_of_another_version_are_named() -> None:
    found = only(
        doctor_environment.packages(requirements=["numpy<1", "no-such-package>=2", "polars"]), State.FAILURE
    ).found

    assert "numpy is " in found
    assert "expected <1" in found
    assert "no-such-package is not installed" in found
    assert "polars" not in found
    assert all_ok(doctor_environment.packages())


def test_versions_other_than_those_of_the_lock_file_are_a_warning(tmp_path: Path) -> None:
    lock = tmp_path / "uv.lock"
    lock.write_text('[[package]]\nname = "numpy"\nversion = "0.1"\n')

    assert "(lock: 0.1)" in only(doctor_environment.locked_versions(lock), State.WARNING).found
    assert list(doctor_environment.locked_versions(tmp_path / "absent.lock")) == []


def test_an_extra_that_the_settings_need_and_that_is_not_there_is_a_failure() -> None:
    found = only(doctor_environment.extras({"no_such_extra": "source x"}), State.FAILURE)

    assert "'no_such_extra', needed for source x" in found.found
    assert "gridcast[no_such_extra]" in found.advice
    assert all_ok(doctor_environment.extras({"postgres": "the store"}))


@pytest.mark.parametrize(
    ("flags", "state", "word"),
    [
        pytest.param("sse avx avx2 fma", State.OK, "AVX", id="all"),
        pytest.param("sse avx", State.WARNING, "avx2 and fma", id="slow"),
        pytest.param("sse", State.FAILURE, "no AVX", id="none"),
    ],
)
def test_a_processor_without_the_instructions_of_tensorflow_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flags: str, state: State, word: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    (tmp_path / "cpuinfo").write_text(f"processor : 0\nflags\t\t: {flags}\n")

    assert word in only(doctor_environment.processor(tmp_path / "cpuinfo"), state).found


def test_a_zone_without_rules_is_named() -> None:
    assert "Mars/Olympus" in only(doctor_environment.time_zones(["Mars/Olympus"]), State.FAILURE).found
    assert all_ok(doctor_environment.time_zones(["America/New_York"]))


def test_a_file_in_the_place_of_the_data_folder_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    assert "data" in only(doctor_data.data_folder(tmp_path / "data"), State.FAILURE).found
    assert list(tmp_path.iterdir()) == [tmp_path / "data"]


def test_a_folder_that_can_be_made_is_not_made(tmp_path: Path) -> None:
    first, *_ = doctor_data.data_folder(tmp_path / "a" / "b")

    assert first.state is State.OK
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_is_nearly_full_is_a_failure(tmp_path: Path) -> None:
    with small_disk_in(tmp_path, size="10m") as disk:
        assert "0.0 GiB free" in only(doctor_data.data_folder(disk), State.FAILURE).found


def test_a_store_that_is_none_is_named_and_one_that_is_absent_is_not_made(tmp_path: Path) -> None:
    absent, garbage = tmp_path / "absent.db", tmp_path / "garbage.db"
    garbage.write_bytes(b"not a database at all" * 500)

    assert all_ok(doctor_data.store(absent))
    assert not absent.exists()
    (found,) = examine({"store": lambda: doctor_data.store(garbage)})
    assert found.state is State.FAILURE
    assert "not a database" in found.found


@pytest.mark.parametrize(
    ("revision", "state"),
    [
        pytest.param("0002", State.WARNING, id="of an earlier gridcast"),
        pytest.param("9999", State.FAILURE, id="of a later gridcast"),
    ],
)
def test_tables_of_another_revision_are_told_and_left_as_they_are(tmp_path: Path, revision: str, state: State) -> None:
    place = tmp_path / "gridcast.db"
    Store.open(place).close()
    assert all_ok(doctor_data.store(place))
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE store_revision SET version_num = ?", (revision,))
    connection.close()

    assert f"revision {revision}" in only(doctor_data.store(place), state).found
    connection = sqlite3.connect(place)
    assert connection.execute("SELECT version_num FROM store_revision").fetchone() == (revision,)
    connection.close()


def test_a_clock_behind_the_newest_reading_is_a_failure(tmp_path: Path) -> None:
    here = Workspace(tmp_path)
    write_readings(here.raw, at=NOW)

    assert (
        "newest reading is of 2024-06-01"
        in only(doctor_data.clock(here, now=NOW - timedelta(days=2)), State.FAILURE).found
    )


def test_a_clock_behind_what_was_written_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("")
    os.utime(tmp_path / "report.html", (NOW.timestamp(), NOW.timestamp()))
    here = Workspace(tmp_path)

    assert "a file was written" in only(doctor_data.clock(here, now=NOW - timedelta(days=2)), State.FAILURE).found
    assert all_ok(doctor_data.clock(here, now=NOW))


def test_readings_that_are_absent_not_cleaned_or_older_than_what_was_cleaned_are_told(tmp_path: Path) -> None:
    here = Workspace(tmp_path)
    assert "no readings yet" in only(doctor_data.history(here), State.WARNING).found
    write_readings(here.raw, at=datetime(2024, 1, 31, 23, tzinfo=UTC))
    assert "none of them cleaned" in only(doctor_data.history(here), State.WARNING).found
    here.processed.mkdir()
    write_history(here.processed, days=31, forecasts=False)
    assert all_ok(doctor_data.history(here))
    write_readings(here.raw, at=NOW)
    assert only(doctor_data.history(here), State.WARNING).advice == "gridcast prepare"


def test_a_file_that_is_cut_off_is_named(tmp_path: Path) -> None:
    here = Workspace(tmp_path)
    write_readings(here.raw, at=NOW)
    (file,) = here.raw.rglob("*.parquet")
    file.write_bytes(file.read_bytes()[:40])

    assert str(file) in only(doctor_data.history(here), State.FAILURE).found


def test_a_model_in_charge_that_was_changed_is_named(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    here = Workspace(tmp_path)
    assert "no model was trained yet" in next(iter(doctor_data.registry(here))).found
    model = registered(here, run=run_folder(tmp_path_factory))
    assert "no model is in charge" in only(doctor_data.registry(here), State.WARNING).found
    Registry.open(here.registry).set_alias(CHAMPION, model.version)
    assert all_ok(doctor_data.registry(here))
    assert all_ok(doctor_data.registry_database(here))

    file = model.directory / "model.tflite"
    file.write_bytes(file.read_bytes()[:-10] + bytes(10))

    *_, found = examine({"models": lambda: doctor_data.registry(here)})
    assert found.state is State.FAILURE
    assert "model.tflite is not what was exported" in found.found


def test_a_catalogue_that_is_damaged_absent_or_says_something_else_is_told(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    here = Workspace(tmp_path)
    registered(here, run=run_folder(tmp_path_factory))
    catalogue = here.registry / "catalogue.json"
    text = catalogue.read_text()

    catalogue.write_text(text.replace('"challenger"', '"champion"'))
    assert "mlflow.db has the versions" in only(doctor_data.registry_database(here), State.FAILURE).found
    catalogue.write_text(text[:20])
    (found,) = examine({"models": lambda: doctor_data.registry(here)})
    assert "catalogue.json" in found.found
    catalogue.unlink()
    assert only(doctor_data.registry(here), State.WARNING).advice == "gridcast status"


def test_backups_that_are_absent_old_or_incomplete_are_told(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    assert "no backup there" in only(doctor_data.backups(tmp_path, now=now), State.FAILURE).found
    store = Store.open(tmp_path / "gridcast.db")
    backup.save(store, tmp_path / "monday", tell=lambda *_: None)
    store.close()
    assert all_ok(doctor_data.backups(tmp_path, now=now))
    assert (
        "8 days old" in only(doctor_data.backups(tmp_path, now=now + timedelta(days=8, hours=1)), State.WARNING).found
    )
    (tmp_path / "monday" / "forecasts.parquet").unlink()
    assert "lacks forecasts.parquet" in only(doctor_data.backups(tmp_path, now=now), State.FAILURE).found


def test_secrets_that_are_absent_empty_or_open_to_others_are_told(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    assert "is not there" in only(doctor_network.secrets([secret]), State.FAILURE).found
    secret.touch(mode=0o600)
    assert "is empty" in only(doctor_network.secrets([secret]), State.FAILURE).found
    secret.write_text("s3cret")
    assert all_ok(doctor_network.secrets([secret]))
    secret.chmod(0o644)
    found = only(doctor_network.secrets([secret]), State.WARNING)
    assert "mode 644" in found.found
    assert "s3cret" not in found.found


def test_a_port_on_which_somebody_else_listens_is_a_warning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = Address("127.0.0.1", other.getsockname()[1])
        other.settimeout(0)
        taken = only(doctor_network.service_port(address), State.WARNING)
    assert "no gridcast answers there" in taken.found
    assert all_ok(doctor_network.service_port(address))


def test_a_collector_of_traces_that_does_not_answer_is_a_warning() -> None:
    with socket.create_server(("127.0.0.1", 0)) as there:
        endpoint = f"http://127.0.0.1:{there.getsockname()[1]}/v1/traces"
        assert all_ok(doctor_network.collector(endpoint))
    assert "traces are lost" in only(doctor_network.collector(endpoint), State.WARNING).found
    assert all_ok(doctor_network.collector(None))


def test_a_source_of_which_no_broker_answers_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as broker:
        there = Address("127.0.0.1", broker.getsockname()[1])
        assert all_ok(doctor_network.brokers("scada", [Address("127.0.0.1", 1), there]))
    found = only(doctor_network.brokers("scada", [Address("127.0.0.1", 1), there]), State.FAILURE).found
    assert "source scada" in found
    assert "127.0.0.1:1:" in found
