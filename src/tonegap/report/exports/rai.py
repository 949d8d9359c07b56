"""The responsible-AI fields of Croissant, from what a data set's and a task's files say; nothing is made up.

A field that nothing is known for is absent.
"""

from collections.abc import Iterator

from tonegap.declared.dataset import Dataset
from tonegap.declared.task import Task

_TONES_ARE_LABELS = (
    "Tones are annotations with an error of their own; a score per tone inherits it."
)


def rai_fields(dataset: Dataset, task: Task | None) -> dict[str, str | list[str]]:
    """The fields by name, `rai:` before each."""
    limits = [*(f"{_sentence(text)}" for text in dataset.file.limitations), *_task_limits(task)]
    found: dict[str, str | list[str]] = {
        "rai:dataCollection": _collection(dataset),
        "rai:dataAnnotationProtocol": list(_annotations(dataset, task)),
        "rai:dataLimitations": [*limits, _TONES_ARE_LABELS],
        "rai:dataUseCases": list(_uses(task)),
        "rai:personalSensitiveInformation": list(_sensitive(dataset)),
    }
    return {name: value for name, value in found.items() if value}


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
        f"A score of a tone with fewer than {task.file.scores.min_support} test images (for rates, of either kind) "
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
