"""Answers from the results of a suite what checklists ask of models, training, scores and cost, item by item."""

from collections.abc import Iterator

from tonegap.formats.record import Record
from tonegap.report.answer_text import answer
from tonegap.report.claims_text import claims_about
from tonegap.report.pack.source import (
    Answer,
    Find,
    PackSource,
    by_task,
    once,
    report_page,
)
from tonegap.report.pages.links import card_name
from tonegap.report.pages.record_summary import synthetic_text
from tonegap.report.phrases import SELECTION_MEANING, metric_label, table_name
from tonegap.report.table_notes import event_note
from tonegap.results.costs import total_cost
from tonegap.results.model import LeaderboardTable
from tonegap.scores.tables import metric_named


def _predictors(_: PackSource, table: LeaderboardTable) -> str:
    told = sorted({r.entry.label for r in table.records if r.tone_at_test})
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
    for kind, name in sorted({pair for row in rows for pair in row.entry.plugins.items()}):
        page = report_page(f"methods/{card_name(kind, name)}.html")
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
        made = [record for record in table.records if record.synthetic]
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
    total = total_cost(results.records)
    peak = total.peak_memory_mib
    memory = "peak memory not measured" if peak is None else f"at most {peak:,.0f} MiB in one"
    machines = {", ".join(map(" ".join, r.circumstances.hardware.items())) for r in results.records}
    return (
        f"{total.n_stages} stages, {total.seconds / 3600:.2f} hours in all, {memory}; on "
        + "; ".join(sorted(machines))
        + "."
    )


def _reproduce(results: PackSource) -> Iterator[Answer]:
    yield Answer(f"tonegap verify {results.bundle} computes every number again.", results.bundle)
    commands = [again.command for again in results.again.values() if again.command]
    if commands:
        text = f"{len(commands)} commands, one for each entry with a page, train and score anew; first: {commands[0]}"
        yield Answer(text, "artifact.md")


RUN_ANSWERS: dict[str, Find] = {
    "predictors": by_task(_predictors),
    "models": _models,
    "parameters": _parameters,
    "synthetic": _synthetic,
    "selection": by_task(_selection),
    "metrics": once(_metrics, lambda r: r.first_run.replace("#provenance", "#metrics")),
    "uncertainty": by_task(_uncertainty),
    "results": by_task(lambda r, table: " ".join(answer(r.board, table))),
    "tone_scores": _tone_scores,
    "comparators": once(_comparators, lambda r: r.section(r.tables[0])),
    "errors": _errors,
    "seeds": by_task(_seeds),
    "software": once(_software, lambda r: r.first_run),
    "cost": once(_cost, lambda r: r.first_run),
    "protocol": once(
        lambda r: (
            f"the declared matrix suites/{r.suite}.json and the folders below specs/, both in the bundle."
        )
    ),
    "code": once(
        lambda _: (
            "tonegap, Apache License 2.0; versions and digests of every stage are in the records. The bundle has "
            "predictions, and no weights of a model."
        )
    ),
    "reproduce": _reproduce,
}
