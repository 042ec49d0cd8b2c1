"""The board in a real browser, over the real service: what operators see, do and hear, with and without a mouse."""

import contextlib
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from support.board import ESTIMATED, HORIZON, HOUR, Board, built_in, copy_of, serve
from support.browser import Scheme, Watched, chromium, kept_by, watched
from support.workers import run_folder

from gridcast.client import Client
from gridcast.domain.roles import Role

NARROW = 360
TILES = ("Newest reading", "Forecast", "Model in charge", "Data quality")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=15_000)
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def built(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_in(run_folder(tmp_path_factory))


@pytest.fixture
def served(built: Path, tmp_path: Path) -> Iterator[Board]:
    with serve(copy_of(built, tmp_path)) as found:
        yield found


@pytest.fixture
def window(browser: Browser) -> Iterator[Watched]:
    """A window; at the end nothing has been complained of."""
    with watched(browser) as found:
        yield found
        assert found.complaints == []


def sign_in(page: Page, served: Board, role: Role = Role.OPERATOR) -> None:
    page.goto(served.url)
    page.get_by_label("API key or token").fill(served.keys[role])
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#chart svg")).to_be_visible()
    expect(page.locator("#live")).to_have_text("live")


def client(served: Board, role: Role = Role.OPERATOR) -> Client:
    return Client(served.url, key=served.keys[role])


def steps(page: Page, kind: str) -> int:
    """How many points a line of the chart has."""
    return len(re.findall(r"[ML]", page.locator(f"#chart path.{kind}").get_attribute("d") or ""))


def panel(page: Page, heading: str) -> Locator:
    role: Literal["article", "region"] = "article" if heading in TILES else "region"
    return page.get_by_role(role, name=heading, exact=True)


def cells(table: Locator) -> list[list[str]]:
    return [row.locator("th, td").all_inner_texts() for row in table.locator("tbody tr").all()]


def choose(page: Page, series_id: str) -> None:
    page.get_by_role("combobox", name="Series").fill(series_id)
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text(series_id)
    expect(page.locator("#chart svg")).to_be_visible()


def test_a_wrong_key_is_refused_in_the_words_of_the_service_and_a_right_one_opens_the_board(
    browser: Browser, served: Board
) -> None:
    with watched(browser) as window:
        page = window.page
        page.goto(served.url)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("alert")).to_have_text("Paste a key first.")
        page.get_by_label("API key or token").fill("gck_wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_role("alert")).to_contain_text("the API key is unknown, expired or revoked")
        assert kept_by(page)["session"] == {}
        assert window.faults() == []
        sign_in(page, served)
        assert [each for each in window.complaints if "401" not in each] == []


def test_the_key_is_kept_in_the_tab_alone_and_forgotten_on_signing_out(window: Watched, served: Board) -> None:
    page, key = window.page, served.keys[Role.OPERATOR]
    sign_in(page, served)
    assert kept_by(page) == {"session": {"gridcast.key": key}, "local": {}, "cookie": ""}
    page.reload()
    expect(page.locator("#chart svg")).to_be_visible()
    assert not [each for each in window.asked if key in each]
    assert key not in page.content()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("API key or token")).to_be_focused()
    assert kept_by(page) == {"session": {}, "local": {}, "cookie": ""}
    expect(page.locator("#board")).to_be_hidden()


def test_chart_and_table_show_as_many_points_as_the_api_gives(window: Watched, served: Board) -> None:
    page = window.page
    sign_in(page, served)
    choose(page, "zone_n")
    with client(served) as api:
        forecast = api.forecast("zone_n")
        issued = forecast["issue_time"][0]
        measured = api.readings("zone_n", start=issued - HORIZON, end=issued)
    assert (steps(page, "median"), steps(page, "measured")) == (forecast.height, measured.height) == (48, 48)
    assert page.locator("#chart circle.estimated").count() == ESTIMATED
    page.get_by_text("Chart as a table").click()
    rows = cells(page.get_by_role("table", name=re.compile("zone_n: loads in MW")))
    assert len(rows) == forecast.height + measured.height
    first = forecast.row(0, named=True)
    assert rows[48] == [
        "30 Apr 2024 01:00 GMT+1",
        "–",
        *(f"{first[column]:.1f}" for column in ("p05", "p10", "p50", "p90", "p95")),
    ]
    assert rows[47][1].endswith("(estimated)")
    assert page.get_by_role("list", name="Legend").get_by_role("listitem").all_inner_texts() == [
        "measured",
        "forecast (median)",
        "80 % band",
        "90 % band",
        "estimated or edited",
    ]


