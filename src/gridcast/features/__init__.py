"""What a model reads: calendar, weather and reference days; one function set for training, batch and stream."""
