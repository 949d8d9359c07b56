"""Says why an entry cannot be asked a task: what a plug-in needs and the data, the machine or the suite does not give.

The mistake it exists to prevent: a plan that says "would run" of what can only fail.
"""

from functools import lru_cache

import numpy as np

from tonegap.data.decode import BadPicture
from tonegap.data.mask_file import KINDS, read_kinds
from tonegap.data.masks import Masked
from tonegap.plan.entries import Entry, FilledPlugin
from tonegap.split.view import TaskView
from tonegap.tones import SCALES


def not_applicable(entry: Entry, view: TaskView, device: str) -> str | None:
    """Why an entry cannot be asked a task on a device, or None. Opens masks only for a need of skin in them."""
    if entry.method.plugin.file.stages and not view.method_train.ids:
        return f"{entry.method.plugin.label} has nothing to learn from: {view.nothing_shown}"
    for part in (entry.method, entry.baseline):
        for why in (_lacks_parameter(part), _lacks(part, view, device), _lacks_tones(part, view)):
            if why:
                return f"{part.plugin.label}{why}"
    return None


def _lacks_parameter(part: FilledPlugin) -> str:
    for name, spec in part.plugin.file.parameters.items():
        if spec.is_lacking(name, part.parameters):
            label = part.plugin.label
            return f" needs the parameter {name}, which is {spec.default}: {spec.about} (--set {label}.{name}=…)"
    return ""


def _lacks(part: FilledPlugin, view: TaskView, device: str) -> str:
    needs = part.plugin.file.needs
    if "masks" in needs and not view.has_masks:
        return " needs lesion masks; the data set has none"
    if "skin_masks" in needs and not _shows_lesion_on_skin(view):
        return (
            " needs lesion masks that show skin too; no mask of a training image has both (does mask_values "
            "call the skin background?)"
        )
    if "gpu" in needs and device != "cuda":
        return " needs a GPU; this run uses the CPU"
    if "tone_in_training" in needs and not any(view.train.tones):
        return " needs tones in training; no training image has one"
    return ""


def _lacks_tones(part: FilledPlugin, view: TaskView) -> str:
    tones = ", ".join(view.axis_tones)
    of_skin_types = "skin_types" in part.plugin.file.needs
    if of_skin_types and not set(SCALES["fitzpatrick"]).issuperset(view.axis_tones):
        return f" needs tones of the Fitzpatrick scale; this task's are {tones}"
    targets = part.parameters.get("targets")
    if isinstance(targets, list) and not set(view.axis_tones).intersection(targets):
        asked = ", ".join(map(str, targets)) or "empty"
        return f": targets are {asked}, wanted some of this task's tones: {tones}"
    return ""


def _shows_lesion_on_skin(view: TaskView) -> bool:
    """Whether a mask that a method is given has both kinds; yes where one cannot be read: that is refused by name."""
    rows = view.method_train
    pairs = [(mask, path) for mask, path in zip(rows.masks, rows.paths, strict=False) if mask]
    return _has_both(tuple(pairs), rows.mask_sha256)


@lru_cache(maxsize=8)  # a suite asks for each entry and seed
def _has_both(pairs: tuple[Masked, ...], _contents: tuple[str, ...]) -> bool:
    wanted = [KINDS.index("lesion"), KINDS.index("skin")]
    try:
        return any(np.isin(wanted, read_kinds(*pair)).all() for pair in pairs)
    except BadPicture:
        return True
