"""What holds for every test: under TONEGAP_NO_SKIPS nothing real may be missing.

A test that skips itself because data or a program is absent proves nothing, and a run of such tests
is green all the same. `skipif` is another matter: there the test has no meaning.
"""

import os
from collections.abc import Generator

import pytest


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
