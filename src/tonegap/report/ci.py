"""Says how a run ended, for CI: as JUnit XML, and as Markdown for the summary of a step."""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from tonegap.lines import counted, one_line
from tonegap.report.exports.markdown import render_markdown
from tonegap.results.board import Leaderboard
from tonegap.store.read import SuiteRun

_MOST = 200_000  # letters of a summary: hosts of CI cut or refuse a megabyte


def junit(suite_run: SuiteRun) -> bytes:
    """The runs of a suite as JUnit XML in UTF-8, a test case for each entry, task and seed.

    A failed one has a `failure` with its cause, one that was never run or cannot be asked is `skipped`. `time` is what
    the stages of a record took in seconds, when they ran.
    """
    failures = sum(run.failure is not None and run.record is None for run in suite_run.runs)
    skipped = sum(run.record is None and run.failure is None for run in suite_run.runs)
    counts = {"tests": len(suite_run.runs), "failures": failures, "skipped": skipped, "errors": 0}
    suite = ET.Element(
        "testsuite", {"name": suite_run.matrix.suite, **{k: str(n) for k, n in counts.items()}}
    )
    for run in suite_run.runs:
        place = f"{run.id.task} seed {run.id.seed}"
        case = ET.SubElement(suite, "testcase", classname=run.id.entry.label, name=place)
        seconds = run.record.circumstances.seconds if run.record else 0.0
        case.set("time", f"{seconds:.3f}")
        if run.record:
            continue
        failed = run.failure
        if failed is None:
            said = run.id.not_applicable or "it never ran"
            ET.SubElement(case, "skipped", message=one_line(said))
            continue
        text = one_line(failed.text)
        element = ET.SubElement(case, "failure", type=failed.cause, message=text)
        element.text = f"{failed.plugin} {failed.stage}: {text}"
    ET.indent(suite)
    content: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def summary(board: Leaderboard, suite_run: SuiteRun) -> str:
    """The report in Markdown, what failed before it; cut where a host of CI would refuse it."""
    text = "".join(_failures(suite_run)) + render_markdown(board)
    if len(text) <= _MOST:
        return text
    return text[:_MOST].rpartition("\n")[0] + "\n\n… cut here; the report has all of it.\n"


def _failures(suite_run: SuiteRun) -> Iterator[str]:
    failed = [(run.id, run.failure) for run in suite_run.runs if run.failure and not run.record]
    if failed:
        yield f"**{counted(len(failed), 'run')} of {len(suite_run.runs)} failed**\n\n"
        for run_id, failure in failed:
            why = f"{failure.cause}: {_code(failure.text)}"
            yield f"- {_code(run_id.entry.label)}, {run_id.task} seed {run_id.seed}: {why}\n"
        yield "\n"


def _code(text: str) -> str:
    """A text of others as code, which Markdown shows as it is."""
    return "`" + one_line(text).replace("`", "'") + "`"
