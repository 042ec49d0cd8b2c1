"""What a process of its own finds that has nothing in memory yet: an empty folder, and a registry made by another."""

import json
import subprocess
import sys
from pathlib import Path

from support.installation import GRIDCAST

from gridcast.registry.catalogue import CHAMPION
from gridcast.registry.mlflow_registry import Registry

OPENED_ANEW = """
import sys
from pathlib import Path
from gridcast.registry.mlflow_registry import Registry
print(Registry.open(Path(sys.argv[1])).versions())
"""


def test_status_of_an_empty_folder_says_where_to_start_and_makes_nothing(tmp_path: Path) -> None:
    command = [GRIDCAST, "status", "--format", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    assert done.returncode == 0
    assert "gridcast ingest" in json.loads(done.stdout)["summary"]
    assert list(tmp_path.iterdir()) == []


def test_a_new_process_finds_the_same_models(tmp_path: Path) -> None:
    home = tmp_path / "100% Zähler? #1" / "registry"
    registry = Registry.open(home)
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "model.tflite").write_bytes(b"TFL3")
    registry.register(
        tmp_path / "made",
        params={"seed": 7, "width": 128},
        metrics={"pinball": 0.25},
        tags={"data_hash": "d1"},
        pip_requirements=("keras==3.15.0", "tensorflow-cpu==2.21.0"),
    )
    registry.set_alias(CHAMPION, "1")

    done = subprocess.run([sys.executable, "-c", OPENED_ANEW, home], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == repr(registry.versions())
    assert done.stderr == ""
