"""An installation in the test cluster: what it needs before, and `gridcast deploy` as it is typed."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.kube_api import Api

from gridcast.cli import main
from gridcast.deploy.manifests import Manifest, read_manifests

ROOT = Path(__file__).parents[2]
PRODUCTION = ROOT / "kubernetes/rendered/production.yaml"
NAMESPACE = "gridcast"


@dataclass
class Terminal:
    """Commands typed against the test cluster, in this process."""

    api: Api
    monkeypatch: pytest.MonkeyPatch
    capsys: pytest.CaptureFixture[str]

    def type(self, *words: str, code: int = 0) -> str:
        """What a call of `gridcast deploy` that ends with `code` prints."""
        call = ["gridcast", "deploy", words[0], "--kubeconfig", str(self.api.kubeconfig), *words[1:]]
        self.monkeypatch.setattr(sys, "argv", call)
        with pytest.raises(SystemExit) as ended:
            main()
        output, errors = self.capsys.readouterr()
        assert (ended.value.code or 0) == code, f"{words} gave {ended.value.code}\n{output}\n{errors}"
        assert "Traceback" not in errors
        return output + errors

    def json(self, *words: str) -> dict[str, Any]:
        text = self.type(*words, "--format", "json")
        result: dict[str, Any] = json.loads(next(line for line in text.splitlines() if line.startswith("{")))
        return result

    def apply(self, manifests: Path, *words: str, code: int = 0) -> str:
        return self.type("apply", str(manifests), "--skip-image-check", *words, code=code)


def make_ready(api: Api) -> None:
    """The namespace and the secrets, as an operator makes them."""
    cluster = api.cluster
    with cluster.changed:
        cluster.create(("namespaces", "", NAMESPACE), _named("Namespace", NAMESPACE), manager="kubectl", dry_run=False)
        for name in ("gridcast-store", "gridcast-kafka", "gridcast-tls"):
            body = {**_named("Secret", name), "data": {"url": "aGlkZGVu"}}
            cluster.create(("secrets", NAMESPACE, name), body, manager="kubectl", dry_run=False)


def version(folder: Path, tag: str, *, without: tuple[str, ...] = ()) -> Path:
    """The manifests of production with images of another tag, less some objects."""
    manifests = read_manifests(PRODUCTION.read_text().replace(":0.1.0", f":{tag}"), source="test")
    return write(folder / f"{tag}.yaml", [each for each in manifests if each.ref.name not in without])


def write(file: Path, manifests: list[Manifest]) -> Path:
    """Manifests as a file; JSON is YAML."""
    file.write_text("\n---\n".join(json.dumps(each.body) for each in manifests))
    return file


def _named(kind: str, name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}}
