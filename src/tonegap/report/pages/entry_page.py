"""Writes one entry on one task as a page: scores by tone with intervals, confusion, calibration, how to run it.

Beside `entries/NAME.html` lies `entries/NAME.toml`, the suite file that runs it again. The mistake it exists to
prevent: a rank that nobody looks behind.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from tonegap.declared.plugin import plugin_ids, read_plugin
from tonegap.errors import BadRequest, BadSuiteFolder
from tonegap.report.claims_text import interval_words, minimum_difference_text, seeds_note
from tonegap.report.exports.protocol import File
from tonegap.report.pages.entry_suite import Given, Reproduction, given_paths, reproduction
from tonegap.report.pages.links import (
    CARDS,
    COMPARE,
    ENTRIES,
    SETS,
    card_name,
    entry_pages,
    page_name,
    pair_links,
    sheet_page,
)
from tonegap.report.pages.missed import Gallery
from tonegap.report.pages.record_summary import Facts, cost_of, facts_of, parameter_rows
from tonegap.report.pages.templates import render_template
from tonegap.report.phrases import (
    LEAST_P,
    UNDEFINED,
    metric_label,
    null_p_text,
    percent,
    ranking_rule,
    spread_words,
    table_title,
)
from tonegap.report.references import SOFTWARE, bibtex
from tonegap.report.table_notes import images_note
from tonegap.results.answers import kept_answers, kept_epochs
from tonegap.results.board import Leaderboard
from tonegap.results.entry_answers import EntryAnswers, Readers, entry_answers
from tonegap.results.model import MARKS, LeaderboardTable, Mean, MeanScores, Row
from tonegap.results.nulls import both_nulls
from tonegap.scores.evidence.intervals import Interval
from tonegap.scores.evidence.missed_images import N_LISTED
from tonegap.scores.evidence.nulls import N_PERMUTATIONS
from tonegap.scores.evidence.parity import Parity
from tonegap.scores.evidence.tone_counts import Confusion, Reliability
from tonegap.scores.tables import ALL, GAP, N_BINS, WORST, metric_named
from tonegap.store.source import ResultSource

_TEMPLATE = "entry.html.j2"
MATRIX_UP_TO = 12  # classes; of more the most frequent confusions are listed
N_CONFUSIONS = 10


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:
    """The pages of all entries that have one; none without a source.

    Raises StoreError for damaged files, BadSuiteFolder for a wrong template.
    """
    if source is None:
        return
    paged = [(table, entry_pages(board, table)) for table in board.tables]
    rows = [(table, row) for table, pages in paged for row in table.all_rows if row.entry in pages]
    yield from files_of(board, rows, source, lambda _: True)


def files_of(
    board: Leaderboard,
    rows: Iterable[tuple[LeaderboardTable, Row]],
    source: ResultSource,
    is_there: Callable[[str], bool],
) -> Iterator[File]:
    """The files of some rows that have a record each; `is_there`: whether the report has a page of that path."""
    readers = Readers(
        kept_answers(source.store, board.settings.selection), kept_epochs(source.store), source
    )
    given: Given | None = None
    gallery = Gallery(source.root, source.store)
    for table, row in rows:
        given = given_paths(source.root) if given is None else given
        name, kept = page_name(table, row), entry_answers(board, table, row, readers)
        again = reproduction(row, f"{name}.toml", kept.setting, given)
        values = _values(kept, again, is_there) | {
            "name": name,
            "bibtex": _bibtex(kept, source.root),
        }
        if kept.said:
            values["shown"] = gallery.shown(row.records[0].data, kept.said.missed)
        page = render_template(board.settings, _TEMPLATE, values)
        yield f"{ENTRIES}/{name}.html", [page.encode()]
        if again.suite:
            yield f"{ENTRIES}/{name}.toml", [again.suite.encode()]


def rows_named(board: Leaderboard, label: str) -> list[tuple[LeaderboardTable, Row]]:
    """Every row of that label with a result, one for each task that has it; spaces and case do not matter.

    Raises BadRequest where there is none, naming the labels most like it, or saying why it has no result.
    """

    def plain(label: str) -> str:
        return "".join(label.lower().split())

    rows = [(table, row) for table in board.tables for row in table.all_rows]
    found = [(table, row) for table, row in rows if plain(row.entry.label) == plain(label)]
    if not found:
        labels = dict.fromkeys(row.entry.label for _, row in rows)
        near = difflib.get_close_matches(label, labels, n=3, cutoff=0.4)
        known = f"most like it: {', '.join(near)}" if near else f"there are {len(labels)}"
        raise BadRequest(f"--entry {label}: no entry of that label in this report; {known}")
    finished = [(table, row) for table, row in found if row.records]
    if not finished:
        why = next(seed.hole.text for seed in found[0][1].seeds if seed.hole)
        raise BadRequest(f"--entry {label}: no seed of it has a result: {why}")
    return finished


def _values(
    kept: EntryAnswers, again: Reproduction, is_there: Callable[[str], bool]
) -> dict[str, object]:
    """What the template reads."""
    row, table = kept.row, kept.table
    selection, axis, metric = table.ranked
    view = {m: row.views[key] for m in table.metrics if (key := (selection, axis, m)) in row.views}
    classes, said = kept.question.classes, kept.said
    many = len(classes) > MATRIX_UP_TO
    found = said.reliabilities if said else ()
    return {
        "kept": kept,
        "said": said,
        "intervals": said.intervals if said else {},
        "stamps": kept.board.stamps,
        "title": row.entry.label,
        "task": table_title(table).replace(" [stand-in images]", ""),
        "images_note": images_note(table),
        "marks": {mark: MARKS[mark] for mark in row.marks},
        "answer": _answer(kept),
        "metric": metric,
        "scores": row.views[table.ranked].scores,
        "by_metric": {name: view[name].scores for name in view},
        "per_tone": [name for name in view if metric_named(name).per_tone],
        "gap": gap_sentence(kept),
        "nulls": null_rows(kept),
        "many_classes": many,
        "frequent": frequent_confusions(said.confusions, classes) if said and many else (),
        "reliabilities": found,
        "bins": bins_table(found, kept.question.min_support),
        "calibration_errors": calibration_errors(kept),
        "n_bins": N_BINS,
        "n_permutations": N_PERMUTATIONS,
        "least_p": LEAST_P,
        "n_listed": N_LISTED,
        "facts": circumstances(kept),
        "parameters": parameter_rows(row.records),
        "links": _links(kept, is_there),
        "again": again,
        "keyed": lambda of: _by_tone(kept, of),
        "intervals_of": lambda name: _intervals(kept, name),
        "seeds_note": seeds_note,
    }


def _intervals(kept: EntryAnswers, metric: str) -> dict[str, Interval]:
    """The intervals of one metric, by tone, `all`, `worst` or `gap`."""
    found = kept.said.intervals.items() if kept.said else ()
    return {score: interval for (name, score), interval in found if name == metric}


def _by_tone(kept: EntryAnswers, scores: MeanScores) -> list[tuple[str, Mean | None]]:
    """Each tone of the axis that ranks, and its score; None for a metric that compares the tones."""
    return list(zip(kept.axis.tones, scores.tones or (None,) * len(kept.axis.tones), strict=True))


def _links(kept: EntryAnswers, is_there: Callable[[str], bool]) -> dict[str, object]:
    """Where the page leads, of what is there: paths from its folder, empty where there is no such page."""
    entry, behind = kept.row.entry, kept.row.entry.postprocessor
    stages = {stage.key for record in kept.row.records for stage in record.stages}
    claims = kept.board.claims_of(kept.table)
    pair = pair_links(kept.board, claims).get(entry.label) if claims else None

    def link(path: str) -> str:
        return f"../{path}" if is_there(path) else ""

    sets = [
        (link(f"{SETS}/{sheet_page(made)}.html"), f"{made.label}, seed {made.seed}")
        for made in kept.board.sheets
        if made.sheet and made.sheet.set.stage in stages
    ]
    return {
        "report": link("index.html"),
        "method": link(f"{CARDS}/{card_name('method', entry.method)}.html"),
        "baseline": link(f"{CARDS}/{card_name('baseline', entry.baseline)}.html"),
        "postprocessor": behind and link(f"{CARDS}/{card_name('postprocessor', behind)}.html"),
        "compared": f"../{pair}" if pair and is_there(COMPARE) else "",
        "sets": [(path.removesuffix(".html"), label) for path, label in sets if path],
    }


def _bibtex(kept: EntryAnswers, root: Path) -> str:
    """BibTeX of tonegap and of the papers of the entry's plug-ins that are declared here."""
    works = []
    for kind, plugin_id in kept.row.entry.plugins.items():
        if plugin_id in plugin_ids(root, kind):
            with suppress(BadSuiteFolder):  # the plug-in's page says what is wrong with it
                works.append(read_plugin(root, kind, plugin_id).file.paper)
    return "\n".join([SOFTWARE, *bibtex(filter(None, works))])


