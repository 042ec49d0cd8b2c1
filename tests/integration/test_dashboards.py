"""Every panel of every board gets what it needs from a real PostgreSQL with forecasts in it, and finds it by keys."""

import contextlib
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import polars as pl
import psycopg
import pytest
from support.grafana import BOARDS, Looked, fields, panels, read, span
from support.plant import Plant
from support.postgres import PASSWORD, USER, running_postgres
from support.served import HOUR, fill, issued

from gridcast.dashboards.grafana.chances import above
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import CLEAN_READINGS, OVERRIDES, Quality
from gridcast.store.store import Store
from gridcast.workflows.forecasts.external_forecasts import take_over
from gridcast.workflows.forecasts.operators import overrule, with_operators
from gridcast.workflows.forecasts.score_forecasts import score_forecasts

ROOT = Path(__file__).parents[2]
DAY = timedelta(days=1)
(READER,) = re.findall(r"^```sql\n(.*?)^```", (ROOT / "docs/dashboards.md").read_text(), re.DOTALL | re.MULTILINE)
NEWEST = str(2**63 - 1)
OVERRIDDEN = "zone_n"


def asked() -> Iterator[Any]:
    """Every panel that asks PostgreSQL, with its board."""
    for path in BOARDS:
        board = read(path)
        for panel in panels(board):
            if panel["datasource"]["uid"] == "${datasource}":
                yield pytest.param(board, panel, id=f"{path.stem}: {panel['title']}")


each_panel = pytest.mark.parametrize(("board", "panel"), list(asked()))


@dataclass
class Filled:
    """A database, and how a board over it is looked at."""

    connection: psycopg.Connection[Any]
    looked: Looked

    def over(self, board: dict[str, Any], panel: dict[str, Any] | None = None) -> Looked:
        """Its first time range ends at the newest reading; a panel that is repeated has one of the values."""
        start, end = span(board, now=self.looked.end)
        repeated = (panel or {}).get("repeat")
        alone = {repeated: self.looked.chosen[repeated][:1]} if repeated else {}
        return replace(self.looked, start=start, end=end, chosen={**self.looked.chosen, **alone})

    def ask(self, text: str) -> tuple[list[str], list[tuple[Any, ...]]]:
        cursor = self.connection.execute(text)  # type: ignore[call-overload]
        return [each.name for each in cursor.description or ()], cursor.fetchall()


@pytest.fixture(scope="module")
def filled(plant: Plant) -> Iterator[Filled]:
    end = plant.processed.observed_until
    with running_postgres() as server:
        url = server.new_database()
        with contextlib.closing(Store.open(url)) as store:
            fill(store, plant)
            write_the_rest(store, plant)
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("ANALYZE")
            for statement in filter(str.strip, READER.replace("choose one", PASSWORD).split(";")):
                owner.execute(statement.encode())
        with psycopg.connect(url.replace(f"//{USER}:", "//grafana:"), autocommit=True) as connection:
            zones = [row[0] for row in connection.execute("SELECT DISTINCT series_id FROM runs ORDER BY 1 DESC")]
            zones.sort(key=lambda name: name != OVERRIDDEN)
            chosen = {"series": zones[0], "zones": zones, "issue": NEWEST, "ahead": "0", "limit": "", "step": "1h"}
            yield Filled(connection, Looked(end - DAY, end, chosen))


def write_the_rest(store: Store, plant: Plant) -> None:
    """Overrides of intervals over and to come, corrected and lost readings, scores, and what happened to models."""
    end = plant.processed.observed_until
    for hours in (20, 1):
        start = end - hours * HOUR
        overrule(store, override(f"of {hours}", start=start, end=start + 6 * HOUR))
        store.save_forecasts(with_operators(store, issued(plant, start)))
    store.save_forecasts(with_operators(store, issued(plant, end)))
    for hours in (14, 13, 0):
        store.save_forecasts(shadow(plant, end - hours * HOUR))
    readings = store.readings(start=end - 30 * HOUR, end=end)
    lost = readings.head(3).with_columns(
        load_mw=pl.lit(None, pl.Float64), quality=pl.lit(Quality.MISSING.value), rule=pl.lit("gap")
    )
    mended = readings.tail(3).with_columns(quality=pl.lit(Quality.ESTIMATED.value), rule=pl.lit("spike+like_days"))
    store.save_clean(pl.concat([lost, mended]).select(CLEAN_READINGS.names()), known_from=end + HOUR)
    score_forecasts(store, plant.processed, last=3 * DAY)
    said = issued(plant, end - 20 * HOUR).select(
        "series_id", "valid_time", load_mw=pl.col("p50") + 1, available_at="issue_time"
    )
    take_over(store, plant.processed, said, source="TSO")
    for kind in ("promoted", "promotion_refused", "model_took_over"):
        store.add_event(at=end - HOUR, kind=kind, message="model 1 by test")


def shadow(plant: Plant, at: datetime) -> pl.DataFrame:
    """A forecast of a model on trial."""
    shifted = [pl.col(column) + 1.5 for column in QUANTILE_COLUMNS]
    rows: pl.DataFrame = issued(plant, at)
    return rows.with_columns(*shifted, layer=pl.lit("shadow"), model_version=pl.lit("2"))


