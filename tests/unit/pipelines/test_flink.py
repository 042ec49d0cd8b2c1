"""Which Flink cluster Beam's options name, and what is told when it does not answer."""

import pytest
from apache_beam.options.pipeline_options import PipelineOptions
from support.services import free_ports

from gridcast.domain.errors import GridcastError
from gridcast.pipelines.beam.flink import address_of, end_jobs


@pytest.mark.parametrize(
    ("flags", "address"),
    [
        (["--flink_master", "flink:8081"], "http://flink:8081"),
        (["--flink_master", "https://flink.example"], "https://flink.example"),
        (["--flink_master", "[local]"], None),
        (["--runner", "PortableRunner"], None),
    ],
)
def test_a_cluster_is_one_that_has_an_address(flags: list[str], address: str | None) -> None:
    assert address_of(PipelineOptions(flags)) == address


def test_a_cluster_that_does_not_answer_is_told_in_a_line() -> None:
    (port,) = free_ports(1)
    with pytest.raises(GridcastError, match=f"127.0.0.1:{port}: .*expected its job manager"):
        end_jobs(f"http://127.0.0.1:{port}", name="gridcast-scada-0")
