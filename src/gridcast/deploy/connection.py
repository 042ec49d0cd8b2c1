"""One cluster, asked over its API with what a kubeconfig says of address and credentials."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient
from kubernetes.config.config_exception import ConfigException

from gridcast.deploy.errors import ConflictsError, RefusedError
from gridcast.deploy.manifests import Manifest, Ref
from gridcast.domain.errors import UsageError

MANAGER: Final = "gridcast"
"""Who the fields belong to that are set from here."""
_APPLY: Final = "application/apply-patch+yaml"
_JSON: Final = "application/json"
_METADATA: Final = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
_CONNECT_S: Final = 10.0
_READ_S: Final = 60.0

Query = Mapping[str, str]
Object = dict[str, Any]


class Connection:
    """A cluster and, once asked for, the kinds of objects it knows."""

    def __init__(self, client: ApiClient, *, context: str) -> None:
        self._client = client
        self._kinds: dict[str, dict[str, tuple[str, bool]]] = {}
        self.context = context
        self.server: str = client.configuration.host

    @classmethod
    def open(cls, *, kubeconfig: Path | None, context: str | None) -> "Connection":
        """The cluster of a context, by default the current one.

        Raises:
            UsageError: there is no such context or file.
        """
        file = None if kubeconfig is None else str(kubeconfig)
        try:
            _, current = config.list_kube_config_contexts(file)
            client = config.new_client_from_config(file, context=context, persist_config=False)
        except (ConfigException, OSError) as error:
            known = "" if context is None else f" with the context {context!r}"
            raise UsageError(
                f"{error}; expected a kubeconfig{known}. Name them with --kubeconfig and --context, or set KUBECONFIG."
            ) from error
        return cls(client, context=context or str(current["name"]))

    def version(self) -> str:
        """The version of the cluster.

        Raises:
            RefusedError: nothing answers.
        """
        return str(self._ask("GET", "/version")["gitVersion"])

    def place(self, ref: Ref) -> str:
        """The path of an object.

        Raises:
            RefusedError: the cluster does not know its kind.
        """
        plural, is_namespaced = self._kind(ref.api_version, ref.kind)
        inside = f"/namespaces/{quote(ref.namespace)}" if is_namespaced else ""
        return f"{_root(ref.api_version)}{inside}/{plural}" + (f"/{quote(ref.name)}" if ref.name else "")

    def plural(self, ref: Ref) -> str:
        """What the API calls objects of its kind."""
        return self._kind(ref.api_version, ref.kind)[0]

    def get(self, ref: Ref, *, only_metadata: bool = False) -> Object | None:
        """An object, None where there is none. `only_metadata`: nothing of what it holds leaves the cluster."""
        try:
            return self._ask("GET", self.place(ref), accept=_METADATA if only_metadata else _JSON)
        except RefusedError as refused:
            if refused.status == 404:
                return None
            raise

    def every(self, ref: Ref, **query: str) -> list[Object]:
        """Objects of a kind in a namespace; the name of `ref` is empty."""
        answer = self._ask("GET", self.place(ref), query=query)
        kind = {"apiVersion": ref.api_version, "kind": ref.kind}
        return [{**kind, **each} for each in answer["items"]]

    def apply(self, manifest: Manifest, *, force: bool = False, dry_run: bool = False) -> Object:
        """The object as it is after it was applied on the server.

        Raises:
            ConflictsError: others own fields that would change, and it is not forced.
            RefusedError: the cluster says no.
        """
        query = {"fieldManager": MANAGER, "force": str(force).lower(), "fieldValidation": "Strict"}
        query |= {"dryRun": "All"} if dry_run else {}
        return self._ask("PATCH", self.place(manifest.ref), query=query, body=manifest.body, content=_APPLY)

    def create(self, manifest: Manifest) -> Object:
        """A new object.

        Raises:
            RefusedError: there is one of this name, or the cluster says no.
        """
        ref = manifest.ref
        place = self.place(Ref(ref.api_version, ref.kind, ref.namespace, ""))
        return self._ask("POST", place, query={"fieldManager": MANAGER}, body=manifest.body)

    def delete(self, ref: Ref) -> None:
        """Remove an object and what it made; that it is not there is fine."""
        try:
            self._ask("DELETE", self.place(ref), query={"propagationPolicy": "Background"})
        except RefusedError as refused:
            if refused.status != 404:
                raise

    def may(self, verb: str, resource: str, *, group: str, namespace: str, name: str = "") -> bool:
        """Whether the caller is allowed to do something."""
        attributes = {"verb": verb, "group": group, "namespace": namespace, "name": name}
        attributes["resource"], _, attributes["subresource"] = resource.partition("/")
        version = "authorization.k8s.io/v1"
        body = {
            "apiVersion": version,
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": {name: value for name, value in attributes.items() if value}},
        }
        answer = self._ask("POST", f"{_root(version)}/selfsubjectaccessreviews", body=body)
        return bool(answer["status"]["allowed"])

    def watch(self, ref: Ref, *, until: float, **query: str) -> Iterator[Object]:
        """Objects as they are and whenever they change, until the monotonic time `until`."""
        place = self.place(Ref(ref.api_version, ref.kind, ref.namespace, ""))
        selected = query | ({"fieldSelector": f"metadata.name={ref.name}"} if ref.name else {})
        while (left := until - time.monotonic()) > 0:
            asked = {**selected, "watch": "true", "timeoutSeconds": str(max(1, int(left)))}
            with self._stream(place, asked, timeout=left + _CONNECT_S) as lines:
                for line in lines:
                    event = json.loads(line)
                    if event["type"] in {"ADDED", "MODIFIED"}:
                        yield event["object"]
                    if time.monotonic() > until:
                        return

    def log(self, namespace: str, pod: str, *, lines: int | None = None) -> Iterator[str]:
        """What a pod writes, line by line, until it ends; or its last `lines`."""
        query = {"follow": "true"} if lines is None else {"tailLines": str(lines)}
        place = f"{_root('v1')}/namespaces/{quote(namespace)}/pods/{quote(pod)}/log"
        with self._stream(place, query, timeout=timedelta(days=1).total_seconds()) as found:
            yield from (line.decode(errors="replace") for line in found)

    def _kind(self, api_version: str, kind: str) -> tuple[str, bool]:
        if api_version not in self._kinds:
            try:
                found = self._ask("GET", _root(api_version))["resources"]
            except RefusedError as refused:
                if refused.status != 404:
                    raise
                found = []
            self._kinds[api_version] = {
                each["kind"]: (each["name"], each["namespaced"]) for each in found if "/" not in each["name"]
            }
        if kind not in self._kinds[api_version]:
            raise RefusedError(
                f"{kind} of {api_version} is not known to the cluster; expected its custom resource definition. "
                "Install the operator it belongs to, or leave its component out of the overlay.",
                status=404,
            )
        return self._kinds[api_version][kind]

    def _ask(
        self,
        method: str,
        place: str,
        *,
        query: Query | None = None,
        body: Mapping[str, Any] | None = None,
        content: str = _JSON,
        accept: str = _JSON,
    ) -> Object:
        headers = {"Accept": accept} | ({"Content-Type": content} if body is not None else {})
        timeout = urllib3.Timeout(connect=_CONNECT_S, read=_READ_S)
        with self._told():
            answer = self._client.rest_client.pool_manager.request(
                method,
                self._url(place, query or {}),
                headers=headers | self._credentials(),
                body=None if body is None else json.dumps(body),
                timeout=timeout,
                retries=False,
            )
        if answer.status >= 400:
            raise _refusal(answer.status, answer.data, f"{method} {place}")
        found: Object = json.loads(answer.data)
        return found

    @contextmanager
    def _stream(self, place: str, query: Query, *, timeout: float) -> Iterator[Iterator[bytes]]:
        with self._told():
            answer = self._client.rest_client.pool_manager.request(
                "GET",
                self._url(place, query),
                headers=self._credentials(),
                timeout=urllib3.Timeout(connect=_CONNECT_S, read=timeout),
                retries=False,
                preload_content=False,
            )
            try:
                if answer.status >= 400:
                    raise _refusal(answer.status, answer.read(), f"GET {place}")
                yield _lines(answer)
            finally:
                answer.close()

    def _url(self, place: str, query: Query) -> str:
        return f"{self.server}{place}" + (f"?{urlencode(query)}" if query else "")

    def _credentials(self) -> dict[str, str]:
        tokens = self._client.configuration.auth_settings()
        found = {each["key"]: each["value"] for each in tokens.values() if each["in"] == "header" and each["value"]}
        return {"User-Agent": MANAGER, **found}

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except urllib3.exceptions.HTTPError as error:
            raise RefusedError(
                f"{self.server} (context {self.context}): {error}; expected the API server of a cluster. Choose "
                "another with --context.",
                status=0,
            ) from error


def _root(api_version: str) -> str:
    return f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"


def _lines(answer: urllib3.BaseHTTPResponse) -> Iterator[bytes]:
    rest = b""
    for piece in answer.stream(amt=None):
        *whole, rest = (rest + piece).split(b"\n")
        yield from whole
    if rest:
        yield rest


def _refusal(status: int, data: bytes, asked: str) -> RefusedError:
    try:
        document = json.loads(data)
        message, causes = document["message"], (document.get("details") or {}).get("causes") or []
    except (ValueError, KeyError, TypeError):
        message, causes = data[:200].decode(errors="replace"), []
    owned = [f"{each['field']} ({each['message']})" for each in causes if each.get("reason") == "FieldManagerConflict"]
    if status == 409 and owned:
        return ConflictsError(
            f"{asked.rpartition('/')[2]}: {'; '.join(owned)}; expected fields that nobody else set. Undo their change, "
            "take the field out of the manifests, or take it over with --force-conflicts.",
            status=status,
        )
    return RefusedError(f"{asked}: {status}: {message}", status=status)
