"""The command `tonegap`: a table of commands, each imported only when it is called.

Importing pandas, pyarrow or matplotlib here would make `tonegap --help` take seconds.
"""

import contextlib
import errno
import importlib
import os
import re
import sys
from itertools import pairwise
from typing import NoReturn

import click

from tonegap import __version__
from tonegap.cli.interrupt import INTERRUPTED, end, interruptible
from tonegap.cli.near import NearGroup
from tonegap.cli.terminal import Notes, say_page
from tonegap.errors import ToneGapError
from tonegap.lines import did_you_mean
from tonegap.numerics import settle
from tonegap.texts import escape_what_cannot_be_shown

COMMANDS = {
    "run": "Run a suite and report: the main job (default: the smoke suite).",
    "plan": "What a run would do: stages, what is cached, why not.",
    "search": "Random search of hyper-parameters: an equal budget for every baseline, chosen on validation images.",
    "repeat": "How far an entry's scores spread from run to run.",
    "report": "Leaderboard and comparison of finished runs.",
    "paper": "A paper's tables, reported against reproduced.",
    "audit-table": "Can the numbers of anybody's table be, and what does chance give?",
    "power": "How many images show a difference, and what a test set can show.",
    "bundle": "The results of a suite as one archive that anybody can check.",
    "verify": "Every number of a bundle or a pack, computed again.",
    "pack": "The paperwork of a submission, filled in from results.",
    "log": "What the stages of an entry wrote, and why one failed.",
    "board": "A static site of one leaderboard from a folder of bundles that verify.",
    "submit": "External submissions: a bundle that verifies, or predictions with a card.",
    "track": "Finished records as runs in MLflow.",
    "score": "The metrics of any predictions file.",
    "quality": "Tones, distances, copies and a picture of a synthetic set.",
    "split": "A task's partitions as CSV.",
    "audit": "May a synthetic set made elsewhere be trained on?",
    "data": "Check a download, show a data set, draw phantom images.",
    "assets": "Weights that full-size runs need: list, fetch, check.",
    "list": "Methods, baselines, tasks and suites that are here.",
    "init": "A suite root of your own, with templates.",
    "new": "A new method, baseline, post-processor or extractor that already passes the contract.",
    "image": "The pinned images in which stages run.",
    "export": "A suite as a Snakemake workflow.",
    "stage": "Single stages, as jobs of a cluster and workflows run them.",
    "digest": "The value of a parameter that is a local file or folder.",
    "check": "Every problem of the suite root at once.",
    "doctor": "What this machine can enforce.",
}

_ANYWHERE = "score, split, verify and report work on this system"
HIDDEN = frozenset({"stage"})  # for programs


_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


class LazyGroup(NearGroup):
    """A group whose commands live in modules `tonegap.cli.<name>` as `command`."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now; None if there is none."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"tonegap.cli.{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """One line per command from the table, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl([row for row in COMMANDS.items() if row[0] not in HIDDEN])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="tonegap")
def cli() -> None:
    """Which method closes the gap between skin tones, and by how much?

    \b
    tonegap run                          the smoke suite, which needs no data
    tonegap data check NAME --root DIR   is this download what the papers used?
    tonegap score P.csv --truth T.csv    scores per tone for anybody's predictions

    Exit codes: 0 done, 1 some stage failed, 2 the request was wrong, 130 interrupted (the same
    command goes on).
    """  # noqa: D301


def main(arguments: list[str] | None = None) -> NoReturn:
    """Runs the command line and exits.

    0 done, 1 some stage failed, 2 the request was wrong, 130 interrupted by Ctrl-C, TERM or HUP.
    """
    settle()  # no command is imported yet, and no numpy with it
    escape_what_cannot_be_shown()
    code = INTERRUPTED
    with contextlib.suppress(click.Abort, KeyboardInterrupt), interruptible():
        code = _run(arguments)
    if code == INTERRUPTED:
        end()
    sys.exit(code)


def _run(arguments: list[str] | None) -> int:
    typed = sys.argv[1:] if arguments is None else arguments
    # Known before all is parsed: an option that cannot be is told in the same way.
    Notes.as_json = "--progress=json" in typed or ("--progress", "json") in pairwise(typed)
    try:
        code = cli.main(args=arguments, prog_name="tonegap", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as e:
        say_page(e.format_message())
        return 2
    except (ToneGapError, click.ClickException) as e:
        text = _in_a_line(e) if isinstance(e, click.ClickException) else e
        say_page(f"error: {text}", err=True)
        return 2
    except ModuleNotFoundError as e:
        if e.name not in {"fcntl", "resource"}:
            raise
        say_page(f"error: this command needs Linux or macOS, on Windows WSL; {_ANYWHERE}", err=True)
        return 2
    except OSError as e:
        if e.filename is not None or e.errno not in _FULL:
            raise
        with contextlib.suppress(OSError):  # else Python tries once more at its end
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        say_page(f"error: what was to be written has no place: {e.strerror}", err=True)
        return 2
    # Commands return nothing; `--help` and `ctx.exit` make click return their code.
    return code if isinstance(code, int) else 0


def _in_a_line(problem: click.ClickException) -> str:
    """What click says, in one line, with the near one of the choices for a word that is none."""
    text = " ".join(problem.format_message().split())
    context = problem.ctx if isinstance(problem, click.UsageError) else None
    takes = {parameter.name for parameter in context.command.params} if context else set()
    if (
        isinstance(problem, click.NoSuchOption)
        and not problem.possibilities
        and "settings" in takes
    ):
        name = problem.option_name.lstrip("-").replace("-", "_")
        return f"{text.removesuffix('.')}; a parameter is given as --set baselines.{name}=VALUE"
    kind = problem.param.type if isinstance(problem, click.BadParameter) and problem.param else None
    typed = re.search(r"'([^']*)' is not one of", text)
    if not (isinstance(kind, click.Choice) and typed):
        return text
    gpu = typed[1].removeprefix("cuda:")
    if gpu != typed[1] and "gpus" in takes:
        return (
            f"{text.removesuffix('.')}; which GPU is said with --gpus: --device cuda --gpus {gpu}"
        )
    return text.removesuffix(".") + did_you_mean(typed[1], map(str, kind.choices))
