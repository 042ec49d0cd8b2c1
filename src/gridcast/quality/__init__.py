"""Validation, estimation and editing of readings (VEE): every change is flagged and the raw value is kept."""