def test_freshness_model_quality_accuracy_and_peaks_are_those_of_the_api(window: Watched, served: Board) -> None:
    page = window.page
    sign_in(page, served)
    with client(served) as api:
        accuracy, peaks = api.accuracy(series_id="system"), api.peaks("system")
    years = (datetime.now(UTC) - datetime(2024, 4, 30, tzinfo=UTC)).days // 365
    for heading in ("Newest reading", "Forecast"):
        expect(panel(page, heading).locator(".value")).to_have_text(f"{years} years ago")
    expect(panel(page, "Model in charge")).to_contain_text("Version 1")
    expect(panel(page, "Model in charge")).to_contain_text("since 30 Apr 2024 01:00 GMT+1")
    light = panel(page, "Data quality").locator(".value")
    expect(light).to_have_text("Watch")
    expect(light.locator("svg")).to_be_visible()
    expect(panel(page, "Data quality")).to_contain_text("96 % measured, 4 % estimated; last 24 h")
    rows = cells(panel(page, "Accuracy so far").get_by_role("table"))
    assert [row[0] for row in rows] == ["0–6 h", "6–12 h", "12–24 h", "24–48 h"]
    by_bucket = {row["lead_bucket"]: row for row in accuracy.iter_rows(named=True)}
    for bucket, mae, naive, better, bias, inner, outer, count in rows:
        expected = by_bucket[bucket]
        assert (mae, count) == (f"{expected['mae_mw']:.2f}", str(expected["n"]))
        skill = expected["skill_mae_vs_naive"]
        assert naive == ("–" if expected["naive_mae_mw"] is None else f"{expected['naive_mae_mw']:.2f}")
        assert (better == "–") == (skill is None)
        if skill is not None:
            assert float(better.split()[0].replace("−", "-")) == pytest.approx(skill * 100, abs=0.6)
        assert float(bias.replace("−", "-")) == pytest.approx(expected["bias_mw"], abs=0.006)
        assert float(inner.split()[0]) == pytest.approx(expected["coverage_80"] * 100, abs=0.6)
        assert float(outer.split()[0]) == pytest.approx(expected["coverage_90"] * 100, abs=0.6)
    (day,) = cells(panel(page, "Peaks of the days ahead").get_by_role("table"))
    (peak,) = peaks.iter_rows(named=True)
    assert day[:2] == ["Wed 1 May", f"{peak['peak_p50']:.0f}"]
    assert day[3].strip() == f"{peak['probability_above_limit']:.0%}".replace("%", " %")


def test_a_series_is_found_by_typing_and_its_address_can_be_kept(window: Watched, served: Board) -> None:
    page = window.page
    sign_in(page, served)
    search = page.get_by_role("combobox", name="Series")
    groups = page.get_by_role("listbox").get_by_role("group")
    assert [each.get_attribute("aria-labelledby") for each in groups.all()] == ["level-0", "level-1"]
    assert page.locator(".group-name").all_inner_texts() == ["system", "zone"]
    search.fill("ZONE_S")
    options = page.get_by_role("listbox").get_by_role("option")
    assert options.all_inner_texts() == ["zone_s"]
    expect(page.locator("#series-count")).to_have_text("1 of 3 series")
    search.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("zone_s")
    expect(page.get_by_role("listbox").get_by_role("option", selected=True)).to_have_text("zone_s")
    assert page.url.endswith("#series=zone_s")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("system")


