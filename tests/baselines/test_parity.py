"""The certificates of parity: none claims what was not run, and the script knows those that it repeats."""

import ast
import re
import tomllib

import pytest

from tonegap.declared.plugin import plugin_ids

from ..plugins.conftest import ROOT

FILES = {path.stem: tomllib.loads(path.read_text()) for path in (ROOT / "parity").glob("*.toml")}
KEYS = {"state", "upstream", "commit", "differences", "compared"}


def _script() -> set[str]:
    tree = ast.parse((ROOT / "parity" / "compare.py").read_text())
    (table,) = (
        n.value for n in tree.body if isinstance(n, ast.AnnAssign) and n.target.id == "COMPARISONS"
    )
    return {key.value for key in table.keys}


@pytest.mark.parametrize("name", FILES)
def test_a_certificate_says_what_was_compared_or_that_nothing_was(name: str) -> None:
    found = FILES[name]
    assert set(found) <= KEYS
    assert (found["state"] == "compared") == bool(found.get("compared"))
    assert found["state"] in {"compared", "not compared"}
    assert bool(found["upstream"]) == bool(re.fullmatch(r"[0-9a-f]{8,40}", found["commit"]))
    for each in found.get("compared", []):
        assert each["verdict"] in {"equal", "differs"}
        assert each["what"]
        assert each["largest_difference"] >= 0
        # Equal is rounding; what differs says why.
        assert each["verdict"] == "differs" or each["largest_difference"] < 1e-5
        assert each["verdict"] == "equal" or each["why"]


def test_every_certificate_is_of_a_baseline() -> None:
    assert set(FILES) <= set(plugin_ids(ROOT, "baseline"))


def test_the_script_repeats_every_certificate_that_says_so() -> None:
    says = {
        name
        for name in FILES
        if f"compare.py CLONES {name}`" in (ROOT / "parity" / f"{name}.toml").read_text()
    }
    assert says == _script()
    by_hand = {name for name, found in FILES.items() if found["state"] == "compared"} - says
    assert all("by hand" in (ROOT / "parity" / f"{name}.toml").read_text() for name in by_hand)
