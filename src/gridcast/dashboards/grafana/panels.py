"""Kinds of panels: lines, stacked bars over time, a fan, cards, tables and bars."""

from collections.abc import Mapping
from typing import Final

from gridcast.dashboards.grafana import theme
from gridcast.dashboards.grafana.frames import Frame, fixed, legend, one_color, properties, steps, tooltip
from gridcast.dashboards.grafana.sdk import barchart, common, shapes, stat, table, timeseries

HOUR: Final = "1h"
_BOUND: Final = {"custom_lineWidth": 0, "custom_showPoints": "never"}
_UNNAMED: Final = {"custom_hideFrom": {"legend": True, "tooltip": False, "viz": False}}


def lines(frame: Frame, *, colors: Mapping[str, str] | None = None, step: str = HOUR) -> timeseries.Panel:
    """Values over time; fields named in `colors` have these, and the query must return them."""
    panel = _over_time(frame, step=step).line_width(2).fill_opacity(0)
    panel = panel.show_points(shapes.VisibilityMode.AUTO).span_nulls(False)
    for name, color in (colors or {}).items():
        panel = panel.override_by_name(name, properties(color=fixed(color)))
    return panel


def bars_over_time(
    frame: Frame, *, colors: Mapping[str, str] | None = None, step: str = HOUR, is_stacked: bool = True
) -> timeseries.Panel:
    """Counts, or steps up and down, in each step of time."""
    mode = shapes.StackingMode.NORMAL if is_stacked else shapes.StackingMode.NONE
    panel = _over_time(frame, step=step).draw_style(shapes.GraphDrawStyle.BARS).line_width(0)
    panel = panel.fill_opacity(80).axis_soft_min(0)
    panel = panel.stacking(common.StackingConfig().mode(mode).group("A"))
    for name, color in (colors or {}).items():
        panel = panel.override_by_name(name, properties(color=fixed(color)))
    return panel


def fan(frame: Frame, *, has_names: bool = True) -> timeseries.Panel:
    """A forecast with its 50 and 80 % bands, what operators set, and what was measured.

    The query returns `time`, `p10`, `p25`, `p50`, `p75`, `p90`, `operator` and `actual`.
    """
    model = fixed(theme.between("model"))
    panel = _over_time(frame, step=HOUR).legend(legend(is_shown=has_names)).line_width(2).fill_opacity(0)
    panel = panel.show_points(shapes.VisibilityMode.NEVER).color_scheme(one_color(theme.between("model")))
    for name in ("p10", "p25"):
        panel = panel.override_by_name(name, properties(color=model, **_BOUND, **_UNNAMED))
    for upper, lower, label, opacity in (("p90", "p10", "80 % band", 18), ("p75", "p25", "50 % band", 40)):
        seen = fixed(theme.faded(theme.between("model"), opacity=(opacity + 10) / 100))
        looks = properties(
            displayName=label, color=seen, custom_fillBelowTo=lower, custom_fillOpacity=opacity, **_BOUND
        )
        panel = panel.override_by_name(upper, looks)
    dashed = {"fill": "dash", "dash": [8, 6]}
    return (
        panel.override_by_name("p50", properties(displayName="forecast", color=model))
        .override_by_name(
            "operator", properties(color=fixed(theme.between("linear")), custom_lineStyle=dashed, custom_lineWidth=2)
        )
        .override_by_name("actual", properties(color=fixed(theme.ACTUAL), custom_lineWidth=2))
    )


def card(frame: Frame, *, is_colored: bool = False) -> stat.Panel:
    """A few numbers or words, large: every column of one row."""
    mode = shapes.BigValueColorMode.VALUE if is_colored else shapes.BigValueColorMode.NONE
    every = common.ReduceDataOptions().calcs(["lastNotNull"]).fields("/.*/").values(False)
    panel = frame.around(stat.Panel()).reduce_options(every).color_mode(mode).text_mode(shapes.BigValueTextMode.AUTO)
    return panel.graph_mode(shapes.BigValueGraphMode.NONE).justify_mode(shapes.BigValueJustifyMode.AUTO)


def listing(frame: Frame, *, units: Mapping[str, str] | None = None) -> table.Panel:
    """Rows; columns named in `units` have these, and the query must return them."""
    panel = frame.around(table.Panel()).filterable(True).cell_height(shapes.TableCellHeight.SM)
    for name, unit in (units or {}).items():
        panel = panel.override_by_name(name, properties(unit=unit))
    return panel


def bars(frame: Frame, *, along: str, colors: Mapping[str, str] | None = None) -> barchart.Panel:
    """A group of bars for each value of the column `along`."""
    panel = frame.around(barchart.Panel()).x_field(along).legend(legend()).tooltip(tooltip())
    panel = panel.fill_opacity(80).line_width(0).group_width(0.75).color_scheme(one_color(theme.between("model")))
    for name, color in (colors or {}).items():
        panel = panel.override_by_name(name, properties(color=fixed(color)))
    return panel


def _over_time(frame: Frame, *, step: str) -> timeseries.Panel:
    panel = frame.around(timeseries.Panel()).interval(step).legend(legend()).tooltip(tooltip())
    return panel.axis_border_show(False).line_interpolation(shapes.LineInterpolation.LINEAR)


def limited(panel: timeseries.Panel, *, at: float) -> timeseries.Panel:
    """The panel with a line at a value that should not be exceeded."""
    dashed = common.GraphThresholdsStyleConfig().mode(shapes.GraphThresholdsStyleMode.DASHED)
    return panel.thresholds(steps((at, "bad"))).thresholds_style(dashed)
