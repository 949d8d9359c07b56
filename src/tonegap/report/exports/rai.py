"""The responsible-AI fields of Croissant, from what a data set's and a task's files say; nothing is made up.

A field that nothing is known for is absent.
"""

from collections.abc import Iterator

from tonegap.declared.dataset import Dataset
from tonegap.declared.task import Task

_IMPACT = (
    "Scores by skin tone show whom a classifier serves worse. A tone is an annotation of an image, not a person's "
    "race or ethnicity; neither labels nor scores are fit for the care of a patient."
)
_TONES_ARE_LABELS = (
    "Tones are annotations with an error of their own; a score per tone inherits it."
)


def rai_fields(dataset: Dataset, task: Task | None) -> dict[str, str | list[str] | bool]:
    """The fields by name, `rai:` or `prov:` before each."""
    limits = [*(f"{_sentence(text)}" for text in dataset.file.limitations), *_task_limits(task)]
    found: dict[str, str | list[str] | bool] = {
        "rai:dataCollection": _collection(dataset),
        "rai:dataAnnotationProtocol": list(_annotations(dataset, task)),
        "rai:dataLimitations": [*limits, _TONES_ARE_LABELS],
        "rai:dataUseCases": list(_uses(task)),
        "rai:personalSensitiveInformation": list(_sensitive(dataset)),
        "rai:dataBiases": list(_biases(dataset)),
        "rai:dataSocialImpact": _IMPACT,
        "rai:hasSyntheticData": dataset.file.drawn is not None,
        "prov:wasDerivedFrom": ""
        if dataset.file.drawn
        else dataset.file.url or dataset.file.source.strip(),
        "prov:wasGeneratedBy": "tonegap data phantom" if dataset.file.drawn else "",
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


def _collection(dataset: Dataset) -> str:
    return (
        "Synthetic phantoms made by the suite itself; no person is shown."
        if dataset.file.drawn
        else ""
    )


def _annotations(dataset: Dataset, task: Task | None) -> Iterator[str]:
    if dataset.file.labelled_by:
        yield f"Labels: {_sentence(dataset.file.labelled_by)}"
    for name, axis in sorted(dataset.file.tones.items()):
        if task is None or name == task.tone_axis:
            by = (
                _sentence(axis.labelled_by)
                if axis.labelled_by
                else "who labelled them is not declared."
            )
            yield f"Tones ({name}): {by}"


def _task_limits(task: Task | None) -> Iterator[str]:
    if task is None:
        return
    if task.file.tones.keep_unknown:
        yield "Images of unknown tone take part, and are in no score of a tone."
    else:
        yield "Images of unknown tone are left out."
    yield (
        f"A score of a tone with fewer than {task.min_support} test images (for rates, of either kind) "
        "is undefined."
    )
    if task.file.leaks.methods_see_duplicates:
        yield "As published, methods see training images that have a copy among the held-out ones."


def _uses(task: Task | None) -> Iterator[str]:
    if task is not None:
        yield "Measuring how scores of a classifier differ between skin tones. Not for diagnosis."


def _sensitive(dataset: Dataset) -> Iterator[str]:
    if dataset.file.drawn is None:
        yield "Photographs of people's skin with diagnosis and skin tone; none is part of this description."


def _sentence(text: str) -> str:
    return text if text.endswith(".") else f"{text}."
