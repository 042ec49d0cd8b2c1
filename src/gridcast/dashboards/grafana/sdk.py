"""The parts of Grafana's SDK that boards are made of."""

import warnings

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # files on disk are provisioned in the first schema
    from grafana_foundation_sdk.builders import barchart, common, dashboard, prometheus, stat, table, timeseries
    from grafana_foundation_sdk.cog.builder import Builder
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.variants import Dataquery
    from grafana_foundation_sdk.models import common as shapes
    from grafana_foundation_sdk.models import dashboard as values

__all__ = [
    "Builder",
    "Dataquery",
    "JSONEncoder",
    "barchart",
    "common",
    "dashboard",
    "prometheus",
    "shapes",
    "stat",
    "table",
    "timeseries",
    "values",
]
