"""Every reading that arrives refreshes the forecast: what has arrived, what is ready, a tick, a bucket on a runner."""
