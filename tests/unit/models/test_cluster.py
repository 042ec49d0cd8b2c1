"""Workers find their place in a cluster and wait for each other."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.models.tensorflow.cluster import Cluster, tf_config
from gridcast.models.tensorflow.gathering import gather

AT_ONCE = timedelta(seconds=0)
SOON = timedelta(seconds=20)


def free_addresses(count: int) -> tuple[str, ...]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    addresses = tuple(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)
    for each in sockets:
        each.close()
    return addresses


def gathered(addresses: tuple[str, ...], *, purposes: tuple[str, ...]) -> list[BaseException | None]:
    """What each worker of a cluster is told."""
    with ThreadPoolExecutor(len(addresses)) as pool:
        waiting = [
            pool.submit(gather, Cluster(addresses, rank), purpose=purpose, within=SOON)
            for rank, purpose in enumerate(purposes)
        ]
        return [each.exception() for each in waiting]


def test_the_first_worker_is_the_chief_unless_another_task_is() -> None:
    text = tf_config(["a:1", "b:2"], rank=0)
    assert Cluster.parse(text) == Cluster(("a:1", "b:2"), 0)
    assert Cluster.parse(text).is_chief
    with_chief = {"cluster": {"chief": ["c:3"], "worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 0}}
    assert Cluster.parse(json.dumps(with_chief)) == Cluster(("c:3", "a:1", "b:2"), 1)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("{", id="no JSON"),
        pytest.param("[]", id="no object"),
        pytest.param(tf_config(["a:1"], rank=1), id="a place outside"),
        pytest.param(tf_config(["a:1"], rank=-1), id="a place before the first"),
        pytest.param(tf_config(["a"], rank=0), id="an address without a port"),
        pytest.param('{"cluster": {"worker": ["a:1"]}, "task": {"type": "ps", "index": 0}}', id="a parameter server"),
        pytest.param('{"cluster": {"chief": ["a:1", "b:2"]}, "task": {"type": "chief", "index": 1}}', id="two chiefs"),
    ],
)
def test_a_tf_config_that_gives_this_process_no_place_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="expected a cluster of workers"):
        Cluster.parse(text)


def test_workers_of_the_same_purpose_find_each_other() -> None:
    assert gathered(free_addresses(3), purposes=("a", "a", "a")) == [None, None, None]


def test_workers_of_different_purposes_are_all_told_so() -> None:
    told = gathered(free_addresses(2), purposes=("model a", "model b"))
    assert [type(each) for each in told] == [GridcastError, GridcastError]
    assert str(told[0]) == str(told[1])
    assert "worker 1 came to train model b, the chief model a" in str(told[0])


def test_a_stranger_who_calls_the_chief_is_not_taken_for_a_worker() -> None:
    addresses = free_addresses(2)
    host, port = addresses[0].split(":")
    with ThreadPoolExecutor(2) as pool:
        chief = pool.submit(gather, Cluster(addresses, 0), purpose="a", within=SOON)
        while not chief.done():
            try:
                with socket.create_connection((host, int(port))) as stranger:
                    stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
                break
            except ConnectionRefusedError:
                continue
        worker = pool.submit(gather, Cluster(addresses, 1), purpose="a", within=SOON)
        assert worker.exception() is None
        assert chief.exception() is None


def test_whoever_is_missing_is_named_instead_of_waited_for() -> None:
    addresses = free_addresses(2)
    with pytest.raises(GridcastError, match=rf"of 2 workers, 1 \({addresses[1]}\) did not come in time"):
        gather(Cluster(addresses, 0), purpose="a", within=AT_ONCE)
    with pytest.raises(GridcastError, match=f"worker 1: no answer from the chief at {addresses[0]}"):
        gather(Cluster(addresses, 1), purpose="a", within=AT_ONCE)


def test_the_chief_stops_waiting_for_a_worker_that_is_known_to_have_ended() -> None:
    def check() -> None:
        raise GridcastError("worker 1 has ended")

    with pytest.raises(GridcastError, match="worker 1 has ended"):
        gather(Cluster(free_addresses(2), 0, check), purpose="a", within=SOON)


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(GridcastError, match="nothing can listen there"):
            gather(Cluster((address, "127.0.0.1:1"), 0), purpose="a", within=AT_ONCE)
