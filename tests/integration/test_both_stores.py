"""What commands say does not depend on the database that the store is in."""

import shutil
from pathlib import Path
from typing import Any

from support.installation import Place

COMMANDS = (
    ("stream", "--last", "PT3H"),
    ("forecast",),
    ("score",),
    ("drift",),
    ("prepare",),
    ("model", "history"),
    ("status",),
    ("store", "status"),
)


def test_whoever_moves_to_postgresql_is_told_the_same(promoted: Place, tmp_path: Path, database: str) -> None:
    here, there = (Place(shutil.copytree(promoted.directory, tmp_path / name)) for name in ("here", "there"))
    environment = {"GRIDCAST_STORE_URL": database}
    here.run("store", "backup", "--to", str(tmp_path / "saved"))
    there.run("store", "restore", str(tmp_path / "saved"), env=environment)
    (there.directory / "data" / "gridcast.db").unlink()

    for command in COMMANDS:
        expected, found = here.json(*command), there.json(*command, env=environment)
        assert lasting(found) == lasting(expected), command
    assert not (there.directory / "data" / "gridcast.db").exists()


def lasting(said: dict[str, Any]) -> dict[str, Any]:
    """Without the name of the store and the times of the day."""
    events = [each if isinstance(each, str) else each["message"] for each in said.get("events", ())]
    return {name: value for name, value in said.items() if name not in {"store", "summary"}} | {"events": events}
