"""A year without anybody looking: data come day by day, and the model renews itself.

A real installation in a folder: each day's readings and temperatures are dropped as files, then "ingest", "prepare",
"stream", "drift" and "retrain" are called as a timer would. Two years are there at first, the third comes day by day
(Victoria, where the file is at hand, else one zone of the bundled sample, some weeks of it). On the way things go
wrong: a week of readings is scrambled, somebody registers a model that learned nearly nothing and asks for its
promotion, then puts it in charge past the gate, and a champion's artefact is damaged on disk. Temperatures ahead are
those observed later (ex-post), for all forecasters.

Ratio: the year's mean pinball loss of the forecasts that were issued, over that of the first champion, left in charge
all year; both against the true loads.
"""

import argparse
import contextlib
import io
import json
import platform
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from benchmarks.accuracy.tasks import VICTORIA
from gridcast.cli import data, drift, ingest, live, models, retrain, training
from gridcast.cli.installation import Installation
from gridcast.cli.options import Format
from gridcast.domain.errors import GateRefusedError, GridcastError
from gridcast.domain.quantiles import QUANTILE_COLUMNS, QUANTILE_LEVELS
from gridcast.domain.tables import Layer
from gridcast.ingestion.sample import read_sample
from gridcast.models.tensorflow.serving import Forecaster
from gridcast.registry.catalogue import RegisteredModel
from gridcast.workflows.judging.backtest import MODEL, Task, answers_of
from gridcast.workflows.lifecycle.gate import Gate
from gridcast.workflows.lifecycle.model_history import read_history
from gridcast.workflows.lifecycle.promote_model import Office
from gridcast.workflows.training.train_model import train_model

TARGET = 1.0
SERIES = "demand"
DAY = timedelta(days=1)
AHEAD = timedelta(days=3)
"""For which temperatures are there before the readings."""

_PIPELINE = """
sources:
  meters:
    kind: drop_folder
    folder: {meters}
    holds: readings
    readings_format: {{series_id: series_id, valid_time: valid_time, load: load_mw, unit: MW}}
  weather:
    kind: drop_folder
    folder: {weather}
    holds: weather
hierarchy: {{time_zone: {time_zone}}}
calendar: {calendar}
"""
_MODEL = """
training: {training}
network: {network}
gate: {gate}
backtest: {{days: {first}}}
retraining: {{every: P{every}D, judged_days: {judged}}}
"""


@dataclass(frozen=True, slots=True)
class Plan:
    """What comes, and what goes wrong on which day of it.

    Attributes:
        hours: `valid_time`, `load_mw`, `temperature_c`, one row an hour.
        start: where the days begin that come one by one.
        days: how many.
        scrambled: first day of a week whose readings are mixed up.
        bad: day on which a model that learned nearly nothing is registered; two days later somebody insists on it.
        damaged: day on which the champion's artefact is damaged.
    """

    name: str
    hours: pl.DataFrame
    start: datetime
    days: int
    scrambled: int
    bad: int
    damaged: int
    time_zone: str
    calendar: str
    every: int = 28
    judged: int = 28
    first: int = 84
    training: str = "{members: 1, windows_per_epoch: 8192}"
    network: str = "{}"
    gate: str = "{}"


