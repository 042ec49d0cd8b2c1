"""What the interval blocks of a Green Button feed measure: whose, in which direction, in which unit."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import polars as pl

from gridcast.ingestion.connectors.green_button_feed import BLOCK, Feed, Fields, Resource

FORWARD: Final = "forward"
REVERSE: Final = "reverse"
NET: Final = "net"
CHANNELS: Final = pl.Schema(
    {
        "block": pl.String(),
        "usage_point": pl.String(),
        "direction": pl.String(),
        "is_energy": pl.Boolean(),
        "mega_per_unit": pl.Float64(),
        "usual_duration": pl.String(),
        "channel_reason": pl.String(),
    }
)
"""Per address of a list of blocks. `mega_per_unit`: MW or MWh in one unit; `channel_reason`: why it is no load."""

_DIRECTIONS: Final = {"": FORWARD, "0": FORWARD, "1": FORWARD, "4": NET, "19": REVERSE}
_ENERGY_UNITS: Final = {"72": True, "38": False}
_ELECTRICITY: Final = frozenset({"", "0", "1", "2"})
_CUMULATIVE: Final = frozenset({"1", "2", "3"})
_LARGEST_POWER: Final = 12
_MOST_DIGITS: Final = 9


def channels_of(feed: Feed) -> pl.DataFrame:
    """CHANNELS of every list of blocks in the feed.

    Entries are tied by their addresses; where a feed leaves them out, the only meter, reading or type there is counts.
    """
    blocks = feed.intervals["block"].unique(maintain_order=True)
    rows = [_channel(block, feed.resources) for block in blocks]
    return pl.DataFrame(rows, schema=CHANNELS, orient="row")


def _channel(block: str, resources: Mapping[str, list[Resource]]) -> tuple[object, ...]:
    reading = _one(resources.get("MeterReading", []), lambda each: _holds(each, block, BLOCK))
    if reading is None:
        return (block, None, None, None, None, None, "unknown_meter_reading")
    point = _one(resources.get("UsagePoint", []), lambda each: _holds(each, reading.above, "MeterReading"))
    if point is None:
        return (block, None, None, None, None, None, "unknown_usage_point")
    kind = _one(resources.get("ReadingType", []), lambda each: each.address in reading.related)
    name = _usage_point(point.address)
    if kind is None:
        return (block, name, None, None, None, None, "unknown_reading_type")
    fields = kind.fields
    power = _power_of_ten(fields)
    return (
        block,
        name,
        _DIRECTIONS.get(fields.get("flowDirection", "")),
        _ENERGY_UNITS.get(fields.get("uom", "")),
        None if power is None else 10.0 ** (power - 6),
        fields.get("intervalLength"),
        _why_not_load(fields),
    )


def _why_not_load(fields: Fields) -> str | None:
    if fields.get("commodity", "") not in _ELECTRICITY:
        return "not_electricity"
    if fields.get("accumulationBehaviour", "") in _CUMULATIVE:
        return "cumulative_reading"
    if fields.get("uom", "") not in _ENERGY_UNITS:
        return "unit_not_power_or_energy"
    if _power_of_ten(fields) is None:
        return "unknown_multiplier"
    return None if fields.get("flowDirection", "") in _DIRECTIONS else "unknown_flow_direction"


def _power_of_ten(fields: Fields) -> int | None:
    written = fields.get("powerOfTenMultiplier") or "0"
    is_number = len(written) <= _MOST_DIGITS and written.removeprefix("-").isdecimal()
    power = int(written) if is_number else _LARGEST_POWER + 1
    return power if abs(power) <= _LARGEST_POWER else None


def _one(candidates: Sequence[Resource], is_meant: Callable[[Resource], bool]) -> Resource | None:
    meant = next((each for each in candidates if is_meant(each)), None)
    return candidates[0] if meant is None and len(candidates) == 1 else meant


def _holds(owner: Resource, address: str, kind: str) -> bool:
    """Whether the list at `address` is one of the owner's."""
    return bool(address) and (address in owner.related or address == f"{owner.address}/{kind}")


def _usage_point(address: str) -> str:
    """The id in an address, behind that of the customer or subscription if it has one: ids count per customer."""
    parts = address.split("/")
    if len(parts) >= 4 and parts[-2] == "UsagePoint" and parts[-4] in {"RetailCustomer", "Subscription"}:
        return f"{parts[-3]}-{parts[-1]}"
    return parts[-1] or "meter"
