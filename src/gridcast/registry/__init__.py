"""Models with their lineage: what was trained on what, how it did, which one is in charge."""
