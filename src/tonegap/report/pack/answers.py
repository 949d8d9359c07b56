"""What the results of a suite answer to the items of reporting checklists, each with a link to where it stands.

Links are relative to the pack's folder. An answer that the results do not give is empty; nothing is made up.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from tonegap.declared.dataset import Dataset, read_dataset
from tonegap.declared.task import Task, read_task
from tonegap.formats.record import Record
from tonegap.report.answer_text import answer
from tonegap.report.claims_text import claims_about
from tonegap.report.pages.entry_evidence import stage_setting
from tonegap.report.pages.entry_suite import Reproduction, given_paths, reproduction
from tonegap.report.pages.links import card_name, entry_pages
from tonegap.report.pages.record_facts import synthetic_text
from tonegap.report.phrases import SELECTION_MEANING, metric_label, split_note, table_name
from tonegap.report.power_text import table_reach
from tonegap.report.table_notes import event_note, images_note, ran_note
from tonegap.results.board import Leaderboard
from tonegap.results.model import MARKS, LeaderboardTable
from tonegap.results.tone_labels import SECOND
from tonegap.scores.tables import metric_named
from tonegap.store.source import ResultSource

REPORT = "report"
_ROLES = {"reference", "control"}  # marks that limit nothing


@dataclass(frozen=True, slots=True)
class Answer:
    """A sentence or more, and the file of the pack where what it says can be looked up.

    `missing`: what the results do not say, so that the author must.
    """

    text: str
    link: str
    missing: bool = False


@dataclass(frozen=True)
class PackSource:
    """What answers are taken from: a report's board with its pages, the source of its results, the bundle's name."""

    board: Leaderboard
    source: ResultSource
    bundle: str

    @cached_property
    def tables(self) -> list[LeaderboardTable]:
        """The tables that have a result."""
        return [table for table in self.board.tables if table.question is not None]

    @cached_property
    def tasks(self) -> dict[str, Task]:
        """The declared tasks by id."""
        return {table.task: read_task(self.source.root, table.task) for table in self.tables}

    @cached_property
    def datasets(self) -> list[Dataset]:
        """The data sets of the tasks, each once."""
        names = dict.fromkeys(task.dataset_id for task in self.tasks.values())
        return [read_dataset(self.source.root, name) for name in names]

    @cached_property
    def records(self) -> list[Record]:
        """All records."""
        return [record for table in self.tables for record in _records(table)]

    def section(self, table: LeaderboardTable) -> str:
        """The section of the report's first page that has a table."""
        return _page(f"index.html#t{self.board.tables.index(table) + 1}")

    @property
    def first_run(self) -> str:
        """Where the page of the first entry that has one says what it ran on; the bundle if none has one."""
        pages = (page for table in self.tables for _, page in self.entries(table))
        return next((f"{page}#provenance" for page in pages), self.bundle)

    @property
    def suite(self) -> str:
        """The suite's name."""
        return self.source.suites[0].matrix.suite

    @cached_property
    def again(self) -> dict[str, Reproduction]:
        """How to make each entry that has a page again, by its label and task; commands start from the pack."""
        given, found = given_paths(self.source.root), {}
        for table in self.tables:
            pages = entry_pages(self.board, table)
            for row in table.all_rows:
                if row.entry in pages and row.records:
                    file = f"{REPORT}/entries/{pages[row.entry]}.toml"
                    setting = stage_setting(row.records[0], self.source.mark)
                    name = f"{table_name(table)}: {row.entry.label}"
                    found[name] = reproduction(row, file, setting, given)
        return found

    def entries(self, table: LeaderboardTable) -> list[tuple[str, str]]:
        """(label, page) of the entries of a table that have a page."""
        pages = entry_pages(self.board, table)
        return [
            (row.entry.label, f"{REPORT}/entries/{pages[row.entry]}.html")
            for row in table.all_rows
            if row.entry in pages
        ]


