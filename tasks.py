"""The project's tasks: arguments and help only; the work is in ``tools/``."""

import signal
import sys
from pathlib import Path
from typing import Annotated, NoReturn

from invoke.context import Context
from invoke.exceptions import Exit
from invoke.main import program

if sys.platform == "win32":
    raise Exit(
        "Error: this does not run on Windows: install WSL, learn.microsoft.com/windows/wsl, and run it there", code=2
    )
if not (3, 11) <= sys.version_info[:2] <= (3, 14):
    raise Exit(f"Error: this is Python {sys.version_info[0]}.{sys.version_info[1]}: use 3.11 to 3.14", code=2)


def interrupt(*_: object) -> NoReturn:
    """End the program after Ctrl-C."""
    raise Exit("Interrupted", code=130)


# Before a task runs, Invoke would exit with 1, which means no, and without a message.
before_import = signal.getsignal(signal.SIGINT)
if before_import != signal.SIG_IGN:
    signal.signal(signal.SIGINT, interrupt)

ROOT = Path(__file__).resolve().parent
# The tools share the function's own settings and events.
sys.path.insert(0, str(ROOT / "function"))

from tools.common.cli import check_output, note, save, say  # noqa: E402
from tools.common.paths import DIST, LOCAL, TERRAFORM  # noqa: E402
from tools.common.program import TaskProgram, duration, one_of, task, whole_number  # noqa: E402
from tools.operations import CONCURRENCY, GRACE_SECONDS, MAX_OBJECTS, REASONS  # noqa: E402

Concurrency = Annotated[int, whole_number(1, 1_000)]

OPERATED = {
    "function": "Name of the pipeline's function (default: Lambda-image, or the function of `invoke up`).",
    "local": "Use the local AWS of `invoke up`.",
    "json": "Print JSON lines, the last one with the totals.",
}
SENDING = {
    "yes": "Do it; otherwise only show what would be done.",
    "concurrency": f"The most invocations in flight (default: {CONCURRENCY}).",
}
REASON_HELP = "Only records with this reason, such as too_large or RetriesExhausted."
UNDELIVERED_HELP = "Use the queue of events that EventBridge could not deliver, not the failure queue."
HEIC_HELP = "Read HEIC too, with pillow-heif; its licences: README.md, HEIC."
C2PA_HELP = "Include c2pa-python, which signs Content Credentials: docs/images.md, Content Credentials."


def list_extras(**chosen: bool) -> list[str]:
    """Return the optional parts that a task's options choose."""
    return [name for name, is_chosen in chosen.items() if is_chosen]


def read_heic() -> None:
    """Let the function's code read HEIC in this process, as in a zip built with ``--heic``.

    Call it before that code is imported, which is when it looks for the decoder.
    """
    from tools.common import locked

    say("Preparing the HEIC decoder")
    locked.add_to_path("heic", ROOT / "function" / "requirements-heic.txt")


@task(
    help={
        "python": "Python version of the Lambda runtime: 3.12, 3.13 (the default) or 3.14.",
        "arch": "Processor: arm64 (the default, and cheaper) or x86_64.",
        "heic": HEIC_HELP,
        "c2pa": C2PA_HELP,
    }
)
def build(_: Context, python: str = "3.13", arch: str = "arm64", heic: bool = False, c2pa: bool = False) -> None:
    """Build dist/function.zip, which Terraform uploads."""
    from tools import build as building

    target = building.Target(python=python, architecture=arch)
    target.check(for_aws=True)
    note(f"Building for {target.runtime} on {arch}")
    extras = list_extras(heic=heic, c2pa=c2pa)
    package = building.build(target, DIST, extras=extras)
    say(f"{package.path} ({package.size:,} bytes, Python {python}, {arch}{building.describe_extras(extras)})")
    if provider := building.PROVIDERS.get(python):
        say(f"It needs Terraform's AWS provider {provider} or newer: run `terraform init -upgrade` before you apply")
    if package.warning:
        say(package.warning)


