"""The marks of a record's stages (`stage.json`) against the record and against each other.

A stage's key is the digest of its ingredients, so what a record says of its seed, parameters and plug-ins has to be
what its stages were made from. What this cannot tell: whether the stages ran.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec

from tonegap.errors import BadRequest
from tonegap.files import digest_of
from tonegap.formats.job import DEVICES, Parameter
from tonegap.formats.record import Record, StageId
from tonegap.lines import one_line
from tonegap.store.layout import stage_unit
from tonegap.store.marks import StageMark
from tonegap.untrusted import refused


def mark_problems(store: Path, record: Record) -> Iterator[str]:
    """What the marks of a record's stages have against it. Raises BadRequest for a mark that is none."""
    entry = record.entry
    parameters = {
        f"methods/{entry.method}": record.method_parameters,
        f"baselines/{entry.baseline}": record.baseline_parameters,
    }
    if str(record.baseline_parameters.get("backbone", "")) != entry.backbone:
        yield "its backbone is not that of its parameters"
    if [stage.stage for stage in record.stages][-1:] != ["train"]:
        yield "its last stage does not train"
    upstream = ""
    for stage in record.stages:
        mark = read_mark(store, stage.key)
        if stage.plugin not in parameters:
            yield f"its stage {stage.stage} is of {stage.plugin}, no part of its entry"
            return
        yield from _own_problems(mark, stage)
        made_from = _ingredients(record, parameters[stage.plugin], upstream)
        for name, value in made_from.items():
            if mark.ingredients.get(name, "") != value:
                yield f"its stage {stage.stage} was made with another {name} than the record says"
        known = {name for name in mark.ingredients if name.startswith("parameters.")}
        if known - made_from.keys():
            yield f"its stage {stage.stage} has parameters that the record leaves out"
        upstream = stage.key
    if mark.isolation != record.circumstances.isolation:
        yield "the record and its last stage differ about how they were isolated"


def read_mark(store: Path, key: str) -> StageMark:
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


def _ingredients(
    record: Record, parameters: Mapping[str, Parameter], upstream: str
) -> dict[str, str]:
    """What the record says of a stage, as ingredients have it."""
    found = {"task": record.task, "seed": str(record.seed), "upstream": upstream}
    return found | {f"parameters.{name}": repr(value) for name, value in parameters.items()}