def _records(table: LeaderboardTable) -> Iterator[Record]:
    return (record for row in table.all_rows for record in row.records)


def answers_of(results: PackSource) -> dict[str, list[Answer]]:
    """Every answer by its name; an empty list where the results give none."""
    return {name: list(find(results)) for name, find in ANSWERS.items()}


def _page(path: str = "index.html") -> str:
    return f"{REPORT}/{path}"


def _croissant(task_id: str) -> str:
    return _page(f"croissant/{task_id.replace('/', '-')}.json")


def _by_task(say: Callable[[PackSource, LeaderboardTable], str | None]) -> "Find":
    """An answer of one sentence or more for each task, with the task named."""

    def find(results: PackSource) -> Iterator[Answer]:
        for table in results.tables:
            said = say(results, table)
            if said:
                yield Answer(f"{table_name(table)}: {said}", results.section(table))

    return find


def _by_dataset(say: Callable[[Dataset], str]) -> "Find":
    def find(results: PackSource) -> Iterator[Answer]:
        for dataset in results.datasets:
            task = next(t for t in results.tasks.values() if t.dataset_id == dataset.id)
            text = say(dataset)
            said = f"{dataset.file.title}: {text or 'not declared'}"
            yield Answer(said, _croissant(task.id), missing=not text)

    return find


def _once(
    say: Callable[[PackSource], str], link: Callable[[PackSource], str] | None = None
) -> "Find":
    def find(results: PackSource) -> Iterator[Answer]:
        if text := say(results):
            yield Answer(text, link(results) if link else results.bundle)

    return find


def _question(results: PackSource, table: LeaderboardTable) -> str:
    seeds = sorted({record.seed for record in _records(table)})
    about = results.tasks[table.task].file.about.strip()
    if ran := ran_note(table):
        about = f"{ran} As declared, for the whole task on its own images: {about}"
    return f"{about} These results are of seed{'s' if len(seeds) > 1 else ''} {', '.join(map(str, seeds))}."


def _labels(results: PackSource) -> Iterator[Answer]:
    """The classes, which of them are the event, and who labelled images; missing where that is not declared."""
    for table in results.tables:
        question = table.question
        classes, positive = (question.classes, question.positive) if question else ((), ())
        task = results.tasks[table.task]
        by = next(d for d in results.datasets if d.id == task.dataset_id).file.labelled_by
        said = (
            f"{table_name(table)}: classes {', '.join(classes)}; "
            f"positive: {' or '.join(positive) or 'none declared'}. "
            f"Labelled by: {by or 'not declared'}."
        )
        yield Answer(said, results.section(table), missing=not by)


def _counts(_: PackSource, table: LeaderboardTable) -> str:
    """Images by partition and tone of the first run of each seed."""
    seen: dict[int, Record] = {}
    for record in _records(table):
        seen.setdefault(record.seed, record)
    said = []
    for seed, record in sorted(seen.items()):
        parts = (
            f"{name} {part.n:,} ({', '.join(f'{tone} {n:,}' for tone, n in record.tone_counts(name).items())})"
            for name, part in record.partitions.items()
        )
        said.append(f"seed {seed}: {'; '.join(parts)}")
    return ". ".join(said) + "."


def _eligibility(_: PackSource, table: LeaderboardTable) -> str:
    record = next(_records(table))
    left = [exclusion.text for exclusion in record.data.exclusions]
    if record.n_without_tone:
        left.append(
            f"{record.n_without_tone:,} images of the classes left out, as their tone is unknown"
        )
    ran = ran_note(table)
    if not left and not ran:
        left.append("all images of the declared classes")
    said = f"{'; '.join(left)}." if left else ""
    return " ".join(filter(None, [said, images_note(table), ran]))