@task(
    help={
        "bucket": "An existing bucket, in the region of the function.",
        "prefix": "What the keys begin with, taken literally: end it in a slash, as in releases/.",
        "python": "Python version of the Lambda runtime: 3.12, 3.13 (the default) or 3.14.",
        "heic": HEIC_HELP,
        "c2pa": C2PA_HELP,
        "local": "To a bucket on the local AWS of `invoke up`, and built for this machine only.",
    }
)
def publish(
    _: Context,
    bucket: str,
    prefix: str = "",
    python: str = "",
    heic: bool = False,
    c2pa: bool = False,
    local: bool = False,
) -> None:
    """Build for both processors, put the zips into a bucket, and print the `package` of each for Terraform."""
    from tools.build import publish as publishing

    place = publishing.Place(bucket, prefix)
    extras = list_extras(heic=heic, c2pa=c2pa)
    packages = publishing.publish(place, note, python=python, extras=extras, local=local)
    print("\n".join(package.hcl() for package in packages), end="")


@task(
    help={
        "unit": "Only the fast tests without a network.",
        "judges": "Only the tests in which Chromium and libvips judge the outputs.",
        "terraform": "Only the module's own tests, against a mocked provider.",
        "pipeline": "Only the tests on the local AWS.",
        "browser": "Only the tests of the preview in a browser.",
    }
)
def test(
    _: Context,
    unit: bool = False,
    judges: bool = False,
    terraform: bool = False,
    pipeline: bool = False,
    browser: bool = False,
) -> None:
    """Run the tests, all of them unless told which."""
    from tools.dev import checks

    checks.test(unit=unit, judges=judges, terraform=terraform, pipeline=pipeline, browser=browser)


@task(
    help={
        "only": "One of images, race, faults, storm and audit.",
        "count": "How many images, histories or uploads, at least 100 (default: each soak's own).",
    }
)
def soak(
    _: Context,
    only: Annotated[str, one_of("images", "race", "faults", "storm", "audit")] = "",
    count: Annotated[int, whole_number(100, 10_000_000)] = 0,
) -> None:
    """Try to lose an upload, or memory, in long runs: half an hour for all."""
    from tools.dev import checks

    checks.soak(only, count)


@task(
    help={
        "only": "One row, such as jpeg-12mp; or curves (bytes and quality), cold (the start's CPU), or latency.",
        "rounds": "Runs of each contestant after a warm-up (default: 9).",
        "quick": "Use small images, to try the benchmark itself.",
        "write": "Renew docs/benchmarks.md, its figures, and the table of README.md.",
    }
)
def bench(
    _: Context,
    only: str = "",
    rounds: Annotated[int, whole_number(1, 1_000)] = 9,
    quick: bool = False,
    write: bool = False,
) -> None:
    """Measure the renderer against other resizers: CPU, memory, bytes and quality; its start and its latency."""
    from tools.benchmarks import run as benchmarking

    report = benchmarking.run(only, rounds, say, quick=quick, write=write)
    parts = [*(table.text() for table in report.tables()), "\n".join(map(str, report.peers))]
    parts.append(f"The figures and the JSON are in {benchmarking.FOLDER}")
    print("\n" + "\n\n".join(filter(None, parts)))


@task
def lint(_: Context) -> None:
    """Check style and types: ruff, mypy --strict, terraform fmt and validate."""
    from tools.dev import checks

    checks.lint()


@task
def scan(_: Context) -> None:
    """Scan terraform/ with checkov: list insecure resources, and skips that are no longer needed."""
    from tools.dev import scan as scanning

    note("Scanning terraform/ with checkov")
    found = scanning.scan(TERRAFORM)
    objections = list(found.objections())
    for objection in objections:
        print(objection)
    if objections:
        raise Exit("Error: the scan is not clean; what to do is above", code=1)
    say(f"{found.passed} checks pass, {len(found.skips)} are skipped with a reason")


