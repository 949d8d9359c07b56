"""`tonegap image`: the pinned container images."""

from dataclasses import asdict
from pathlib import Path

import click

from tonegap.cli.options import WholeHelp, suite_root_option
from tonegap.cli.terminal import put, say

_NAMES = click.argument("names", nargs=-1, metavar="[NAME]...")
_ENVIRONMENT = click.option(
    "--environment",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of Python packages (site-packages) to bind on the local base (default: tonegap's own).",
)
_FOLDER = click.argument("folder", type=click.Path(path_type=Path, file_okay=False), required=False)


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
@suite_root_option
def build(  # noqa: PLR0913 (click hands over each option as an argument)
    names: tuple[str, ...],
    suites: tuple[str, ...],
    base: str | None,
    environment: Path | None,
    pull: bool,
    no_cache: bool,
    suite_root: Path | None,
) -> None:
    """Build images and the bases they stand on (default: those of all plug-ins).

    No container engine is needed. Where one answers, it is given what was built.
    """
    from tonegap.declared.root import find_root
    from tonegap.declared.suite import plugins_of, read_suite
    from tonegap.engines.images.build import BuildRequest, build_images
    from tonegap.engines.images.transport import load_images

    root = find_root(suite_root)
    needed = [one for suite in suites for one in plugins_of(read_suite(root, suite))]
    names += tuple(plugin.label for plugin in needed if plugin.file.stages)
    lock = build_images(root, BuildRequest(names, base, environment, no_cache, pull), say)
    load_images(root, names or [name for name in lock.images if "/" in name], say)


@command.command(name="list")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@suite_root_option
def list_(as_json: bool, suite_root: Path | None) -> None:
    """Every image: its base, id, size, and whether it is current."""
    import json

    from tonegap.declared.root import find_root
    from tonegap.engines.images.verify import list_images

    states = list_images(find_root(suite_root))
    if as_json:
        put(json.dumps([asdict(state) for state in states], indent=1) + "\n")
        return
    width = max(len(state.name) for state in states)
    for state in states:
        size = f"{state.size_bytes / 1e6:,.0f} MB" if state.size_bytes else "–"
        say(f"{state.name:<{width}}  {state.short_id:<12}  {size:>9}  {state.state}")


@command.command()
@_NAMES
@suite_root_option
@click.pass_context
def verify(context: click.Context, names: tuple[str, ...], suite_root: Path | None) -> None:
    """Do lock, sources and images agree? Reads every byte again, once; exit code 2 if not."""
    from tonegap.declared.root import find_root
    from tonegap.engines.images.verify import verify_images, without_image

    root = find_root(suite_root)
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
@suite_root_option
def lock(suite_root: Path | None) -> None:
    """Print the lock."""
    from tonegap.declared.root import find_root
    from tonegap.formats.image_lock import encode_lock, read_lock

    put(encode_lock(read_lock(find_root(suite_root))))


@command.command()
@_FOLDER
@_NAMES
@suite_root_option
def export(folder: Path | None, names: tuple[str, ...], suite_root: Path | None) -> None:
    """Write images as one OCI archive into FOLDER (default: docker/archives, where runs look).

    Docker and Podman load it; Apptainer opens one of a single image.
    """
    from tonegap.declared.root import find_root
    from tonegap.engines.images.transport import archives_folder, export_images

    root = find_root(suite_root)
    export_images(root, folder or archives_folder(root), names, say)


@command.command(name="import")
@_FOLDER
@_NAMES
@suite_root_option
def import_(folder: Path | None, names: tuple[str, ...], suite_root: Path | None) -> None:
    """Take images from the archive in FOLDER; what is not exactly the lock's is refused."""
    from tonegap.declared.root import find_root
    from tonegap.engines.images.transport import archives_folder, import_images

    root = find_root(suite_root)
    import_images(root, folder or archives_folder(root), names, say)