def _missing(_: PackSource, table: LeaderboardTable) -> str:
    lost: dict[str, int] = {}
    for record in _records(table):
        for part, n in record.data.missing.items():
            lost[part] = max(n, lost.get(part, 0))
    unknown = max(
        sum(r.tone_counts(name).get("unknown", 0) for name in r.partitions) for r in _records(table)
    )
    files = ", ".join(f"{n:,} {part}" for part, n in lost.items() if n) or "none"
    return f"image files missing: {files}; images in use whose tone is unknown: {unknown:,} (in no score of a tone)."


def _undefined(_: PackSource, table: LeaderboardTable) -> str:
    support = table.question.min_support if table.question else 0
    return f"scores of fewer than {support} test images (for rates, of either kind) are undefined and shown as such."


def _partitions(results: PackSource, table: LeaderboardTable) -> str:
    file = results.tasks[table.task].file
    pinned = f"pinned by SHA-256 for {len(file.pins)} of its seeds" if file.pins else "not pinned"
    paper = f"; as in {file.paper}" if file.paper else ""
    return f"split rule {type(file.split).__struct_config__.tag}, {pinned}{paper}. {file.title}."


def _leaks(_: PackSource, table: LeaderboardTable) -> str:
    record = max(_records(table), key=lambda r: r.leaks.n_test_images)
    n = {name: part.n for name, part in record.partitions.items()}
    groups = [
        leak.text(column, n["test"], n.get("validation", 0))
        for column, leak in record.leaks.groups.items()
    ]
    copies = f"test images with a near-duplicate in training or validation: {record.leaks.n_test_images:,}"
    return ". ".join([copies, *groups, *filter(None, [split_note(table)])]) + "."


def _preparation(_: PackSource, table: LeaderboardTable) -> str:
    sizes = sorted(
        {
            f"{p['image_size_px']} px, {p.get('geometry', '')}"
            for p in (record.baseline_parameters for record in _records(table))
            if "image_size_px" in p
        }
    )
    said = f"images made square at {'; '.join(sizes)}; " if sizes else ""
    return f"{said}the same for every tone; orientation by EXIF applied."


def _predictors(_: PackSource, table: LeaderboardTable) -> str:
    told = sorted({r.entry.label for r in _records(table) if r.tone_at_test})
    tone = (
        f"the tone is told to {', '.join(told)} at test time"
        if told
        else "the tone is never told at test time"
    )
    return f"the image alone; {tone}."


def _models(results: PackSource) -> Iterator[Answer]:
    for table in results.tables:
        for label, page in results.entries(table):
            yield Answer(f"{table_name(table)}: {label}", f"{page}#tones")


def _parameters(results: PackSource) -> Iterator[Answer]:
    rows = [row for table in results.tables for row in table.all_rows]
    ids = {pair for row in rows for pair in row.entry.plugins.items()}
    for kind, name in sorted(ids):
        page = _page(f"methods/{card_name(kind, name)}.html")
        if any(_given(record, kind) for record in results.records if _plugin(record, kind) == name):
            text = f"{name}: its parameters with meaning, default, source, and other values of entries here"
            yield Answer(text, f"{page}#parameters")
        else:
            yield Answer(f"{name}: has no parameter", page)
    for table in results.tables:
        for label, page in results.entries(table):
            name = f"{table_name(table)}: {label}"
            if name in results.again and results.again[name].suite:
                yield Answer(f"{name}: every value that it ran with", f"{page[:-5]}.toml")


def _plugin(record: Record, kind: str) -> str:
    return record.entry.method if kind == "method" else record.entry.baseline


def _given(record: Record, kind: str) -> bool:
    return bool(record.method_parameters if kind == "method" else record.baseline_parameters)


