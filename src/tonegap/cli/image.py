"""`tonegap image`: the pinned container images."""

from dataclasses import asdict
from pathlib import Path

import click

from tonegap.cli.options import FOLDER, WholeHelp, json_option, rooted
from tonegap.cli.terminal import put, put_json, say

_NAMES = click.argument("names", nargs=-1, metavar="[NAME]...")
_ENVIRONMENT = click.option(
    "--environment",
    type=FOLDER,
    metavar="DIR",
    help="Folder of Python packages (site-packages) to bind on the local base (default: tonegap's own).",
)
_FOLDER = click.argument("folder", type=FOLDER, required=False)


@click.group(name="image", cls=WholeHelp)
def command() -> None:
    """The pinned images in which stages run: build, check, take along.

    A NAME is a base (base-cuda) or a plug-in (methods/NAME, baselines/NAME).
    """


@command.command()
@_NAMES
@click.option("--suite", "suites", multiple=True, metavar="SUITE", help="All that a suite needs.")
@click.option(
    "--base",
    metavar="WHAT",
    help="What torch comes from: wheels, local, cuda, or NAME@sha256:… (default: as locked, else wheels).",
)
@_ENVIRONMENT
@click.option("--pull", is_flag=True, help="Fetch the base of --base cuda from its registry.")
@click.option("--no-cache", is_flag=True, help="Build from nothing, also what is current.")
@rooted
def build(  # noqa: PLR0913 (click hands over each option as an argument)
    names: tuple[str, ...],
    suites: tuple[str, ...],
    base: str | None,
    environment: Path | None,
    pull: bool,
    no_cache: bool,
    root: Path,
) -> None:
    """Build images and the bases they stand on (default: those of all plug-ins).

    No container engine is needed. Where one answers, it is given what was built.
    """
    from tonegap.declared.suite import plugins_of, read_suite
    from tonegap.engines.images.build import BuildRequest, build_images
    from tonegap.engines.images.transport import load_images

    needed = [one for suite in suites for one in plugins_of(read_suite(root, suite))]
    names += tuple(plugin.label for plugin in needed if plugin.file.stages)
    lock = build_images(root, BuildRequest(names, base, environment, no_cache, pull), say)
    load_images(root, names or [name for name in lock.images if "/" in name], say)


@command.command(name="list")
@json_option
@rooted
def list_(as_json: bool, root: Path) -> None:
    """Every image: its base, id, size, and whether it is current."""
    from tonegap.engines.images.verify import list_images

    states = list_images(root)
    if as_json:
        put_json([asdict(state) for state in states], ascii_only=True)
        return
    width = max(len(state.name) for state in states)
    for state in states:
        size = f"{state.size_bytes / 1e6:,.0f} MB" if state.size_bytes else "–"
        say(f"{state.name:<{width}}  {state.short_id:<12}  {size:>9}  {state.state}")


@command.command()
@_NAMES
@rooted
@click.pass_context
def verify(context: click.Context, names: tuple[str, ...], root: Path) -> None:
    """Do lock, sources and images agree? Reads every byte again, once; exit code 2 if not."""
    from tonegap.engines.images.verify import verify_images, without_image

    problems = verify_images(root, names)
    for problem in problems:
        say(f"error: {problem}", err=True)
    if not names and (others := len(without_image(root))):
        say(
            f"{others} plug-in{'s' if others > 1 else ''} with stages not in the lock, not verified"
        )
    if problems:
        context.exit(2)
    say("Lock, sources and images agree.")


@command.command()
@rooted
def lock(root: Path) -> None:
    """Print the lock."""
    from tonegap.files import readable_json
    from tonegap.formats.image_lock import read_lock

    put(readable_json(read_lock(root)))


@command.command()
@click.argument("name")
@rooted
def sbom(name: str, root: Path) -> None:
    """The bill of materials of the image NAME, as CycloneDX 1.6 JSON.

    Debian's packages and Python's with versions, wheels' hashes, and the licences that their own metadata name.
    """
    from tonegap.engines.images.bill import bill_of
    from tonegap.formats.cyclonedx import encode_bill

    put(encode_bill(bill_of(root, name)))


@command.command()
@_FOLDER
@_NAMES
@rooted
def export(folder: Path | None, names: tuple[str, ...], root: Path) -> None:
    """Write images as one OCI archive into FOLDER (default: docker/archives, where runs look).

    Docker and Podman load it; Apptainer opens one of a single image.
    """
    from tonegap.engines.images.transport import archives_folder, export_images

    export_images(root, folder or archives_folder(root), names, say)


@command.command(name="import")
@_FOLDER
@_NAMES
@rooted
def import_(folder: Path | None, names: tuple[str, ...], root: Path) -> None:
    """Take images from the archive in FOLDER; what is not exactly the lock's is refused."""
    from tonegap.engines.images.transport import archives_folder, import_images

    import_images(root, folder or archives_folder(root), names, say)
