"""Measured values in Prometheus' text format."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from gridcast.monitoring.metric_names import METRICS, Kind, Metric

CONTENT_TYPE: Final = CONTENT_TYPE_LATEST
OLDEST_S: Final = 5.0
"""Seconds for which collected values are told again."""

Family = GaugeMetricFamily | CounterMetricFamily | HistogramMetricFamily


class Sample(NamedTuple):
    """One measured value; of a histogram `bins`, the counts at or below each bound, in order (`le`, count)."""

    metric: Metric
    labels: tuple[str, ...] = ()
    value: float = 0.0
    bins: tuple[tuple[str, float], ...] = ()


class _Families(Collector):
    def __init__(self, samples: Iterable[Sample]) -> None:
        self._samples: dict[Metric, list[Sample]] = {}
        for each in samples:
            self._samples.setdefault(each.metric, []).append(each)

    def collect(self) -> Iterator[Family]:
        for metric in METRICS:
            if metric in self._samples:
                yield _family(metric, self._samples[metric])


def exposition(samples: Iterable[Sample]) -> bytes:
    """The samples as text, metrics in the order of `METRICS`."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families(samples))
    return generate_latest(registry)


@dataclass(slots=True, eq=False)
class Exposed:
    """The exposition, collected anew at most every `OLDEST_S` seconds whoever asks how often.

    Attributes:
        collect: measures.
        clock: monotonic seconds.
    """

    collect: Callable[[], Sequence[Sample]]
    clock: Callable[[], float] = time.monotonic
    _told: tuple[float, bytes] | None = field(default=None, init=False)
    _collecting: threading.Lock = field(default_factory=threading.Lock, init=False)

    def text(self) -> bytes:
        """What Prometheus reads."""
        with self._collecting:
            if self._told is None or self.clock() - self._told[0] >= OLDEST_S:
                text = exposition(self.collect())
                self._told = (self.clock(), text)
            return self._told[1]


def _family(metric: Metric, samples: Sequence[Sample]) -> Family:
    if metric.kind is Kind.HISTOGRAM:
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for each in samples:
            histogram.add_metric(each.labels, each.bins, None)
        return histogram
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
    for each in samples:
        family.add_metric(each.labels, each.value)
    return family
