"""A plug-in's Dockerfile: its base, and what it does where no engine has to run it.

Files copied, variables and a folder to start in are layers and a config like any others; they are written
without an engine, the same on every machine. What else stands in a Dockerfile, RUN above all, an engine runs.
"""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from tonegap.errors import EngineError

# Of a plug-in that has none.
DEFAULT = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY . /plugin\nWORKDIR /plugin\n"
_OURS = {"${BASE_IMAGE}", "$BASE_IMAGE"}
_DEFAULT_BASE = re.compile(r"^ARG\s+BASE_IMAGE(?:=(\S+))?\s*$", re.MULTILINE)
_FROM = re.compile(r"^FROM\s+(?:--\S+\s+)*(\S+)(?:\s+AS\s+(\S+))?", re.MULTILINE | re.IGNORECASE)
_PINNED = re.compile(r"\S+@sha256:[0-9a-f]{64}|scratch")
_COMMENT = re.compile(r"^\s*#.*\n?", re.MULTILINE)


@dataclass(slots=True)
class Steps:
    """What a Dockerfile puts on its base: files by absolute name, variables, the folder it starts in."""

    files: dict[str, Path] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    workdir: str = ""


def read_dockerfile(path: Path | None) -> str:
    """A Dockerfile's text, the default one's for None. Raises EngineError where it takes what is not pinned."""
    if path is None:
        return DEFAULT
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        raise EngineError(f"{path}: no text; a Dockerfile is wanted, or none") from None
    for reference in references(text):
        if not _PINNED.fullmatch(reference):
            raise EngineError(
                f"{path}: FROM {reference}: wanted ${{BASE_IMAGE}} or a reference with a digest "
                "(NAME@sha256:…)"
            )
    return text


def references(dockerfile: str) -> list[str]:
    """The images that FROM lines take from elsewhere: neither `${BASE_IMAGE}` nor earlier stages."""
    stages: set[str] = set()
    found = []
    for reference, stage in _FROM.findall(dockerfile):
        if reference not in _OURS | stages:
            found.append(reference)
        stages.add(stage)
    return found


def named_base(dockerfile: str) -> str:
    """The default of `ARG BASE_IMAGE`, "" where it has none; without that line, the last reference."""
    declared = _DEFAULT_BASE.search(dockerfile)
    return declared.group(1) or "" if declared else next(reversed(references(dockerfile)), "")


def plain_steps(dockerfile: str, files: Mapping[str, Path]) -> Steps | None:
    """What a Dockerfile does that copies files of its folder, sets variables and a folder to start in.

    None where it does anything else, or this in another form: then an engine has to run it.
    """
    steps = Steps()
    lines = _COMMENT.sub("", dockerfile).replace("\\\n", " ").splitlines()
    words = [line.split(None, 1) for line in lines if line.strip()]
    if [one[0].upper() for one in words].count("FROM") != 1 or any(len(one) != 2 for one in words):
        return None
    for instruction, rest in words:
        match instruction.upper():
            case "ARG" if rest.partition("=")[0].strip() == "BASE_IMAGE":
                done = True
            case "FROM":
                done = len(rest.split()) == 1
            case "WORKDIR":
                steps.workdir, done = rest.strip(), rest.startswith("/")
            case "ENV":
                done = _set(steps.env, rest)
            case "COPY":
                done = _copy(steps.files, rest.split(), files)
            case _:
                done = False
        if not done:
            return None
    return steps


def _set(env: dict[str, str], rest: str) -> bool:
    pairs = [word.partition("=") for word in shlex.split(rest)]
    env.update({name: value for name, _, value in pairs})
    return all(sign for _, sign, _ in pairs) and "\\" not in rest


def _copy(found: dict[str, Path], words: list[str], files: Mapping[str, Path]) -> bool:
    """Takes `COPY SOURCE… TARGET` as Docker does; whether that is all there is to it."""
    *sources, target = words
    if not target.startswith("/") or any(set(word) & set("*?[\\$\"'") for word in words):
        return False
    if any(word.startswith("--") for word in words) or not sources:
        return False
    into = target.endswith("/") or len(sources) > 1
    for source in sources:
        name = PurePosixPath(source).as_posix()
        if name in files:
            place = f"{target.rstrip('/')}/{PurePosixPath(name).name}" if into else target
            found[place] = files[name]
            continue
        below = "" if name == "." else f"{name}/"
        inside = {path: one for path, one in files.items() if path.startswith(below)}
        if not inside:
            return False
        root = target.rstrip("/")
        found.update({f"{root}/{path[len(below) :]}": one for path, one in inside.items()})
    return True
