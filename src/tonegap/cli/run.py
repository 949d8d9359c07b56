"""`tonegap run`: the main job."""

import sys
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

import click

from tonegap.cli import terminal
from tonegap.cli.complete import suite_names
from tonegap.cli.interrupt import patient
from tonegap.cli.options import FILE
from tonegap.cli.requests import RunOptions, open_request, open_slurm, parse_gpus, run_options
from tonegap.declared.report_settings import read_settings, titled
from tonegap.errors import BadRequest
from tonegap.formats.matrix import Failure, RunId
from tonegap.lines import counted, first_few
from tonegap.numerics import numerics_of
from tonegap.store.read import read_suites
from tonegap.texts import last_lines

if TYPE_CHECKING:
    from tonegap.plan.plan import Plan
    from tonegap.plan.prepare import Request
    from tonegap.run.runner import RunTally
    from tonegap.run.stages import Workplace


_SHOWN, _SHOWN_FAILURES, _LAST_LINES = 5, 10, 10


@click.command(name="run")
@click.argument("suite", default="smoke", shell_complete=suite_names)
@click.option(
    "--check-determinism",
    is_flag=True,
    help="Afterwards run a stage of each plug-in again: it must leave the same bytes (CPU).",
)
@run_options
@click.option(
    "--check-golden",
    "golden",
    flag_value="check",
    help="Compare with reports/golden/SUITE.json afterwards; exit code 1 where an entry differs.",
)
@click.option(
    "--write-golden", "golden", flag_value="write", help="Write reports/golden/SUITE.json anew."
)
@click.option(
    "--junit", type=FILE, metavar="FILE", help="Write how each run ended as JUnit XML, for CI."
)
@click.option(
    "--summary",
    type=FILE,
    metavar="FILE",
    help="Write failures and leaderboard as Markdown, for the summary of a CI step.",
)
def command(
    suite: str,
    check_determinism: bool,
    options: RunOptions,
    golden: str | None,
    junit: Path | None,
    summary: Path | None,
) -> None:
    """Run SUITE and report; without SUITE the embedded smoke suite, which needs no data.

    The same command again does exactly what is missing. The last line names the report.

    \b
    tonegap run
    tonegap run skin-diff --root ~/fitzpatrick17k
    """  # noqa: D301
    from tonegap.plan.prepare import prepare
    from tonegap.report.suite_report import publish_suite
    from tonegap.run.explain import data_lines

    if check_determinism and options.place == "slurm":
        raise BadRequest("--check-determinism runs stages on this machine; leave --place out")
    request = open_request(suite, options)
    read_settings(request.root)  # what the last step needs should not be missed after hours
    if golden:
        _can_be_golden(request, options, golden)
    wanted = request.suite.file.numerics
    if numerics_of(wanted, request.device) != wanted:
        terminal.say(
            "numerics are native here: portable ones need the CPU, x86 with AVX2 and FMA; scores may differ from "
            "those of other machines",
            err=True,
        )
    plan = prepare(request)
    for line in data_lines(plan):
        terminal.say(line, err=True)
    request.store.write_matrix(plan.matrix)
    tally = work(request, plan, options)
    _say_empty_sets(plan, request)
    declared = Path(suite).stem if suite.endswith(".toml") else suite
    if request.suite.id != declared:
        terminal.say(
            f"{request.suite.id}: these results have a name of their own; those of {declared} stay as they are",
            err=True,
        )
    _write_for_ci(request, plan, junit, summary)
    alike = not check_determinism or _same_twice(request, plan, options)
    terminal.say(publish_suite(request.root, request.store.folder, plan.matrix))
    if tally.failures or not alike or (golden and not _is_golden(request, plan, golden)):
        sys.exit(1)


def _write_for_ci(
    request: "Request", plan: "Plan", junit: Path | None, summary: Path | None
) -> None:
    """JUnit XML and a summary of this suite's runs, where they were asked for."""
    if junit is None and summary is None:
        return
    from tonegap.report import ci
    from tonegap.report.write import write_bytes, write_text
    from tonegap.results.assemble import assemble

    store = request.store.folder
    (suite_run,) = read_suites(store, [plan.matrix.suite])
    if junit is not None:
        write_bytes(junit, ci.junit(suite_run), "--junit")
    if summary is not None:
        settings = titled(read_settings(request.root), [plan.matrix.title])
        write_text(
            summary, ci.summary(assemble(store, [suite_run], settings), suite_run), "--summary"
        )


def _can_be_golden(request: "Request", options: RunOptions, golden: str) -> None:
    """Raises BadRequest, before hours of work, where there is nothing to compare with or nothing to write."""
    from tonegap.run.golden import golden_path, read_golden

    file = request.suite.file
    changed = (options.methods, options.baselines, options.settings, options.exclude)
    if options.subset or any(changed) or options.numerics:
        raise BadRequest(
            f"--{golden}-golden: golden records are those of a suite as its file has it; leave out --method, "
            "--baseline, --set, --subset, --exclude and --numerics"
        )
    if numerics_of(file.numerics, request.device) != "portable":
        raise BadRequest(
            f'--{golden}-golden: wanted portable numerics: numerics = "portable" in {request.suite.path}, the '
            "CPU, and a processor with AVX2 and FMA (`tonegap doctor` says whether this one has them)"
        )
    if golden == "check":
        read_golden(golden_path(request.root, request.suite.id))