def test_everything_can_be_done_by_keyboard_alone(window: Watched, served: Board) -> None:
    page = window.page
    page.goto(served.url)
    expect(page.get_by_label("API key or token")).to_be_focused()
    page.keyboard.type(served.keys[Role.OPERATOR])
    page.keyboard.press("Enter")
    expect(page.locator("#chart svg")).to_be_visible()
    expect(page.get_by_role("combobox", name="Series")).to_be_focused()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("zone_n")
    expect(page.locator("#chart svg")).to_be_visible()
    seen = []
    for _ in range(4):
        page.keyboard.press("Tab")
        seen.append(page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", seen[-1]
    assert seen == ["chart", "Chart as a table", "shift", "New override"]
    chart = page.get_by_role("slider", name="Load and forecast over time")
    chart.focus()
    with client(served) as api:
        medians = api.forecast("zone_n")["p50"]
    for key, at in (("ArrowRight", 0), ("ArrowRight", 1), ("PageUp", 7), ("End", 47), ("ArrowLeft", 46)):
        page.keyboard.press(key)
        expect(chart).to_have_attribute("aria-valuetext", re.compile(f"forecast {medians[at]:.1f} MW, 80 % between"))
    expect(page.locator("#chart .cursor-dot")).to_have_count(1)
    page.keyboard.press("Home")
    expect(chart).to_have_attribute("aria-valuenow", "0")
    expect(chart).to_have_attribute("aria-valuetext", re.compile("measured .* MW$"))
    page.keyboard.press("Escape")
    expect(page.locator("#chart .cursor")).to_have_count(0)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Chart as a table")).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_role("region", name="Chart as a table")).to_be_focused()


def test_the_skip_link_leads_past_the_series_to_the_forecast(window: Watched, served: Board) -> None:
    page = window.page
    sign_in(page, served)
    page.locator(".skip").focus()
    expect(page.locator(".skip")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main#main")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#chart")).to_be_focused()
    expect(page.get_by_role("heading", level=1)).to_have_text("system")


def test_pointing_at_the_chart_reads_its_values(window: Watched, served: Board) -> None:
    page = window.page
    sign_in(page, served)
    box = page.locator("#chart").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 100)
    expect(page.locator("#readout")).to_contain_text(re.compile(r"Measured\s*1\d\d"))
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 100)
    expect(page.locator("#readout")).to_contain_text(re.compile(r"Measured\s*–"))
    expect(page.locator("#readout")).to_contain_text(re.compile(r"80 % band\s*1\d\d – 1\d\d"))


def test_an_override_made_in_the_form_counts_in_api_and_chart_until_it_is_withdrawn(
    window: Watched, served: Board
) -> None:
    page = window.page
    sign_in(page, served)
    page.get_by_text("New override").click()
    form = page.locator("#override-form")
    assert form.get_by_label("From").input_value() == "2024-04-30T01:00"
    form.get_by_label("From").fill("2024-04-30T19:00")
    form.get_by_label("Until").fill("2024-04-30T18:00")
    save = form.get_by_role("button", name="Set override")
    save.click()
    expect(form.get_by_role("alert")).to_have_text("It ends before it begins; choose a later end.")
    form.get_by_label("Until").fill("2024-04-30T22:00")
    save.click()
    expect(form.get_by_role("alert")).to_have_text("Type a number.")
    form.get_by_label("Value").fill("175.5")
    save.click()
    expect(form.get_by_label("Reason")).to_be_focused()
    form.get_by_label("Reason").fill("x")
    save.click()
    expect(form.get_by_role("alert")).to_contain_text("reason")
    assert form.get_by_role("alert").inner_text() != "Give a reason: it is what others will read."
    form.get_by_label("Reason").fill("Stadium event")
    window.complaints[:] = [each for each in window.complaints if "422" not in each]
    save.click()
    expect(panel(page, "Overrides in force").get_by_role("cell", name="set to 176 MW")).to_be_visible()
    expect(page.locator("#chart rect.operator")).to_have_count(3)
    expect(page.get_by_role("status").first).to_have_text("The override is in force.")
    assert steps(page, "model-only") == 3
    with client(served) as api:
        (kept,) = api.overrides(series_id="system").iter_rows(named=True)
        medians = api.forecast("system").filter(layer="operator").select("valid_time", "p50").rows()
    start = datetime(2024, 4, 30, 18, tzinfo=UTC)
    assert (kept["start"], kept["end"], kept["operation"]) == (start, start + 3 * HOUR, "set")
    assert (kept["author"], kept["reason"]) == ("operator on duty", "Stadium event")
    assert medians == [(start + HOUR * step, 175.5) for step in range(3)]
    assert window.faults() == []
    page.get_by_role("button", name="Withdraw: Stadium event").click()
    page.get_by_role("button", name="Keep").click()
    page.get_by_role("button", name="Withdraw: Stadium event").click()
    page.get_by_role("button", name="Really withdraw").click()
    expect(page.locator("#chart rect.operator")).to_have_count(0)
    expect(panel(page, "Overrides in force")).to_contain_text("None: the forecast is the model's own.")
    with client(served) as api:
        assert api.forecast("system")["layer"].unique().to_list() == ["model"]


