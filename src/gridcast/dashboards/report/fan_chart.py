"""The fan chart: what was measured, what is forecast, and how sure the forecast is."""

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from gridcast.dashboards.report.numbers import tick
from gridcast.dashboards.report.theme import LIGHT
from gridcast.domain.tables import Quality

LARGE: Final = (11.0, 3.9)
SMALL: Final = (3.7, 2.05)


def fan_figure(fan: pl.DataFrame, *, actuals: pl.DataFrame, time_zone: str, is_large: bool) -> Figure:
    """A figure of its own with one series; see `draw_fan`."""
    figure = Figure(figsize=LARGE if is_large else SMALL, layout="constrained")
    draw_fan(figure.add_subplot(), fan=fan, actuals=actuals, time_zone=time_zone, is_large=is_large)
    return figure


def draw_fan(axes: Axes, *, fan: pl.DataFrame, actuals: pl.DataFrame, time_zone: str, is_large: bool) -> None:
    """Draws one series on `axes`: readings, the median, the 80 and 90 % bands and the moment of issue.

    `fan` and `actuals` hold that series alone. Readings before the issue time are a line, later ones dots;
    what was not measured but estimated is ringed. The time axis shows the clock of `time_zone`.
    """
    fan = fan.sort("valid_time")
    issue: datetime = fan["issue_time"][0]
    when = days_of(fan)
    axes.fill_between(when, _loads(fan, "p05"), _loads(fan, "p95"), color=LIGHT["band-90"], lw=0, label="90 % band")
    axes.fill_between(when, _loads(fan, "p10"), _loads(fan, "p90"), color=LIGHT["band-80"], lw=0, label="80 % band")
    axes.plot(when, _loads(fan, "p50"), color=LIGHT["model"], lw=1.9 if is_large else 1.3, label="forecast (median)")
    if actuals.height:
        _draw_readings(axes, actuals=actuals.sort("valid_time"), issue=issue, is_large=is_large)
    axes.axvline(_day(issue), color=LIGHT["issue"], lw=1.1, ls=(0, (4, 3)))
    clock = f"{issue.astimezone(ZoneInfo(time_zone)):%H:%M}"
    axes.annotate(
        f"issued {clock}" if is_large else clock,
        (_day(issue), 1.0),
        (-4.0, 0.0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right",
        va="top",
        color=LIGHT["issue"],
        fontsize=8.5 if is_large else 7.5,
    )
    draw_time_axis(axes, time_zone=time_zone, is_large=is_large)


def _draw_readings(axes: Axes, *, actuals: pl.DataFrame, issue: datetime, is_large: bool) -> None:
    known, later = actuals.filter(pl.col("valid_time") < issue), actuals.filter(pl.col("valid_time") >= issue)
    axes.plot(days_of(known), _loads(known), color=LIGHT["ink"], lw=1.5 if is_large else 1.1, label="measured")
    axes.plot(
        days_of(later),
        _loads(later),
        color=LIGHT["ink"],
        ls="none",
        marker="o",
        ms=2.6 if is_large else 1.6,
        mew=0,
        label="measured later",
    )
    doubtful = actuals.filter(pl.col("quality").is_in([Quality.ESTIMATED, Quality.EDITED]))
    if doubtful.height:
        axes.plot(
            days_of(doubtful),
            _loads(doubtful),
            ls="none",
            marker="s",
            ms=4.5 if is_large else 3.0,
            mfc="none",
            mec=LIGHT["linear"],
            mew=1.0,
            label="estimated",
        )


def draw_time_axis(axes: Axes, *, time_zone: str, is_large: bool) -> None:
    """Marks local midnights, and 06, 12 and 18 o'clock, on an axis of days since 1970; MW on the other."""
    axes.margins(x=0.005, y=0.08)
    size = 8.5 if is_large else 7.0
    midnights, quarters = _ticks(axes.get_xlim(), time_zone=time_zone)
    labels = [f"{each:%a} {each.day} {each:%b}" if is_large else f"{each.day} {each:%b}" for each in midnights]
    axes.set_xticks([_day(each) for each in midnights], labels)
    axes.set_xticks([_day(each) for each in quarters], minor=True)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.tick_params(axis="both", labelsize=size)
    if is_large:
        axes.set_xticks([_day(each) for each in quarters], [f"{each:%H}" for each in quarters], minor=True)
        axes.tick_params(axis="x", which="minor", labelsize=6.5, pad=2)
        axes.tick_params(axis="x", which="major", pad=12, length=5)
    axes.yaxis.set_major_locator(MaxNLocator(nbins=6 if is_large else 4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: tick(value)))
    axes.set_ylabel("MW", fontsize=size)


def _ticks(limits: tuple[float, float], *, time_zone: str) -> tuple[list[datetime], list[datetime]]:
    """Local midnights inside the limits, and the local 06, 12 and 18 o'clock between them."""
    zone = ZoneInfo(time_zone)
    first = datetime.fromtimestamp(limits[0] * 86_400, tz=zone).date()
    dates = [first + timedelta(days=step) for step in range(int(limits[1] - limits[0]) + 3)]
    moments = [datetime.combine(date, time(hour), tzinfo=zone) for date in dates for hour in (0, 6, 12, 18)]
    inside = [each for each in moments if limits[0] <= _day(each) <= limits[1]]
    return [each for each in inside if each.hour == 0], [each for each in inside if each.hour != 0]


def _day(moment: datetime) -> float:
    return moment.astimezone(UTC).timestamp() / 86_400


def days_of(frame: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Valid times as days since 1970, UTC."""
    return frame["valid_time"].dt.epoch("us").to_numpy() / 86_400e6


def _loads(frame: pl.DataFrame, column: str = "load_mw") -> npt.NDArray[np.float64]:
    return frame[column].cast(pl.Float64).fill_null(float("nan")).to_numpy()
