"""The batch run handed to a Beam runner in other processes, as to a cluster."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import watchfiles
from support.batch_runs import assert_equals_pure_functions, raw_folder, run
from support.flink import running_flink


@contextlib.contextmanager
def job_service(tmp_path: Path) -> Iterator[int]:
    """A job service in a process of its own, as a cluster has one; gives its port."""
    command = [sys.executable, "-m", "apache_beam.runners.portability.local_job_service_main"]
    port_file = tmp_path / "port"
    service = subprocess.Popen([*command, "--port_file", str(port_file)], stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        for changes in watchfiles.watch(tmp_path, recursive=False, yield_on_timeout=True, rust_timeout=200):
            assert service.poll() is None, changes
            assert time.monotonic() < deadline
            if port_file.exists() and port_file.read_text():
                break
        yield int(port_file.read_text())
    finally:
        service.kill()
        service.wait()


def test_the_pipeline_gives_what_the_pure_functions_give_with_a_block_a_series(tmp_path: Path) -> None:
    workspace = raw_folder(tmp_path)
    with job_service(tmp_path) as port:
        flags = ("--runner=PortableRunner", f"--job_endpoint=localhost:{port}", "--environment_type=LOOPBACK")
        prepared = run(workspace, block_rows=1_000, beam_flags=flags)
    assert_equals_pure_functions(prepared, workspace)


def test_flink_gives_what_the_pure_functions_give(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    workspace = raw_folder(tmp_path)
    with running_flink(tmp_path_factory.mktemp("flink")) as cluster:
        prepared = run(workspace, block_rows=1_000, beam_flags=tuple(cluster.options))
        assert [each["status"] for each in cluster.ask("/jobs")["jobs"]] == ["FINISHED"]
    assert_equals_pure_functions(prepared, workspace)