@task(help={"only": "Only mutations whose file, old or new text contains this."})
def mutate(_: Context, only: str = "") -> None:
    """Try each mutation of tests/terraform/mutations.toml in a copy of terraform/: list those that no test notices."""
    from tools.dev import mutate as mutating

    mutations = mutating.read(only)
    note(f"Mutations to try, one at a time: {len(mutations)}")
    survivors = 0
    for number, (mutation, survived) in enumerate(mutating.find_survivors(mutations), 1):
        note(f"{number} {mutation}")
        if survived:
            survivors += 1
            print(mutation)
    if survivors:
        raise Exit("Error: no test notices the mutations above: test what they break, or delete the code", code=1)
    say("Tests notice every mutation")


@task(
    positional=["files"],
    iterable=["files"],
    help={
        "files": "Uploads (default: five of the demo's own).",
        "output": "Folder for the uploads and their results (default: .local/demo).",
        "heic": HEIC_HELP,
    },
)
def demo(_: Context, files: list[str], output: str = str(LOCAL / "demo"), heic: bool = False) -> None:
    """Resize uploads on a local AWS that ends with the demo: `invoke demo [PHOTO ...]`."""
    # The demo writes this file last.
    check_output(Path(output) / "report.html")
    if heic:
        read_heic()
    from tools.local import demo as demonstration

    demonstration.demo(list(map(Path, files)), Path(output), say, heic=heic)


@task(
    positional=["files"],
    iterable=["files", "compare"],
    help={
        "files": "Photos.",
        "var-file": "A .tfvars file with other settings of the module.",
        "compare": "Variants to try: quality=60,75,85, ssimulacra2=70 or format=webp,avif. Give it twice for two.",
        "output": "The page (default: .local/preview.html). Many photos also fill a folder beside it.",
        "heic": HEIC_HELP,
    },
)
def preview(
    _: Context,
    files: list[str],
    compare: list[str],
    var_file: str = "",
    output: str = str(LOCAL / "preview.html"),
    heic: bool = False,
) -> bool:
    """Show outputs of photos, their quality and cost on a page: `invoke preview PHOTO ... [--compare ...]`.

    Exits with 1 if every photo is rejected.
    """
    check_output(Path(output))
    if heic:
        read_heic()
    from tools.preview import run as previewing
    from tools.preview.page import render_page
    from tools.preview.pages import folder_beside

    settings = Path(var_file) if var_file else None
    report = previewing.preview(list(map(Path, files)), Path(output), var_file=settings, compare=compare)
    save(render_page(report), Path(output))
    print(previewing.format_text(report))
    beside = f" and {folder_beside(Path(output))}/" if report.is_index else ""
    print(f"\nSaved to {output}{beside}: open the page in a browser")
    return bool(report.photos)


@task(
    help={
        "port": "Port of the local AWS (default: any that is free).",
        "var-file": "A .tfvars file with other settings of the module.",
        "heic": HEIC_HELP,
        "c2pa": C2PA_HELP,
    }
)
def up(
    _: Context,
    port: Annotated[int, whole_number(1, 65_535)] = 0,
    var_file: str = "",
    heic: bool = False,
    c2pa: bool = False,
) -> None:
    """Start a local AWS in the background with the pipeline deployed; deploy again where it is up."""
    from tools.local import stack

    extras = list_extras(heic=heic, c2pa=c2pa)
    running = stack.up(say, port=port, var_file=Path(var_file) if var_file else None, extras=extras)
    print(stack.how_to_try(running))


@task
def down(_: Context) -> None:
    """Stop the local AWS of `up` and delete everything in it."""
    from tools.local import stack

    stack.down(say)


