"""A registry without models; making its database takes seconds, copying it takes none."""

import shutil
from pathlib import Path

from support.workers import in_turn

from gridcast.registry.mlflow_registry import Registry


def copy_empty_registry(to: Path, *, run: Path) -> Path:
    """`to`, where a copy of the one registry that was made in the folder `run` of this test run now lies."""
    made = run / "empty_registry"
    with in_turn(run / "empty_registry.lock"):
        if not made.exists():
            building = run / "empty_registry_in_the_making"
            Registry.open(building)
            building.rename(made)
    return Path(shutil.copytree(made, to))
