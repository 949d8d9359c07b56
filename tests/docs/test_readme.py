"""README, CI and the citation say the same as the project."""

import re

from pages import ROOT, Page

import tonegap
from tonegap.declared.task import task_ids

README = Page("README.md")


def test_ci_runs_the_readmes_test_command():
    tests = [command.text for command in README.commands if command.text.endswith("/tox")]
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert len(tests) == 1
    assert tests[0] in script


def test_the_readme_counts_tasks_right():
    counted = re.search(r"tonegap list tasks +# (\d+) questions", README.text)
    assert counted is not None
    assert int(counted[1]) == len(task_ids(ROOT))


def test_the_citation_names_this_version():
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {tonegap.__version__}\n" in citation


def test_the_changelog_begins_with_this_version():
    versions = re.findall(r"^## (\d+\.\d+\.\d+)", Page("CHANGELOG.md").text, re.M)
    assert versions[0] == tonegap.__version__


def test_the_readmes_bibtex_names_this_version():
    assert f"version = {{{tonegap.__version__}}}" in README.text


def test_security_says_which_version_gets_fixes():
    minor = ".".join(tonegap.__version__.split(".")[:2])
    assert f"newest minor version (now {minor})" in Page("SECURITY.md").text
