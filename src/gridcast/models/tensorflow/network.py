"""The network: raw inputs of a window in, quantiles of every lead in MW out; all series share its weights."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from gridcast.domain.quantiles import MEDIAN, QUANTILE_LEVELS
from gridcast.features.day_calendar import DAY_TERMS, REFERENCE_DAY_TERMS
from gridcast.features.temperature_terms import TEMPERATURE_TERMS
from gridcast.features.windows import RECENT_DAYS, REFERENCES, intervals_per_day
from gridcast.models.tensorflow.input_layers import (
    CalendarTerms,
    HourlyMeans,
    ObservedShares,
    ScaledLoad,
    TemperatureHinges,
    UniformNoise,
    WeekLevel,
)
from gridcast.models.tensorflow.missing import is_observed
from gridcast.models.tensorflow.quantile_layers import CalibratedQuantiles, QuantileGaps, WiderWhereLacking
from gridcast.models.tensorflow.spec import NetworkSpec

KNOTS_BELOW_C = (12.0, 4.0)
KNOTS_ABOVE_C = (18.0, 23.0, 28.0)
FIRST_SHARES = (0.4, 0.1, 0.3, 0.1, 0.1)
"""Of the references, what the forecast of an untrained network is made of."""
OBSERVED_SHARE_HOURS = 6
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
        "holiday": (leads, len(DAY_TERMS)),
        "temperature_c": (leads, terms),
        "reference_load_mw": (leads, references),
        "reference_temperature_c": (leads, references, terms),
        "reference_weekday": (leads, references),
        "reference_holiday": (leads, references, len(REFERENCE_DAY_TERMS)),
    }


def build_network(spec: NetworkSpec, *, series: int, members: Sequence[keras.Model]) -> keras.Model:
    """One network of all members: raw inputs → quantiles (window, lead, quantile), MW, the mean of the members'."""
    inputs = _symbols({name: (shape, INPUT_TYPES.get(name, "float32")) for name, shape in input_shapes(spec).items()})
    level_scale = WeekLevel(7 * intervals_per_day(spec.interval), name="level")(inputs["recent_load_mw"])
    terms = _terms(inputs, spec, level_scale=level_scale)
    outward = [member(terms) for member in members]
    mean = keras.layers.Average(name="ensemble")(outward) if len(outward) > 1 else outward[0]
    quantiles = CalibratedQuantiles(MEDIAN, series, name="calibrated")(
        mean, level_scale, inputs["hour_of_day"], inputs["series"]
    )
    wider = WiderWhereLacking(MEDIAN, name="wider")(quantiles, _lacking(inputs, spec))
    return keras.Model(inputs, wider, name="gridcast")


def build_member(spec: NetworkSpec, *, series: int, name: str = "member") -> keras.Model:
    """An untrained member of an ensemble for `series` known series; series 0 stands for any other.

    It turns terms that have nothing to learn, `per_lead` (window, lead, term), `recent` (window, term), `references`
    (window, lead, reference) and `series` (window,), into `QuantileGaps` (window, lead, quantile), scaled.
    """
    size = spec.size
    shapes = {each: (shape, "float32") for each, shape in _term_shapes(spec).items()}
    terms = _symbols({**shapes, "series": ((), "int32")})
    identity = keras.layers.Embedding(series + 1, size.embedding, name="identity")(terms["series"])
    per_lead = UniformNoise(size.noise, name="noise")(terms["per_lead"])
    recent = UniformNoise(size.noise, name="recent_noise")(terms["recent"])
    recent = _blocks(recent, size.encoder_width, count=2, dropout=size.dropout, name="recent")
    recent = keras.layers.Dense(size.summary, name="recent_summary")(recent)
    outlook = keras.layers.Concatenate(name="recent_and_horizon")([recent, _horizon(per_lead, spec)])
    outlook = _blocks(outlook, size.encoder_width, count=1, dropout=size.dropout, name="outlook")
    outlook = keras.layers.Dense(size.summary, name="outlook_summary")(outlook)
    state = keras.layers.Concatenate(name="state")([recent, outlook, identity])
    hidden = keras.layers.Concatenate(name="lead")([per_lead, keras.layers.RepeatVector(spec.leads)(state)])
    hidden = _blocks(hidden, size.width, count=size.blocks, dropout=size.dropout, name="lead")
    gaps = QuantileGaps(len(QUANTILE_LEVELS), name="gaps")(hidden)
    base = keras.layers.Dense(1, use_bias=False, kernel_initializer=_first_shares, name="shares")(terms["references"])
    median = keras.layers.Add(name="median")([gaps[..., :1], base])
    return keras.Model(terms, keras.layers.Concatenate(name="outward")([median, gaps[..., 1:]]), name=name)