def _answer(kept: EntryAnswers) -> list[str]:
    """Rank, worst tone and gap in sentences, or why there is none of them."""
    row, table = kept.row, kept.table
    metric = table.ranked[2]
    scores = row.views[table.ranked].scores

    def sentence(what: str, mean: Mean, score: str) -> str:
        between = interval_words(kept.said.intervals.get((metric, score)) if kept.said else None)
        ends = f" (95 % interval {between})" if between else ""
        return f"The {what} is {percent(mean.value)}{ends}."

    found = [_place(kept)]
    if scores.worst is None or scores.gap is None:
        return [*found, sentence(metric_label(metric), scores.overall, ALL)]
    if scores.worst.value is None:
        return [*found, f"Its worst tone and gap are undefined: {scores.worst.reason}."]
    worst = f"{metric_label(metric)} of the worst tone ({'/'.join(scores.worst_at)})"
    found += [
        sentence(worst, scores.worst, WORST),
        sentence("gap between tones", scores.gap, GAP),
    ]
    if "levelling down" in row.marks:
        reference = kept.board.settings.reference.label
        found.append(
            f"The gap is smaller than with {reference}, and so is the worst tone's score: levelling down."
        )
    return found


def _place(kept: EntryAnswers) -> str:
    row, table, rule = kept.row, kept.table, ranking_rule(kept.table)
    if row.rank is None:
        control = f"A control, never ranked (ranks go by {rule})."
        return control if row.control else f"Not ranked: {row.unranked}."
    claims = kept.board.claims_of(table)
    n = claims.n_tied(kept.claims) if claims and kept.claims else 0
    tied = f", in a tie group of {n} that are statistically tied with its best" if n > 1 else ""
    return f"Rank {row.rank} of {table.n_ranked}{tied}, by {rule}."


