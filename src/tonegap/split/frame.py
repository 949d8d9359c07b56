"""Gives a task's partition to Python as a DataFrame, from a folder or from metadata that were read already."""

from numbers import Integral
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tonegap.arguments import as_found
from tonegap.data.metadata import Metadata, own_root, parse_content, read_metadata
from tonegap.declared.dataset import Dataset, read_dataset
from tonegap.declared.root import find_root
from tonegap.declared.task import read_task
from tonegap.errors import BadRequest, BadSuiteFolder
from tonegap.split.partition import partition

if TYPE_CHECKING:
    import pandas as pd


def split(
    task: str,
    metadata: "pd.DataFrame | str | Path | None" = None,
    seed: int | None = None,
    *,
    suite_root: str | Path | None = None,
) -> "pd.DataFrame":
    """The partition of every image of a task: image_id, partition, label, tone; as `tonegap split`, by the same pins.

    One row per row of the metadata, in its order; `partition` is train, validation, test or unused; `label` is the
    task's class, `tone` its tone, None where there is none. `metadata` is the folder of your own copy, or its table as
    a DataFrame (read it with `dtype=str`, so that no id loses its zeros); None where the data set comes along or is
    made by tonegap. `seed`: default the first that the task declares. `suite_root`: as on the command line.

    Raises BadSuiteFolder for an unknown task, BadData for other metadata, BadSplit where a partition is not as pinned,
    BadRequest for an argument of another kind.
    """
    import pandas as pd

    if not isinstance(task, str):
        raise BadRequest(
            f"task: found {as_found(task)}, wanted a task's id such as 'phantom/smoke'"
        )
    number = None if seed is None else _seed(seed)
    root = root_in_python(suite_root)
    asked = read_task(root, task)
    if isinstance(metadata, pd.DataFrame):
        known = _from_frame(read_dataset(root, asked.dataset_id), metadata)
    else:
        folder = None if metadata is None else path_of(metadata, "metadata")
        known = metadata_of(root, asked.dataset_id, folder)
    made = partition(asked, known, asked.seeds[0] if number is None else number)
    columns = {
        "image_id": made.ids,
        "partition": made.parts,
        "label": made.labels,
        "tone": made.tones,
    }
    return pd.DataFrame({name: pd.Series(cells, dtype=object) for name, cells in columns.items()})


def root_in_python(suite_root: object) -> Path:
    """The suite root that an argument names, else that of the command line. Raises BadRequest, BadSuiteFolder.

    Where there is none, what to pass is said in the words of Python.
    """
    try:
        return find_root(None if suite_root is None else path_of(suite_root, "suite_root"))
    except BadSuiteFolder as e:
        raise BadSuiteFolder(str(e).replace("--suite-root DIR", "suite_root=DIR")) from None


def metadata_of(root: Path, dataset_id: str, data_root: Path | None) -> Metadata:
    """The metadata of the user's copy, of one that comes along, or of the suite's own phantoms. Raises BadRequest."""
    dataset = read_dataset(root, dataset_id)
    data_root = data_root or own_root(dataset)
    if data_root is not None:
        return read_metadata(dataset, data_root)
    if dataset.file.drawn is None:
        raise BadRequest(
            f"{dataset.file.title} is no phantom data set: pass --root DIR (Python: metadata=), the folder of your own "
            f"copy.\nLicence: {dataset.file.licence.strip()}\nAccess: {dataset.file.access.strip()}"
        )
    from tonegap.data.drawn import drawn_metadata

    return drawn_metadata(dataset)


def _seed(seed: Any) -> int:
    whole = isinstance(seed, Integral) and not isinstance(seed, bool)
    if not (whole and 0 <= int(seed) < 2**32):
        raise BadRequest(
            f"seed: found {as_found(seed)}, wanted a whole number from 0 to {2**32 - 1:,}"
        )
    return int(seed)


def path_of(value: object, name: str) -> Path:
    """The path that an argument of Python names. Raises BadRequest for anything but a text or a path."""
    if not isinstance(value, (str, PathLike)) or value == "":
        raise BadRequest(f"{name}: found {as_found(value)}, wanted a path as text or Path")
    return Path(value)


def _from_frame(dataset: Dataset, frame: "pd.DataFrame") -> Metadata:
    """The metadata of a table as its CSV would have them: a whole number that pandas made 3.0 of is 3 again."""
    whole = {
        name: column.astype("Int64")
        for name, column in frame.items()
        if column.dtype.kind == "f" and (column.dropna() % 1 == 0).all()
    }
    content = frame.assign(**{str(name): column for name, column in whole.items()}).to_csv(
        index=False
    )
    return parse_content(dataset, Path("metadata"), content.encode())
