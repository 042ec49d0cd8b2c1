"""A small API server of Kubernetes: kubectl and the Python client work with it. It proves wiring, not admission."""

import contextlib
import copy
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import yaml
from support.kube_cluster import Cluster, Key, RefusedError
from support.kube_fields import Object

KINDS = {
    "v1": {
        "Namespace": ("namespaces", False), "Pod": ("pods", True), "Service": ("services", True),
        "ConfigMap": ("configmaps", True), "Secret": ("secrets", True), "ServiceAccount": ("serviceaccounts", True),
        "PersistentVolumeClaim": ("persistentvolumeclaims", True),
    },
    "apps/v1": {
        "Deployment": ("deployments", True), "StatefulSet": ("statefulsets", True), "ReplicaSet": ("replicasets", True),
    },
    "batch/v1": {"CronJob": ("cronjobs", True), "Job": ("jobs", True)},
    "autoscaling/v2": {"HorizontalPodAutoscaler": ("horizontalpodautoscalers", True)},
    "policy/v1": {"PodDisruptionBudget": ("poddisruptionbudgets", True)},
    "networking.k8s.io/v1": {"NetworkPolicy": ("networkpolicies", True), "Ingress": ("ingresses", True)},
    "authorization.k8s.io/v1": {"SelfSubjectAccessReview": ("selfsubjectaccessreviews", False)},
    "monitoring.coreos.com/v1": {
        "ServiceMonitor": ("servicemonitors", True), "PrometheusRule": ("prometheusrules", True),
    },
    "flink.apache.org/v1beta1": {"FlinkDeployment": ("flinkdeployments", True)},
}  # fmt: skip


@dataclass
class Api:
    """The running server."""

    cluster: Cluster
    port: int
    folder: Path

    @property
    def kubeconfig(self) -> Path:
        """A file with the contexts `test` and, where nobody answers, `elsewhere`."""
        file = self.folder / "kubeconfig"
        places = {"test": self.port, "elsewhere": 9}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [
                {"name": name, "cluster": {"server": f"http://127.0.0.1:{port}"}} for name, port in places.items()
            ],
            "users": [{"name": "me", "user": {}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in places],
        }
        file.write_text(yaml.safe_dump(document))
        return file


@contextlib.contextmanager
def running_api(folder: Path) -> Iterator[Api]:
    """An API server on a port of its own, empty at first."""
    cluster = Cluster()

    class Handler(_Handler):
        pass

    Handler.cluster = cluster
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield Api(cluster, server.server_address[1], folder)
    finally:
        cluster.close()
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass(frozen=True)
class _Asked:
    """What a path means."""

    resource: str
    kind: str
    api_version: str
    namespace: str
    name: str
    part: str

    @property
    def key(self) -> Key:
        return (self.resource, self.namespace, self.name)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    cluster: Cluster

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - named by the base class

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        pass

    def _answer(self) -> None:
        address = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(address.query).items()}
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        with self.cluster.changed:
            self.cluster.asked.append((self.command, self.path))
        try:
            described = _discovery(address.path)
            if described is not None:
                self._send(200, described)
                return
            found = _found(address.path)
            if self.command == "GET" and asked.get("watch") in {"true", "1"}:
                self._require_right("watch", found)
                self._watch(found, asked)
                return
            body = _read(raw, content=self.headers.get("Content-Type", ""))
            with self.cluster.changed:
                code, result = self._do(found, asked, body)
            self._send(code, result)
        except RefusedError as refused:
            self._send(
                refused.code,
                {
                    "kind": "Status",
                    "apiVersion": "v1",
                    "metadata": {},
                    "status": "Failure",
                    "code": refused.code,
                    "reason": refused.reason,
                    "message": refused.message,
                    "details": {"causes": refused.causes},
                },
            )
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _do(self, at: _Asked, asked: dict[str, str], body: Object) -> tuple[int, Any]:
        verb = {"POST": "create", "PATCH": "patch", "PUT": "update", "DELETE": "delete", "GET": "get"}[self.command]
        if at.kind == "SelfSubjectAccessReview":
            wanted = body["spec"]["resourceAttributes"]
            resource = "/".join(filter(None, (wanted["resource"], wanted.get("subresource"))))
            allowed = self.cluster.may(wanted["verb"], resource, wanted.get("name", ""))
            return 201, {**body, "status": {"allowed": allowed}}
        self._require_right("list" if verb == "get" and not at.name else verb, at)
        if (
            at.namespace
            and verb in {"create", "patch"}
            and ("namespaces", "", at.namespace) not in self.cluster.objects
        ):
            raise RefusedError(404, "NotFound", f'namespaces "{at.namespace}" not found')
        if self.command in {"GET", "DELETE"}:
            return 200, self._read(at, asked) if self.command == "GET" else self.cluster.delete(at.key)
        return self._write(at, asked, body)

    def _require_right(self, verb: str, at: _Asked) -> None:
        resource = "/".join(filter(None, (at.resource, at.part)))
        if not self.cluster.may(verb, resource, at.name):
            raise RefusedError(403, "Forbidden", f"{resource} is forbidden: cannot {verb}")

    def _write(self, at: _Asked, asked: dict[str, str], body: Object) -> tuple[int, Object]:
        manager = asked.get("fieldManager") or (self.headers.get("User-Agent") or "nobody").partition("/")[0]
        dry_run = asked.get("dryRun") == "All"
        if self.command == "POST":
            key = (at.resource, at.namespace, body["metadata"]["name"])
            return 201, self.cluster.create(key, body, manager=manager, dry_run=dry_run)
        if self.headers["Content-Type"].startswith("application/apply-patch"):
            code = 200 if at.key in self.cluster.objects else 201
            force = asked.get("force") == "true"
            return code, self.cluster.apply(at.key, body, manager=manager, force=force, dry_run=dry_run)
        new = body if self.command == "PUT" else _merge(copy.deepcopy(self.cluster.get(at.key)), body)
        return 200, self.cluster.update(at.key, new, manager=manager, dry_run=dry_run)

    def _read(self, at: _Asked, asked: dict[str, str]) -> Any:
        if at.part == "log":
            return self.cluster.log(at.namespace, at.name, follow=asked.get("follow") == "true")
        if at.name:
            found = self.cluster.get(at.key)
            if "as=PartialObjectMetadata" in (self.headers.get("Accept") or ""):
                return {"apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": found["metadata"]}
            return found
        items = [each for each in self.cluster.every(at.resource, at.namespace) if _selected(each, asked)]
        newest = self.cluster.events[-1][0] if self.cluster.events else 0
        return {
            "apiVersion": at.api_version,
            "kind": f"{at.kind}List",
            "metadata": {"resourceVersion": str(newest)},
            "items": items,
        }

    def _watch(self, at: _Asked, asked: dict[str, str]) -> None:
        given = asked.get("resourceVersion")
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

        def matches(key: Key, body: Object) -> bool:
            return key[0] == at.resource and at.namespace in {"", key[1]} and _selected(body, asked)

        seconds = float(asked.get("timeoutSeconds") or 60)
        since = int(given) if given and given != "0" else None
        bookmark = {"kind": at.kind, "apiVersion": at.api_version} if "sendInitialEvents" in asked else None
        for event in self.cluster.watch(matches, since=since, seconds=seconds, bookmark=bookmark):
            line = json.dumps(event).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def _send(self, code: int, document: Any) -> None:
        is_text = isinstance(document, str)
        content = document.encode() if is_text else json.dumps(document).encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain" if is_text else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _read(raw: bytes, *, content: str) -> Object:
    if "protobuf" in content:
        raise RefusedError(415, "UnsupportedMediaType", "only JSON and YAML are understood")
    found: Object = json.loads(raw) if raw.startswith(b"{") else yaml.safe_load(raw) if raw else {}
    return found


