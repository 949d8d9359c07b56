"""A method, a baseline, a feature extractor or a post-processor as its folder declares it."""

import math
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal

import msgspec

from tonegap.declared.space import Space, space_problems
from tonegap.declared.toml import check_known, read_toml
from tonegap.errors import BadSuiteFolder
from tonegap.formats.job import Parameter
from tonegap.lines import did_you_mean

NEEDS = (
    "gpu",
    "masks",
    "skin_masks",
    "tone_in_training",
    "tone_at_test",
    "skin_types",
    "two_classes",
)
STAGES = {
    "method": ("fit", "generate"),
    "baseline": ("train",),
    "extractor": ("features", "embed"),
    "postprocessor": ("postprocess",),
}
FOLDERS = {kind: f"{kind}s" for kind in STAGES}
# Of a parameter: a plain value, or the path of a local file or folder with its digest.
GIVEN_KINDS = ("file", "folder")
PARAMETER_KINDS = ("value", *GIVEN_KINDS)
_NO_SEARCH = {
    "postprocessor": ", which is fitted on the very validation images that would choose among its draws; name each "
    "value in a row of its own, with a `variant`",
}
PLUGIN_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
ANY_DATA_SET = "*"  # in `[exposure]`: any other data set, about what comes with the plug-in
_WEIGHTS = (".safetensors", ".pt", ".pth", ".bin", ".npz")


class SeenBy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether images of a data set were among those of a pretraining, and who says so (an address or a reference)."""

    answer: Literal["no", "yes", "unknown"]
    source: str


class ParameterSpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One parameter: its default gives its type; `kind` "file" or "folder" marks a path with a digest.

    `required`: nothing can run with the default, or not where other parameters have the values it names.
    """

    default: Parameter
    about: str
    source: str = ""
    choices: tuple[str | int | float, ...] = ()
    kind: str = "value"
    required: bool | dict[str, Parameter] = False

    def is_lacking(self, name: str, values: Mapping[str, Parameter]) -> bool:
        """Whether the parameter of that name is at its default among `values` although it is required with these."""
        others = self.required if isinstance(self.required, dict) else {}
        asked = bool(self.required) and all(values[key] == value for key, value in others.items())
        return asked and values[name] in ("", self.default)


class SharedParameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file beside the folders of plug-ins: parameters that several of them have, and what a search may draw."""

    parameters: dict[str, ParameterSpec]
    search: dict[str, Space] = {}


class PluginFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`method.toml`, `baseline.toml`, `extractor.toml` or `postprocessor.toml` as written, see docker/CONTRACT.md.

    `parameters_from` names a file of shared parameters beside the folder; own parameters replace those of
    their name. `search` says what a hyper-parameter search may draw for a parameter. `made_from` "text": a method's
    images may come from words alone; of any other one that names no source nobody knows what it was made from.
    `on` "features": a baseline trains on the features that the extractor named by its parameter `backbone` leaves.
    `several_gpus`: the stages that can share their work among several GPUs.
    `exposure` says by data set whether what it was pretrained on holds images of that set, under `*` of any other.
    """

    title: str
    about: str
    command: tuple[str, ...] = ()
    stages: tuple[str, ...] = ()
    paper: str = ""
    needs: tuple[str, ...] = ()
    control: bool = False
    resumable: bool = False
    several_gpus: tuple[str, ...] = ()
    made_from: Literal["images", "text"] = "images"
    on: Literal["images", "features"] = "images"
    exposure: dict[str, SeenBy] = {}
    parameters_from: str = ""
    parameters: dict[str, ParameterSpec] = {}
    search: dict[str, Space] = {}


class Plugin(msgspec.Struct, frozen=True):
    """A plug-in: what its file declares, its id (the folder's name), kind, folder, and whether that holds weights."""

    id: str
    kind: str
    folder: Path
    file: PluginFile
    holds_weights: bool = False

    @property
    def label(self) -> str:
        """Where it lives, as people type it: `methods/tone-shift`."""
        return f"{FOLDERS[self.kind]}/{self.id}"


def plugin_place(kind: str, plugin_id: str) -> Path:
    """Where a plug-in is declared, below a suite root."""
    return Path(FOLDERS[kind]) / plugin_id / f"{kind}.toml"


def read_plugin(root: Path, kind: str, plugin_id: str) -> Plugin:
    """The plug-in of a suite root; `kind` is a key of FOLDERS.

    Raises BadSuiteFolder for an unknown id (naming those there are) or a file that breaks the contract.
    """
    check_known(root / FOLDERS[kind], kind, plugin_id, plugin_ids(root, kind))
    path = root / plugin_place(kind, plugin_id)
    file = _with_shared_parameters(path, read_toml(path, PluginFile))
    for problem in _problems(kind, plugin_id, file):
        raise BadSuiteFolder(f"{path}: {problem}")
    holds_weights = any(one.suffix in _WEIGHTS for one in path.parent.rglob("*"))
    return Plugin(plugin_id, kind, path.parent, file, holds_weights)


def _with_shared_parameters(path: Path, file: PluginFile) -> PluginFile:
    """The file with the parameters that it takes from a shared one.

    That file is no part of the plug-in's digest: all that it can change are values of parameters, and each
    of those is an ingredient of a stage's key.
    """
    if not file.parameters_from:
        return file
    if Path(file.parameters_from).name != file.parameters_from:
        raise BadSuiteFolder(
            f"{path}: parameters_from: found {file.parameters_from!r}, wanted the name of a file in "
            f"{path.parents[1]}"
        )
    shared = read_toml(path.parents[1] / file.parameters_from, SharedParameters)
    return msgspec.structs.replace(
        file,
        parameters=shared.parameters | file.parameters,
        search=shared.search | file.search,
    )