def residual_block(hidden: Any, width: int, *, dropout: float, name: str) -> Any:
    """Input plus a correction from a layer norm, two dense layers and dropout; shape unchanged."""
    change = keras.layers.LayerNormalization(name=f"{name}_norm")(hidden)
    change = keras.layers.Dense(width, activation=_gelu, name=f"{name}_in")(change)
    change = keras.layers.Dropout(dropout, name=f"{name}_dropout")(change)
    change = keras.layers.Dense(width, name=f"{name}_out")(change)
    return keras.layers.Add(name=name)([hidden, change])


def _blocks(values: Any, width: int, *, count: int, dropout: float, name: str) -> Any:
    hidden = keras.layers.Dense(width, name=f"{name}_enter")(values)
    for block in range(count):
        hidden = residual_block(hidden, width, dropout=dropout, name=f"{name}_{block}")
    return hidden


def _gelu(values: Any) -> Any:
    return ops.gelu(values, approximate=True)


def _first_shares(shape: Any, dtype: Any = None) -> Any:
    return ops.reshape(ops.convert_to_tensor(FIRST_SHARES, dtype=dtype), shape)


def _horizon(per_lead: Any, spec: NetworkSpec) -> Any:
    """(window, number): a few numbers of each hour of the whole horizon, so that every lead knows what is to come."""
    steps = max(1, intervals_per_day(spec.interval) // 24)
    hours = keras.layers.Dense(spec.size.horizon, name="horizon_terms")(per_lead)
    if steps > 1:
        hours = keras.layers.AveragePooling1D(steps, padding="same", name="horizon_hours")(hours)
    flat = keras.layers.Reshape((hours.shape[1] * hours.shape[2],), name="horizon")(hours)
    return keras.layers.Dropout(spec.size.dropout / 2, name="horizon_dropout")(flat)


def _terms(inputs: dict[str, Any], spec: NetworkSpec, *, level_scale: Any) -> dict[str, Any]:
    """What every member starts from; loads are scaled, missing values zero and marked as such."""
    per_day = intervals_per_day(spec.interval)
    recent = ScaledLoad(name="scaled_recent")(inputs["recent_load_mw"], level_scale)
    hourly = HourlyMeans(per_day // 24, name="hourly_recent")(recent)
    observed = ObservedShares(OBSERVED_SHARE_HOURS * per_day // 24, name="observed_recent")(recent)
    references = ScaledLoad(name="scaled_references")(inputs["reference_load_mw"], level_scale)
    return {
        "per_lead": _lead_terms(inputs, spec, references=references),
        "recent": keras.layers.Concatenate(name="recent")([hourly, observed]),
        "references": references[..., 0],
        "series": inputs["series"],
    }


def _lacking(inputs: dict[str, Any], spec: NetworkSpec) -> Any:
    """(window, lead, lack): what share is missing of each of `LACKS`."""
    last_day = is_observed(inputs["recent_load_mw"][:, -intervals_per_day(spec.interval) :])
    temperature = 1.0 - is_observed(inputs["temperature_c"][..., 0])
    readings = 1.0 - ops.mean(last_day, axis=1, keepdims=True)
    unknown = ops.expand_dims(ops.cast(ops.equal(inputs["series"], 0), "float32"), 1)
    return ops.stack([temperature, *(each + ops.zeros_like(temperature) for each in (readings, unknown))], axis=-1)


def _lead_terms(inputs: dict[str, Any], spec: NetworkSpec, *, references: Any) -> Any:
    """Where the temperature is unknown, those of the reference days are left out too: there is nothing to compare."""
    weather, then = (
        TemperatureHinges(KNOTS_BELOW_C, KNOTS_ABOVE_C, name=name)(inputs[f"{name}_c"])
        for name in ("temperature", "reference_temperature")
    )
    then = then * ops.expand_dims(weather[..., -1:], 2)
    weekend = ops.cast(ops.stack([ops.equal(inputs["reference_weekday"], day) for day in (5, 6)], -1), "float32")
    calendar = CalendarTerms(name="calendar")(inputs["hour_of_day"], inputs["weekday"], inputs["day_of_year"])
    parts = [calendar, inputs["holiday"], weather, references, then, weekend, inputs["reference_holiday"]]
    return keras.layers.Concatenate(name="terms")([_flat(part, spec.leads) for part in parts])


def _flat(values: Any, leads: int) -> Any:
    """(window, lead, …) → (window, lead, all of the rest)."""
    return values if len(values.shape) == 3 else keras.layers.Reshape((leads, -1))(values)


def _term_shapes(spec: NetworkSpec) -> dict[str, tuple[int, ...]]:
    inputs = _symbols({name: (shape, INPUT_TYPES.get(name, "float32")) for name, shape in input_shapes(spec).items()})
    terms = _terms(inputs, spec, level_scale=WeekLevel(1)(inputs["recent_load_mw"]))
    return {name: tuple(terms[name].shape[1:]) for name in ("per_lead", "recent", "references")}


def _symbols(inputs: dict[str, tuple[tuple[int, ...], str]]) -> dict[str, Any]:
    return {name: keras.Input(shape, name=name, dtype=dtype) for name, (shape, dtype) in inputs.items()}
