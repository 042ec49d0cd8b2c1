CREATE TABLE reading_log (
  log_offset BIGSERIAL NOT NULL,
  series_id TEXT NOT NULL,
  valid_time BIGINT NOT NULL,
  load_mw DOUBLE PRECISION,
  available_at BIGINT NOT NULL,
  PRIMARY KEY (log_offset)
);

CREATE INDEX reading_log_by_valid_time ON reading_log (valid_time);

CREATE TABLE readings (
  series_id TEXT NOT NULL,
  valid_time BIGINT NOT NULL,
  load_mw DOUBLE PRECISION,
  raw_load_mw DOUBLE PRECISION,
  quality TEXT NOT NULL,
  rule TEXT NOT NULL,
  available_at BIGINT NOT NULL,
  PRIMARY KEY (series_id, valid_time)
);

CREATE TABLE forecasts (
  series_id TEXT NOT NULL,
  issue_time BIGINT NOT NULL,
  valid_time BIGINT NOT NULL,
  layer TEXT NOT NULL,
  model_version TEXT NOT NULL,
  p05 DOUBLE PRECISION,
  p10 DOUBLE PRECISION,
  p25 DOUBLE PRECISION,
  p50 DOUBLE PRECISION,
  p75 DOUBLE PRECISION,
  p90 DOUBLE PRECISION,
  p95 DOUBLE PRECISION,
  degraded_because TEXT NOT NULL,
  PRIMARY KEY (series_id, issue_time, valid_time, layer)
);

CREATE INDEX forecasts_by_issue_time ON forecasts (issue_time);

CREATE TABLE scores (
  series_id TEXT NOT NULL,
  issue_time BIGINT NOT NULL,
  layer TEXT NOT NULL,
  lead_bucket TEXT NOT NULL,
  model_version TEXT NOT NULL,
  n INTEGER NOT NULL,
  mae_mw DOUBLE PRECISION,
  bias_mw DOUBLE PRECISION,
  pinball_mw DOUBLE PRECISION,
  coverage_80 DOUBLE PRECISION,
  coverage_90 DOUBLE PRECISION,
  PRIMARY KEY (series_id, issue_time, layer, lead_bucket)
);

CREATE TABLE events (
  event_id BIGSERIAL NOT NULL,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  message TEXT NOT NULL,
  PRIMARY KEY (event_id)
);

CREATE TABLE consumers (
  consumer TEXT NOT NULL,
  log_offset BIGINT NOT NULL,
  issue_time BIGINT NOT NULL,
  PRIMARY KEY (consumer)
);

