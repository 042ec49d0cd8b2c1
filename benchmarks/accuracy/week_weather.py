"""`python -m benchmarks.accuracy.week_weather`: which weather stands in for the unknown one of GEFCom2012's last week?

Nine weeks of past summers are kept from the default model, or from LightGBM, and then forecast without their weather:
with climatology, which is the weather of other years around the same date, without any, and by the mean of both. The
week that is scored plays no part.
"""

import argparse
import json
import sys
from datetime import UTC, datetime

import numpy as np

from benchmarks.accuracy.week_contestants import learners
from benchmarks.accuracy.weeks import actual_mw, error_kw, over_past_weather, read_weeks, without, without_weather

STARTS = tuple(
    datetime(year, month, day, 5, tzinfo=UTC)
    for year in (2005, 2006, 2007)
    for month, day in ((6, 17), (7, 1), (7, 15))
)
YEARS = range(2004, 2008)


def main() -> None:
    """Print the error of every way, kW."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.week_weather", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="hardly learned, one week: does it run?")
    parser.add_argument("--forecaster", choices=["gridcast", "lightgbm"], default="gridcast")
    asked = parser.parse_args()
    quick = asked.quick
    starts = STARTS[:1] if quick else STARTS
    weeks = read_weeks()
    panel = weeks.panel
    origins = np.array([panel.index_of(each) for each in starts], dtype=np.int32)
    ask = learners(quick=quick)[asked.forecaster](without(weeks, origins).panel, weeks.until)
    climatology = np.stack(
        [
            over_past_weather(
                ask, panel, origin=origin, years=tuple(start.year - year for year in YEARS if year != start.year)
            )
            for start, origin in zip(starts, origins, strict=True)
        ]
    )
    nothing = np.stack([without_weather(ask, panel, origin=origin) for origin in origins])
    observed = ask(panel, origins).swapaxes(0, 1)
    actual = actual_mw(weeks, origins)
    ways = {"climatology": climatology, "none": nothing, "mean": (climatology + nothing) / 2, "observed": observed}
    sys.stdout.write(json.dumps({name: error_kw(each, actual) for name, each in ways.items()}) + "\n")


if __name__ == "__main__":
    main()
