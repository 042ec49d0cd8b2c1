"""What every panel has: title, description, queries, place and what it says when there is nothing."""

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, Final, TypeVar

from gridcast.dashboards.grafana import theme
from gridcast.dashboards.grafana.queries import POSTGRES
from gridcast.dashboards.grafana.sdk import (
    Builder,
    Dataquery,
    barchart,
    common,
    dashboard,
    shapes,
    stat,
    table,
    timeseries,
    values,
)

MEGAWATTS: Final = "suffix:MW"
SHARE: Final = "percentunit"
SECONDS: Final = "s"
COUNT: Final = "short"

Drawn = Builder[values.Panel]
"""A panel, whatever it draws."""

Panel = TypeVar("Panel", timeseries.Panel, stat.Panel, table.Panel, barchart.Panel)


@dataclass(frozen=True, slots=True)
class Frame:
    """One panel, whatever it draws.

    Attributes:
        title: what it shows.
        description: how to read it.
        queries: where its numbers come from.
        source: the data source of all of them.
        no_value: what it says when there is nothing.
        unit: of its values, as Grafana names it.
        width: of 24 columns.
        height: in rows of the grid.
        decimals: of its values.
    """

    title: str
    _: KW_ONLY
    description: str
    queries: Sequence[Builder[Dataquery]]
    source: shapes.DataSourceRef = POSTGRES
    no_value: str = "nothing in this time range"
    unit: str = COUNT
    width: int = 12
    height: int = 8
    decimals: int | None = None

    def around(self, panel: Panel) -> Panel:
        """The panel with all of this."""
        framed = panel.title(self.title).description(self.description).datasource(self.source)
        framed = framed.targets(list(self.queries)).span(self.width).height(self.height)
        framed = framed.unit(self.unit).no_value(self.no_value)
        return framed if self.decimals is None else framed.decimals(self.decimals)


def properties(**given: Any) -> list[values.DynamicConfigValue]:
    """What an override sets: names of the schema, with `_` for `.` after `custom`."""
    return [
        values.DynamicConfigValue(id_val=name.replace("custom_", "custom.", 1), value=value)
        for name, value in given.items()
    ]


def fixed(color: str) -> dict[str, str]:
    """A field that always has one colour."""
    return {"mode": "fixed", "fixedColor": color}


def one_color(color: str) -> dashboard.FieldColor:
    """All fields of a panel in one colour."""
    return dashboard.FieldColor().mode(values.FieldColorModeId.FIXED).fixed_color(color)


def steps(*bounds: tuple[float, str], first: str = "good") -> dashboard.ThresholdsConfig:
    """Colours by value: `first` below the first bound, then that of the last bound reached."""
    all_steps: list[tuple[float | None, str]] = [(None, first), *bounds]
    found = [values.Threshold(value=value, color=theme.between(name)) for value, name in all_steps]
    return dashboard.ThresholdsConfig().mode(values.ThresholdsMode.ABSOLUTE).steps(found)


def legend(*, is_shown: bool = True) -> common.VizLegendOptions:
    """Names below the chart."""
    options = common.VizLegendOptions().show_legend(is_shown).placement(shapes.LegendPlacement.BOTTOM)
    return options.display_mode(shapes.LegendDisplayMode.LIST)


def tooltip() -> common.VizTooltipOptions:
    """All fields of the moment under the pointer."""
    return common.VizTooltipOptions().mode(shapes.TooltipDisplayMode.MULTI).sort(shapes.SortOrder.NONE)
