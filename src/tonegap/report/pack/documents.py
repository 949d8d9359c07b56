"""The documents of a pack: checklists, statistics, references, an artifact's appendix, metadata of a deposit."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tonegap import __version__
from tonegap.declared.checklist import Checklist, Item, read_checklists
from tonegap.declared.plugin import read_plugin
from tonegap.lines import markdown_text
from tonegap.report.answer_text import answer
from tonegap.report.claims_text import claim_lines, claims_about, claims_header
from tonegap.report.pack.answers import ANSWERS, answers_of
from tonegap.report.pack.source import REPORT, Answer, PackSource
from tonegap.report.phrases import table_name
from tonegap.report.references import SOFTWARE, WORK, bibtex
from tonegap.report.text_table import table_grid
from tonegap.scores.tables import metric_named

_FILLED, _AUTHOR, _NONE = "filled", "author must write", "not applicable"


def documents(results: PackSource) -> tuple[dict[str, bytes], str]:
    """Each document by its path in the pack, and in words how many items of checklists are filled.

    Raises BadSuiteFolder for a wrong checklist or folder of the suite root.
    """
    known = answers_of(results)
    checklists = read_checklists(results.source.root, frozenset(ANSWERS))
    states = {name: [_state(item, known) for item in one.items] for name, one in checklists.items()}
    texts = {f"{name}.md": _checklist(one, known) for name, one in checklists.items()}
    texts["README.md"] = _index(results, checklists, states)
    texts["statistics.md"] = _statistics(results)
    texts["artifact.md"] = _artifact(results, known)
    texts["references.bib"] = "\n".join(_references(results, checklists))
    texts[".zenodo.json"] = _zenodo(results)
    n = Counter(state for found in states.values() for state in found)
    said = f"{n[_FILLED]} items filled, {n[_AUTHOR]} left to the author, {n[_NONE]} not applicable"
    return {path: text.encode() for path, text in texts.items()}, said


def markdown_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of cells that are Markdown already."""
    return "\n".join(f"| {' | '.join(line)} |" for line in [header, ["---"] * len(header), *rows])


def _state(item: Item, known: Mapping[str, list[Answer]]) -> str:
    if item.none:
        return _NONE
    found = [one for name in item.answers for one in known[name]]
    return _FILLED if found and not any(one.missing for one in found) else _AUTHOR


def _checklist(checklist: Checklist, known: Mapping[str, list[Answer]]) -> str:
    parts = [f"# {checklist.title}", checklist.about, checklist.cite]
    for item in checklist.items:
        parts.append(f"## {item.id}: {item.topic}")
        found = [one for name in item.answers for one in known[name]]
        if found:
            lines = [
                f"- {'*Author must write*: ' if one.missing else ''}{markdown_text(one.text)} [→]({one.link})"
                for one in found
            ]
            parts.append("\n".join(lines))
        elif item.none:
            parts.append(f"*Not applicable*: {item.none}.")
        else:
            parts.append(f"*Author must write*: {item.author or 'the results say nothing of it'}.")
    return "\n\n".join(parts) + "\n"


def _index(
    results: PackSource, checklists: Mapping[str, Checklist], states: Mapping[str, list[str]]
) -> str:
    rows = [
        (
            f"[{one.title}]({name}.md)",
            *(str(states[name].count(s)) for s in (_FILLED, _AUTHOR, _NONE)),
        )
        for name, one in checklists.items()
    ]
    others = {
        f"{REPORT}/index.html": "the report: leaderboard, entries, methods, papers' tables",
        f"{REPORT}/leaderboard.tex": "the leaderboard as LaTeX",
        "statistics.md": "what to write under statistics, and each table with intervals",
        "artifact.md": "an artifact's appendix: what it is, what it needs, how to check it",
        "references.bib": "the works used",
        ".zenodo.json": "metadata of a deposit; add authors",
        f"{REPORT}/croissant": "each task in Croissant, with the responsible-AI fields",
        results.bundle: "all records, predictions and truth: `tonegap verify` computes every number again",
    }
    listed = "\n".join(f"- [{path}]({path}): {about}" for path, about in others.items())
    title = markdown_text(results.board.settings.title or results.suite)
    return (
        f"# Submission pack: {title}\n\nMade from the results alone. `tonegap verify` of this folder makes every "
        "document again and names the one that differs, so write your own words into copies.\n\n"
        f"{markdown_table(('checklist', _FILLED, _AUTHOR, _NONE), rows)}\n\n{listed}\n"
    )


