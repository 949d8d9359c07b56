"""Holds a record against the marks of its stages, whose keys follow from what they were made from."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from tonegap.declared.plugin import FOLDERS
from tonegap.errors import BadRequest
from tonegap.files import digest_of
from tonegap.formats.job import DEVICES
from tonegap.formats.record import Record, StageId
from tonegap.lines import one_line
from tonegap.results.bundle.exposure import (
    parameters_by_label,
)
from tonegap.store.layout import stage_unit
from tonegap.store.marks import StageMark
from tonegap.untrusted import refused

_LONGEST = 80


def mark_problems(store: Path, record: Record) -> Iterator[str]:
    """What the marks of a record's stages have against it. Raises BadRequest for a mark that is none."""
    parameters = parameters_by_label(record)
    yield from _entry_problems(record)
    upstream, banks = "", list[str]()
    for stage in record.stages:
        mark = _read_mark(store, stage.key)
        if stage.plugin not in parameters:
            yield f"its stage {stage.stage} is of {stage.plugin}, no part of its entry"
            return
        yield from _own_problems(mark, stage)
        made_from = _made_from(record, stage, upstream, banks)
        own = parameters[stage.plugin].items()
        made_from |= {f"parameters.{name}": repr(value) for name, value in own}
        for name, value in made_from.items():
            if mark.ingredients.get(name, "") != value:
                yield f"its stage {stage.stage} was made with another {name} than the record says"
        known = {name for name in mark.ingredients if name.startswith("parameters.")}
        if known - made_from.keys():
            yield f"its stage {stage.stage} has parameters that the record leaves out"
        if stage.stage == "embed":
            banks.append(stage.key)
        else:
            upstream = stage.key
    if mark.isolation != record.circumstances.isolation:
        yield "the record and its last stage differ about how they were isolated"


def _entry_problems(record: Record) -> Iterator[str]:
    """What in a record's parameters and stages is not of its entry."""
    entry = record.entry
    if str(record.baseline_parameters.get("backbone", "")) != entry.backbone:
        yield "its backbone is not that of its parameters"
    if record.bank and record.bank.extractor != entry.backbone:
        yield f"its backbone is {one_line(entry.backbone)[:_LONGEST]!r}, and its bank is of another"
    embeds = {stage.plugin for stage in record.stages if stage.stage == "embed"}
    extractors = {f"{FOLDERS['extractor']}/{record.bank.extractor}"} if record.bank else set()
    if embeds != extractors:
        made, named = (one_line(" and ".join(sorted(of)) or "none") for of in (embeds, extractors))
        yield f"its bank is of {named}, and its stages that leave features are of {made}"
    wanted = ["train", "postprocess"] if entry.postprocessor else ["train"]
    if [stage.stage for stage in record.stages][-len(wanted) :] != wanted:
        yield f"its last stage does not {wanted[-1]}"
    if record.postprocessor_parameters and not entry.postprocessor:
        yield "has parameters of a post-processor, and no post-processor"


def _made_from(record: Record, stage: StageId, upstream: str, banks: list[str]) -> dict[str, str]:
    """What the ingredients of a stage have to say; of embed stages the first is of real images, for every seed."""
    if stage.stage == "embed":
        return {"task": "", "seed": "", "upstream": upstream if banks else ""}
    said = {"task": record.task, "seed": str(record.seed), "upstream": upstream}
    return said | ({"banks": " ".join(banks)} if stage.stage == "train" else {})


def _read_mark(store: Path, key: str) -> StageMark:
    """The mark of a stage in a bundle. Raises BadRequest where there is none that can be read."""
    where = f"{stage_unit(key)}/stage.json"
    with refused(where):
        content = (store / where).read_bytes()
        if len(content) > 1 << 20:
            raise BadRequest(f"{where}: more than 1 MiB")
        return msgspec.json.decode(content, type=StageMark)


def _own_problems(mark: StageMark, stage: StageId) -> Iterator[str]:
    found = mark.ingredients
    if digest_of([f"{mark.plugin} {mark.stage}", found]) != mark.key:
        yield f"the key of its stage {stage.stage} does not follow from what it was made from"
    said = (mark.key, mark.stage, mark.plugin, mark.environment)
    if said != (stage.key, stage.stage, stage.plugin, stage.environment):
        yield f"the mark of its stage {stage.stage} is that of another"
    if found.get("environment", "") != mark.environment:
        yield f"its stage {stage.stage} names two environments"
    device, threads = found.get("device", ""), found.get("threads", "")
    if device not in DEVICES or not (
        threads.isascii() and threads.isdecimal() and len(threads) < 6
    ):
        yield f"its stage {stage.stage} ran on {one_line(device)[:20]!r} with {one_line(threads)[:20]!r} threads"
