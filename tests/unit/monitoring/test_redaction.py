"""No secret gets into a line of a log, wherever it stands."""

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridcast.monitoring.redaction import KEY_PREFIX, REDACTED, text_without_secrets, without_secrets
from gridcast.store import keys

SECRETS = st.text(string.ascii_letters + string.digits + "-_", min_size=12, max_size=40).map(lambda text: f"Zq{text}")
AROUND = st.text(st.characters(blacklist_characters="\"'", blacklist_categories=("Cs",)), max_size=30)
PLACES = [
    pytest.param("postgresql://grid:{}@db.example:5432/grid", id="password of a URL"),
    pytest.param("postgresql+psycopg://grid:a@{}@db/grid", id="password of a URL with an at sign"),
    pytest.param("host=db user=grid password={} dbname=grid", id="password of a connection string"),
    pytest.param("host=db password='a {} b' dbname=grid", id="quoted password with spaces"),
    pytest.param("Authorization: Bearer {}", id="bearer token in a header"),
    pytest.param("b'authorization': b'Basic {}'", id="basic credentials in headers as bytes"),
    pytest.param("X-API-Key: {}", id="key in a header"),
    pytest.param("GET /v1/x?token={}&start=2008", id="token of a query"),
    pytest.param("GET /v1/x?access_token={}", id="access token of a query"),
    pytest.param('{{"client_secret": "{}"}}', id="secret in JSON"),
    pytest.param(f"the key {KEY_PREFIX}{{}} is unknown", id="API key by its beginning"),
    pytest.param("eyJ{}.eyJ{}.c2ln", id="signed token"),
    pytest.param("-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----", id="private key"),
]


@pytest.mark.parametrize("place", PLACES)
@given(secret=SECRETS, before=AROUND, after=AROUND)
def test_a_secret_is_taken_out_of_a_text_whatever_stands_around_it(
    place: str, secret: str, before: str, after: str
) -> None:
    text = place.replace("{}", secret).replace("{{", "{").replace("}}", "}")
    line = text_without_secrets(f"{before} {text} {after}")
    assert secret not in line
    assert REDACTED in line


@given(
    secret=SECRETS, name=st.sampled_from(["password", "Authorization", "x-api-key", "api_key", "db_password", "token"])
)
def test_what_stands_under_the_name_of_a_secret_is_taken_out_at_any_depth(secret: str, name: str) -> None:
    nested: Any = {"facts": [{"deep": {name: secret}}, {name: [secret]}], "n": 1}
    assert secret not in str(without_secrets(nested))
    assert without_secrets(nested)["n"] == 1  # type: ignore[index]


@given(secret=SECRETS)
def test_a_secret_inside_an_object_that_is_no_text_is_taken_out(secret: str) -> None:
    found = without_secrets(ValueError(f"cannot reach mqtt://me:{secret}@broker:1883"))
    assert found == f"cannot reach mqtt://me:{REDACTED}@broker:1883"


@pytest.mark.parametrize(
    "text",
    [
        "series 'zone_04': newest reading is 2008-06-30 05:00Z, 6:00:00 old; the limit is 3:00:00.",
        "GET /v1/forecasts/{series_id} 200",
        "postgresql://db.example:5432/grid",
        "model 2 forecasts from now on, after 1",
        "basic rules of thumb",
    ],
)
def test_what_holds_no_secret_stays_as_it_is(text: str) -> None:
    assert text_without_secrets(text) == text


def test_numbers_and_nothing_stay_what_they_are_and_what_is_no_number_is_told_in_words() -> None:
    assert without_secrets({"n": 3, "s": 0.5, "b": True, "none": None}) == {"n": 3, "s": 0.5, "b": True, "none": None}
    assert without_secrets(float("nan")) == "nan"


def test_keys_are_known_by_the_beginning_that_the_store_gives_them() -> None:
    assert KEY_PREFIX == keys.PREFIX
