"""The tables of nomenclature and API reference list exactly what the code has."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import typer.main

from gridcast.cli.app import app
from gridcast.domain import tables
from gridcast.domain.lead_time import LEAD_BUCKETS
from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.evaluation.peak_scores import SCORED_COLUMNS, peak_scores
from gridcast.evaluation.peaks import HOUR_COLUMNS, PEAKS
from gridcast.evaluation.scorecard import scorecard
from gridcast.ingestion.tabular.columns import DEAD_ROWS
from gridcast.quality.limits import Rule
from gridcast.store.schema import METADATA

ROOT = Path(__file__).parents[3]
WORDS = (ROOT / "docs/nomenclature.md").read_text()
REFERENCE = (ROOT / "docs/api_reference.md").read_text()
COMMANDS_PAGE = (ROOT / "docs/reference/cli.md").read_text()
SCHEMAS = {name: schema for name, schema in vars(tables).items() if isinstance(schema, pl.Schema)}
SAME_AS = {"forecasts": "FORECASTS", "overrides": "OVERRIDES"}


def leaves(group: Any, *words: str) -> Iterator[tuple[str, Any]]:
    """Every command that is shown, with its full name, those of groups too."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from leaves(command, *words, name)
        elif not command.hidden:
            yield " ".join((*words, name)), command


COMMANDS: dict[str, Any] = dict(leaves(typer.main.get_command(app)))
SIGNATURES = re.findall(
    r"`(\w+\.[\w.]+)\(([^)]*)\)`|^### gridcast\.([\w.]+)", REFERENCE.split("## Python")[1], flags=re.MULTILINE
)


def section(text: str, title: str) -> str:
    """What stands below a heading, down to the next of any level."""
    return re.split(rf"^#+ {re.escape(title)}$", text, flags=re.MULTILINE)[1].split("\n#")[0]


def first_cells(text: str) -> list[str]:
    """The code in the first cell of every row of the tables in a text."""
    return [
        code for row in re.findall(r"^\| (`.*?) \|", text, flags=re.MULTILINE) for code in re.findall(r"`([^`]+)`", row)
    ]


def parameters(room: str, name: str) -> list[str]:
    """Names of the parameters of a function, method or class, '*' before those that need their name."""
    parts = name.split(".")
    path = ROOT / "src/gridcast" / room.replace(".", "/")
    while not path.with_suffix(".py").is_file():
        path /= parts.pop(0)
    body: list[ast.stmt] = ast.parse(path.with_suffix(".py").read_text()).body
    for part in parts:
        (found,) = (each for each in body if isinstance(each, ast.FunctionDef | ast.ClassDef) and each.name == part)
        body = found.body
    if isinstance(found, ast.ClassDef):
        names = [
            each.target.id for each in body if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name)
        ]
        fields = [name for name in names if not name.startswith("_")]
        return ["*", *fields] if "kw_only=True" in ast.unparse(found.decorator_list[0]) else fields
    plain = [each.arg for each in found.args.args if each.arg not in {"self", "cls"}]
    return [*plain, *(["*"] if found.args.kwonlyargs else []), *(each.arg for each in found.args.kwonlyargs)]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_nomenclature_lists_the_columns_of_each_table_in_order(name: str) -> None:
    assert first_cells(section(WORDS, name)) == SCHEMAS[name].names()


@pytest.mark.parametrize("name", sorted(METADATA.tables))
def test_nomenclature_lists_the_columns_of_each_table_of_the_store(name: str) -> None:
    columns = METADATA.tables[name].columns.keys()
    if name in SAME_AS:
        assert columns == SCHEMAS[SAME_AS[name]].names()
        assert re.search(
            rf"`{name}`\s+(has the columns|those) of {SAME_AS[name]}", section(WORDS, "Tables of the store")
        )
    else:
        assert first_cells(section(WORDS, name)) == columns


def test_nomenclature_lists_every_flag_rule_layer_bucket_and_dead_letter_column() -> None:
    assert first_cells(section(WORDS, "Quality flags")) == list(tables.Quality)
    rules = [re.match(r"\| `([a-z_]+)`", line) for line in section(WORDS, "Rules").splitlines()]
    assert [found[1] for found in rules if found] == list(Rule)
    assert set(re.findall(r"`([a-z]+)`", section(WORDS, "Layers"))) == set(tables.Layer)
    assert re.findall(r"`(\S+ h)`", section(WORDS, "Lead buckets")) == [each.label for each in LEAD_BUCKETS]
    dead = first_cells(section(WORDS, "Rows that are left out"))
    assert dead[: len(DEAD_ROWS)] == DEAD_ROWS.names()


def test_nomenclature_lists_every_metric() -> None:
    names = [*QUANTILE_COLUMNS, "actual_mw"]
    empty = pl.DataFrame(
        schema={
            **dict.fromkeys(("forecaster", "series_id"), pl.String()),
            **dict.fromkeys(("issue_time", "valid_time"), tables.UTC_TIME),
            **dict.fromkeys(names, pl.Float64()),
        }
    )
    inner = {f"pinball_{column}_mw" for column in QUANTILE_COLUMNS[1:-1]}
    assert set(first_cells(section(WORDS, "Metrics"))) == set(scorecard(empty).columns) - inner - {"forecaster"}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_page_of_commands_lists_exactly_the_options_of_each_command(name: str) -> None:
    options = {option for parameter in COMMANDS[name].params for option in parameter.opts}
    assert set(first_cells(section(COMMANDS_PAGE, f"gridcast {name}"))) == options


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_the_api_reference_tells_the_json_of_each_command_that_prints_some(name: str) -> None:
    prints_json = any("--format" in parameter.opts for parameter in COMMANDS[name].params)
    text = section(REFERENCE, name)
    assert ("\nJSON: " in text or "--format json" in text) == prints_json


def test_the_api_reference_shows_every_signature_as_it_is() -> None:
    room, checked = "", 0
    for name, written, heading in SIGNATURES:
        room = heading or room
        if not heading:
            assert written.split(", ") == (parameters(room, name) or [""]), f"{room}.{name}"
            checked += 1
    assert checked > 30


def test_nomenclature_lists_the_columns_and_scores_of_peaks() -> None:
    shown = set(first_cells(section(WORDS, "Columns of peaks")))
    columns = {*PEAKS, *SCORED_COLUMNS} - {*QUANTILE_COLUMNS[1:-1], *HOUR_COLUMNS[1:-1]}
    assert shown == columns
    judged = PEAKS.to_frame().with_columns(
        *(pl.lit(None, pl.Float64).alias(name) for name in SCORED_COLUMNS if name not in PEAKS)
    )
    scores = peak_scores(judged, alarm_threshold=0.5, by=["series_id"])
    assert set(first_cells(section(WORDS, "Scores of peaks"))) == set(scores.columns) - {"series_id"}