def test_viewers_see_what_is_overruled_and_can_change_nothing(window: Watched, served: Board) -> None:
    with client(served) as api:
        start = datetime(2024, 4, 30, 12, tzinfo=UTC)
        api.add_override("system", start=start, end=start + HOUR, operation="add", value=-5, reason="Strike")
    sign_in(window.page, served, Role.VIEWER)
    expect(panel(window.page, "Overrides in force").get_by_role("cell", name="−5.00 MW")).to_be_visible()
    expect(window.page.locator("#chart rect.operator")).to_have_count(1)
    for name in ("New override", "Temperature shift", "Withdraw"):
        expect(window.page.get_by_text(name)).not_to_be_visible()


def test_other_temperatures_are_tried_out_beside_the_forecast_and_taken_away_again(
    window: Watched, served: Board
) -> None:
    page = window.page
    sign_in(page, served)
    slider = page.get_by_role("slider", name="Temperature shift")
    slider.focus()
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuetext", "−3 °C")
    expect(page.locator("#shift-result")).to_contain_text("On average")
    assert steps(page, "what-if") == 48
    with client(served) as api:
        changed = api.what_if("system", temperature_shift_c=-3)["change_mw"].mean()
    assert isinstance(changed, float)
    expect(page.locator("#shift-result")).to_contain_text(
        f"On average {'−' if changed < 0 else '+'}{abs(changed):.1f}"[:14]
    )
    page.get_by_role("button", name="Reset").click()
    expect(page.locator("#chart path.what-if")).to_have_count(0)


def test_a_new_forecast_appears_without_reloading_and_is_announced(window: Watched, served: Board) -> None:
    page = window.page
    sign_in(page, served)
    page.evaluate("window.isSameDocument = true")
    issued = served.issue_again()
    expect(page.locator("#subtitle")).to_contain_text("issued 30 Apr 2024 02:00 GMT+1")
    expect(page.locator("#news")).to_have_text("New forecast of system, issued 30 Apr 2024 02:00 GMT+1.")
    expect(page.locator("#news")).to_have_attribute("aria-live", "polite")
    assert steps(page, "median") == 48
    assert page.evaluate("window.isSameDocument")
    assert issued == datetime(2024, 4, 30, 1, tzinfo=UTC)


def test_forecasts_that_come_fast_are_asked_for_at_a_bearable_pace_and_the_last_is_shown(
    window: Watched, served: Board
) -> None:
    sign_in(window.page, served)
    before = len(window.asked)
    for _ in range(12):
        served.issue_again()
        window.page.wait_for_timeout(250)
    expect(window.page.locator("#subtitle")).to_contain_text("issued 30 Apr 2024 13:00 GMT+1")
    assert len(window.asked) - before < 4 * 7


def test_an_override_of_somebody_else_appears_without_reloading(window: Watched, served: Board) -> None:
    sign_in(window.page, served)
    start = datetime(2024, 4, 30, 12, tzinfo=UTC)
    with client(served) as api:
        api.add_override("system", start=start, end=start + 2 * HOUR, operation="scale", value=1.1, reason="Heat")
    expect(window.page.locator("#chart rect.operator")).to_have_count(2)
    expect(panel(window.page, "Overrides in force").get_by_role("cell", name="× 1.1")).to_be_visible()


def test_a_lost_connection_is_told_and_found_again_by_itself(browser: Browser, built: Path, tmp_path: Path) -> None:
    place = copy_of(built, tmp_path)
    with watched(browser) as window, contextlib.ExitStack() as first:
        served = first.enter_context(serve(place))
        sign_in(window.page, served)
        port = int(served.url.rpartition(":")[2])
        first.close()
        expect(window.page.locator("#live")).to_contain_text("connection lost")
        with serve(place, port=port) as again:
            again.issue_again()
            expect(window.page.locator("#live")).to_have_text("live", timeout=40_000)
            expect(window.page.locator("#subtitle")).to_contain_text("issued 30 Apr 2024 02:00 GMT+1")


