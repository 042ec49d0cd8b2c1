"""Servers that are busy, away, slow or endless: asked again where that helps, told clearly where it does not."""

import threading
from datetime import timedelta

import pytest
from support.web import Answer, in_turn, serve, url_of_nobody

from gridcast.domain.errors import GridcastError, UsageError
from gridcast.ingestion.connectors.http_client import HttpClient, HttpRules


class Client:
    """A client that notes its waits and does not wait."""

    def __init__(self, *, max_megabytes: int = 1, **rules: object) -> None:
        self.waits: list[float] = []
        self.http = HttpClient(HttpRules(**rules), self.waits.append, max_megabytes)  # type: ignore[arg-type]

    def get(self, url: str, **params: str) -> bytes:
        return self.http.get(url, params=params)


def test_an_answer_is_given_back_whole() -> None:
    with serve(in_turn(Answer(b"temperatures"))) as web:
        assert Client().get(f"{web.url}/v1", latitude="51.5") == b"temperatures"
    assert [(each.path, each.params) for each in web.asked] == [("/v1", {"latitude": "51.5"})]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again_with_growing_waits(status: int) -> None:
    client = Client()
    with serve(in_turn(Answer(status=status), Answer(status=status), Answer(b"ok"))) as web:
        assert client.get(web.url) == b"ok"
    assert len(web.asked) == 3
    assert 1 <= client.waits[0] <= 2
    assert 2 <= client.waits[1] <= 3


def test_a_server_that_says_how_long_to_wait_is_obeyed_within_limits() -> None:
    client = Client(longest_wait=timedelta(seconds=20))
    busy = [Answer(status=429, headers={"Retry-After": seconds}) for seconds in ("7", "3600")]
    with serve(in_turn(*busy, Answer(b"ok"))) as web:
        client.get(web.url)
    assert client.waits == [7.0, 20.0]


def test_a_server_that_stays_busy_is_given_up_and_the_key_is_not_told() -> None:
    client = Client(attempts=3)
    with (
        serve(in_turn(Answer(status=503))) as web,
        pytest.raises(GridcastError, match=r"answer 503 after 3 attempts; expected an answer\.") as error,
    ):
        client.get(web.url, apikey="s3cret")
    assert len(web.asked) == 3
    assert len(client.waits) == 2
    assert "s3cret" not in str(error.value)


def test_a_refusal_is_not_repeated_and_its_text_is_told() -> None:
    with (
        serve(in_turn(Answer(b'{"reason":"no such place"}', status=400))) as web,
        pytest.raises(GridcastError, match=r"answer 400 \(\{\"reason\":\"no such place\"\}\); expected data"),
    ):
        Client().get(web.url)
    assert len(web.asked) == 1


def test_a_dead_server_is_tried_as_often_as_allowed() -> None:
    client = Client(attempts=4)
    with pytest.raises(GridcastError, match=r"no whole answer \(ConnectError: .* after 4 attempts"):
        client.get(url_of_nobody())
    assert len(client.waits) == 3


def test_a_body_that_breaks_off_is_fetched_again() -> None:
    with serve(in_turn(Answer(b"half", claimed=1000), Answer(b"whole"))) as web:
        assert Client().get(web.url) == b"whole"


def test_a_body_that_always_breaks_off_is_an_error() -> None:
    with (
        serve(in_turn(Answer(b"half", claimed=1000))) as web,
        pytest.raises(GridcastError, match=r"no whole answer \(RemoteProtocolError: .* after 2 attempts"),
    ):
        Client(attempts=2).get(web.url)


def test_a_silent_server_is_given_up_in_time() -> None:
    spoke = threading.Event()

    def silent(_: object) -> Answer:
        spoke.wait(10)
        return Answer()

    with serve(silent) as web:
        with pytest.raises(GridcastError, match=r"no whole answer \(ReadTimeout: .* after 2 attempts"):
            Client(attempts=2, timeout=timedelta(milliseconds=50)).get(web.url)
        spoke.set()
    assert len(web.asked) == 2


def test_an_endless_body_is_refused_and_not_asked_for_again() -> None:
    with (
        serve(in_turn(Answer(b"x" * 3_000_000))) as web,
        pytest.raises(GridcastError, match=r"the answer is larger than 2 MB; expected less"),
    ):
        Client(max_megabytes=2).get(web.url)
    assert len(web.asked) == 1


@pytest.mark.parametrize("url", ["nowhere", "ftp://127.0.0.1/", "http://"])
def test_an_address_of_no_web_server_is_an_error(url: str) -> None:
    with pytest.raises(GridcastError, match="expected"):
        Client(attempts=1).get(url)


@pytest.mark.parametrize("rules", [{"attempts": 0}, {"timeout": timedelta(0)}, {"longest_wait": -timedelta(1)}])
def test_limits_are_positive(rules: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=rf"http: {next(iter(rules))} is .*; expected a value above 0"):
        HttpRules(**rules)  # type: ignore[arg-type]
