"""Forecasting models; they see arrays, never files of readings or stores."""
