"""`gridcast deploy role`: what whoever deploys has to be allowed, and no more."""

import sys
from typing import Annotated

import typer

from gridcast.cli.deploy_options import ContextOption, KubeconfigOption, KubectlOption, ManifestsArgument, cluster
from gridcast.cli.options import Format
from gridcast.cli.output import show


def role(
    manifests: ManifestsArgument,
    user: Annotated[str | None, typer.Option(help="Bind it to this user.")] = None,
    group: Annotated[str | None, typer.Option(help="Bind it to this group.")] = None,
    service_account: Annotated[
        str | None, typer.Option(help="Bind it to this service account, with its namespace: ci:deployer.")
    ] = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    kubectl: KubectlOption = "kubectl",
    output: Annotated[Format, typer.Option("--format", help="Manifests as YAML, or JSON for programs.")] = Format.TABLE,
) -> None:
    """Print the roles that whoever deploys needs, bound to somebody: what the manifests take, and no more.

    The cluster is asked which kinds it knows; nothing in it is changed.

    \b
    Examples:
      gridcast deploy role kubernetes/overlays/production --user deployer > deployer.yaml
      gridcast deploy role kubernetes/rendered/production.yaml --service-account ci:deployer
    """
    import yaml

    from gridcast.deploy.rendering import load

    connection = cluster(context=context, kubeconfig=kubeconfig)

    from gridcast.deploy.rights import needed, roles, subject_of

    subject = subject_of(user=user, group=group, service_account=service_account)
    objects = list(roles(needed(connection, load(manifests, kubectl=kubectl)), subject=subject))
    if output is Format.JSON:
        show({"objects": objects}, last_line=f"{len(objects)} objects to apply.", output=output)
    else:
        yaml.safe_dump_all(objects, sys.stdout, sort_keys=False)
