"""Writes what a plug-in of an entry is, by its own file, and what it did in this report: `methods/NAME.html`.

The mistake it exists to prevent: a name in a table that stands for settings nobody can look up.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tonegap.declared.paper import PaperFile, PaperRow
from tonegap.declared.parity import read_parity
from tonegap.declared.plugin import FOLDERS, ParameterSpec, PluginFile, plugin_ids, read_plugin
from tonegap.errors import BadSuiteFolder
from tonegap.formats.record import Record, StageCost
from tonegap.report.exports.protocol import File
from tonegap.report.pages.links import CARDS, ENTRIES, card_name, entry_pages
from tonegap.report.pages.paper_page import FOLDER as PAPERS
from tonegap.report.pages.templates import render_template
from tonegap.report.phrases import spelled, table_title
from tonegap.report.references import bibtex, linked
from tonegap.results.board import Leaderboard
from tonegap.results.costs import TotalCost, cost_of_stages, costs_by_key
from tonegap.store.source import ResultSource

_TEMPLATE = "method.html.j2"
_NEEDS = {
    "gpu": "a GPU",
    "masks": "lesion masks",
    "skin_masks": "skin in them beside the lesion",
    "tone_in_training": "the tones of training images",
    "tone_at_test": "the tones of test images",
    "two_classes": "a task of two classes, one of them positive",
    "skin_types": "tones of the Fitzpatrick scale",
}


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:
    """The card of every plug-in of entries; none without a source. Raises BadSuiteFolder for a wrong template."""
    if source is None:
        return
    papers = {compared.key: compared.paper for compared in board.papers}
    for kind, plugin_id in cards_of(board):
        file, missing = _declared(source.root, kind, plugin_id)
        parity = read_parity(source.root, plugin_id) if kind == "baseline" else None
        values = card_values(board, kind, plugin_id, file, papers)
        values |= {"missing": missing, "parity": parity}
        page = render_template(board.settings, _TEMPLATE, values)
        yield f"{CARDS}/{card_name(kind, plugin_id)}.html", [page.encode()]


def cards_of(board: Leaderboard) -> tuple[tuple[str, str], ...]:
    """Kind and id of every plug-in of a report's entries: methods, then baselines, then post-processors, by name."""
    entries = {row.entry for table in board.tables for row in table.all_rows}
    found = {pair for entry in entries for pair in entry.plugins.items()}
    kinds = list(FOLDERS)
    return tuple(sorted(found, key=lambda pair: (kinds.index(pair[0]), pair[1])))


def card_values(
    board: Leaderboard,
    kind: str,
    plugin_id: str,
    file: PluginFile | None,
    papers: Mapping[str, PaperFile],
) -> dict[str, object]:
    """What the template reads of a plug-in that entries of this report use; `kind` is that of an entry's part.

    `file` is what its folder declares, None where there is none; `papers` are those of the report by key.
    """
    rows = [
        (table, row)
        for table in board.tables
        for row in table.all_rows
        if row.entry.plugins.get(kind) == plugin_id
    ]
    records = [record for _, row in rows for record in row.records]
    pages = {id(table): entry_pages(board, table) for table, _ in rows}
    entries = [
        (table, row, f"../{ENTRIES}/{name}.html" if name else "")
        for table, row in rows
        # A row with a result and without a page is counted, and in the report's table.
        if (name := pages[id(table)].get(row.entry)) or not row.records
    ]
    parameters = list(_parameters(file, kind, records)) if file else []
    return {
        "kind": kind,
        "id": plugin_id,
        "title": file.title if file else plugin_id,
        "about": file.about if file else "",
        "facts": [(n, list(linked(text))) for n, text in _facts(file, kind, plugin_id)],
        "bibtex": "".join(bibtex([file.paper])) if file and file.paper else "",
        "parameters": [p for p in parameters if not _as_published(*p[:2])],
        "as_published": [p for p in parameters if _as_published(*p[:2])],
        "costs": _costs(records, f"{FOLDERS[kind]}/{plugin_id}"),
        "entries": entries,
        "n_more": len(rows) - len(entries),
        "reported": list(_reported(papers, kind, plugin_id)),
        "stamps": board.stamps,
        "table_title": table_title,
        "rank_mean": board.rank_mean,
    }


def _declared(root: Path, kind: str, plugin_id: str) -> tuple[PluginFile | None, str]:
    """Its file, or why there is none: a report outlives the plug-ins of its records, and others have their own."""
    if plugin_id not in plugin_ids(root, kind):
        where = f"{FOLDERS[kind]}/{plugin_id}"
        return None, f"{where} is not in this suite: removed, or part of an external submission."
    try:
        return read_plugin(root, kind, plugin_id).file, ""
    except BadSuiteFolder as e:
        why = str(e).replace(f"{root}/", "")
        return None, f"What its folder says of it cannot be read: {why}."


def _facts(file: PluginFile | None, kind: str, plugin_id: str) -> Iterator[tuple[str, str]]:
    yield "Folder", f"{FOLDERS[kind]}/{plugin_id}"
    if file is None:
        return
    yield "Paper", file.paper or "none"
    yield "Needs", ", ".join(_NEEDS.get(need, need) for need in file.needs) or "nothing special"
    yield "Stages", ", ".join(file.stages) or "none: nothing has to run for it"
    if file.control:
        yield "Control", "the others are read against it; never ranked"
    if file.command:
        yield "Command", " ".join(file.command)
    if file.resumable:
        yield "Resumable", "from its last checkpoint when it was stopped"


def _parameters(
    file: PluginFile, kind: str, records: Sequence[Record]
) -> Iterator[tuple[str, ParameterSpec, str]]:
    """Each parameter, and the values other than its default that ran here."""
    used: dict[str, dict[str, None]] = {}
    for record in records:
        for name, value in record.plugin_parameters[kind].items():
            used.setdefault(name, {})[spelled(value)] = None
    for name, spec in file.parameters.items():
        others = (value for value in used.get(name, {}) if value != spelled(spec.default))
        yield name, spec, "; ".join(others)


def _as_published(name: str, spec: ParameterSpec) -> bool:
    """Whether a parameter is there to do what published code does, in its own words."""
    return "published" in f"{name} {spec.about} {spec.source}"


def _costs(records: Sequence[Record], label: str) -> dict[str, TotalCost]:
    """What each stage of the plug-in took; one that several entries share counts once."""
    own = {stage.key for record in records for stage in record.stages if stage.plugin == label}
    found: dict[str, list[StageCost]] = {}
    for key, cost in costs_by_key(records).items():
        if key in own:
            found.setdefault(cost.stage, []).append(cost)
    return {stage: cost_of_stages(costs) for stage, costs in found.items()}


def _reported(
    papers: Mapping[str, PaperFile], kind: str, plugin_id: str
) -> Iterator[tuple[str, str, str, str, list[tuple[str, str]]]]:
    """Rows of papers that an entry of this plug-in answers; a baseline's only without a method.

    Each is the paper's page and title, the titles of table and row, and the reported cells with their columns.
    """
    without = PaperRow("", ()).method
    for key, paper in papers.items():
        for table in paper.tables:
            for row in table.rows:
                named = {"method": row.method, "baseline": row.baseline}.get(kind)
                if (
                    not row.baseline
                    or named != plugin_id
                    or (row.method == without) == (kind == "method")
                ):
                    continue
                cells = zip(table.columns, row.printed, strict=False)
                known = [(c.name, "not known" if n == "?" else n) for c, n in cells if n]
                yield f"../{PAPERS}/{key}.html", paper.title, table.title, row.name, known