@task(
    help={
        "region": "Region of the temporary stack (default: that of AWS_REGION or of the profile).",
        "profile": "Profile of the AWS CLI (default: the usual search for credentials).",
        "keep": "Leave the stack, and show how to remove it.",
        "yes": "Do it on AWS; otherwise only show what would be made, and its cost.",
        "local": "Use a local AWS, which costs nothing and ends with the run.",
        "output": "Folder for report.md and report.xml (default: .local/accept).",
    }
)
def accept(
    _: Context,
    region: str = "",
    profile: str = "",
    keep: bool = False,
    yes: bool = False,
    local: bool = False,
    output: str = str(LOCAL / "accept"),
) -> bool:
    """Prove the pipeline on your AWS account: deploy a temporary stack, check all that it does, and remove it.

    Exits with 1 if a check failed.
    """
    check_output(Path(output) / "report.xml")
    from tools.accept.run import open_account, run

    with open_account(region, profile, keep=keep, local=local) as account:
        report = run(account, say, confirmed=yes or local, keep=keep)
    save(report.markdown(), Path(output) / "report.md")
    save(report.junit(), Path(output) / "report.xml")
    print(f"\n{report.markdown()}\nSaved to {output}: report.md and report.xml")
    return not report.failed


@task(
    help={
        "event": "A file of events/, with or without its folder and extension.",
        "function": "A function on AWS, by name (default: the one of `invoke up`).",
    }
)
def send(_: Context, event: str, function: str = "") -> None:
    """Send an event to the function, and print its reply and its log."""
    from tools.operations import send as sending
    from tools.operations.deployment import Target
    from tools.operations.session import open_session

    path = sending.find_event(event)
    with open_session("send the event", Target(function, local=not function)) as session:
        payload = sending.read_event(path, session.deployment.settings)
        answer = sending.send(session.deployment, payload)
    print(answer.log, end="")
    print(answer.reply)
    if answer.failed:
        raise Exit("Error: the function raised; its log is above", code=1)


@task(
    help={
        "function": "A function on AWS, by name (default: the one of `invoke up`).",
        "since": "How far to look back, such as 30s, 10m, 2h or 7d (default: 1h).",
        "follow": "Then print new lines when they arrive, until Ctrl-C.",
        "json": "Print a JSON line for each line, with its time and stream.",
    }
)
def logs(
    _: Context,
    function: str = "",
    since: Annotated[int, duration] = 3600,
    follow: bool = False,
    json: bool = False,
) -> None:
    """Print the function's log, oldest line first."""
    from tools.operations.deployment import Target
    from tools.operations.logs import show_log
    from tools.operations.session import open_session

    with open_session("read the log", Target(function, local=not function), as_json=json) as session:
        show_log(session, since, follow=follow)


@task(help={**OPERATED, "reason": REASON_HELP, "undelivered": UNDELIVERED_HELP})
def failures(
    _: Context,
    reason: Annotated[str, one_of(*REASONS)] = "",
    undelivered: bool = False,
    function: str = "",
    local: bool = False,
    json: bool = False,
) -> bool:
    """Show the failure queue's records, and leave them there.

    Exits with 0, also if there are records.
    """
    from tools.operations.deployment import Target
    from tools.operations.failure_queue import Selection
    from tools.operations.failures import show_failures
    from tools.operations.session import open_session

    target = Target(function, local=local, undelivered=undelivered)
    with open_session("read the failure queue", target, as_json=json) as session:
        show_failures(session, Selection(reason))
    return True


@task(
    help={
        **OPERATED,
        **SENDING,
        "reason": REASON_HELP,
        "prefix": "Only records about keys with this prefix.",
        "undelivered": UNDELIVERED_HELP,
    }
)
def redrive(
    _: Context,
    reason: Annotated[str, one_of(*REASONS)] = "",
    prefix: str = "",
    undelivered: bool = False,
    yes: bool = False,
    concurrency: Concurrency = CONCURRENCY,
    function: str = "",
    local: bool = False,
    json: bool = False,
) -> bool:
    """Send the failure queue's records to the function again, with --yes, and delete each one that succeeds.

    With --yes, exits with 1 if a record failed again, the function can't use a message, or another process holds some.
    """
    from tools.operations import redrive as redriving
    from tools.operations.deployment import Target
    from tools.operations.failure_queue import Selection
    from tools.operations.session import open_session

    selection, target = Selection(reason, prefix), Target(function, local=local, undelivered=undelivered)
    with open_session("redrive", target, as_json=json, concurrency=concurrency) as session:
        if yes:
            return redriving.redrive(session, selection)
        redriving.show_redrive(session, selection)
    return True


