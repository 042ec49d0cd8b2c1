"""How the client asks: what is repeated, what is not, what is said when nothing helps, and where the key goes."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from support.web import Answer, Asked, in_turn, serve

from gridcast.client import ApiError, Client
from gridcast.client.credentials import find_secret
from gridcast.client.feed import ServerEvent, read_events
from gridcast.domain.errors import UsageError

EMPTY = Answer(json.dumps({"items": [], "next": None}).encode(), headers={"Content-Type": "application/json"})
SECRET = "gck_very_secret"  # noqa: S105 - nobody's


def refused(status: int, **headers: str) -> Answer:
    body = {"title": "Busy", "status": status, "detail": f"the store is away, {SECRET}"}
    return Answer(json.dumps(body).encode(), status, {"Content-Type": "application/problem+json", **headers})


def refusal(told: str) -> pytest.RaisesExc[ApiError]:
    return pytest.raises(ApiError, match=told)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_what_only_asks_is_asked_again_while_the_service_is_busy(status: int) -> None:
    with serve(in_turn(refused(status), refused(status), EMPTY)) as web, Client(web.url, key=SECRET) as api:
        assert api.models() == []
    assert len(web.asked) == 3


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 500])
def test_what_will_not_get_better_is_asked_once(status: int) -> None:
    told = rf"GET http://.*/v1/models: answer {status}: the store is away"
    with serve(in_turn(refused(status), EMPTY)) as web, Client(web.url, key=SECRET) as api, refusal(told) as caught:
        api.models()
    assert len(web.asked) == 1
    assert caught.value.status == status


def test_when_nothing_helps_the_last_answer_is_told_and_never_the_key() -> None:
    answer = in_turn(refused(503))
    with serve(answer) as web, Client(web.url, key=SECRET, attempts=2) as api, refusal("away, …") as caught:
        api.models()
    assert len(web.asked) == 2
    assert SECRET not in f"{caught.value}{caught.value.problem}{caught.value.__cause__}"


def test_the_service_says_how_long_to_wait() -> None:
    waited: list[datetime] = []

    def answer(_: Asked) -> Answer:
        waited.append(datetime.now(UTC))
        return EMPTY if len(waited) > 1 else refused(429, **{"Retry-After": "1"})

    with serve(answer) as web, Client(web.url, key=SECRET) as api:
        api.models()
    assert waited[1] - waited[0] >= timedelta(seconds=1)


def answering(answer: Answer) -> Callable[[Asked], Answer]:
    return lambda _: answer


def test_a_redirect_is_not_followed_so_the_key_stays_with_the_service() -> None:
    with serve(answering(EMPTY)) as elsewhere:
        moved = Answer(status=302, headers={"Location": f"{elsewhere.url}/v1/models"})
        with serve(answering(moved)) as web, Client(web.url, key=SECRET) as api, refusal("answer 302"):
            api.models()
    assert elsewhere.asked == []


@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"\xff\xfe", b"[1]", b""])
def test_an_answer_that_is_no_problem_document_is_told_by_its_status(body: bytes) -> None:
    answer = answering(Answer(body, 418))
    with serve(answer) as web, Client(web.url, key=SECRET) as api, refusal("answer 418: no reason given"):
        api.models()


def test_an_answer_of_another_service_is_told() -> None:
    login = Answer(b"<html>Please log in</html>", headers={"Content-Type": "text/html; charset=utf-8"})
    told = "answer of the kind 'text/html'; expected application/json of a gridcast service"
    with serve(answering(login)) as web, Client(web.url, key=SECRET) as api, refusal(told):
        api.models()


@pytest.mark.parametrize(
    "url",
    [
        "gridcast.example.org",
        "ftp://gridcast.example.org",
        "https://",
        "https://h/?key=1",
        "https://h/#a",
        "",
        "http://h:99999",
        "http://[::1",
        "http://h:x",
    ],
)
def test_what_is_no_address_of_a_service_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="expected a service's address"):
        Client(url, key=SECRET)


def test_an_address_with_a_password_is_refused_without_showing_it() -> None:
    with pytest.raises(UsageError) as caught:
        Client("https://me:hunter2@gridcast.example.org", key=SECRET)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["", " gck_x", "gck_x\n", "gck\x00x", "schlüssel"])
def test_what_fits_into_no_header_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(UsageError, match="the API key or token is empty or holds blanks") as caught:
        find_secret(key=key, token=None)
    assert "gck" not in str(caught.value)


def test_a_key_and_a_token_together_are_refused() -> None:
    with pytest.raises(UsageError, match="a key and a token"):
        find_secret(key="a", token="b")  # noqa: S106


def test_a_file_of_certificates_has_to_be_there() -> None:
    with pytest.raises(UsageError, match="verify: /no/such cannot be used"):
        Client("https://gridcast.example.org", key=SECRET, verify="/no/such")


def test_events_of_a_stream_are_put_together_from_its_lines() -> None:
    lines = [
        ": hello",
        "",
        "event: forecast",
        'data: {"a":',
        "data: 1}",
        "",
        "data: 2",
        "id: 7",
        "",
        "event: x",
        "",
        "data: 3",
    ]
    assert list(read_events(lines)) == [ServerEvent("forecast", {"a": 1}), ServerEvent("message", 2)]