def plugin_ids(root: Path, kind: str) -> list[str]:
    """Sorted ids of the plug-ins of a kind: folders that hold `<kind>.toml`."""
    return sorted(path.parent.name for path in (root / FOLDERS[kind]).glob(f"*/{kind}.toml"))


def _problems(kind: str, plugin_id: str, file: PluginFile) -> Iterator[str]:
    if not PLUGIN_ID.fullmatch(plugin_id):
        yield "the folder's name must be lower-case words joined by hyphens"
    for stage in (stage for stage in file.stages if stage not in STAGES[kind]):
        yield f"stages: unknown value {stage!r}; a {kind} has {', '.join(STAGES[kind])}"
    if kind == "baseline" and file.stages != STAGES[kind]:
        yield f'stages: a {kind} has exactly ["{STAGES[kind][0]}"]'
    for stage in (stage for stage in file.several_gpus if stage not in file.stages):
        known = ", ".join(file.stages) or "none"
        yield f"several_gpus: {stage!r} is no stage of this plug-in; it has {known}"
    if "fit" in file.stages and "generate" not in file.stages:
        yield 'stages: "fit" without "generate" makes nothing'
    if file.stages and not file.command:
        yield "command: missing, but there are stages to run"
    if kind != "baseline" and file.search:
        yield f"search: `tonegap search` draws parameters of baselines, and none of a {kind}{_NO_SEARCH.get(kind, '')}"
    if kind != "method" and file.made_from != "images":
        yield f"made_from: a {kind} makes no images"
    for need in (need for need in file.needs if need not in NEEDS):
        yield f"needs: unknown value {need!r}; known values are {', '.join(NEEDS)}"
    yield from _feature_problems(kind, file)
    yield from _parameter_problems(file)


def _feature_problems(kind: str, file: PluginFile) -> Iterator[str]:
    if kind == "extractor" and not file.stages:
        yield 'stages: an extractor has "features", "embed" or both'
    if file.on == "features" and (kind != "baseline" or "backbone" not in file.parameters):
        yield 'on: "features" is for a baseline with a parameter `backbone`, which names an extractor'
    for name, seen in file.exposure.items():
        if seen.answer == "no" and name != ANY_DATA_SET:
            yield (
                f'exposure.{name}: a plug-in may say "yes" or "unknown", and "no" in exposure."{ANY_DATA_SET}" '
                'of what comes with it; of a file a "no" holds by its digest, in benchmarks/exposure.toml'
            )
        if not seen.source:
            yield f"exposure.{name}: the answer has no source; say who says so"


def _parameter_problems(file: PluginFile) -> Iterator[str]:
    for name, spec in file.parameters.items():
        if spec.kind not in PARAMETER_KINDS:
            known = ", ".join(f'"{kind}"' for kind in PARAMETER_KINDS)
            yield f"parameters.{name}: kind: unknown value {spec.kind!r}; known values are {known}"
        if spec.choices and spec.default not in spec.choices:
            yield f"parameters.{name}: default {spec.default!r} is not among its choices"
        if (found := not_finite(spec.default)) is not None:
            yield f"parameters.{name}: default is {found}, wanted a finite number"
        for other in spec.required if isinstance(spec.required, dict) else ():
            if other not in file.parameters:
                yield f"parameters.{name}: required: {other!r} is no parameter"
    for name, space in file.search.items():
        wanted = file.parameters.get(name)
        if wanted is None:
            yield f"search.{name}: no such parameter"
        else:
            texts = space_problems(space, wanted.default, wanted.choices)
            yield from (f"search.{name}: {text}" for text in texts)


def fill_parameters(
    plugin: Plugin, given: dict[str, Parameter], where: str
) -> dict[str, Parameter]:
    """Every parameter of a plug-in with its value: those given, the defaults for the rest.

    Raises BadSuiteFolder naming `where` for an unknown name, a wrong type or a value not among the choices.
    """
    specs = plugin.file.parameters
    for name in given:
        if name not in specs:
            known = ", ".join(sorted(specs)) or "no parameter"
            raise BadSuiteFolder(
                f"{where}: {plugin.label} has no parameter {name!r}{did_you_mean(name, specs)}; it has: {known}"
            )
    return {
        name: _checked(given[name], spec, f"{where}: {plugin.label} {name}")
        if name in given
        else spec.default
        for name, spec in sorted(specs.items())
    }


def _checked(value: Parameter, spec: ParameterSpec, where: str) -> Parameter:
    wanted = type(spec.default)
    if wanted is float and type(value) is int and not_finite(value) is None:
        value = float(value)
    if type(value) is not wanted or not_finite(value) is not None:
        raise BadSuiteFolder(f"{where}: found {value!r}, wanted a value like {spec.default!r}")
    if isinstance(value, int) and isinstance(spec.default, int) and value < 0 < spec.default:
        raise BadSuiteFolder(
            f"{where}: found {value}, wanted 0 or more, as its default {spec.default} is a count"
        )
    if spec.choices and value not in spec.choices:
        choices = ", ".join(repr(c) for c in spec.choices)
        raise BadSuiteFolder(f"{where}: found {value!r}, wanted one of {choices}")
    return value


def not_finite(value: Parameter) -> str | None:
    """The first number of a value that is NaN, infinite or beyond every float, as it is said; None: there is none."""
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, float) and not math.isfinite(one):
            return str(one)
        if isinstance(one, int) and abs(one) > sys.float_info.max:
            return "a whole number of more than 308 digits"
    return None


def missing_program(plugin: Plugin) -> str:
    """The program of a plug-in's command where a machine without containers does not have it; "" where it has."""
    program = plugin.file.command[0] if plugin.file.command else "python"
    if program == "python" or shutil.which(program) or (plugin.folder / program).is_file():
        return ""
    return program
