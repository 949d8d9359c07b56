"""`tonegap assets`: weights that full-size runs need, by name, fetched once for all suites."""

from functools import partial
from pathlib import Path

import click

from tonegap.cli.options import WholeHelp, json_option, rooted
from tonegap.cli.terminal import put_json, say
from tonegap.declared.assets import Asset, asset_named, read_assets
from tonegap.errors import BadData


@click.group("assets", cls=WholeHelp)
def command() -> None:
    """Weights that full-size runs need: which, where they lie, and to fetch them."""


@command.command("list")
@json_option
@rooted
def list_command(as_json: bool, root: Path) -> None:
    """Each asset with its size, its state and its licence; reads what is there.

    States: there, as declared; changed, a file is another one or does not belong to it; partly; missing.
    """
    from tonegap.data.fetch import state

    found = read_assets(root)
    if as_json:
        facts = ((n, state(a), str(a.path), a.size, a.licence) for n, a in found.items())
        keys = ("name", "state", "path", "size", "licence")
        put_json([dict(zip(keys, of, strict=True)) for of in facts], ascii_only=True)
        return
    width = max((len(name) for name in found), default=0)
    for name, asset in found.items():
        say(f"{name:<{width}}  {asset.size / 1e6:7,.0f} MB  {state(asset):<7}  {asset.about}")
        say(f"{'':<{width}}  {asset.licence}")


@command.command("fetch")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@rooted
@click.pass_context
def fetch_command(ctx: click.Context, names: tuple[str, ...], root: Path) -> None:
    """Fetch assets (default: all) into the cache; the same command goes on after a stop.

    The cache is ~/.cache/tonegap/assets, or the folder in TONEGAP_ASSETS. Files of huggingface.co are asked for with
    the token in HF_TOKEN, if it is set. Where one cannot be fetched the others are, and the exit code is 1.
    """
    from tonegap.data.fetch import fetch

    failed, chosen = [], _chosen(names, root)
    for name, asset in chosen.items():
        try:
            with click.progressbar(length=asset.size, label=name) as bar:
                path = fetch(asset, bar.update, partial(say, err=True))
            say(f"{name}: {path}")
        except BadData as problem:
            failed.append(name)
            say(f"error: {name}: {problem}", err=True)
    if len(chosen) > 1 and failed:
        say(f"{len(failed)} of {len(chosen)} assets not fetched: {', '.join(failed)}", err=True)
    if failed:
        ctx.exit(1)


@command.command("check")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@rooted
def check_command(names: tuple[str, ...], root: Path) -> None:
    """Hold assets (default: all) against their SHA-256; all are named before any that is wrong ends it."""
    from tonegap.data.fetch import check

    wrong, chosen = [], _chosen(names, root)
    for name, asset in chosen.items():
        try:
            check(name, asset)
            say(f"{name}: as declared")
        except BadData as problem:
            wrong.append(name)
            say(f"{name}: {problem}")
    if wrong:
        raise BadData(f"{len(wrong)} of {len(chosen)} assets not as declared: {', '.join(wrong)}")


def _chosen(names: tuple[str, ...], root: Path) -> dict[str, Asset]:
    return {name: asset_named(root, name) for name in names} if names else read_assets(root)
