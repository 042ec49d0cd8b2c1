"""`gridcast deploy`: an installation on Kubernetes, from manifests to a service that was tested, and back."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gridcast.cli.deploy_options import (
    NAMESPACE,
    TIMEOUT,
    CaFileOption,
    ContextOption,
    ForceOption,
    KubeconfigOption,
    KubectlOption,
    ManifestsArgument,
    NamespaceOption,
    NoTestOption,
    SeriesOption,
    Tested,
    TimeoutOption,
    UrlOption,
    cluster,
    extra_installed,
    ingress_in,
    smoke_of,
)
from gridcast.cli.deploy_role import role
from gridcast.cli.models import user
from gridcast.cli.options import DryRunOption, Format, FormatOption, duration
from gridcast.cli.output import remark, show
from gridcast.domain.errors import GridcastError, UsageError

if TYPE_CHECKING:
    from gridcast.deploy.connection import Connection
    from gridcast.deploy.deployment import Plan
    from gridcast.deploy.manifests import Manifest
    from gridcast.deploy.releases import Release
    from gridcast.deploy.smoke import Smoke

deploy_app = typer.Typer(
    help="Put an installation on Kubernetes, see what runs there, and go back.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
deploy_app.command()(role)
_GOES_ON = {"ignore_unknown_options": True, "allow_interspersed_args": False}


@deploy_app.command()
def apply(
    manifests: ManifestsArgument,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    dry_run: DryRunOption = False,
    force_conflicts: ForceOption = False,
    skip_image_check: Annotated[
        bool, typer.Option("--skip-image-check", help="Do not ask the registries whether they have the images.")
    ] = False,
    is_first: Annotated[
        bool,
        typer.Option("--first", help="Also make a key for one day, ingest, and make a first model, in the cluster."),
    ] = False,
    url: UrlOption = None,
    series: SeriesOption = None,
    ca_file: CaFileOption = None,
    no_test: NoTestOption = False,
    test_within: Annotated[str, typer.Option(help="How long the test may take to come right.")] = "PT2M",
    timeout: TimeoutOption = TIMEOUT,
    kubectl: KubectlOption = "kubectl",
    output: FormatOption = Format.TABLE,
) -> None:
    """Look whether all is ready, apply on the server, migrate the store, wait, test; go back if any of it fails.

    The test asks for the service's health and one forecast, with the key in GRIDCAST_API_KEY or in the file that
    GRIDCAST_API_KEY_FILE names. --dry-run looks, shows what would change, and stops.

    \b
    Examples:
      gridcast deploy apply kubernetes/overlays/production --context production --dry-run
      gridcast deploy apply kubernetes/rendered/dev.yaml --first --no-test
    """
    from gridcast.deploy.rendering import load

    connection = cluster(context=context, kubeconfig=kubeconfig)
    objects = load(manifests, kubectl=kubectl)
    _require_ready(connection, objects, looks_for_images=not skip_image_check)
    if dry_run:
        _show_differences(connection, objects, force=force_conflicts, output=output)
        return
    from gridcast.deploy.deployment import FIRST, deploy

    ingresses = [each.body for each in objects if each.ref.kind == "Ingress"]
    smoke = None if no_test else smoke_of(Tested(url, series, ca_file, test_within), ingresses)
    tasks = FIRST if is_first else ()
    plan = _plan(timeout=timeout, smoke=smoke, is_forced=force_conflicts, tasks=tasks)
    _show_release(deploy(connection, objects, plan), "deployed", output=output)


@deploy_app.command()
def diff(
    manifests: ManifestsArgument,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    force_conflicts: ForceOption = False,
    kubectl: KubectlOption = "kubectl",
    output: FormatOption = Format.TABLE,
) -> None:
    """Show what applying would change, as the cluster itself works it out; change nothing.

    \b
    Example:
      gridcast deploy diff kubernetes/overlays/production --context production
    """
    from gridcast.deploy.rendering import load

    connection = cluster(context=context, kubeconfig=kubeconfig)
    _show_differences(connection, load(manifests, kubectl=kubectl), force=force_conflicts, output=output)


@deploy_app.command()
def status(
    namespace: NamespaceOption = NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show which release is deployed, those before it, and how every workload does.

    \b
    Example:
      gridcast deploy status --context production --format json
    """
    connection = cluster(context=context, kubeconfig=kubeconfig)

    from gridcast.deploy.releases import Releases
    from gridcast.deploy.state import workloads

    releases = Releases(connection, namespace)
    known, running = [_facts(each) for each in releases.all()], list(workloads(connection, namespace))
    current = releases.current()
    well = sum(each["state"] not in {"runs", "suspended"} and each["kind"] != "CronJob" for each in running)
    in_place = "no release" if current is None else f"release {current.number} of {current.at:%Y-%m-%d %H:%MZ}"
    show(
        {"release": None if current is None else current.number, "releases": known, "workloads": running},
        tables={"workloads": running, "releases": known},
        last_line=f"{in_place} in {namespace} ({connection.context}); {well} of {len(running)} workloads do not run.",
        output=output,
    )


