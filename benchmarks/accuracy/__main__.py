"""Let every contestant forecast the same days and print a table and one JSON line.

`--dataset victoria`: hourly load of an Australian state, 2012 and 2013 learned, every day of 2014 forecast 48 hours
ahead with observed temperature. `--dataset gefcom2012`: the competition's own task on the bundled sample.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.accuracy import competition, daily
from benchmarks.accuracy.tasks import VICTORIA


def main() -> None:
    """Print the figures of one data set."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.accuracy", description=__doc__)
    parser.add_argument("--dataset", choices=("victoria", "gefcom2012"), default="victoria")
    parser.add_argument(
        "--victoria",
        type=Path,
        default=VICTORIA,
        help="Parquet: time, load_mw, temperature_c, holiday; default: GRIDCAST_VICTORIA",
    )
    parser.add_argument("--quick", action="store_true", help="a few days of the sample, hardly learned: does it run?")
    asked = parser.parse_args()
    if asked.dataset == "gefcom2012":
        result = competition.run(quick=asked.quick)
    else:
        result = daily.run(asked.victoria, quick=asked.quick)
    sys.stdout.write(json.dumps(result) + "\n")


if __name__ == "__main__":
    main()
