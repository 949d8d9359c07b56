"""Says how a run ended, for CI: as JUnit XML, and as Markdown for the summary of a step."""

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from tonegap.lines import counted, one_line
from tonegap.report.exports.markdown import render_markdown
from tonegap.results.board import Leaderboard
from tonegap.store.read import SuiteRun

_MOST = 200_000  # letters of a summary: hosts of CI cut or refuse a megabyte


def junit(run: SuiteRun) -> bytes:
    """The runs of a suite as JUnit XML in UTF-8, a test case for each entry, task and seed.

    A failed one has a `failure` with its cause, one that was never run or cannot be asked is `skipped`. `time` is what
    the stages of a record took in seconds, when they ran.
    """
    failures = sum(cell.failure is not None and cell.record is None for cell in run.cells)
    skipped = sum(cell.record is None and cell.failure is None for cell in run.cells)
    counts = {"tests": len(run.cells), "failures": failures, "skipped": skipped, "errors": 0}
    suite = ET.Element(
        "testsuite", {"name": run.matrix.suite, **{k: str(n) for k, n in counts.items()}}
    )
    for cell in run.cells:
        place = f"{cell.id.task} seed {cell.id.seed}"
        case = ET.SubElement(suite, "testcase", classname=cell.id.entry.label, name=place)
        seconds = cell.record.circumstances.seconds if cell.record else 0.0
        case.set("time", f"{seconds:.3f}")
        if cell.record:
            continue
        failed = cell.failure
        if failed is None:
            said = cell.id.not_applicable or "it never ran"
            ET.SubElement(case, "skipped", message=one_line(said))
            continue
        text = one_line(failed.text)
        element = ET.SubElement(case, "failure", type=failed.cause, message=text)
        element.text = f"{failed.plugin} {failed.stage}: {text}"
    ET.indent(suite)
    content: bytes = ET.tostring(suite, encoding="utf-8", xml_declaration=True)
    return content + b"\n"


def summary(board: Leaderboard, run: SuiteRun) -> str:
    """The report in Markdown, what failed before it; cut where a host of CI would refuse it."""
    text = "".join(_failures(run)) + render_markdown(board)
    if len(text) <= _MOST:
        return text
    return text[:_MOST].rpartition("\n")[0] + "\n\n… cut here; the report has all of it.\n"


def _failures(run: SuiteRun) -> Iterator[str]:
    failed = [(cell.id, cell.failure) for cell in run.cells if cell.failure and not cell.record]
    if failed:
        yield f"**{counted(len(failed), 'run')} of {len(run.cells)} failed**\n\n"
        for run_id, failure in failed:
            why = f"{failure.cause}: {_code(failure.text)}"
            yield f"- {_code(run_id.entry.label)}, {run_id.task} seed {run_id.seed}: {why}\n"
        yield "\n"


def _code(text: str) -> str:
    """A text of others as code, which Markdown shows as it is."""
    return "`" + one_line(text).replace("`", "'") + "`"
