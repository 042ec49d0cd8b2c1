"""Flink's own HTTP interface, for what Beam's job server does not do: end a job that it has handed over."""

import time
from typing import Any, Final

import httpx
from apache_beam.options.pipeline_options import FlinkRunnerOptions, PipelineOptions

from gridcast.domain.errors import GridcastError

_ENDED: Final = frozenset({"CANCELED", "FAILED", "FINISHED"})
_TIMEOUT_SECONDS: Final = 10.0
_END_SECONDS: Final = 60.0
_LOOK_SECONDS: Final = 0.2


def address_of(options: PipelineOptions) -> str | None:
    """Where a Flink cluster answers, if Beam's options name one."""
    master = options.view_as(FlinkRunnerOptions).flink_master
    if not master or master.startswith("["):
        return None
    return str(master) if "://" in master else f"http://{master}"


def end_jobs(address: str, *, name: str) -> None:
    """Cancel the jobs of a name, and wait until they have ended.

    Raises:
        GridcastError: the cluster does not answer, or a job does not end.
    """
    deadline = time.monotonic() + _END_SECONDS
    try:
        with httpx.Client(base_url=address, timeout=_TIMEOUT_SECONDS) as client:
            for job in _at_work(client, name):
                client.patch(f"/jobs/{job}", params={"mode": "cancel"}).raise_for_status()
            while _at_work(client, name):
                if time.monotonic() > deadline:
                    raise GridcastError(f"Flink at {address}: job {name!r} did not end in {_END_SECONDS:.0f} s.")
                time.sleep(_LOOK_SECONDS)
    except httpx.HTTPError as error:
        raise GridcastError(
            f"Flink at {address}: {error}; expected its job manager's HTTP interface, as --flink_master names it."
        ) from error


def _at_work(client: httpx.Client, name: str) -> list[str]:
    answer = client.get("/jobs/overview").raise_for_status()
    jobs: list[dict[str, Any]] = answer.json()["jobs"]
    return [str(job["jid"]) for job in jobs if job["name"] == name and job["state"] not in _ENDED]