@task(help={**OPERATED, "yes": "Delete; otherwise only show the messages.", "undelivered": UNDELIVERED_HELP})
def discard(
    _: Context,
    undelivered: bool = False,
    yes: bool = False,
    function: str = "",
    local: bool = False,
    json: bool = False,
) -> bool:
    """Delete the failure queue's messages that the function can't use, with --yes.

    With --yes, exits with 1 if another process holds messages.
    """
    from tools.operations import discard as discarding
    from tools.operations.deployment import Target
    from tools.operations.session import open_session

    target = Target(function, local=local, undelivered=undelivered)
    with open_session("discard", target, as_json=json) as session:
        if yes:
            return discarding.discard(session)
        discarding.show_discard(session)
    return True


@task(
    help={
        **OPERATED,
        **SENDING,
        "prefix": "Only this folder of the source bucket.",
        "deep": "Also read each output's metadata, with one request each.",
        "grace": f"Seconds from an upload until its output counts as missing (default: {GRACE_SECONDS}).",
        "redrive": "Have the function process the uploads of missing and stale outputs, with --yes.",
    }
)
def audit(
    _: Context,
    prefix: str = "",
    deep: bool = False,
    grace: Annotated[int, whole_number(0, 31_536_000)] = GRACE_SECONDS,
    redrive: bool = False,
    yes: bool = False,
    concurrency: Concurrency = CONCURRENCY,
    function: str = "",
    local: bool = False,
    json: bool = False,
) -> bool:
    """Compare both buckets, and list missing, stale, failed and orphaned outputs.

    Exits with 1 if an output is missing or stale; with --redrive --yes, if an upload failed again.
    """
    from tools.operations import audit as auditing
    from tools.operations.deployment import Target
    from tools.operations.session import open_session

    with open_session("audit", Target(function, local=local), as_json=json, concurrency=concurrency) as session:
        scope = auditing.Scope(prefix, deep=deep, grace_seconds=grace)
        return auditing.audit(session, scope, redrive=redrive, confirmed=yes)


@task(
    help={
        **OPERATED,
        **SENDING,
        "prefix": "Only keys with this prefix.",
        "missing": "Only uploads whose output is missing or stale; the prefix is then a folder.",
        "job": "Use S3 Batch Operations for few uploads, too.",
        "max-objects": f"The most uploads (default: {MAX_OBJECTS:,}).",
        "status": "Follow the job with this id, and show its failed tasks.",
    }
)
def backfill(
    _: Context,
    prefix: str = "",
    missing: bool = False,
    job: bool = False,
    max_objects: Annotated[int, whole_number(1, 20_000_000_000)] = MAX_OBJECTS,
    status: str = "",
    yes: bool = False,
    concurrency: Concurrency = CONCURRENCY,
    function: str = "",
    local: bool = False,
    json: bool = False,
) -> bool:
    """Resize uploads that are older than the pipeline, with --yes; otherwise show an estimate.

    Exits with 1 if an upload failed, or the job of --status did.
    """
    from tools.operations import backfill as backfilling
    from tools.operations.deployment import Target
    from tools.operations.session import open_session

    with open_session("backfill", Target(function, local=local), as_json=json, concurrency=concurrency) as session:
        if status:
            return backfilling.follow(session, status)
        request = backfilling.Request(prefix, missing=missing, job=job, limit=max_objects)
        return backfilling.backfill(session, request, confirmed=yes)


