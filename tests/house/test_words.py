"""Retired words stay retired: code, pages and docs use the words that a reader of the papers searches for."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A retired phrase as a pattern on text with single spaces, and the word that took its place.
RETIRED = {
    r"is taken for what": "confusion matrices",
    r"as sure as it is": "calibration",
    r"how sure": "uncertainty, interval",
    r"called positive|called negative|called so": "predicted positive, TP, FN, TN, FP",
    r"false alarms?": "FP, false positive rate",
    r"what it takes": "cost",
    r"from where it was stopped": "resumable",
    r"dealt anew|dealt tones|dealt_tones|tones were alike|tones dealt": "permuted tone labels, null gap",
    r"smallest detectable": "minimum detectable difference",
    r"(?:told|tells?|telling|set) (?:\w+ ){0,2}apart": "significantly different, distinguished",
    r"cannot be told from|cannot tell it from": "statistically tied",
    r"(?:in|into|of) (?:a |one |rank |different )?bands?|rank bands?|has no band": "tie group",
    r"oracle − validation|oracle - validation": "under test-oracle selection",
    r"uncontained": "without container",
    r"walls|walled|(?:a|every|no) wall(?! behind)": "sandbox",
    r"(?:results?|predictions) of others": "external submissions, external predictions",
    r"last words": "last line of its log",
    r"(?<!individual )typology angle": "individual typology angle (ITA)",
    r"printed (?:numbers?|values?|cells?|tables?|against|beside|in papers)": "reported",
    r"(?<!make )(?<!no )(?<!less )(?<!take )(?<!takes )(?<!has )(?<!have )(?<!had )(?<!without )"
    "rooms?": "suite folders, plug-in folders",
    r"cells? (?:missing|finished|to score|has a record)": "runs (entry, task, seed)",
    r"\d cells, \d|declared cells?|another cell s record": "runs (entry, task, seed)",
    r"drawn (?:images?|stand-ins?|skin|pictures?)|drawings": "synthetic phantom; sampled; plotted",
    r"dealt": "permuted",
    r"kin": "withheld copies",
    r"shel(?:f|ved)": "submissions",
    r"thinned|carved|carves": "subsample, validation hold-out",
    r"(?:a|the|one|each|same) cells? (?:of that (?:record )?key|s record)": "runs (entry, task, seed)",
    r"images? (?:is|are|were) drawn|drawn anew|drawn by (?:class|tone|how)": "sampled",
}

# (file, the start of what was found): why it stays.
EXCEPTIONS: dict[tuple[str, str], str] = {}


def plain(text: str) -> str:
    """The text with single spaces, its pieces of strings and comments joined, so that a line break hides nothing."""
    joined = re.sub(r"[\"']\s+f?[\"']", "", text)
    return re.sub(r"[\s\"'`*#’]+", " ", joined)


def retired(text: str) -> list[str]:
    """Retired phrases in a text, each with the words around it."""
    shown = plain(text)
    return [
        shown[max(0, match.start() - 30) : match.end() + 30] + f" [{pattern} → {word}]"
        for pattern, word in RETIRED.items()
        for match in re.finditer(rf"(?<![\w/.-])(?:{pattern})(?![\w/])", shown, re.IGNORECASE)
    ]


def pages() -> list[Path]:
    """What a user or a newcomer reads. Decisions tell history and the changelog names old words, so neither is here."""
    found = [*(ROOT / "src" / "tonegap").rglob("*.py"), *(ROOT / "reports/templates").iterdir()]
    found += [*(ROOT / "docs").glob("*.md"), *ROOT.glob("*/README.md"), ROOT / "docker/CONTRACT.md"]
    found += (ROOT / "docker" / "kit").rglob("*.py")
    for kind in ("methods", "baselines", "postprocessors", "extractors"):
        found += [path for end in ("py", "toml", "md") for path in ROOT.glob(f"{kind}/*/*.{end}")]
    return sorted({*found, ROOT / "README.md", ROOT / "CONTRIBUTING.md"})


def excepted(path: str, found: str) -> bool:
    return any(path == file and words in found for file, words in EXCEPTIONS)


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_retired_word_is_used(path):
    name = path.relative_to(ROOT).as_posix()
    found = retired(path.read_text(encoding="utf-8"))
    assert [words for words in found if not excepted(name, words)] == []


@pytest.mark.parametrize(
    "line",
    [
        "<h2>What is taken for what</h2>",
        '"two entries that cannot be told "\n    "apart"',
        '"two entries that cannot be told "\n    f"apart {n}"',
        "# called\n# so",
        "the rooms of a suite",
        "3 of 14 cells missing",
        "its last words: out of memory",
        "a *typology angle*",
        "marked uncontained",
    ],
)
def test_a_retired_word_would_be_found(line):
    assert len(retired(line)) == 1


@pytest.mark.parametrize(
    "line",
    [
        "make room or choose another place",
        "a lesion that has room on it",
        "its individual typology angle (ITA)",
        "rooms/check.py",
    ],
)
def test_a_word_that_only_looks_like_one_is_not_found(line):
    assert retired(line) == []


def test_every_exception_is_needed():
    stale = [
        (file, words)
        for file, words in EXCEPTIONS
        if not any(words in found for found in retired((ROOT / file).read_text(encoding="utf-8")))
    ]
    assert stale == []


_RIDDLES = re.compile(r"(?:What|How|Whether|Why|Where|Which|Who)\b")
MODULES = sorted((ROOT / "src" / "tonegap").rglob("*.py"))


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_says_in_a_sentence_what_it_does(path):
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    assert not _RIDDLES.match(said)


def test_a_clause_without_a_verb_would_be_found():
    assert _RIDDLES.match("What somebody sent, checked.")
    assert not _RIDDLES.match("Whatever comes is checked.")