def test_an_empty_store_gives_a_board_that_says_what_is_missing(browser: Browser, built: Path, tmp_path: Path) -> None:
    place = copy_of(built, tmp_path)
    for each in place.glob("gridcast.db*"):
        each.unlink()
    with serve(place) as served, watched(browser) as window:
        page = window.page
        page.goto(served.url)
        page.get_by_label("API key or token").fill(served.keys[Role.OPERATOR])
        page.keyboard.press("Enter")
        expect(page.locator("#subtitle")).to_contain_text("no forecast yet")
        expect(page.locator("#chart")).to_have_text("No readings and no forecast yet.")
        expect(panel(page, "Newest reading")).to_contain_text("No readings yet")
        expect(panel(page, "Forecast")).to_contain_text("No forecast yet")
        expect(panel(page, "Peaks of the days ahead")).to_contain_text("No whole day ahead")
        expect(panel(page, "Accuracy so far")).to_contain_text("Nothing to judge yet")
        assert window.faults() == []
        assert [each for each in window.complaints if "404" not in each] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [pytest.param(1360, id="wide"), pytest.param(NARROW, id="narrow")])
def test_the_board_can_be_read_and_used_by_everybody(
    browser: Browser, served: Board, tmp_path: Path, width: int, scheme: Scheme
) -> None:
    start = datetime(2024, 4, 30, 12, tzinfo=UTC)
    with client(served) as api:
        api.add_override("system", start=start, end=start + 3 * HOUR, operation="scale", value=1.2, reason="Heat wave")
    with watched(browser, width=width, scheme=scheme) as window:
        sign_in(window.page, served)
        for name in ("Chart as a table", "New override"):
            window.page.get_by_text(name).click()
        window.page.get_by_role("combobox", name="Series").click()
        assert window.faults() == []
        picture = window.page.screenshot(path=tmp_path / f"{scheme}-{width}.png", full_page=True)
        assert len(picture) > 20_000
        assert window.complaints == []


def test_nothing_is_asked_of_another_host_and_nothing_but_its_own_files_may_run(window: Watched, served: Board) -> None:
    answer = window.page.goto(served.url)
    assert answer is not None
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    sign_in(window.page, served)
    served.issue_again()
    expect(window.page.locator("#subtitle")).to_contain_text("02:00 GMT+1")
    assert window.hosts() == {served.url.removeprefix("http://")}
    blocked = window.page.evaluate(
        "() => { const made = document.createElement('script'); try { made.text = 'window.isRun = 1'; } catch {}"
        " document.body.append(made); return window.isRun === undefined; }"
    )
    assert blocked
    window.complaints[:] = [
        each for each in window.complaints if "Trusted" not in each and "Content Security" not in each
    ]


def test_changes_of_the_clock_are_drawn_and_typed_right(window: Watched, served: Board) -> None:
    """Europe/London, 31 March 2024: the hour from 1 o'clock on was skipped."""
    window.page.goto(served.url)
    told = window.page.evaluate(
        """async () => {
          const { ticksBetween, typedTime, typedOf, iso } = await import("./page/clock.js");
          const [spring, autumn] = ["2024-03-30T12:00Z", "2024-10-26T12:00Z"].map((each) => Date.parse(each));
          const zone = "Europe/London";
          return {
            spring: ticksBetween(spring, spring + 86400000, zone).map((each) => iso(each.time) + " " + each.label),
            skipped: typedTime("2024-03-31T01:30", zone),
            twice: iso(typedTime("2024-10-27T01:30", zone)),
            there: typedOf(Date.parse("2024-07-01T12:00Z"), zone),
            back: iso(typedTime("2024-07-01T13:00", zone)),
            half: iso(typedTime("2024-07-01T13:00", "Asia/Kolkata")),
          };
        }"""
    )
    assert told == {
        "spring": [
            "2024-03-30T12:00:00Z 12",
            "2024-03-30T18:00:00Z 18",
            "2024-03-31T00:00:00Z 00",
            "2024-03-31T05:00:00Z 06",
            "2024-03-31T11:00:00Z 12",
        ],
        "skipped": None,
        "twice": "2024-10-27T00:30:00Z",
        "there": "2024-07-01T13:00",
        "back": "2024-07-01T12:00:00Z",
        "half": "2024-07-01T07:30:00Z",
    }
