"""The network: raw inputs of a window in, quantiles of every lead in MW out; all series share its weights."""

from typing import Any

import keras
from keras import ops

from gridcast.domain.quantiles import MEDIAN, QUANTILE_LEVELS
from gridcast.features.temperature_terms import TEMPERATURE_TERMS
from gridcast.features.windows import RECENT_DAYS, REFERENCES, intervals_per_day
from gridcast.models.tensorflow.input_layers import (
    CalendarTerms,
    HourlyMeans,
    ScaledLoad,
    TemperatureHinges,
    WeekLevel,
)
from gridcast.models.tensorflow.quantile_layers import CalibratedQuantiles, QuantileGaps
from gridcast.models.tensorflow.spec import NetworkSpec

KNOTS_BELOW_C = (12.0, 4.0)
KNOTS_ABOVE_C = (18.0, 23.0, 28.0)
FIRST_SHARES = (0.4, 0.1, 0.3, 0.1, 0.1)


INPUT_TYPES = {"series": "int32", "weekday": "int32", "day_of_year": "int32", "reference_weekday": "int32"}


def input_shapes(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    """Shape of each raw input without the window axis; its type is float32 unless `INPUT_TYPES` says otherwise."""
    leads, terms, references = spec.leads, len(TEMPERATURE_TERMS), len(REFERENCES)
    return {
        "series": (),
        "recent_load_mw": (RECENT_DAYS * intervals_per_day(spec.interval),),
        "hour_of_day": (leads,),
        "weekday": (leads,),
        "day_of_year": (leads,),
        "holiday": (leads, 3),
        "temperature_c": (leads, terms),
        "reference_load_mw": (leads, references),
        "reference_temperature_c": (leads, references, terms),
        "reference_weekday": (leads, references),
        "reference_holiday": (leads, references),
    }


def build_network(spec: NetworkSpec, *, series: int) -> keras.Model:
    """An untrained network for `series` known series; series 0 stands for any other."""
    inputs = {
        name: keras.Input(shape, name=name, dtype=INPUT_TYPES.get(name, "float32"))
        for name, shape in input_shapes(spec).items()
    }
    week = 7 * intervals_per_day(spec.interval)
    level_scale = WeekLevel(week, name="week_level")(inputs["recent_load_mw"])
    reference = ScaledLoad(name="scaled_references")(inputs["reference_load_mw"], level_scale)
    temperature = TemperatureHinges(KNOTS_BELOW_C, KNOTS_ABOVE_C, name="temperature")(inputs["temperature_c"])
    terms = _lead_terms(inputs, spec, temperature=temperature, reference=reference)
    identity = keras.layers.Embedding(series + 1, spec.size.embedding, name="identity")(inputs["series"])
    state = keras.layers.Concatenate()([_encode(inputs["recent_load_mw"], level_scale, spec), identity])
    state = keras.layers.RepeatVector(spec.leads)(state)
    hidden = keras.layers.Concatenate()([terms, state])
    hidden = keras.layers.Dense(spec.size.width, name="enter")(hidden)
    for block in range(spec.size.blocks):
        hidden = residual_block(hidden, spec.size.width, dropout=spec.size.dropout, name=f"block_{block}")
    gaps = QuantileGaps(len(QUANTILE_LEVELS), name="gaps")(hidden)
    base = keras.layers.Dense(1, use_bias=False, kernel_initializer=_first_shares, name="shares")(reference[..., 0])
    quantiles = CalibratedQuantiles(MEDIAN, name="calibrated")(gaps, base, level_scale)
    return keras.Model(inputs, quantiles, name="gridcast")


def residual_block(hidden: Any, width: int, *, dropout: float, name: str) -> Any:
    """Input plus a correction from a layer norm, two dense layers and dropout; shape unchanged."""
    change = keras.layers.LayerNormalization(name=f"{name}_norm")(hidden)
    change = keras.layers.Dense(width, activation=_gelu, name=f"{name}_in")(change)
    change = keras.layers.Dropout(dropout, name=f"{name}_dropout")(change)
    change = keras.layers.Dense(width, name=f"{name}_out")(change)
    return keras.layers.Add()([hidden, change])


def _gelu(values: Any) -> Any:
    return ops.gelu(values, approximate=True)


def _first_shares(shape: Any, dtype: Any = None) -> Any:
    return ops.reshape(ops.convert_to_tensor(FIRST_SHARES, dtype=dtype), shape)


def _encode(recent_load_mw: Any, level_scale: Any, spec: NetworkSpec) -> Any:
    recent = ScaledLoad(name="scaled_recent")(recent_load_mw, level_scale)
    recent = HourlyMeans(intervals_per_day(spec.interval) // 24, name="hourly_recent")(recent)
    hidden = keras.layers.Dense(spec.size.encoder_width, name="encoder_enter")(recent)
    for block in range(2):
        hidden = residual_block(hidden, spec.size.encoder_width, dropout=2 * spec.size.dropout, name=f"encoder_{block}")
    return keras.layers.Dense(spec.size.summary, name="encoder_leave")(hidden)


def _lead_terms(inputs: dict[str, Any], spec: NetworkSpec, *, temperature: Any, reference: Any) -> Any:
    references = len(REFERENCES)
    calendar = CalendarTerms(name="calendar")(inputs["hour_of_day"], inputs["weekday"], inputs["day_of_year"])
    then = TemperatureHinges(KNOTS_BELOW_C, KNOTS_ABOVE_C, name="reference_temperature")(
        inputs["reference_temperature_c"]
    )
    flat = keras.layers.Reshape((spec.leads, then.shape[-1] * references))(then)
    values = keras.layers.Reshape((spec.leads, 2 * references))(reference)
    weekend = ops.cast(ops.stack([ops.equal(inputs["reference_weekday"], day) for day in (5, 6)], -1), "float32")
    weekend = keras.layers.Reshape((spec.leads, 2 * references))(weekend)
    parts = [calendar, inputs["holiday"], temperature, values, flat, weekend, inputs["reference_holiday"]]
    return keras.layers.Concatenate(name="terms")(parts)
