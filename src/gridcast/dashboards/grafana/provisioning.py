"""What Grafana reads at its start: where data comes from, where boards lie, and whom alerts reach.

Grafana puts environment variables of its own process in for `$NAME`; no file holds a secret.
"""

from typing import Final, NamedTuple


class Named(NamedTuple):
    """A data source as boards find it."""

    name: str
    uid: str


STORE: Final = Named("gridcast store", "gridcast-store")
METRICS: Final = Named("gridcast metrics", "gridcast-metrics")

_DATA_SOURCES: Final = f"""\
apiVersion: 1
prune: true
datasources:
  - name: {STORE.name}
    uid: {STORE.uid}
    type: grafana-postgresql-datasource
    access: proxy
    url: $GRIDCAST_STORE_HOST
    user: $GRIDCAST_STORE_USER
    editable: false
    jsonData:
      database: $GRIDCAST_STORE_DATABASE
      sslmode: $GRIDCAST_STORE_SSLMODE
      maxOpenConns: 10
      maxIdleConns: 2
      connMaxLifetime: 3600
    secureJsonData:
      password: $GRIDCAST_STORE_PASSWORD
  - name: {METRICS.name}
    uid: {METRICS.uid}
    type: prometheus
    access: proxy
    url: $GRIDCAST_PROMETHEUS_URL
    editable: false
    jsonData:
      httpMethod: POST
      prometheusType: Prometheus
"""

_BOARDS: Final = """\
apiVersion: 1
providers:
  - name: gridcast
    folder: gridcast
    folderUid: gridcast
    type: file
    disableDeletion: true
    allowUiUpdates: false
    updateIntervalSeconds: 60
    options:
      path: $GRIDCAST_BOARDS
"""

_CONTACT_POINTS: Final = """\
apiVersion: 1
contactPoints:
  - orgId: 1
    name: gridcast
    receivers:
      - uid: gridcast-alertmanager
        type: prometheus-alertmanager
        disableResolveMessage: false
        settings:
          url: $GRIDCAST_ALERTMANAGER_URL
"""
"""Alerts that people make in Grafana leave by the Alertmanager that Prometheus' leave by: one list of recipients."""

PROVISIONED: Final = {
    "provisioning/datasources/gridcast.yaml": _DATA_SOURCES,
    "provisioning/dashboards/gridcast.yaml": _BOARDS,
    "provisioning/alerting/gridcast.yaml": _CONTACT_POINTS,
}
"""Path below the folder of boards → YAML."""