def _discovery(path: str) -> Object | None:
    """What kinds there are, and which version this says it is."""
    parts = path.strip("/").split("/")
    if parts == ["version"]:
        return {"major": "1", "minor": "37", "gitVersion": "v1.37.0"}
    if parts == ["api"]:
        return {"kind": "APIVersions", "versions": ["v1"]}
    if parts == ["apis"]:
        return {"kind": "APIGroupList", "apiVersion": "v1", "groups": [_group(each) for each in KINDS if "/" in each]}
    if parts[:2] == ["openapi", "v3"]:
        return _openapi("/".join(parts[2:]))
    version = "/".join(parts[1:])
    if version not in KINDS or parts[0] != ("apis" if "/" in version else "api"):
        return None
    verbs = ["get", "list", "watch", "create", "update", "patch", "delete"]
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": [
            {"name": plural, "singularName": kind.lower(), "kind": kind, "namespaced": namespaced, "verbs": verbs}
            for kind, (plural, namespaced) in KINDS[version].items()
        ],
    }


def _openapi(place: str) -> Object | None:
    """Only what kubectl looks up: that objects of each kind may be patched, with the server validating fields."""
    places = {f"apis/{each}" if "/" in each else f"api/{each}": each for each in KINDS}
    if not place:
        return {"paths": {each: {"serverRelativeURL": f"/openapi/v3/{each}"} for each in places}}
    version = places[place]
    group, _, short = version.rpartition("/")
    parameters = [{"name": name, "in": "query"} for name in ("fieldValidation", "dryRun", "fieldManager", "force")]
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "v1.37.0"},
        "paths": {
            f"/{place}/{plural}/{{name}}": {
                "patch": {
                    "parameters": parameters,
                    "responses": {},
                    "x-kubernetes-group-version-kind": {"group": group, "version": short, "kind": kind},
                }
            }
            for kind, (plural, _) in KINDS[version].items()
        },
    }


def _group(version: str) -> Object:
    name, short = version.split("/")
    entry = {"groupVersion": version, "version": short}
    return {"name": name, "versions": [entry], "preferredVersion": entry}


def _found(path: str) -> _Asked:
    parts = [unquote(each) for each in path.strip("/").split("/")]
    version, rest = (
        ("/".join(parts[1:3]), parts[3:]) if parts[0] == "apis" else (parts[1] if parts[1:] else "", parts[2:])
    )
    namespace = ""
    if rest[:1] == ["namespaces"] and len(rest) > 2:
        namespace, rest = rest[1], rest[2:]
    for kind, (plural, _) in KINDS.get(version, {}).items():
        if rest[:1] == [plural]:
            name, part = [*rest[1:], "", ""][:2]
            return _Asked(plural, kind, version, namespace, name, part)
    raise RefusedError(404, "NotFound", "the server could not find the requested resource")


def _selected(body: Object, asked: dict[str, str]) -> bool:
    labels = body["metadata"].get("labels", {})
    for each in filter(None, asked.get("labelSelector", "").split(",")):
        name, has_value, value = each.partition("=")
        if name not in labels or (has_value and labels[name] != value):
            return False
    for each in filter(None, asked.get("fieldSelector", "").split(",")):
        name, _, value = each.partition("=")
        at: Any = body
        for part in name.split("."):
            at = at.get(part, {})
        if at != value:
            return False
    return True


def _merge(target: Object, patch: Object) -> Object:
    for name, value in patch.items():
        if value is None:
            target.pop(name, None)
        elif isinstance(value, dict) and isinstance(target.get(name), dict):
            _merge(target[name], value)
        else:
            target[name] = value
    return target
