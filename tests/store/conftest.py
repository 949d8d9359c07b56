"""Records by hand, as the tests of reports have them."""

from tests.report.conftest import entry, make_record

__all__ = ["entry", "make_record"]