def gap_sentence(kept: EntryAnswers) -> str:
    """The null gap beside the gap, and the minimum detectable difference of such a test set."""
    claims = kept.claims
    parity, within = both_nulls(claims.nulls, kept.table.ranked[2], GAP) if claims else (None, None)
    if claims is None or parity is None:
        return ""
    text = (
        f"The null gap, with tone labels permuted among the images, is {percent(parity.expected)} on average; "
        f"a gap as large as this has p {null_p_text(parity.p)}"
    )
    if within:
        text += f" (permuted within class: {percent(within.expected)}, p {null_p_text(within.p)}), uncorrected"
    if claims.minimum_detectable_difference is None:
        return f"{text}."
    shown = minimum_difference_text(claims.minimum_detectable_difference)
    return f"{text}. The minimum detectable difference between two tones on such a test set, in points: {shown}."


def null_rows(kept: EntryAnswers) -> list[tuple[str, Mean, Parity, Parity | None]]:
    """Gaps, scores that compare tones and calibration errors, by the rule and on the axis that rank.

    A name, the score, its null and that within class; none without answers.
    """
    selection, axis, _ = kept.table.ranked
    found: list[tuple[str, str, str, Mean]] = []
    for metric in kept.table.metrics:
        view, label = kept.row.views.get((selection, axis, metric)), metric_label(metric)
        if view is None:
            continue
        if view.scores.gap is None:
            found.append((label, metric, ALL, view.scores.overall))
            continue
        found.append((f"{label}, gap", metric, GAP, view.scores.gap))
        if metric == "ece":
            means = [(ALL, view.scores.overall)]
            means += zip(kept.axis.tones, view.scores.tones, strict=False)
            found += [(f"{label}, {t}, of a calibrated model", metric, t, m) for t, m in means]
    nulls = kept.claims.nulls if kept.claims else {}
    both = [(name, mean, *both_nulls(nulls, m, score)) for name, m, score, mean in found]
    return [(name, mean, n, w) for name, mean, n, w in both if n and mean.value is not None]