@deploy_app.command()
def rollback(
    namespace: NamespaceOption = NAMESPACE,
    to: Annotated[int | None, typer.Option(help="Number of a release. [default: the one before]")] = None,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    url: UrlOption = None,
    series: SeriesOption = None,
    ca_file: CaFileOption = None,
    no_test: NoTestOption = False,
    test_within: Annotated[str, typer.Option(help="How long the test may take to come right.")] = "PT2M",
    timeout: TimeoutOption = TIMEOUT,
    output: FormatOption = Format.TABLE,
) -> None:
    """Put a former release back whole, whatever was changed since, wait for it and test it.

    Also mends what a deployment left behind that was broken off. The model in charge stays: see 'gridcast model'.

    \b
    Examples:
      gridcast deploy rollback --context production
      gridcast deploy rollback --to 12 --context production
    """
    connection = cluster(context=context, kubeconfig=kubeconfig)

    from gridcast.deploy.deployment import roll_back

    tested = Tested(url, series, ca_file, test_within)
    smoke = None if no_test else smoke_of(tested, ingress_in(connection, namespace))
    release = roll_back(connection, namespace, to=to, plan=_plan(timeout=timeout, smoke=smoke))
    _show_release(release, "in place again", output=output)


@deploy_app.command()
def canary(
    version: Annotated[str, typer.Argument(help="Version number of the model.")],
    does_promote: Annotated[
        bool, typer.Option("--promote", help="Put it in charge, test, and go back if that fails.")
    ] = False,
    does_abort: Annotated[bool, typer.Option("--abort", help="End its trial; if it is in charge, go back.")] = False,
    namespace: NamespaceOption = NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
    url: UrlOption = None,
    series: SeriesOption = None,
    ca_file: CaFileOption = None,
    test_within: Annotated[str, typer.Option(help="How long until a forecast made with it must be served.")] = "PT15M",
    output: FormatOption = Format.TABLE,
) -> None:
    """Let a model forecast beside the champion; later put it in charge, or end its trial.

    Runs 'gridcast model' in the cluster. With --promote the service has to serve a forecast made with the model in
    time, or the former champion is put back. Exit code 3 if the gate refuses the model.

    \b
    Examples:
      gridcast deploy canary 7 --context production
      gridcast deploy canary 7 --promote --context production
      gridcast deploy canary 7 --abort --context production
    """
    if does_promote and does_abort:
        raise UsageError("--promote and --abort; expected one of them.")
    connection = cluster(context=context, kubeconfig=kubeconfig)

    from gridcast.deploy.canary import Canary, abort, promote, start
    from gridcast.deploy.smoke import ask

    mine = Canary(version, namespace, user(), remark)
    if does_promote:
        ingress = ingress_in(connection, namespace)
        smoke = smoke_of(Tested(url, series, ca_file, test_within), ingress, is_key_needed=True)
        done = promote(connection, mine, test=lambda: ask(smoke, model_version=version))
    else:
        done = (abort if does_abort else start)(connection, mine)
    step = "promoted" if does_promote else "aborted" if does_abort else "started"
    show(
        {"version": version, "step": step, "said": done},
        last_line=f"canary of model {version} {step}: {done}",
        output=output,
    )