def main() -> None:
    """Print what happened and the JSON line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.year", description=__doc__)
    parser.add_argument("--victoria", type=Path, default=VICTORIA, help="the sample is used where it is absent")
    parser.add_argument("--quick", action="store_true", help="sixteen days of the sample, with a tiny network")
    parser.add_argument("--days", type=int, help="only so many")
    parser.add_argument("--keep", type=Path, help="work in this folder and leave it there")
    asked = parser.parse_args()
    plan = _sample() if asked.quick or not asked.victoria.is_file() else _victoria(asked.victoria)
    plan = plan if asked.days is None else replace(plan, days=asked.days)
    with tempfile.TemporaryDirectory() as scratch:
        sys.stdout.write(json.dumps(_measured(plan, asked.keep or Path(scratch), quick=asked.quick)) + "\n")


def _victoria(file: Path) -> Plan:
    hours = pl.read_parquet(file).group_by_dynamic("time", every="1h").agg(pl.col("load_mw", "temperature_c").mean())
    start = datetime(2013, 12, 31, 14, tzinfo=UTC)
    return Plan(
        name="victoria",
        hours=hours.rename({"time": "valid_time"}),
        start=start,
        days=360,
        scrambled=100,
        bad=200,
        damaged=270,
        time_zone="Australia/Melbourne",
        calendar="{country: AU, subdivision: VIC}",
    )


def _sample() -> Plan:
    sample = read_sample()
    loads = sample.readings.filter(series_id="zone_01").select("valid_time", "load_mw")
    weather = sample.weather.group_by(pl.col("valid_time").dt.truncate("1h")).agg(pl.col("temperature_c").mean())
    first, start = datetime(2004, 7, 1, 6, tzinfo=UTC), datetime(2005, 4, 15, 6, tzinfo=UTC)
    hours = loads.join(weather, on="valid_time").filter(pl.col("valid_time") >= first).sort("valid_time")
    return Plan(
        name="sample",
        hours=hours.filter(pl.col("valid_time") < start + 20 * DAY),
        start=start,
        days=16,
        scrambled=1,
        bad=8,
        damaged=12,
        time_zone="America/New_York",
        calendar="{country: US}",
        every=6,
        judged=14,
        first=28,
        training="{members: 1, epochs: 2, windows_per_epoch: 2048, held_out_blocks: 4}",
        network="{width: 32, encoder_width: 16, summary: 8, horizon: 4}",
        gate="{coverage_80: [0.3, 0.99]}",
    )


def _measured(plan: Plan, folder: Path, *, quick: bool) -> dict[str, Any]:
    config, calls = _installation(plan, folder), Counter[str]()
    here = Installation.open(config)
    _drop(plan, folder, until=plan.start, since=None)
    _call(lambda: ingest.ingest(config, output=Format.JSON))
    _call(lambda: data.prepare(config, output=Format.JSON))
    _call(lambda: training.train(config, output=Format.JSON))
    _call(lambda: models.promote(config=config, actor="somebody", output=Format.JSON))
    first = _copied(here.champion(), folder / "first")
    bad: RegisteredModel | None = None
    for number in range(1, plan.days + 1):
        now = plan.start + number * DAY
        _drop(plan, folder, until=now, since=now - DAY)
        _call(lambda: ingest.ingest(config, output=Format.JSON))
        _call(lambda: data.prepare(config, output=Format.JSON))
        if number == plan.damaged:
            _damage(here)
        if number == plan.bad:
            bad = _register_bad(here)
        if bad is not None and number == plan.bad + 2:
            _insist(here, bad)
        if not _stream(config):
            _retrain(config, calls)
            _stream(config)
        _call(lambda: drift.drift(config, output=Format.JSON))
        _retrain(config, calls)
        _tell(number, plan, here)
    return _figures(plan, here, first, bad, calls, quick=quick)


def _copied(model: RegisteredModel, folder: Path) -> RegisteredModel:
    """The same from another folder, whatever becomes of its own."""
    return replace(model, directory=Path(shutil.copytree(model.directory, folder)))


def _installation(plan: Plan, folder: Path) -> Path:
    config = folder / "config"
    for each in (config, folder / "meters", folder / "weather"):
        each.mkdir(parents=True, exist_ok=True)
    places = {"meters": folder / "meters", "weather": folder / "weather"}
    pipeline = _PIPELINE.format(**places, time_zone=plan.time_zone, calendar=plan.calendar)
    model = _MODEL.format(
        training=plan.training,
        network=plan.network,
        every=plan.every,
        judged=plan.judged,
        first=plan.first,
        gate=plan.gate,
    )
    (config / "pipeline_config.yaml").write_text(pipeline, encoding="utf-8")
    (config / "model_config.yaml").write_text(model, encoding="utf-8")
    (config / "app_config.yaml").write_text(f"data_dir: {folder / 'data'}\n", encoding="utf-8")
    return config


def _drop(plan: Plan, folder: Path, *, until: datetime, since: datetime | None) -> None:
    """Files with the readings of since ≤ time < until, and temperatures up to some days ahead."""
    loads, weather = (
        _between(plan.hours, since, until),
        _between(plan.hours, None if since is None else since + AHEAD, until + AHEAD),
    )
    scrambled = plan.start + plan.scrambled * DAY
    if since is not None and scrambled <= since < scrambled + 7 * DAY:
        mixed = np.random.default_rng(since.toordinal()).permutation(loads["load_mw"].to_numpy())
        loads = loads.with_columns(load_mw=pl.Series(mixed))
    rows = loads.select(pl.lit(SERIES).alias("series_id"), _time(), "load_mw")
    rows.write_csv(folder / "meters" / f"{until:%Y%m%d}.csv")
    temperatures = weather.select(pl.lit("station").alias("station_id"), _time(), "temperature_c")
    temperatures.write_csv(folder / "weather" / f"{until:%Y%m%d}.csv")


def _between(hours: pl.DataFrame, since: datetime | None, until: datetime) -> pl.DataFrame:
    rows = hours.filter(pl.col("valid_time") < until)
    return rows if since is None else rows.filter(pl.col("valid_time") >= since)


def _time() -> pl.Expr:
    return pl.col("valid_time").dt.strftime("%Y-%m-%dT%H:%M:%SZ")


def _register_bad(here: Installation) -> RegisteredModel:
    """A model that saw next to nothing, as a challenger whose promotion somebody asks for."""
    recipe = here.settings.model.recipe
    little = replace(recipe.training, members=1, epochs=1, windows_per_epoch=64, learning_rate=1e-5)
    with _silence():
        model, _ = train_model(
            here.processed(),
            here.registry(),
            recipe=replace(recipe, training=little),
            unseen_from=here.unseen_from(days=here.settings.model.retraining.judged_days),
            scratch=here.workspace.data_dir / ".export.partial",
            on_progress=lambda _: None,
        )
    with here.store() as store, contextlib.suppress(GateRefusedError):
        judge = here.judge(days=here.settings.model.retraining.judged_days)
        office = Office(here.registry(), store, here.known_until(store), "somebody in a hurry")
        office.promote(model, gate=here.settings.model.gate, compare=judge.compare)
    return model


def _insist(here: Installation, bad: RegisteredModel) -> None:
    """Put it in charge past the gate."""
    with here.store() as store:
        office = Office(here.registry(), store, here.known_until(store), "somebody in a hurry")
        office.put_in_charge(bad, gate=Gate(), reason="somebody insists, past the gate")


def _damage(here: Installation) -> None:
    graph = here.champion().directory / "model.tflite"
    content = bytearray(graph.read_bytes())
    content[len(content) // 2] ^= 1
    graph.write_bytes(content)


def _stream(config: Path) -> bool:
    try:
        _call(lambda: live.stream(config, last="P1D", every="P1D", output=Format.JSON))
    except GridcastError as error:
        print(f"stream: {error}")  # noqa: T201
        return False
    return True


def _retrain(config: Path, calls: Counter[str]) -> None:
    try:
        done = _call(lambda: retrain.retrain(config, actor="timer", output=Format.JSON))
    except GateRefusedError:
        calls["refused"] += 1
        return
    calls[done["outcome"]] += 1


def _call(command: Any) -> Any:
    """What a command prints as JSON."""
    with _silence() as printed:
        command()
    return json.loads(printed.getvalue())


@contextlib.contextmanager
def _silence() -> Iterator[io.StringIO]:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(io.StringIO()):
        yield printed


def _tell(number: int, plan: Plan, here: Installation) -> None:
    if number % 30 == 0 or number == plan.days:
        print(f"day {number} of {plan.days}: champion {here.champion().version}", flush=True)  # noqa: T201


def _figures(
    plan: Plan,
    here: Installation,
    first: RegisteredModel,
    bad: RegisteredModel | None,
    calls: Counter[str],
    *,
    quick: bool,
) -> dict[str, Any]:
    end = plan.start + (plan.days + 1) * DAY
    with here.store() as store:
        issued = store.forecasts(start=plan.start, end=end).filter(layer=Layer.MODEL.value)
        steps = read_history(store, newest=1000)
        events = store.events(newest=5000)
    static = _static(here, first, issued)
    year = _pinball(issued.join(static, on=["issue_time", "valid_time"], how="semi"), plan)
    still = _pinball(static, plan)
    of_bad = issued.filter(model_version="" if bad is None else bad.version)["issue_time"].n_unique()
    with pl.Config(tbl_rows=-1, fmt_str_lengths=120, tbl_width_chars=200):
        rows = [
            (str(e.detail.get("known_until", ""))[:10], e.action, e.target, e.actor, e.detail["reason"]) for e in steps
        ]
        print(pl.DataFrame(rows, schema=["data_until", "step", "model", "actor", "reason"], orient="row"))  # noqa: T201
    ratio, missed = year / still, plan.days - issued["issue_time"].n_unique()
    is_safe = of_bad <= 2 and missed == 0
    return {
        "name": "year",
        "ratio": round(ratio, 3),
        "target": TARGET,
        "ok": quick or (ratio <= TARGET and is_safe),
        "missed": []
        if ratio <= TARGET and is_safe
        else [f"ratio {ratio:.3f}, {of_bad} bad forecasts, {missed} missing"],
        "data": plan.name,
        "days": plan.days,
        "pinball_mw": year,
        "pinball_static_mw": still,
        "steps": dict(Counter(each.action.removeprefix("model.") for each in steps)),
        "calls": dict(calls),
        "drift_events": int((events["kind"] == "drift").sum()),
        "forecasts_of_the_bad_model": of_bad,
        "days_without_forecast": missed,
        "champions": issued["model_version"].unique(maintain_order=True).to_list(),
        "machine": platform.machine(),
        "python": platform.python_version(),
    }


def _static(here: Installation, first: RegisteredModel, issued: pl.DataFrame) -> pl.DataFrame:
    """What the first champion would have said at the same times, from the same history."""
    forecaster, processed = Forecaster.load(first.directory), here.processed()
    last = processed.observed_until - forecaster.leads * forecaster.interval
    origins = tuple(each for each in issued["issue_time"].unique().sort().to_list() if each <= last)
    points = answers_of(forecaster, processed, task=Task(origins), with_linear=False).points
    return points.filter(forecaster=MODEL)


def _pinball(forecasts: pl.DataFrame, plan: Plan) -> float:
    """Mean over the points whose true load is known, MW."""
    truth = plan.hours.select("valid_time", true_mw="load_mw").filter(
        pl.col("valid_time") < plan.start + plan.days * DAY
    )
    points = forecasts.filter(series_id=SERIES).join(truth, on="valid_time")
    errors = [pl.col("true_mw") - pl.col(name) for name in QUANTILE_COLUMNS]
    losses = [pl.max_horizontal(q * e, (q - 1) * e) for q, e in zip(QUANTILE_LEVELS, errors, strict=True)]
    return float(points.select(pl.mean_horizontal(losses).mean()).item())


if __name__ == "__main__":
    main()
