"""The page of keys names every key and rule that a task's or suite's file may have."""

from typing import get_args

import msgspec
import pytest
from pages import Page

from tonegap.declared.split_rules import SplitRule, ValidationRule
from tonegap.declared.suite import EntryRows, Limits, QualitySpec, SuiteFile
from tonegap.declared.task import Labels, LeakRules, ScoreSettings, SelectionRule, TaskFile, Tones

PAGE = Page("docs/keys.md").text
NESTED = {
    "labels": Labels,
    "tones": Tones,
    "selection": SelectionRule,
    "scores": ScoreSettings,
    "leaks": LeakRules,
}
RULES = [*get_args(SplitRule), *get_args(ValidationRule)]


def missing(names):
    return [name for name in names if f"`{name}`" not in PAGE]


def test_every_key_of_a_task_is_there():
    names = [name for name in TaskFile.__struct_fields__ if name not in NESTED]
    names += [f"{key}.{name}" for key, kind in NESTED.items() for name in kind.__struct_fields__]
    assert missing(names) == []


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_is_there_with_its_keys(rule):
    tag = msgspec.inspect.type_info(rule).tag
    row = next(line for line in PAGE.splitlines() if line.startswith(f"| `{tag}` |"))
    keys = [name for name in rule.__struct_fields__ if name != "seeds"]
    assert [name for name in keys if f"`{name}`" not in row] == []


def test_every_key_of_a_suite_is_there():
    kinds = (SuiteFile, EntryRows, Limits, QualitySpec)
    assert missing(name for kind in kinds for name in kind.__struct_fields__) == []
