"""`tonegap image`: the pinned container images."""

from pathlib import Path

import click

from tonegap.cli.options import suite_root_option


@click.group(name="image")
def command() -> None:
    """The pinned images in which stages run: build, check, take along."""


@command.command()
@click.argument("names", nargs=-1)
@click.option("--base", metavar="local|cuda|NAME@sha256:…", help="What the images stand on.")
@click.option("--environment", type=click.Path(path_type=Path, file_okay=False), metavar="DIR",
              help="Folder of Python packages (site-packages) to bind on the local base.")  # fmt: skip
@click.option("--no-cache", is_flag=True, help="Build from nothing, also what is current.")
@suite_root_option
def build(
    names: tuple[str, ...],
    base: str | None,
    environment: Path | None,
    no_cache: bool,
    suite_root: Path | None,
) -> None:
    """Build images and the bases they stand on (default: those of all plug-ins), offline."""
    from tonegap.images.build import BuildRequest, build_images
    from tonegap.rooms.root import find_root

    request = BuildRequest(names, base, environment, no_cache)
    build_images(find_root(suite_root), request, click.echo)
