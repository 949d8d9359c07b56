"""What holds for every test: under TONEGAP_NO_SKIPS nothing real may be missing.

A test that skips itself because data or a program is absent proves nothing, and a run of such tests
is green all the same. `skipif` is another matter: there the test has no meaning.

Elsewhere than on Linux, tests of what works there run: score, split, verify, report and the Python API. All
others, and those of them that are marked `linux`, have no meaning there.
"""

import os
import sys
from collections.abc import Generator
from pathlib import Path

import numpy as np  # noqa: F401 (before a command says what it may use of the processor: it warns of what is not there)
import pytest

# Files and folders whose tests hold on any system, but for those marked `linux`; the second lot writes stores, whose
# locks Windows lacks.
ANYWHERE = ("scores", "split", "test_api.py", "test_tones.py")
WITH_STORES = ("results", "report", "cli/test_other_systems.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips what needs Linux on another system, or where one is imitated (`support/other_system.py`)."""
    if sys.platform == "linux" and hasattr(os, "fork"):
        return
    here = Path(__file__).parent
    meant = ANYWHERE + (WITH_STORES if hasattr(os, "fork") else ())
    for item in items:
        name = item.path.relative_to(here).as_posix()
        if item.get_closest_marker("linux") or not name.startswith(meant):
            item.add_marker(pytest.mark.skipif(True, reason="needs Linux"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """The report of a phase of a test; one that skipped itself is a failure where that is asked for."""
    report = yield
    if _asked() and report.skipped and not _is_expected(item, report):
        report.outcome = "failed"
        report.longrepr = f"{_reason(report)} (TONEGAP_NO_SKIPS is set: install or name it)"
    return report


def _asked() -> bool:
    return os.environ.get("TONEGAP_NO_SKIPS", "") not in {"", "0"}


def _is_expected(item: pytest.Item, report: pytest.TestReport) -> bool:
    has_no_meaning = any(
        _reason(report).endswith(mark.kwargs.get("reason") or "")
        for mark in item.iter_markers("skipif")
    )
    return has_no_meaning or hasattr(report, "wasxfail")


def _reason(report: pytest.TestReport) -> str:
    longrepr = report.longrepr
    return longrepr[2] if isinstance(longrepr, tuple) else str(longrepr)
