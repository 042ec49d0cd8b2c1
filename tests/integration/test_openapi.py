"""The API keeps to its own description, whatever it is asked: no failure of ours, no answer that is not described."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.plant import Plant
from support.served import Served, served

from gridcast.domain.roles import Role

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CONFIG = Path(__file__).parents[1] / "fixtures" / "schemathesis.toml"


@pytest.fixture(scope="module")
def here(plant: Plant, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("described")
    with served(plant, folder / "data", folder / "gridcast.db") as found:
        yield found


def test_whatever_is_asked_is_answered_as_described(here: Served, tmp_path: Path) -> None:
    command = [
        *(SCHEMATHESIS, "--config-file", CONFIG, "run", f"{here.url}/openapi.json", "--checks", "all"),
        *("--header", f"Authorization: Bearer {here.keys[Role.ADMIN]}", "--max-examples", "15", "--seed", "7"),
        *("--exclude-path", "/v1/stream", "--request-timeout", "20", "--no-color"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


ROW = st.tuples(
    st.sampled_from(["zone_n", "zone_s", "zone_n", "system", "", "'; DROP TABLE reading_log; --"]),
    st.one_of(
        st.integers(0, 30).map(lambda hour: f"2024-07-01T{hour:02d}:00Z"),
        st.sampled_from(["2024-07-01T01:00+01:00", "2024-07-01", "", "9999-12-31T23:59:59Z", "2024-07-01T01:00"]),
    ),
    st.one_of(st.integers(0, 9).map(str), st.sampled_from(["1.5", "", "nan", "-inf", "1e999", "x"])),
)


@example(rows=[("zone_n", "2024-07-01T01:00Z", "1"), ("zone_n", "2024-07-01T01:00Z", "2")], key=None, cut=60)
@given(rows=st.lists(ROW, max_size=6), key=st.one_of(st.none(), st.integers(0, 10**12)), cut=st.integers(0, 60))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_push_lands_whole_or_not_at_all_and_once(
    here: Served, rows: list[tuple[str, str, str]], key: int | None, cut: int
) -> None:
    body = "series_id,valid_time,load_mw\n" + "".join(f"{','.join(each)}\n" for each in rows)
    content = body.encode()[: len(body) - cut] if cut < 10 else body.encode()
    headers = {"Content-Type": "text/csv", **({} if key is None else {"Idempotency-Key": f"key-{key:09d}"})}
    before = here.store.log_head()
    with here.client(Role.ENGINEER) as client:
        answer = client.post("/v1/readings", content=content, headers=headers)
        after = here.store.log_head()
        again = client.post("/v1/readings", content=content, headers=headers)
    assert answer.status_code in {200, 409, 422}
    told = answer.json()
    if answer.status_code == 200:
        assert told["landed"] + told["repeated"] == told["received"] <= len(rows)
        assert after - before <= told["landed"]
        assert key is not None or after - before == told["landed"]
        assert again.status_code == 200
        assert again.json()["landed"] == (0 if key is None else told["landed"])
    else:
        assert after == before
        assert again.status_code == answer.status_code
    assert here.store.log_head() == after
    landed = here.store.landed_after(after_offset=before, up_to_offset=after)
    assert set(landed["series_id"]) <= {"zone_n", "zone_s"}
