"""What is known at an issue time, the forecast made of it, its explanation, its correction and its score."""
