"""The service as its pod runs it: the data folder is mounted for reading only, the store is PostgreSQL."""

import re
import subprocess
from pathlib import Path

import httpx
import yaml
from support.installation import GRIDCAST
from support.postgres import running_postgres
from support.services import free_ports, require_programs, without

from gridcast.deploy.manifests import read_manifests

ROOT = Path(__file__).parents[2]
MOUNTED = 'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && shift && exec "$@"'


def settings_of_the_pod(folder: Path, *, data: Path, url_file: Path, port: int) -> None:
    """The settings of the rendered manifests, with places of this machine."""
    manifests = read_manifests((ROOT / "kubernetes/rendered/dev.yaml").read_text(), source="dev")
    (config,) = (each.body["data"] for each in manifests if each.ref.name.startswith("gridcast-config-"))
    settings = yaml.safe_load(config["app_config.yaml"])
    settings |= {"data_dir": str(data), "store": {"url_file": str(url_file)}}
    settings["service"] |= {"host": "127.0.0.1", "port": port}
    folder.mkdir()
    (folder / "app_config.yaml").write_text(yaml.safe_dump(settings))


def test_the_service_works_on_a_data_folder_it_can_only_read(tmp_path: Path) -> None:
    unshare, shell, _ = require_programs("unshare", "sh", "mount")
    read_only = [unshare, "--mount", shell, "-c", MOUNTED, "sh"]
    data, url_file = tmp_path / "data", tmp_path / "url"
    data.mkdir()
    (port,) = free_ports(1)
    tried = subprocess.run([*read_only, data, "touch", data / "x"], capture_output=True, text=True, check=False)
    if "Read-only" not in tried.stderr:
        without(f"nothing may be mounted here: {tried.stderr}")
    with running_postgres() as server:
        url_file.write_text(server.new_database())
        settings_of_the_pod(tmp_path / "config", data=data, url_file=url_file, port=port)
        made = [GRIDCAST, "key", "create", "--role", "viewer", "--name", "first"]
        subprocess.run(made, cwd=tmp_path, check=True, capture_output=True)
        process = subprocess.Popen(
            [*read_only, data, GRIDCAST, "serve"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            assert process.stderr is not None
            told = next((line for line in process.stderr if "serving on" in line), "")
            assert re.search(rf":{port}/", told)
            for path in ("health", "ready"):
                assert httpx.get(f"http://127.0.0.1:{port}/v1/{path}", timeout=60).status_code == 200
            assert httpx.get(f"http://127.0.0.1:{port}/v1/status", timeout=60).status_code == 401
        finally:
            process.terminate()
            process.communicate(timeout=60)
        assert list(data.iterdir()) == []
