"""Fills the responsible-AI fields of Croissant from a data set's and a task's files; nothing is made up.

A field that nothing is known for is absent.
"""

from collections.abc import Iterator

from tonegap.declared.dataset import Dataset
from tonegap.declared.task import Task

_TONES_ARE_LABELS = (
    "Tones are annotations with an error of their own; a score per tone inherits it."
)
_SYNTHETIC = "Synthetic phantoms made by the suite itself; no person is shown."
_USE = "Measuring how scores of a classifier differ between skin tones. Not for diagnosis."
_PHOTOGRAPHS = (
    "Photographs of people's skin with diagnosis and skin tone; none is part of this description."
)
_IMPACT = (
    "Scores by skin tone show whom a classifier serves worse. A tone is an annotation of an image, not a person's "
    "race or ethnicity; neither labels nor scores are fit for the care of a patient."
)
_Fields = dict[str, str | list[str] | bool]


def rai_fields(dataset: Dataset, task: Task | None, *, stand_in: bool = False) -> _Fields:
    """The fields by name, `rai:` or `prov:` before each; `stand_in`: phantoms took the place of its images."""
    file = dataset.file
    limits = [*map(_sentence, file.limitations), *_task_limits(task), _TONES_ARE_LABELS]
    protocol = [f"Labels: {_sentence(file.labelled_by)}"] if file.labelled_by else []
    for name, axis in sorted(file.tones.items()):
        if task is None or name == task.tone_axis:
            by = axis.labelled_by or "who labelled them is not declared"
            protocol.append(f"Tones ({name}): {_sentence(by)}")
    found: _Fields = {
        "rai:dataCollection": _SYNTHETIC if file.drawn else "",
        "rai:dataAnnotationProtocol": protocol,
        "rai:dataLimitations": limits,
        "rai:dataUseCases": [_USE] if task else [],
        "rai:personalSensitiveInformation": [_PHOTOGRAPHS] if file.drawn is None else [],
        "rai:dataBiases": list(_biases(dataset)),
        "rai:dataSocialImpact": _IMPACT,
        "rai:hasSyntheticData": file.drawn is not None or stand_in,
        "prov:wasDerivedFrom": "" if file.drawn else file.url or file.source.strip(),
        "prov:wasGeneratedBy": "tonegap data phantom" if file.drawn else "",
    }
    return {name: value for name, value in found.items() if value or value is False}


def _biases(dataset: Dataset) -> Iterator[str]:
    """How images are spread over tones, by the counts that the source reported or the suite draws."""
    file = dataset.file
    counts = file.published.counts if file.published else {}
    for name, axis in sorted(file.tones.items()):
        if axis.column in counts:
            listed = ", ".join(f"{tone} {n:,}" for tone, n in counts[axis.column].items())
            yield f"Tones are not equally frequent ({name}): {listed}."
    for name, half in file.drawn.halves.items() if file.drawn else ():
        listed = ", ".join(f"{tone} {weight:g}" for tone, weight in half.tones.items())
        yield f"Weights of tones among the {half.images:,} images of {name}: {listed}."


def _task_limits(task: Task | None) -> Iterator[str]:
    if task is None:
        return
    if task.file.tones.keep_unknown:
        yield "Images of unknown tone take part, and are in no score of a tone."
    else:
        yield "Images of unknown tone are left out."
    yield (
        f"A score of a tone with fewer than {task.file.scores.min_support} test images (for rates, of either kind) "
        "is undefined."
    )
    if task.file.leaks.methods_see_duplicates:
        yield "As published, methods see training images that have a copy among the held-out ones."


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
