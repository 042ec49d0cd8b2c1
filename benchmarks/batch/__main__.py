"""Measure every contestant in a process of its own, so that its CPU time and peak memory are its own."""

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

import polars as pl

TARGET = 0.9
LARGEST_RSS_MB = 1_500
LEAST_LINEARITY = 0.85
ROUNDS = 2
_TOLERANCE_MW = 1e-3

Figures = dict[str, float]


def main() -> None:
    """Make the readings, let each contestant run in turn and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.batch", description=__doc__)
    parser.add_argument("--meters", type=int, default=1_000, help="of about 10,000 readings each, at least 10")
    meters = parser.parse_args().meters
    with tempfile.TemporaryDirectory() as name:
        whole, half, tenth = (Path(name) / part for part in ("whole", "half", "tenth"))
        for folder, count in ((whole, meters), (half, meters // 2), (tenth, meters // 10)):
            subprocess.run([sys.executable, "-m", "benchmarks.batch.made", str(folder), str(count)], check=True)
        rounds = [(_run("pipeline", whole), _run("polars", whole)) for _ in range(ROUNDS)]
        sizes = [[_run("pipeline", part) for _ in range(ROUNDS)] for part in (tenth, half)]
        textbook = {each: _run(each, whole) for each in ("textbook_polars", "textbook_duckdb")}
        _require_equal(whole)
    sys.stdout.write(json.dumps(_result(rounds, smaller=sizes, textbook=textbook)) + "\n")


def _run(contestant: str, folder: Path) -> Figures:
    command = [sys.executable, "-m", "benchmarks.batch.contestants", contestant, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    sys.stderr.write(f"{contestant}: {figures}\n")
    return figures


def _require_equal(folder: Path) -> None:
    """The contestants must have done the same work: month by month, and one textbook against the other."""
    for month in sorted((folder / "pipeline" / "readings").iterdir()):
        made, plain = (
            pl.read_parquet(folder / name / "readings" / month.name / "*.parquet").sort("series_id", "valid_time")
            for name in ("pipeline", "polars")
        )
        _require(made.height > 0 and made.equals(plain), f"{month.name}: the pipeline and the plain calls")
    queries = [pl.scan_parquet(folder / name / "parents.parquet") for name in ("textbook_polars", "textbook_duckdb")]
    polars, duckdb = (each.sort("valid_time").collect().to_series(1) for each in queries)
    _require(len(polars) == len(duckdb) and (polars - duckdb).abs().sum() < _TOLERANCE_MW, "the textbook queries")


def _require(is_equal: bool, who: str) -> None:
    if not is_equal:
        raise SystemExit(f"{who} did not come to the same readings; their speeds cannot be compared.")


def _result(
    rounds: list[tuple[Figures, Figures]], *, smaller: list[list[Figures]], textbook: dict[str, Figures]
) -> dict[str, object]:
    pipeline = [each for each, _ in rounds]
    tenth, half = smaller
    ratio = statistics.median(plain["cpu_seconds"] / beam["cpu_seconds"] for beam, plain in rounds)
    peak, linearity = max(each["peak_rss_mb"] for each in pipeline), _rate(pipeline) / _rate(tenth)
    marginal = _marginal_rate(half, pipeline) / _marginal_rate(tenth, half)
    return {
        "name": "batch",
        "ratio": round(ratio, 3),
        "target": TARGET,
        "ok": ratio >= TARGET and peak < LARGEST_RSS_MB and min(linearity, marginal) >= LEAST_LINEARITY,
        "rows": pipeline[0]["rows"],
        "pipeline_rows_per_cpu_second": round(_rate(pipeline)),
        "polars_rows_per_cpu_second": round(_rate([plain for _, plain in rounds])),
        **{f"{each}_rows_per_cpu_second": round(_rate([run])) for each, run in textbook.items()},
        "ratio_to_textbook_polars": round(_rate(pipeline) / _rate([textbook["textbook_polars"]]), 3),
        "linearity_1_to_10": round(linearity, 3),
        "marginal_linearity": round(marginal, 3),
        "least_linearity": LEAST_LINEARITY,
        "peak_rss_mb": round(peak),
        "largest_rss_mb": LARGEST_RSS_MB,
        "wall_seconds": round(statistics.median(each["wall_seconds"] for each in pipeline), 1),
        "machine": platform.machine(),
        "python": platform.python_version(),
        **{package: version(package) for package in ("apache-beam", "polars", "duckdb")},
    }


def _marginal_rate(fewer: list[Figures], more: list[Figures]) -> float:
    """Rows per CPU-second of the rows that `more` has beyond `fewer`: the cost of starting is in neither."""
    seconds = [statistics.median(each["cpu_seconds"] for each in runs) for runs in (fewer, more)]
    return (more[0]["rows"] - fewer[0]["rows"]) / (seconds[1] - seconds[0])


def _rate(runs: list[Figures]) -> float:
    return statistics.median(each["rows"] / each["cpu_seconds"] for each in runs)


if __name__ == "__main__":
    main()