def _own_images(table: LeaderboardTable, made: list[Record]) -> str:
    """What the images of a task are, and that nobody added synthetic ones where that is known."""
    question = table.question
    if question is not None and question.drawn:
        said = "every image, those trained on too, is synthetic: drawn by tonegap"
    elif question is not None and question.stand_in:
        said = (
            "every image, those trained on too, is synthetic: drawn by tonegap data phantom --like "
            "in place of a real one"
        )
    else:
        said = "the images of the data set are not drawn by tonegap"
    own = [row.entry.label for row in table.all_rows if "external predictions" in row.marks]
    if own:
        return f"{said}; what was trained on is not known of {', '.join(own)}"
    return said if made else f"{said}; no method added synthetic images"


def _synthetic(results: PackSource) -> Iterator[Answer]:
    for table in results.tables:
        pages = dict(results.entries(table))
        made = [record for record in _records(table) if record.synthetic]
        yield Answer(f"{table_name(table)}: {_own_images(table, made)}", results.section(table))
        for record in made:
            if record.synthetic:
                label = record.entry.label
                made_of = synthetic_text(record.synthetic)
                text = (
                    f"{table_name(table)}, {label}, seed {record.seed}: synthetic images trained on (by tone, SHA-256 "
                    f"of the set): {made_of}"
                )
                page = f"{pages[label]}#provenance" if label in pages else results.section(table)
                yield Answer(text, page)


def _selection(_: PackSource, table: LeaderboardTable) -> str:
    rule, metric = table.ranked[0], table.question.selection_metric if table.question else ""
    return f"{SELECTION_MEANING[rule]}, by {metric_label(metric)}; thresholds likewise. {event_note(table)}"


def _metrics(results: PackSource) -> str:
    found = (metric_named(name) for name in results.board.settings.metrics)
    return "; ".join(f"{metric_label(m.name)}: {m.meaning} ({m.source})" for m in found) + "."


def _uncertainty(results: PackSource, table: LeaderboardTable) -> str | None:
    claims = results.board.claims_of(table)
    return claims_about(claims) if claims else None


def _errors(results: PackSource) -> Iterator[Answer]:
    for table in results.tables:
        for label, page in results.entries(table):
            yield Answer(
                f"{table_name(table)}: {label}: confusion matrices by tone, calibration",
                f"{page}#confusion",
            )


def _tone_scores(results: PackSource) -> Iterator[Answer]:
    """Where scores by tone stand: all in `statistics.md`, with intervals of each on an entry's page."""
    for table in results.tables:
        claims = results.board.claims_of(table)
        more = (
            "; 95 % intervals of worst tone, gap and all images, and the gap beside the null gap"
            if claims
            else "; without intervals"
        )
        yield Answer(f"{table_name(table)}: each entry's score by tone{more}", "statistics.md")
        own = "score, count and 95 % interval" if claims else "score and count"
        for label, page in results.entries(table):
            yield Answer(f"{table_name(table)}: {label}: {own} by tone", f"{page}#tones")


def _seeds(_: PackSource, table: LeaderboardTable) -> str:
    said = (f"{row.entry.label} {len(row.records)} of {len(row.seeds)}" for row in table.all_rows)
    return f"finished runs of declared seeds: {'; '.join(said)}. Ranges over seeds stand below each score."


def _comparators(results: PackSource) -> str:
    controls = sorted({row.entry.label for table in results.tables for row in table.controls})
    reference = results.board.settings.reference.label
    return f"changes are counted from {reference}; controls, never ranked: {', '.join(controls) or 'none'}."


def _software(results: PackSource) -> str:
    versions = {f"{n} {v}" for r in results.records for n, v in r.circumstances.versions.items()}
    engines = {
        f"engine {r.circumstances.isolation.engine} {r.circumstances.isolation.version}".strip()
        + ("" if r.circumstances.isolation.contained else " (without container)")
        for r in results.records
    }
    numerics = {f"{r.numerics} numerics" for r in results.records}
    return ", ".join([*sorted(versions), *sorted(engines), *sorted(numerics)]) + "."