@deploy_app.command(context_settings=_GOES_ON)
def task(
    command: Annotated[list[str], typer.Argument(help="A command of gridcast with its options.")],
    namespace: NamespaceOption = NAMESPACE,
    context: ContextOption = None,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Run a command of gridcast in the cluster, with its data and store; show what it prints, end with its exit code.

    \b
    Examples:
      gridcast deploy task store verify
      gridcast deploy task --context production retrain
    """
    connection = cluster(context=context, kubeconfig=kubeconfig)

    from gridcast.deploy.tasks import run_task, template_in

    done = run_task(connection, template_in(connection, namespace), command, tell=typer.echo)
    raise typer.Exit(done.code)


@deploy_app.command()
def render(
    folder: Annotated[Path, typer.Argument(help="The folder kubernetes/ of a clone.")] = Path("kubernetes"),
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; end with code 1 where a file is another one.")
    ] = False,
    kubectl: KubectlOption = "kubectl",
    output: FormatOption = Format.TABLE,
) -> None:
    """Write the files of kubernetes/ that are made from others: the rules of Prometheus, and every overlay as one file.

    \b
    Example:
      gridcast deploy render --check
    """
    from gridcast.deploy.committed import rendered, write_rule
    from gridcast.ingestion.atomic import write_files

    path, rule = write_rule(folder)
    other = [path] if not _is(path, rule) else []
    if other and not check:
        write_files({path: rule.encode()}, scratch=folder / ".writing")
    contents = {} if other and check else rendered(folder, kubectl=kubectl)
    other += [each for each, text in contents.items() if not _is(each, text)]
    if check and other:
        raise GridcastError(
            f'{other[0]} is another one; expected what it is made to. Run "gridcast deploy render {folder}".'
        )
    write_files({each: text.encode() for each, text in contents.items() if each in other}, scratch=folder / ".writing")
    show(
        {"files": sorted([path, *contents]), "written": other},
        last_line=f"wrote {len(other)} of {len(contents) + 1} files in {folder}.",
        output=output,
    )


def _is(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


def _require_ready(connection: "Connection", objects: "list[Manifest]", *, looks_for_images: bool) -> None:
    from gridcast.deploy.images import missing
    from gridcast.deploy.preflight import preflight

    failed = []
    for check in preflight(connection, objects, images=missing if looks_for_images else None):
        remark(f"{'ok    ' if check.is_fine else 'failed'} {check.what}: {check.found}")
        failed += [] if check.is_fine else [f"{check.what}: {check.found}"]
    if failed:
        raise GridcastError(f"not ready, nothing was changed: {'; '.join(failed)}.")


def _show_differences(connection: "Connection", objects: "list[Manifest]", *, force: bool, output: Format) -> None:
    with extra_installed():
        from gridcast.deploy.differences import differences

    found = list(differences(connection, objects, force=force))
    if output is Format.TABLE:
        for each in found:
            typer.echo(each.text)
    new = sum(each.is_new for each in found)
    show(
        {"differences": [{"object": str(each.ref), "new": each.is_new, "diff": each.text} for each in found]},
        last_line=f"{new} objects would be made and {len(found) - new} changed, of {len(objects)}.",
        output=output,
    )


def _plan(*, timeout: str, smoke: "Smoke | None", is_forced: bool = False, tasks: Any = ()) -> "Plan":
    from gridcast.deploy.deployment import Plan
    from gridcast.deploy.smoke import ask

    return Plan(
        at=datetime.now(UTC).replace(microsecond=0),
        by=user(),
        within=duration(timeout),
        tell=remark,
        is_forced=is_forced,
        tasks=tasks,
        test=(lambda: None) if smoke is None else (lambda: ask(smoke)),
    )


def _show_release(release: "Release", verb: str, *, output: Format) -> None:
    show(_facts(release), last_line=f"release {release.number} is {verb}.", output=output)


def _facts(release: "Release") -> dict[str, Any]:
    images = ", ".join(each.rpartition("/")[2] for each in release.images)
    return {"release": release.number, "state": release.state, "at": release.at, "by": release.by, "images": images}
