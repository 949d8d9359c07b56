"""Records and cells by hand, as the tests of reports have them."""

from tests.report.conftest import cell, entry, hole, make_record, settings

__all__ = ["cell", "entry", "hole", "make_record", "settings"]