@task
def pictures(_: Context) -> None:
    """Draw docs/before-and-after.png: six uploads, resized by the usual handler and by this function."""
    from tools.dev.before_and_after import DOCUMENT, draw

    note("Resizing the six uploads twice")
    draw().save(DOCUMENT, optimize=True)


@task(help={"package": "Update only this package; the others keep their versions."})
def lock(_: Context, package: str = "") -> None:
    """Update the lock files from pyproject.toml."""
    from tools.dev import lock as locking

    note("Resolving the packages of pyproject.toml with uv")
    locking.lock(package)


@task
def audit_dependencies(_: Context) -> None:
    """Look up the lock files' packages in PyPI's list of vulnerabilities, with pip-audit."""
    from tools.dev import vulnerabilities

    note("Looking up the packages with pip-audit")
    found = vulnerabilities.find()
    for line in found:
        print(line)
    if found:
        raise Exit("Error: the packages above have known vulnerabilities", code=1)
    say("No known vulnerabilities")


@task
def provider_schemas(_: Context) -> None:
    """Write the kinds of the provider's arguments that terraform/ uses, in both major versions; needs npm."""
    from tools.dev import provider_schemas as schemas

    note("Downloading the bindings of the provider's version 6 from npm, 46 MB")
    say(str(schemas.write()))


@task(help={"version": "The release's version, such as 1.0.0."})
def snapshot(_: Context, version: str) -> None:
    """Save the Terraform state of `invoke up` as a release's, for tests of upgrades from it."""
    from tools.dev.snapshot import save_state

    say(str(save_state(version)))


@task(
    optional=["artifacts"],
    help={
        "version": "The release's version, such as 1.0.0.",
        "artifacts": "Also make zips, manifests, SBOMs and checksums in this folder (default: dist/release).",
        "heic": HEIC_HELP,
        "c2pa": C2PA_HELP,
    },
)
def release(_: Context, version: str, artifacts: str | bool = "", heic: bool = False, c2pa: bool = False) -> None:
    """Check that this clone is a release: changelog, references, lock files, vulnerabilities, commit and tag."""
    from tools.dev import release as releasing

    note("Checking the clone, its lock files and the packages")
    objections = releasing.objections(version)
    for objection in objections:
        print(objection)
    if objections:
        raise Exit("Error: this is not a release yet; what to do is above", code=1)
    say(f"This is {version}")
    if artifacts:
        # Invoke gives True where the option stands alone.
        folder = Path(artifacts) if isinstance(artifacts, str) else DIST / "release"
        for path in releasing.make(version, folder, say, extras=list_extras(heic=heic, c2pa=c2pa)):
            say(str(path))


@task(
    help={
        "version": "The release's version, such as 1.0.0.",
        "repository": "This repository's URL, such as https://github.com/OWNER/image-resize.",
        "folder": "An empty folder, or an emptied clone (default: dist/terraform-aws-NAME).",
        "artifacts": "The folder with the release's files (default: dist/release).",
    }
)
def registry(_: Context, version: str, repository: str, folder: str = "", artifacts: str = "") -> None:
    """Assemble the module as Terraform's registries want it, in a repository of its own, with the release's zip."""
    from tools.dev.registry import Edition, assemble

    edition = Edition(version, repository)
    to = Path(folder) if folder else DIST / edition.module_repository.rpartition("/")[2]
    assemble(edition, Path(artifacts) if artifacts else DIST / "release", to)
    say(f"{to} has {edition.address} {version}: commit it in {edition.module_repository}, and tag it v{version}")


@task
def clean(_: Context) -> None:
    """Remove everything that the other tasks made: .local/ and dist/."""
    from tools.local import stack

    stack.clean()


# Invoke imports this file before it parses the tasks' arguments.
program.__class__ = TaskProgram
signal.signal(signal.SIGINT, before_import)
