"""What training costs: an ensemble member on two years of one series, the whole sample, and 20 to 2,000 series.

Each is measured in a process of its own. The ratio is the power with which CPU time grows with the number of series,
the cost of starting left out; every series adds the same number of windows.
"""

import argparse
import json
import math
import os
import platform
import resource
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import numpy as np

from benchmarks.accuracy.tasks import HOUR, LEADS, VICTORIA, sample_panel, victoria
from gridcast.features.panel import Panel
from gridcast.models.tensorflow.spec import NetworkSpec, TrainSpec
from gridcast.settings.model import ModelSettings

TARGET = 1.1
"""Linear is one; the rest is room for noise."""
LARGEST_MEMBER_S = 120
LARGEST_SAMPLE_S = 300
LARGEST_RSS_MB = 3_000
SERIES = (20, 200, 2_000)
WINDOWS_PER_SERIES = 8
SHORT_END = datetime(2004, 3, 1, tzinfo=UTC)
TWO_YEARS_END = datetime(2006, 2, 1, tzinfo=UTC)
"""A month later, as the last week of 2005 is withheld: there would be nothing to calibrate on."""

Figures = dict[str, float]


def main() -> None:
    """Measure all, or print the figures of one part."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.train", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="hardly learned, 100 series at most: does it run?")
    parser.add_argument("--part", help="member, sample or a number of series; all if left out")
    asked = parser.parse_args()
    result = _result(quick=asked.quick) if asked.part is None else _measure(asked.part, quick=asked.quick)
    sys.stdout.write(json.dumps(result) + "\n")


def _result(*, quick: bool) -> dict[str, Any]:
    member, sample = _run("member", quick=quick), _run("sample", quick=quick)
    sizes = (4, 20, 100) if quick else SERIES
    costs = [_run(str(size), quick=quick) for size in sizes]
    least, middle, most = (each["cpu_s"] for each in costs)
    ratio = growth_power(sizes, cpu_s=(least, middle, most))
    peak = max(each["peak_rss_mb"] for each in (member, sample, *costs))
    limits = {
        f"{ratio:.2f} > {TARGET} power of growth": ratio > TARGET,
        f"{member['seconds']} s > {LARGEST_MEMBER_S} s a member": member["seconds"] > LARGEST_MEMBER_S,
        f"{sample['seconds']} s > {LARGEST_SAMPLE_S} s for the sample": sample["seconds"] > LARGEST_SAMPLE_S,
        f"{peak} MB > {LARGEST_RSS_MB} MB": peak > LARGEST_RSS_MB,
    }
    missed = [] if quick else [what for what, is_missed in limits.items() if is_missed]
    return {
        "name": "train",
        "ratio": round(ratio, 3),
        "target": TARGET,
        "ok": not missed,
        "missed": missed,
        "member": member,
        "sample": sample,
        "by_series": dict(zip(map(str, sizes), costs, strict=True)),
        "peak_rss_mb": peak,
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("keras", "numpy")},
    }


def growth_power(sizes: tuple[int, ...], *, cpu_s: tuple[float, ...]) -> float:
    """Power p of what series beyond the fewest cost, ∝ (their number)^p, from three sizes; 1 is linear.

    >>> round(growth_power((10, 100, 1000), cpu_s=(3.1, 4.0, 13.0)), 6)
    1.0
    """
    more, most = (size - sizes[0] for size in sizes[1:])
    costs = [max(cost - cpu_s[0], 1e-3) for cost in cpu_s[1:]]
    return math.log(costs[1] / costs[0]) / math.log(most / more)


def _run(part: str, *, quick: bool) -> Figures:
    command = [sys.executable, "-m", "benchmarks.train", "--part", part, *(["--quick"] if quick else [])]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"{part}: {figures}\n")
    return figures


def _measure(part: str, *, quick: bool) -> Figures:
    from gridcast.models.tensorflow.train import fit

    panel, spec = _part(part, quick=quick)
    began, cpu = time.monotonic(), time.process_time()
    trained = fit(
        panel,
        train_until=len(panel.time),
        network_spec=NetworkSpec(LEADS, HOUR, ModelSettings().network),
        train_spec=spec,
    )
    return {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_s": round(time.process_time() - cpu, 2),
        "peak_rss_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "series": len(panel.series_ids),
        "rows": panel.load_mw.size,
        "windows": trained.windows,
    }


def _part(part: str, *, quick: bool) -> tuple[Panel, TrainSpec]:
    default = ModelSettings().training
    little = replace(default, members=1, epochs=1, windows_per_epoch=512, held_out_blocks=2)
    if part == "member":
        return _two_years(), little if quick else replace(default, members=1)
    if part == "sample":
        return (sample_panel(zones=2, until=SHORT_END), little) if quick else (sample_panel(), default)
    series = int(part)
    return copies(series), replace(little, windows_per_epoch=WINDOWS_PER_SERIES * series)


def _two_years() -> Panel:
    """Victoria's years of training where they are at hand, else as much of one zone of the sample."""
    if not VICTORIA.is_file():
        return sample_panel(zones=1, until=TWO_YEARS_END)
    task = victoria(VICTORIA)
    return until(task.panel, task.train_until)


def until(panel: Panel, end: int) -> Panel:
    """The panel before a position."""
    calendar = panel.calendar
    return replace(
        panel,
        time=panel.time[:end],
        load_mw=panel.load_mw[:, :end],
        known_from=panel.known_from[:, :end],
        temperature_c=panel.temperature_c[:, :end],
        temperature_terms_c=panel.temperature_terms_c[:, :end],
        is_thin=panel.is_thin[:, :end],
        calendar=replace(
            calendar,
            hour_of_day=calendar.hour_of_day[:, :end],
            weekday=calendar.weekday[:, :end],
            day_of_year=calendar.day_of_year[:, :end],
            holiday=calendar.holiday[:, :end],
            lag=calendar.lag[..., :end],
        ),
    )


def copies(series: int) -> Panel:
    """Many series of two months: the zones of the sample again and again, each of a size of its own."""
    panel = sample_panel(until=SHORT_END)
    source = np.arange(series) % len(panel.series_ids)
    size = np.random.default_rng(0).uniform(0.01, 10, series).astype(np.float32)
    taken = panel.take(source)
    ids = tuple(f"meter_{number:05d}" for number in range(series))
    return replace(taken, series_ids=ids, load_mw=taken.load_mw * size[:, np.newaxis])


if __name__ == "__main__":
    main()