def _is_golden(request: "Request", plan: "Plan", golden: str) -> bool:
    """Whether the suite's records are the golden ones, which it makes them where that is asked."""
    from tonegap.run.golden import (
        differences,
        golden_of,
        golden_path,
        other_versions,
        read_golden,
        records_of,
        write_golden,
    )

    path = golden_path(request.root, request.suite.id)
    found = golden_of(request.suite.id, records_of(plan, request.store))
    if golden == "write":
        write_golden(path, found)
        terminal.say(f"wrote {path}: {len(found.runs)} records", err=True)
        return True
    wanted = read_golden(path)
    lines = differences(wanted, found)
    for line in lines[:_SHOWN]:
        terminal.say(f"not golden: {line}", err=True)
    versions = other_versions(wanted, found)
    if lines and versions:
        terminal.say(f"other versions may be why: {versions}", err=True)
    terminal.say(
        f"{len(lines)} of {len(wanted.runs)} golden records differ"
        if lines
        else f"all {len(found.runs)} records equal the golden ones",
        err=True,
    )
    return not lines


def work(request: "Request", plan: "Plan", options: RunOptions) -> "RunTally":
    """Runs a plan, says on standard error how that ended, and returns it; what is finished stays.

    Of the first failures: entries, last lines of the log, its place.
    """
    from tonegap.run.runner import run_plan

    with patient(request.engine.ending_s):
        tally = run_plan(plan, workplace(request, options))
    stages, finished = counted(tally.n_stages, "stage"), counted(tally.n_finished, "run")
    ended = f"{tally.n_cached} cached, {len(tally.failures)} failed"
    terminal.say(f"{stages} run, {finished} finished, {ended}", err=True)
    for text in tally.mended:
        terminal.say(f"damaged: {text}; it was made again", err=True)
    runs = {run.id.key: run.id for run in plan.runs}
    together: dict[tuple[str, ...], list[Failure]] = {}
    for failure in tally.failures:
        same = (failure.cause, failure.plugin, failure.stage, failure.text, failure.log)
        together.setdefault(same, []).append(failure)
    for failures in list(together.values())[:_SHOWN_FAILURES]:
        ended_by = [runs[failure.key] for failure in failures]
        _say_failure(failures[0], ended_by, request.store.folder, _where(options))
    if len(together) > _SHOWN_FAILURES:
        terminal.say(f"and {len(together) - _SHOWN_FAILURES} more failures", err=True)
    return tally


def workplace(request: "Request", options: RunOptions) -> "Workplace":
    """Where and how the stages of a request run."""
    from tonegap.run.progress import open_progress
    from tonegap.run.stages import Workplace

    slurm = open_slurm(options) if options.place == "slurm" else None
    return Workplace(
        store=request.store,
        engine=request.engine,
        limits=request.suite.file.limits,
        jobs=request.jobs,
        gpus=() if slurm else parse_gpus(options, request.engine),
        progress=open_progress(options.progress),
        keep=options.keep,
        slurm=slurm,
        root=request.root,
        gpus_per_stage=options.gpus_per_stage,
    )


def _same_twice(request: "Request", plan: "Plan", options: RunOptions) -> bool:
    """Whether a stage of each plug-in leaves the same bytes again; says on standard error how each went."""
    from tonegap.run.determinism import check_determinism

    with patient(request.engine.ending_s):
        found = check_determinism(plan, workplace(request, options))
    for repeated in found:
        terminal.say(repeated.sentence, err=True)
    return not any(repeated.differs for repeated in found)


def _say_empty_sets(plan: "Plan", request: "Request") -> None:
    """Says in a line which methods made no synthetic image, at which seed of which task, if any did."""
    from tonegap.run.golden import records_of

    empty = dict.fromkeys(
        f"{record.entry.method}, {record.task} seed {record.seed}"
        for record in records_of(plan, request.store)
        if record.synthetic is not None and record.synthetic.n == 0
    )
    if empty:
        terminal.say(
            f"0 synthetic images were made: {first_few([*empty], '; ', _SHOWN)}: "
            "what was trained saw real images alone",
            err=True,
        )


def _where(options: RunOptions) -> str:
    """The options by which another command finds the same store."""
    given = (("--store", options.store), ("--suite-root", options.suite_root))
    return next((f" {name} {quote(str(path))}" for name, path in given if path), "")


def _say_failure(failure: Failure, runs: list[RunId], store: Path, where: str) -> None:
    """One failure with the runs it ended, and where to read more; `where`: options of the store."""
    first = runs[0]
    more = f" and {counted(len(runs) - 1, 'more run')}" if len(runs) > 1 else ""
    terminal.say(
        f"failed ({failure.cause}): {failure.plugin} {failure.stage}: {failure.text}", err=True
    )
    terminal.say(f"    in: {first.entry.label}, {first.task} seed {first.seed}{more}", err=True)
    if failure.log:
        for line in last_lines(store / failure.log, _LAST_LINES):
            terminal.say(f"    | {line}", err=True)
        terminal.say(f"    log: {store / failure.log}", err=True)
        terminal.say(f"    all of it: tonegap log {quote(first.entry.label)}{where}", err=True)
