"""What the commands of `gridcast deploy` share: options, the cluster, and how the service is tested."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from gridcast.cli.options import duration
from gridcast.domain.errors import UsageError

if TYPE_CHECKING:
    from gridcast.deploy.connection import Connection
    from gridcast.deploy.smoke import Smoke

ContextOption = Annotated[str | None, typer.Option(help="Context of the kubeconfig. [default: its current one]")]
KubeconfigOption = Annotated[
    Path | None, typer.Option(help="File with clusters and credentials. [default: KUBECONFIG, else ~/.kube/config]")
]
NamespaceOption = Annotated[str, typer.Option(help="Namespace of the installation.")]
ManifestsArgument = Annotated[
    Path, typer.Argument(help="A rendered file, or a kustomization folder, which needs kubectl or kustomize.")
]
KubectlOption = Annotated[str, typer.Option(help="The program that renders a folder.")]
ForceOption = Annotated[bool, typer.Option("--force-conflicts", help="Take over fields that somebody else has set.")]
TimeoutOption = Annotated[str, typer.Option(help="How long each stage of a rollout may take.")]
UrlOption = Annotated[str | None, typer.Option(help="Where the service is tested. [default: host of the Ingress]")]
SeriesOption = Annotated[str | None, typer.Option(help="Whose forecast is asked for. [default: the first series]")]
CaFileOption = Annotated[
    Path | None, typer.Option(help="CA certificates to trust in the test. [default: the system's]")
]
NoTestOption = Annotated[bool, typer.Option("--no-test", help="Do not test the service.")]

NAMESPACE: Final = "gridcast"
TIMEOUT: Final = "PT10M"


@dataclass(frozen=True, slots=True)
class Tested:
    """What the options say of the test."""

    url: str | None
    series: str | None
    ca_file: Path | None
    within: str


@contextmanager
def extra_installed() -> Iterator[None]:
    """A block that needs the Kubernetes client.

    Raises:
        UsageError: it is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] not in {"kubernetes", "urllib3"}:
            raise
        raise UsageError(f'{error}; expected gridcast installed with its extra "deploy".') from error


def cluster(*, context: str | None, kubeconfig: Path | None) -> "Connection":
    """The cluster that the options mean.

    Raises:
        UsageError: there is no such context, or the Kubernetes client is not installed.
    """
    with extra_installed():
        from gridcast.deploy.connection import Connection
    return Connection.open(kubeconfig=kubeconfig, context=context)


def smoke_of(tested: Tested, ingresses: Sequence[Any], *, is_key_needed: bool = False) -> "Smoke":
    """How the service is asked: at the URL given, else at the host of the Ingress; with the key of the environment.

    Raises:
        UsageError: neither is there, or the key is needed and missing.
    """
    from gridcast.deploy.smoke import Smoke
    from gridcast.settings.secret import read_secret

    hosts = [rule["host"] for each in ingresses for rule in each["spec"].get("rules", ()) if rule.get("host")]
    if tested.url is None and not hosts:
        raise UsageError("no Ingress with a host; expected --url, where the service is reached, or --no-test.")
    key_file = os.environ.get("GRIDCAST_API_KEY_FILE") or None
    key = read_secret(env="GRIDCAST_API_KEY", file=key_file, what="API key")
    if key is None and is_key_needed:
        raise UsageError(
            "no key; expected that of a viewer in GRIDCAST_API_KEY, or in the file that GRIDCAST_API_KEY_FILE names."
        )
    return Smoke(
        url=(tested.url or f"https://{hosts[0]}").rstrip("/"),
        key=key,
        series_id=tested.series,
        ca_file=tested.ca_file,
        within=duration(tested.within),
    )


def ingress_in(connection: "Connection", namespace: str) -> list[Any]:
    """The Ingress of an installation, if it has one."""
    from gridcast.deploy.manifests import Ref

    found = connection.get(Ref("networking.k8s.io/v1", "Ingress", namespace, "gridcast"))
    return [] if found is None else [found]
