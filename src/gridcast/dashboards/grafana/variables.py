"""What a reader of a board chooses at its top."""

from typing import Final

from gridcast.dashboards.grafana.provisioning import METRICS, STORE
from gridcast.dashboards.grafana.queries import POSTGRES, PROMETHEUS, Sql, local
from gridcast.dashboards.grafana.sdk import Builder, dashboard, values
from gridcast.domain.lead_time import LEAD_BUCKETS

Variable = Builder[values.VariableModel]

_NEWEST: Final = str(2**63 - 1)
_HOUR: Final = 3_600_000_000
_ALL_SERIES: Final = "SELECT DISTINCT series_id FROM latest_runs WHERE layer = 'model' ORDER BY 1"
_ISSUES: Final = f"""
(SELECT 'newest' AS "__text", '{_NEWEST}' AS "__value")
UNION ALL
(SELECT to_char({local("issue_time")}, 'YYYY-MM-DD HH24:MI'), issue_time::text FROM runs
 WHERE series_id = ${{series:sqlstring}} AND layer = 'model' ORDER BY issue_time DESC LIMIT 200)
"""  # noqa: S608 - our own text


def datasource() -> Variable:
    """Which PostgreSQL data source: the store."""
    text = "PostgreSQL data source that holds the store of gridcast."
    chosen = dashboard.DatasourceVariable("datasource").label("Store").type("grafana-postgresql-datasource")
    return chosen.regex("").description(text).current(_option(STORE.name, STORE.uid))


def metrics() -> Variable:
    """Which Prometheus data source."""
    text = "Prometheus data source that scrapes gridcast."
    chosen = dashboard.DatasourceVariable("metrics").label("Metrics").type("prometheus")
    return chosen.regex("").description(text).current(_option(METRICS.name, METRICS.uid))


def series() -> Variable:
    """One series that has a forecast."""
    return _of_rows("series", _ALL_SERIES).label("Series").description("The series in the large panels.")


def zones() -> Variable:
    """Some series that have a forecast, all at first."""
    chosen = _of_rows("zones", _ALL_SERIES).label("Compared").description("Series side by side and in tables.")
    return chosen.multi(True).include_all(True).current(_option("All", "$__all"))


def issue() -> Variable:
    """As of which moment forecasts are shown: the newest, or the time of one of the last 200 issues."""
    text = "Which forecast is shown: the newest, or the one issued at a time."
    return _of_rows("issue", _ISSUES).label("Issued").description(text).current(_option("newest", _NEWEST))


def ahead() -> Variable:
    """How long before its interval a past forecast had to be issued, microseconds."""
    hours = [0, *(int(each.end.total_seconds()) // 3600 for each in LEAD_BUCKETS[:4])]
    options = [_option("the last one" if hour == 0 else f"{hour} h ahead", str(hour * _HOUR)) for hour in hours]
    listed = ",".join(f"{each.text} : {each.value}" for each in options)
    text = "Which forecast of an interval that is over: the last one before it, or the last one so long before it."
    chosen = dashboard.CustomVariable("ahead").label("Past forecasts").values(listed).description(text)
    return chosen.current(options[0])


def limit() -> Variable:
    """The load that peaks should not exceed, MW; none: the largest of four weeks."""
    text = "Load, MW, that peaks should not exceed. Empty: the largest of the four weeks before the forecast."
    return dashboard.TextBoxVariable("limit").label("Limit, MW").default_value("").description(text)


def step(first: str) -> Variable:
    """Over how much time numbers are averaged or added up to one point; days are those of UTC."""
    text = "Each point stands for so much time; days are those of UTC."
    chosen = dashboard.IntervalVariable("step").label("Step").values("1h,6h,1d,7d").description(text)
    return chosen.current(_option(first, first))


def level(metric: str) -> Variable:
    """A level of the hierarchy, out of the labels of a metric."""
    query: dict[str, object] = {"query": f"label_values({metric}, level)", "refId": "A"}
    chosen = dashboard.QueryVariable("level").label("Level").datasource(PROMETHEUS).query(query)
    return _refreshed(chosen).multi(True).include_all(True).all_value(".*").current(_option("All", "$__all"))


def _of_rows(name: str, text: str) -> dashboard.QueryVariable:
    query = Sql(text).to_json()
    return _refreshed(dashboard.QueryVariable(name).datasource(POSTGRES).query(query).definition(text.strip()))


def _refreshed(variable: dashboard.QueryVariable) -> dashboard.QueryVariable:
    return variable.refresh(values.VariableRefresh.ON_TIME_RANGE_CHANGED)


def _option(text: str, value: str) -> values.VariableOption:
    return values.VariableOption(selected=True, text=text, value=value)
