"""`job.json` as a checked value: all that a stage is told."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from tonegap_kit.errors import StageError

CONTRACT_VERSION = 1

Value = TypeVar("Value", str, int, float, bool)


@dataclass(frozen=True, slots=True)
class Job:
    """One stage's orders; the fields are documented in `docker/CONTRACT.md`."""

    stage: str
    task: str
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    tones: tuple[str, ...]
    seed: int
    size_px: int
    geometry: str
    parameters: Mapping[str, Any]
    device: str
    threads: int
    time_limit_s: int

    def text(self, name: str) -> str:
        """The text parameter `name`."""
        return self._parameter(name, str)

    def integer(self, name: str) -> int:
        """The whole-number parameter `name`."""
        return self._parameter(name, int)

    def real(self, name: str) -> float:
        """The real-number parameter `name`; a whole number will do."""
        if type(self.parameters.get(name)) is int:
            return float(self.parameters[name])
        found = self._parameter(name, float)
        if not math.isfinite(found):
            raise StageError(f"job.json: parameter {name} is {found}, wanted a finite number")
        return found

    def flag(self, name: str) -> bool:
        """The true/false parameter `name`."""
        return self._parameter(name, bool)

    def words(self, name: str) -> tuple[str, ...]:
        """The parameter `name` that is a list of texts."""
        value = self.parameters.get(name)
        if isinstance(value, list) and all(isinstance(word, str) for word in value):
            return tuple(value)
        raise StageError(f"job.json: parameter {name} is {value!r}, wanted a list of texts")

    def integers(self, name: str) -> tuple[int, ...]:
        """The parameter `name` that is a list of whole numbers."""
        value = self.parameters.get(name)
        if isinstance(value, list) and all(type(number) is int for number in value):
            return tuple(value)
        raise StageError(f"job.json: parameter {name} is {value!r}, wanted a list of whole numbers")

    def _parameter(self, name: str, kind: type[Value]) -> Value:
        value = self.parameters.get(name)
        # Not isinstance: true is an int to Python, and would pass for an epoch count of 1.
        if type(value) is kind:
            return value
        found = repr(value) if name in self.parameters else "missing"
        raise StageError(
            f"job.json: parameter {name} is {found}, wanted a value of type {kind.__name__}"
        )


def read_job(path: Path) -> Job:
    """The job in a file. Raises StageError if it is not JSON or breaks the contract."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as problem:
        raise StageError(f"{path}: cannot be read as JSON: {problem}") from None
    if not isinstance(document, dict) or document.get("contract") != CONTRACT_VERSION:
        found = document.get("contract") if isinstance(document, dict) else None
        raise StageError(
            f"{path}: contract is {found!r}, this kit speaks version {CONTRACT_VERSION}"
        )
    image = _field(document, "image", dict)
    return Job(
        stage=_field(document, "stage", str),
        task=_field(document, "task", str),
        classes=tuple(_field(document, "classes", list)),
        positive=tuple(_field(document, "positive", list)),
        tones=tuple(_field(document, "tones", list)),
        seed=_field(document, "seed", int),
        size_px=_field(image, "size_px", int),
        geometry=_field(image, "geometry", str),
        parameters=_field(document, "parameters", dict),
        device=_field(document, "device", str),
        threads=_field(document, "threads", int),
        time_limit_s=_field(document, "time_limit_s", int),
    )


def _field(document: Mapping[str, Any], name: str, kind: type[Any]) -> Any:
    value = document.get(name)
    if type(value) is not kind:
        raise StageError(f"job.json: {name} is {value!r}, wanted a value of type {kind.__name__}")
    return value