def override(name: str, **times: Any) -> pl.DataFrame:
    values = {
        "override_id": name,
        "series_id": OVERRIDDEN,
        "operation": "add",
        "value": 1.5,
        "author": "control room",
        "reason": "a match",
        "created_at": times["start"] - HOUR,
        "expires_at": times["end"] + DAY,
        "withdrawn_at": None,
        "withdrawn_by": None,
    }
    return pl.DataFrame([{**values, **times}], schema=OVERRIDES)


@each_panel
def test_a_panel_gets_rows_its_time_and_every_field_it_names(
    filled: Filled, board: dict[str, Any], panel: dict[str, Any]
) -> None:
    (target,) = panel["targets"]
    columns, rows = filled.ask(filled.over(board, panel).expanded(target["rawSql"]))
    assert rows
    found = fields(target, columns, rows)
    if panel["type"] == "timeseries":
        assert all(hasattr(row[columns.index("time")], "tzinfo") for row in rows)
        assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert set(matched(panel, by="byName")) <= found
    patterns = matched(panel, by="byRegexp")
    if patterns:
        assert all(any(re.search(pattern, name) for pattern in patterns) for name in found - {"time"})
    if "xField" in panel["options"]:
        assert panel["options"]["xField"] in found
    assert not [name for place, name in enumerate(columns) if all(row[place] is None for row in rows)]


def matched(panel: dict[str, Any], *, by: str) -> list[str]:
    """What the overrides of a panel are for."""
    matchers = [each["matcher"] for each in panel["fieldConfig"]["overrides"]]
    return [each["options"] for each in matchers if each["id"] == by]


@each_panel
def test_no_panel_reads_forecasts_or_readings_but_by_their_keys(
    filled: Filled, board: dict[str, Any], panel: dict[str, Any]
) -> None:
    (target,) = panel["targets"]
    query = filled.over(board, panel).expanded(target["rawSql"])
    with filled.connection.transaction():
        filled.connection.execute("SET LOCAL enable_seqscan = off")
        _, ((plan,),) = filled.ask(f"EXPLAIN (FORMAT JSON) {query}")
    for node in nodes(plan[0]["Plan"]):
        table = node.get("Relation Name", "")
        first = "issue_time" if table.startswith("forecasts") else "series_id"
        if table.startswith("forecasts") or table in {"readings", "readings_superseded", "runs", "scores"}:
            assert node["Node Type"] != "Seq Scan", f"{table}: {query}"
            if "Index Cond" in node or node["Node Type"] in {"Index Scan", "Index Only Scan"}:
                assert first in node.get("Index Cond", ""), f"{table}: {query}"


def nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for each in node.get("Plans", []):
        yield from nodes(each)


def test_all_panels_together_ask_quickly_enough_to_be_looked_at(filled: Filled) -> None:
    seconds = []
    for parameters in asked():
        board, panel = parameters.values
        query = filled.over(board, panel).expanded(panel["targets"][0]["rawSql"])
        started = time.perf_counter()
        filled.ask(query)
        seconds.append(time.perf_counter() - started)
    p95 = sorted(seconds)[int(0.95 * len(seconds))]
    sys.stdout.write(f"{len(seconds)} panels: p95 {1000 * p95:.1f} ms, slowest {1000 * max(seconds):.1f} ms\n")
    assert len(seconds) > 20


def test_an_earlier_issue_is_shown_as_it_was(filled: Filled) -> None:
    (operations,) = (read(path) for path in BOARDS if path.stem == "gridcast-operations")
    (facts,) = (each for each in panels(operations) if each["title"].endswith("forecast shown"))
    earlier = int((filled.looked.end - 5 * HOUR).timestamp()) * 1_000_000
    looked = replace(filled.over(operations), chosen={**filled.looked.chosen, "issue": str(earlier)})
    _, ((issued_at, *_),) = filled.ask(looked.expanded(facts["targets"][0]["rawSql"]))
    wanted = filled.looked.end - 5 * HOUR
    assert issued_at == f"{wanted.astimezone(ZoneInfo(looked.time_zone)):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize("path", BOARDS, ids=lambda path: path.stem)
def test_variables_and_annotations_of_a_board_have_values(filled: Filled, path: Any) -> None:
    board = read(path)
    looked = filled.over(board)
    for each in board["templating"]["list"]:
        if each["type"] == "query" and each["datasource"]["uid"] == "${datasource}":
            assert filled.ask(looked.expanded(each["query"]["rawSql"]))[1], each["name"]
    for each in board["annotations"].get("list", []):
        columns, rows = filled.ask(looked.expanded(each["target"]["rawSql"]))
        assert {"time", "text"} <= set(columns)
        assert rows, each["name"]


@pytest.mark.parametrize(
    ("limit_mw", "chance"),
    [
        pytest.param(1, 0.95, id="below all quantiles"),
        pytest.param(20, 0.90, id="on the second"),
        pytest.param(45, 0.375, id="half way between median and p75"),
        pytest.param(70, 0.05, id="on the last"),
        pytest.param(99, 0.05, id="above all"),
    ],
)
def test_the_chance_of_exceeding_a_limit_is_read_off_the_quantiles(
    filled: Filled, limit_mw: float, chance: float
) -> None:
    quantiles = ", ".join(
        f"{10.0 * (place + 1)}::double precision AS {name}" for place, name in enumerate(QUANTILE_COLUMNS)
    )
    query = f"WITH forecast AS (SELECT {quantiles}) SELECT {above(str(limit_mw))} FROM forecast"  # noqa: S608
    _, ((found,),) = filled.ask(query)
    assert float(found) == pytest.approx(chance)
