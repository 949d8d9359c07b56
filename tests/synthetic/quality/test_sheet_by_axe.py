"""The page of a quality sheet by axe-core, light and dark, wide and at 400 px."""

import pytest
from axe import LOOKS, NEEDS_AXE, findings

from tonegap.report.suite_report import publish_suite

pytestmark = NEEDS_AXE


@pytest.mark.parametrize("look", LOOKS)
def test_nothing_serious_is_found_on_a_sheets_page(quality, tmp_path, look):
    plan, _ = quality()
    folder = publish_suite(quality.rooms.root, quality.store.folder, plan.matrix).parent
    (path,) = folder.glob("quality/*.html")
    found = findings({"sheet": path.read_text("utf-8")}, tmp_path / "axe", look)
    assert {place: (of["serious"], of["wide"]) for place, of in found.items()} == {
        ("sheet", 1365): ([], 0),
        ("sheet", 400): ([], 0),
    }