def _statistics(results: PackSource) -> str:
    parts = ["# Statistics"]
    for table in results.tables:
        parts += [
            f"## {markdown_text(table_name(table))}",
            markdown_text(" ".join(answer(results.board, table))),
        ]
        grid = table_grid(results.board, table)
        rows = [tuple(cell.text for cell in row) for row in (*grid.rows, *grid.controls)]
        parts.append(markdown_table(grid.header, [tuple(map(markdown_text, row)) for row in rows]))
        claims = results.board.claims_of(table)
        if claims is not None:
            lines = [(line.label, *line.cells) for line in claim_lines(claims)]
            lines = [tuple(map(markdown_text, line)) for line in lines]
            parts.append(markdown_table(("Entry", *claims_header(claims)), lines))
            parts.append(markdown_text(claims_about(claims)))
    return "\n\n".join(parts) + "\n"


def _artifact(results: PackSource, known: Mapping[str, list[Answer]]) -> str:
    def said(*names: str) -> str:
        return "\n".join(f"- {markdown_text(one.text)}" for name in names for one in known[name])

    return f"""# Artifact appendix

## What it is

The results of the suite `{results.suite}` of tonegap {__version__} as a bundle that verifies, and its report.

{said("question")}

## What it needs

{said("software", "cost", "access")}

## How to check it

```console
$ tonegap verify {results.bundle}
$ tonegap report {results.bundle} --out pages
```

The first computes every number again from the predictions; it needs no data set and no GPU. {len(results.records):,}
records are expected.

{_anew(results)}

## What is expected

{said("results")}

## Limits

{said("limitations")}
"""


def _anew(results: PackSource) -> str:
    """The commands that train and score each entry again, and what a reader has to add to them."""
    found = results.again
    commands = [again.command for again in found.values() if again.command]
    remarks = dict.fromkeys(remark for again in found.values() for remark in again.remarks)
    lost = [f"{name}: {again.why_not}" for name, again in found.items() if again.why_not]
    n_without = sum(len(table.all_rows) for table in results.tables) - len(found)
    if n_without:
        lost.append(
            f"{n_without} entries have no page here, so no command; the records in the bundle say how they ran"
        )
    listed = "\n".join(f"$ {command}" for command in commands)
    parts = [
        f"These train and score each entry anew, from this folder:\n\n```console\n{listed}\n```"
        if commands
        else "",
        "\n".join(f"- {markdown_text(line)}" for line in (*remarks, *lost)),
    ]
    return "\n\n".join(filter(None, parts))


# What metrics and the note on tones name in short.
_SHORT = {
    "Groh et al. 2021": "Groh et al. 2021, Evaluating Deep Neural Networks Trained on Clinical Images in Dermatology "
    "with the Fitzpatrick 17k Dataset, CVPR Workshops, arXiv 2104.09957",
    "scikit-learn": "Pedregosa et al. 2011, Scikit-learn: Machine Learning in Python, JMLR 12:2825-2830",
    "fairlearn": "Weerts et al. 2023, Fairlearn: Assessing and Improving Fairness of AI Systems, JMLR 24(257):1-8",
}


def _references(results: PackSource, checklists: Mapping[str, Checklist]) -> Iterator[str]:
    """An entry of BibTeX for each work that data sets, tasks, plug-ins and checklists name, and for tonegap."""
    yield SOFTWARE
    yield from bibtex(dict.fromkeys(_works(results, checklists)))


def _works(results: PackSource, checklists: Mapping[str, Checklist]) -> Iterator[str]:
    yield from (d.file.source.strip() for d in results.datasets if d.file.drawn is None)
    yield from (task.file.paper for task in results.tasks.values() if task.file.paper)
    entries = {row.entry for table in results.tables for row in table.all_rows}
    for kind, name in sorted({pair for entry in entries for pair in entry.plugins.items()}):
        if paper := read_plugin(results.source.root, kind, name).file.paper:
            yield paper
    yield from (checklist.cite for checklist in checklists.values())
    settings = results.board.settings
    sources = [metric_named(name).source for name in settings.metrics]
    named = (re.sub(r" \((\w+)\)(?=,|$)", r", \1", source) for source in sources)
    yield from (work for work in named if WORK.match(work))
    cited = " ".join([*sources, settings.tone_note])
    yield from (work for short, work in _SHORT.items() if short in cited)


def _zenodo(results: PackSource) -> str:
    said = {
        "title": f"Results of the tonegap suite {results.suite}",
        "upload_type": "dataset",
        "description": "Records, predictions, truth and report; tonegap verify computes every number again. "
        + " ".join(f"{d.file.title}: {d.file.licence.strip()}." for d in results.datasets),
        "keywords": ["dermatology", "fairness", "skin tone", "benchmark", "reproducibility"],
        "creators": [],
        "notes": "Add creators and a licence that the data sets' terms allow.",
    }
    return json.dumps(said, indent=1, ensure_ascii=False) + "\n"
