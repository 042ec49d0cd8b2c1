CREATE TABLE reading_log (
  log_offset INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  series_id TEXT NOT NULL,
  valid_time BIGINT NOT NULL,
  load_mw DOUBLE,
  available_at BIGINT NOT NULL,
  source TEXT DEFAULT 'replay' NOT NULL
);

CREATE INDEX reading_log_by_valid_time ON reading_log (valid_time);

CREATE INDEX reading_log_by_series ON reading_log (series_id, valid_time, log_offset);

CREATE TABLE sources (
  source TEXT NOT NULL,
  position TEXT NOT NULL,
  batches BIGINT NOT NULL,
  rows BIGINT NOT NULL,
  committed_at BIGINT NOT NULL,
  PRIMARY KEY (source)
)
 WITHOUT ROWID;

CREATE TABLE readings (
  series_id TEXT NOT NULL,
  valid_time BIGINT NOT NULL,
  load_mw DOUBLE,
  raw_load_mw DOUBLE,
  quality TEXT NOT NULL,
  rule TEXT NOT NULL,
  available_at BIGINT NOT NULL,
  PRIMARY KEY (series_id, valid_time)
)
 WITHOUT ROWID;

CREATE TABLE forecasts (
  series_id TEXT NOT NULL,
  issue_time BIGINT NOT NULL,
  valid_time BIGINT NOT NULL,
  layer TEXT NOT NULL,
  model_version TEXT NOT NULL,
  p05 DOUBLE,
  p10 DOUBLE,
  p25 DOUBLE,
  p50 DOUBLE,
  p75 DOUBLE,
  p90 DOUBLE,
  p95 DOUBLE,
  degraded_because TEXT NOT NULL,
  PRIMARY KEY (series_id, issue_time, valid_time, layer)
)
 WITHOUT ROWID;

CREATE INDEX forecasts_by_issue_time ON forecasts (issue_time);

CREATE TABLE tick_counts (
  issue_time BIGINT NOT NULL,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  rows BIGINT NOT NULL,
  energy_mwh DOUBLE,
  PRIMARY KEY (issue_time, kind, name)
)
 WITHOUT ROWID;

CREATE TABLE scores (
  series_id TEXT NOT NULL,
  issue_time BIGINT NOT NULL,
  layer TEXT NOT NULL,
  lead_bucket TEXT NOT NULL,
  model_version TEXT NOT NULL,
  n INTEGER NOT NULL,
  mae_mw DOUBLE,
  bias_mw DOUBLE,
  pinball_mw DOUBLE,
  coverage_80 DOUBLE,
  coverage_90 DOUBLE,
  PRIMARY KEY (series_id, issue_time, layer, lead_bucket)
)
 WITHOUT ROWID;

CREATE TABLE events (
  event_id INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  message TEXT NOT NULL
);

CREATE TABLE consumers (
  consumer TEXT NOT NULL,
  log_offset BIGINT NOT NULL,
  issue_time BIGINT NOT NULL,
  PRIMARY KEY (consumer)
)
 WITHOUT ROWID;

CREATE TABLE landings (
  last_offset BIGINT NOT NULL,
  first_offset BIGINT NOT NULL,
  received_at BIGINT NOT NULL,
  landed_at BIGINT NOT NULL,
  PRIMARY KEY (last_offset)
)
 WITHOUT ROWID;

CREATE TABLE latencies (
  stage TEXT NOT NULL,
  upper_s DOUBLE NOT NULL,
  n BIGINT NOT NULL,
  PRIMARY KEY (stage, upper_s)
)
 WITHOUT ROWID;

