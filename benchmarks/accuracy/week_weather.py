"""`python -m benchmarks.accuracy.week_weather`: which weather stands in for the unknown one of GEFCom2012's last week?

Nine weeks of past summers are kept from the default model and then forecast without their weather: with climatology,
which is the weather of other years around the same date, without any, and by the mean of both. The week that is scored
plays no part.
"""

import argparse
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

from benchmarks.accuracy.week_contestants import learners
from benchmarks.accuracy.weeks import LEADS, coherent, over_past_weather, read_weeks, without_weather

Floats = npt.NDArray[np.float64]

STARTS = tuple(
    datetime(year, month, day, 5, tzinfo=UTC)
    for year in (2005, 2006, 2007)
    for month, day in ((6, 17), (7, 1), (7, 15))
)
YEARS = range(2004, 2008)
SYSTEM_WEIGHT = 20
"""Of the system beside each of its zones in the competition."""
_KW_PER_MW = 1_000


def main() -> None:
    """Print the error of every way, kW."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy.week_weather", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="hardly learned, one week: does it run?")
    quick = parser.parse_args().quick
    starts = STARTS[:1] if quick else STARTS
    weeks = read_weeks()
    panel = weeks.panel
    origins = [panel.index_of(each) for each in starts]
    load = panel.load_mw.copy()
    for origin in origins:
        load[:, origin : origin + LEADS] = np.nan
    ask = learners(quick=quick)["gridcast"](replace(panel, load_mw=load), weeks.until)
    climatology = np.stack(
        [
            over_past_weather(
                ask, panel, origin=origin, years=tuple(start.year - year for year in YEARS if year != start.year)
            )
            for start, origin in zip(starts, origins, strict=True)
        ]
    )
    nothing = np.stack([without_weather(ask, panel, origin=origin) for origin in origins])
    observed = ask(panel, np.array(origins, dtype=np.int32)).swapaxes(0, 1)
    actual = np.stack([panel.load_mw[:, origin : origin + LEADS] for origin in origins])
    ways = {"climatology": climatology, "none": nothing, "mean": (climatology + nothing) / 2, "observed": observed}
    sys.stdout.write(json.dumps({name: _error_kw(each, actual) for name, each in ways.items()}) + "\n")


def _error_kw(loads: Floats, actual: npt.NDArray[np.floating]) -> int:
    """Weighted root mean square error of loads (week, series, lead), the system last."""
    weight = np.ones(actual.shape)
    weight[:, -1] = SYSTEM_WEIGHT
    seen = np.isfinite(actual)
    squared = (coherent(loads) - actual) ** 2
    return round(_KW_PER_MW * float(np.sqrt(np.average(squared[seen], weights=weight[seen]))))


if __name__ == "__main__":
    main()
