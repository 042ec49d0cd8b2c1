"""What scores are broken down by."""

import enum


class Dimension(enum.StrEnum):
    """By what scores are broken down; clock and calendar are those of the series' own zone."""

    LEAD_BUCKET = "lead_bucket"
    """Distance of the valid time from the issue time."""
    HOUR = "hour"
    """Local hour of the valid time, '00' to '23'; both passes of a repeated hour count as that hour."""
    WEEKDAY = "weekday"
    """Local day of the week of the valid time."""
    SEASON = "season"
    """Three months of the valid time, by name: a season that is winter in one half of the world only."""
    HOLIDAY = "holiday"
    """Whether the valid time lies on a local holiday."""
    LEVEL = "level"
    """Level of the series in the hierarchy."""
    SERIES = "series_id"
    """The series itself."""