def _cost(results: PackSource) -> str:
    stages = {
        stage.key: cost
        for record in results.records
        for stage, cost in zip(record.stages, record.circumstances.costs, strict=False)
    }
    hours = sum(cost.seconds for cost in stages.values()) / 3600
    memory = max((cost.peak_memory_mib or 0 for cost in stages.values()), default=0)
    machines = {", ".join(map(" ".join, r.circumstances.hardware.items())) for r in results.records}
    return (
        f"{len(stages)} stages, {hours:.2f} hours in all, at most {memory:,.0f} MiB in one; on "
        + "; ".join(sorted(machines))
        + "."
    )


def _limitations(results: PackSource) -> Iterator[Answer]:
    yield from _by_dataset(lambda d: "; ".join(d.file.limitations))(results)
    used = {mark for table in results.tables for row in table.all_rows for mark in row.marks}
    for mark in sorted(used - _ROLES):
        yield Answer(f"Mark “{mark}”: {MARKS[mark]}.", _page())
    yield Answer(results.board.settings.tone_note, _page())


def _tone_labels(results: PackSource) -> Iterator[Answer]:
    for table in results.tables:
        claims = results.board.claims_of(table)
        if claims and claims.labels and SECOND not in claims.labels.undefined:
            text = f"{table_name(table)}: gaps under a second annotation of tone"
            yield Answer(text, results.section(table))


def _tones(dataset: Dataset) -> str:
    axes = (
        f"{name}: {axis.labelled_by}"
        for name, axis in dataset.file.tones.items()
        if axis.labelled_by
    )
    return "; ".join(axes)


def _reproduce(results: PackSource) -> Iterator[Answer]:
    yield Answer(f"tonegap verify {results.bundle} computes every number again.", results.bundle)
    commands = [again.command for again in results.again.values() if again.command]
    if commands:
        text = f"{len(commands)} commands, one for each entry with a page, train and score anew; first: {commands[0]}"
        yield Answer(text, "artifact.md")


Find = Callable[[PackSource], Iterable[Answer]]
ANSWERS: dict[str, Find] = {
    "question": _by_task(_question),
    "data": _by_dataset(
        lambda d: f"{d.file.source.strip()}{f' ({d.file.url})' if d.file.url else ''}"
    ),
    "eligibility": _by_task(_eligibility),
    "labels": _labels,
    "tones": _by_dataset(_tones),
    "tone_labels": _tone_labels,
    "preparation": _by_task(_preparation),
    "predictors": _by_task(_predictors),
    "sample_size": _by_task(_counts),
    "power": _by_task(lambda _, table: " ".join(table_reach(table))),
    "missing": _by_task(_missing),
    "undefined": _by_task(_undefined),
    "partitions": _by_task(_partitions),
    "leaks": _by_task(_leaks),
    "models": _models,
    "parameters": _parameters,
    "synthetic": _synthetic,
    "selection": _by_task(_selection),
    "metrics": _once(_metrics, lambda r: r.first_run.replace("#provenance", "#metrics")),
    "uncertainty": _by_task(_uncertainty),
    "results": _by_task(lambda r, table: " ".join(answer(r.board, table))),
    "tone_scores": _tone_scores,
    "comparators": _once(_comparators, lambda r: r.section(r.tables[0])),
    "errors": _errors,
    "seeds": _by_task(_seeds),
    "software": _once(_software, lambda r: r.first_run),
    "cost": _once(_cost, lambda r: r.first_run),
    "protocol": _once(
        lambda r: (
            f"the declared matrix suites/{r.suite}.json and the folders below specs/, both in the bundle."
        )
    ),
    "access": _by_dataset(
        lambda d: (
            f"in benchmarks/{d.id} of tonegap: {d.file.access.strip()}; {d.file.licence.strip()}"
        )
    ),
    "code": _once(
        lambda _: (
            "tonegap, Apache License 2.0; versions and digests of every stage are in the records. The bundle has "
            "predictions, and no weights of a model."
        )
    ),
    "reproduce": _reproduce,
    "limitations": _limitations,
}
