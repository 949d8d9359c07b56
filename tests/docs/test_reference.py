"""The reference of TOML keys is what the code reads."""

from types import ModuleType

import msgspec
import pytest
from toml_reference import PAGE, meanings, reference

from tonegap.declared import dataset, split_rules, suite, task


def test_the_page_is_made_from_the_schemas() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference() + "\n", (
        "run: python tests/support/toml_reference.py"
    )


@pytest.mark.parametrize("module", [dataset, split_rules, suite, task], ids=lambda m: m.__name__)
def test_every_key_says_what_it_means(module: ModuleType) -> None:
    structs = [
        found
        for found in vars(module).values()
        if isinstance(found, type)
        and issubclass(found, msgspec.Struct)
        and found.__module__ == module.__name__
    ]
    silent = [
        f"{struct.__name__}.{name}"
        for struct in structs
        for name in struct.__struct_fields__
        if not meanings(struct).get(name)
    ]
    assert structs
    assert silent == []
