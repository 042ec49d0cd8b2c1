"""For all tests."""

import gc


def pytest_configure() -> None:
    """Look for cycles less often while modules are loaded, which is most of what there is."""
    gc.set_threshold(100_000, 20, 100)


def pytest_collection_finish() -> None:
    """Never look through modules again."""
    gc.freeze()
