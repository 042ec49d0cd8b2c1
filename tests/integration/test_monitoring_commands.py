"""`gridcast drift` and `gridcast metrics` on an installation that was built by the real commands."""

import shutil
from collections.abc import Callable

from prometheus_client.parser import text_string_to_metric_families
from support.installation import Place

from gridcast.monitoring.metric_names import METRICS


def test_drift_is_looked_for_shown_and_kept_and_metrics_tell_it(
    promoted: Place, copy_of: Callable[[Place], Place]
) -> None:
    place = copy_of(promoted)
    shutil.rmtree(place.directory / "data" / "backtest")
    assert "has no backtest" in place.run("drift", code=1).stderr
    place.run("backtest")
    tried = place.json("drift", "--dry-run")
    assert not (place.directory / "data/drift.json").exists()
    found = place.json("drift")
    assert found["detectors"] == tried["detectors"]
    assert (place.directory / "data/drift.json").exists()
    assert place.json("drift")["events"] == []
    by_detector = [(each["series_id"], each["detector"]) for each in found["detectors"]]
    assert {(each, "temperature_population") for each in ("system", "zone_01", "zone_02", "zone_10")} <= {*by_detector}
    assert not any(detector == "temperature_range" for _, detector in by_detector), "half a year has not seen a range"

    told = place.json("metrics", "--to", "out/gridcast.prom")
    text = (place.directory / "out/gridcast.prom").read_text()
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    assert told["samples"] == len(samples)
    assert {each.name for each in samples} <= {each.name for each in METRICS}
    assert {"gridcast_drift_score_ratio", "gridcast_model_info", "gridcast_store_up"} <= {each.name for each in samples}
    assert [each.name for each in (place.directory / "out").iterdir()] == ["gridcast.prom"]


def test_a_name_that_node_exporter_would_not_read_is_refused(
    promoted: Place, copy_of: Callable[[Place], Place]
) -> None:
    done = copy_of(promoted).run("metrics", "--to", "gridcast.txt", code=2)
    assert "expected a name that ends in .prom" in done.stderr
