"""What operators set in place of a forecast, and what that was worth."""

from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridcast.domain.quantiles import QUANTILE_COLUMNS
from gridcast.domain.tables import FORECASTS, OVERRIDES, UTC_TIME
from gridcast.evaluation.overrides import effective, help_of, operator_layer

ISSUE = datetime(2024, 3, 31, tzinfo=UTC)
HOUR = timedelta(hours=1)


def forecast(*, hours: int = 4, series_id: str = "a", issue: datetime = ISSUE, p50: float = 100.0) -> pl.DataFrame:
    quantiles = [p50 + 10 * (position - 3) for position in range(len(QUANTILE_COLUMNS))]
    rows = [(series_id, issue, issue + hour * HOUR, "model", "1", *quantiles, "") for hour in range(hours)]
    return pl.DataFrame(rows, schema=FORECASTS, orient="row")


def override(operation: str, value: float, **more: Any) -> pl.DataFrame:
    facts = {
        "override_id": "o",
        "series_id": "a",
        "start": ISSUE + HOUR,
        "end": ISSUE + 3 * HOUR,
        "operation": operation,
        "value": value,
        "author": "me",
        "reason": "a match",
        "created_at": ISSUE,
        "expires_at": ISSUE + 9 * HOUR,
        "withdrawn_at": None,
        "withdrawn_by": None,
        **more,
    }
    return pl.DataFrame([facts], schema=OVERRIDES)


@pytest.mark.parametrize(
    ("operation", "value", "quantiles"),
    [
        pytest.param("set", 150.0, [120, 130, 140, 150, 160, 170, 180], id="the bands keep their distance"),
        pytest.param("add", -30.0, [40, 50, 60, 70, 80, 90, 100], id="every quantile moves"),
        pytest.param("scale", 2.0, [140, 160, 180, 200, 220, 240, 260], id="every quantile is multiplied"),
    ],
)
def test_an_override_changes_the_hours_it_speaks_of(operation: str, value: float, quantiles: list[float]) -> None:
    layer = operator_layer(forecast(), override(operation, value))
    assert layer["valid_time"].to_list() == [ISSUE + HOUR, ISSUE + 2 * HOUR]
    assert set(layer["layer"]) == {"operator"}
    assert layer.select(QUANTILE_COLUMNS).rows() == [tuple(quantiles)] * 2


def test_of_two_overrides_of_an_hour_the_one_made_last_counts() -> None:
    both = pl.concat(
        [
            override("add", 5.0, override_id="later", created_at=ISSUE + HOUR, start=ISSUE + 2 * HOUR),
            override("add", 1.0, override_id="earlier"),
        ]
    )
    assert operator_layer(forecast(), both)["p50"].to_list() == [101.0, 105.0]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"withdrawn_at": ISSUE + HOUR, "withdrawn_by": "me"}, id="withdrawn"),
        pytest.param({"expires_at": ISSUE}, id="expired when it was issued"),
        pytest.param({"series_id": "b"}, id="of another series"),
        pytest.param({"start": ISSUE + 9 * HOUR, "end": ISSUE + 10 * HOUR}, id="of another time"),
    ],
)
def test_overrides_that_do_not_apply_change_nothing(more: dict[str, Any]) -> None:
    assert operator_layer(forecast(), override("add", 5.0, **more)).is_empty()


def test_what_counts_is_the_operators_row_where_there_is_one() -> None:
    model = forecast()
    found = effective(pl.concat([model, operator_layer(model, override("add", 5.0))]))
    assert found["layer"].to_list() == ["model", "operator", "operator", "model"]
    assert found["p50"].to_list() == [100.0, 105.0, 105.0, 100.0]
    assert effective(model).equals(model)


def test_help_is_the_difference_of_the_errors_on_the_hours_that_were_changed() -> None:
    model = forecast()
    rows = pl.concat([model, operator_layer(model, override("add", 20.0))])
    actual = pl.DataFrame(
        {"series_id": "a", "valid_time": [ISSUE, ISSUE + HOUR, ISSUE + 2 * HOUR], "actual_mw": [500.0, 118.0, None]},
        schema={"series_id": pl.String, "valid_time": UTC_TIME, "actual_mw": pl.Float64},
    )
    found = help_of(rows, actual)
    assert found == (1, 18.0, 2.0)
    assert found.value_added_mw == 16.0
    nothing = help_of(model, actual)
    assert (nothing.n, nothing.value_added_mw) == (0, None)


@given(
    operation=st.sampled_from(["set", "add", "scale"]),
    value=st.floats(0.1, 9.0),
    p50=st.floats(0.0, 1000.0),
)
def test_quantiles_never_cross_in_the_operators_layer(operation: str, value: float, p50: float) -> None:
    layer = operator_layer(forecast(p50=p50 + 40), override(operation, value))
    for row in layer.select(QUANTILE_COLUMNS).iter_rows():
        assert list(row) == sorted(row)