def frequent_confusions(
    found: Sequence[Confusion], classes: Sequence[str]
) -> tuple[tuple[str, ...], ...]:
    """Rows of tone, true class, predicted class, images, images of the true class."""
    return tuple(
        (one.tone, classes[i], classes[j], f"{one.counts[i][j]:,}", f"{one.n_of(i):,}")
        for one in found
        for i, j in one.frequent(N_CONFUSIONS)
    )


def bins_table(found: Sequence[Reliability], min_support: int) -> tuple[tuple[str, ...], ...]:
    """Rows of a bin and, for each tone, the accuracy (– with too few images) and the number of images."""
    rows = []
    for i in range(N_BINS):
        of_tones = [next((b for b in tone.bins if b.index == i), None) for tone in found]
        if any(of_tones):
            cells = [
                f"{percent(b.accuracy) if b.n >= min_support else UNDEFINED} (n {b.n:,})"
                if b
                else "n 0"
                for b in of_tones
            ]
            rows.append((f"{100 * i / N_BINS:.0f} to {100 * (i + 1) / N_BINS:.0f} %", *cells))
    return tuple(rows)


def calibration_errors(kept: EntryAnswers) -> list[tuple[str, str]]:
    """Each tone of the calibration's axis, and its calibration error or that the report has none."""
    tones = tuple(each.tone for each in kept.said.reliabilities) if kept.said else ()
    axis = next((a for a in kept.table.axes if set(a.tones) == set(tones)), None)
    view = kept.row.views.get((kept.table.ranked[0], axis.name, "ece")) if axis else None
    if axis is None or view is None:
        return [(tone, "not among the report's metrics") for tone in tones]
    errors = dict(zip(axis.tones, view.scores.tones, strict=True))
    return [(tone, percent(errors[tone].value)) for tone in tones]


def circumstances(kept: EntryAnswers) -> Facts:
    """Isolation, hardware and versions, those that differ between seeds beside each other."""
    records = kept.row.records
    # Stages and parameters have tables of their own.
    facts = (pair for pair in facts_of(records) if not pair[0].startswith(("Stages", "Parameters")))
    return (*_submitted(kept), *facts, ("Cost, all seeds", cost_of(records)), *_repeated(kept))


def _submitted(kept: EntryAnswers) -> Iterator[tuple[str, str]]:
    """Whose result an external submission is: its stages have keys `ID:KEY`."""
    keys = {stage.key for record in kept.row.records for stage in record.stages}
    ids = {key.rpartition(":")[0] for key in keys}
    for submitted in kept.board.submissions:
        if submitted.id in ids:
            card = submitted.submission
            named = {"Authors": card.authors, "Their paper": card.paper, "Their code": card.code}
            yield from ((name, text) for name, text in named.items() if text)
            yield "How it came here", f"{submitted.id}: {card.about}"


def _repeated(kept: EntryAnswers) -> Iterator[tuple[str, str]]:
    """How far the first metric spreads from run to run, beside its spread over seeds; nothing without repeats."""
    selection, _, metric = kept.table.ranked
    name, label = f"{selection}: {metric}, {ALL}", metric_label(metric)
    seeds = [s for s in kept.row.seeds if s.repeats and name in s.repeats.scores]
    for seed in seeds:
        if seed.repeats:
            yield f"{label} from run to run, seed {seed.seed}", spread_words(seed.repeats, name)
    overall = kept.row.views[kept.table.ranked].scores.overall
    if seeds and overall.over_seeds is not None:
        n = len(overall.values)
        words = f"{100 * overall.over_seeds:.1f} points (standard deviation of {n} seeds)"
        yield f"{label} from seed to seed", words
