"""`python -m benchmarks.accuracy.week_sides`: how much do both sides of a withheld week of GEFCom2012 count?

Thirty-two weeks of all seasons are kept from the default model, which then forecasts them from their beginning and,
backwards in time, from their end, with their weather. The weeks that are scored play no part.
"""

import argparse
import json
import sys
from datetime import UTC, datetime

import numpy as np

from benchmarks.accuracy.week_contestants import learners
from benchmarks.accuracy.week_weather import STARTS as SUMMER_STARTS
from benchmarks.accuracy.weeks import actual_mw, between, error_kw, read_weeks, seen, without

DAYS = {
    2004: ((3, 20), (5, 8), (8, 14), (10, 9), (11, 27)),
    2005: ((1, 22), (4, 16), (8, 9), (10, 25)),
    2006: ((1, 10), (3, 28), (9, 14), (10, 20)),
    2007: ((1, 6), (2, 20), (4, 5), (5, 19), (8, 25), (10, 9), (12, 20)),
    2008: ((1, 30), (3, 14), (4, 26)),
}
STARTS = (*(datetime(year, *day, 5, tzinfo=UTC) for year, days in DAYS.items() for day in days), *SUMMER_STARTS)
LEAST_SHARES = (0.0, 0.125, 0.25, 0.375, 0.5)


def main() -> None:
    """Print the error of either side alone and of both by the least share of the farther one, kW."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.week_sides", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="hardly learned, one week: does it run?")
    quick = parser.parse_args().quick
    weeks = read_weeks()
    origins = np.array([weeks.panel.index_of(each) for each in STARTS[: 1 if quick else None]], dtype=np.int32)
    kept, learn = without(weeks, origins), learners(quick=quick)["gridcast"]
    forward, backward = (learn(panel, weeks.until) for panel in (kept.panel, kept.mirrored))
    sides, actual = seen(kept, origins, forward=forward, backward=backward), actual_mw(weeks, origins)
    ways = {"ahead": sides.ahead, "back": sides.back}
    ways |= {f"both, {share}": between(sides, least_share=share) for share in LEAST_SHARES}
    sys.stdout.write(json.dumps({name: error_kw(loads, actual) for name, loads in ways.items()}) + "\n")


if __name__ == "__main__":
    main()
