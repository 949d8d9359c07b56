"""TONEGAP_NO_SKIPS: what is missing fails."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).parents[1] / "conftest.py"


@pytest.fixture
def inner(pytester: pytest.Pytester) -> pytest.Pytester:
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    return pytester


MISSING = """
    import pytest

    @pytest.fixture
    def metadata():
        pytest.skip("no metadata here")

    def test_reads(metadata):
        pass
"""


def test_a_test_without_its_data_fails_where_skips_are_refused(inner, monkeypatch):
    monkeypatch.setenv("TONEGAP_NO_SKIPS", "1")
    inner.makepyfile(MISSING)
    result = inner.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*no metadata here (TONEGAP_NO_SKIPS is set*"])


def test_a_test_without_its_data_is_skipped_elsewhere(inner, monkeypatch):
    monkeypatch.delenv("TONEGAP_NO_SKIPS", raising=False)
    inner.makepyfile(MISSING)
    inner.runpytest_inprocess().assert_outcomes(skipped=1)


def test_a_test_that_has_no_meaning_here_may_be_skipped(inner, monkeypatch):
    monkeypatch.setenv("TONEGAP_NO_SKIPS", "1")
    inner.makepyfile(
        """
        import pytest

        @pytest.mark.skipif(True, reason="root may write everywhere")
        def test_writes():
            pass
        """
    )
    inner.runpytest_inprocess().assert_outcomes(skipped=1)


def test_a_test_with_a_meaning_that_lacks_a_program_fails(inner, monkeypatch):
    """A `skipif` that did not hold excuses nothing."""
    monkeypatch.setenv("TONEGAP_NO_SKIPS", "1")
    inner.makepyfile(
        """
        import pytest

        pytestmark = pytest.mark.skipif(False, reason="this processor is too old")

        @pytest.fixture
        def emulator():
            pytest.skip("the emulator is missing")

        def test_emulates(emulator):
            pass
        """
    )
    result = inner.runpytest_inprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*the emulator is missing (TONEGAP_NO_SKIPS is set*"])
