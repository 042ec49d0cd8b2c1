"""The committed boards are those the code makes; each is whole, readable on light and dark, of real metrics."""

import re
import subprocess
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.grafana import BOARDS, Looked, panels, read
from support.services import require_programs

from gridcast.dashboards.grafana import theme
from gridcast.dashboards.grafana.files import files
from gridcast.monitoring.metric_names import METRICS, Kind

ROOT = Path(__file__).parents[3]
NOW = datetime.now(UTC)
FOLDER = ROOT / "dashboards"
DARK_PANEL, LIGHT_PANEL = "#181b1f", "#ffffff"
"""Behind charts of Grafana's two themes."""
each_board = pytest.mark.parametrize("board", [pytest.param(read(path), id=path.stem) for path in BOARDS])


def test_the_committed_files_are_the_ones_the_code_makes_byte_for_byte() -> None:
    made = {FOLDER / path: content for path, content in files().items()}
    committed = {path: path.read_bytes() for path in FOLDER.rglob("*") if path.is_file() and path.suffix != ".md"}
    assert committed.keys() == made.keys(), 'run "gridcast dashboards"'
    assert [path for path, content in made.items() if committed[path] != content] == [], 'run "gridcast dashboards"'


def test_boards_have_identities_of_their_own_that_bookmarks_keep() -> None:
    assert Counter(read(path)["uid"] for path in BOARDS) == Counter(
        f"gridcast-{name}" for name in ("accuracy", "data-quality", "models", "operations", "system-health")
    )


@each_board
def test_every_panel_says_what_it_shows_in_which_unit_and_what_an_empty_one_means(board: dict[str, Any]) -> None:
    found = list(panels(board))
    assert len({each["id"] for each in found}) == len(found)
    for each in found:
        defaults = each["fieldConfig"]["defaults"]
        assert each["title"]
        assert len(each["description"]) > 30
        assert defaults["unit"]
        assert defaults["noValue"]
        assert 0 < each["gridPos"]["x"] + each["gridPos"]["w"] <= 24


@each_board
def test_panels_do_not_lie_on_one_another(board: dict[str, Any]) -> None:
    cells = Counter(
        (x, y)
        for place in (each["gridPos"] for each in panels(board))
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    )
    assert max(cells.values()) == 1


@each_board
def test_every_variable_asked_for_is_one_that_the_board_has(board: dict[str, Any]) -> None:
    defined = {each["name"] for each in board["templating"]["list"]}
    texts = [text for each in panels(board) for text in asked(each)] + [
        each["target"]["rawSql"] for each in board["annotations"].get("list", [])
    ]
    used = {name for text in texts for name in re.findall(r"\$\{?([a-z]\w*)", text)}
    used |= {each["repeat"] for each in panels(board) if "repeat" in each}
    used |= {name for each in panels(board) for name in re.findall(r"\$\{?([a-z]\w*)", each["title"])}
    used |= {name for each in panels(board) for name in re.findall(r"\w+", each["datasource"]["uid"])}
    assert used == defined


def asked(panel: dict[str, Any]) -> list[str]:
    return [each.get("rawSql") or each["expr"] for each in panel["targets"]]


@each_board
def test_boards_lead_to_one_another_with_the_time_range_and_the_choices(board: dict[str, Any]) -> None:
    (link,) = board["links"]
    assert set(link["tags"]) <= set(board["tags"])
    assert link["keepTime"]
    assert link["includeVars"]


def expressions() -> list[str]:
    return [
        each["expr"] for path in BOARDS for panel in panels(read(path)) for each in panel["targets"] if "expr" in each
    ]


def test_every_metric_a_panel_names_is_one_that_gridcast_has() -> None:
    known = {f"{each.name}_bucket" if each.kind is Kind.HISTOGRAM else each.name for each in METRICS}
    named = {name for each in expressions() for name in re.findall(r"gridcast_\w+", each)}
    assert len(named) > 8
    assert named <= known


def test_prometheus_understands_every_expression(tmp_path: Path) -> None:
    (promtool,) = require_programs("promtool")
    looked = Looked(NOW, NOW, chosen={"level": ".*", "zones": ["a", "b"]})
    rules = [{"record": f"panel:{place}", "expr": looked.expanded(each)} for place, each in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        [promtool, "check", "rules", tmp_path / "rules.yml"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("color", [*theme.OF_BUCKETS, *(theme.between(name) for name in ("model", "linear", "issue"))])
@pytest.mark.parametrize("page", [DARK_PANEL, LIGHT_PANEL])
def test_lines_stand_out_on_light_and_on_dark(color: str, page: str) -> None:
    bright, dim = sorted((luminance(color), luminance(page)), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 2.5


def luminance(color: str) -> float:
    """Relative luminance by WCAG 2.2."""
    parts = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_no_provisioned_file_holds_a_secret() -> None:
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/gridcast.yaml").read_text())["datasources"]
    secrets = [value for each in sources for value in each.get("secureJsonData", {}).values()]
    assert secrets == ["$GRIDCAST_STORE_PASSWORD"]
    assert [each["type"] for each in sources] == ["grafana-postgresql-datasource", "prometheus"]
    provider = yaml.safe_load((FOLDER / "provisioning/dashboards/gridcast.yaml").read_text())["providers"]
    assert [each["options"]["path"] for each in provider] == ["$GRIDCAST_BOARDS"]
    points = yaml.safe_load((FOLDER / "provisioning/alerting/gridcast.yaml").read_text())["contactPoints"]
    assert [each["settings"] for point in points for each in point["receivers"]] == [
        {"url": "$GRIDCAST_ALERTMANAGER_URL"}
    ]
