"""A suite: a list of entries over a list of tasks and seeds, `benchmarks/suites/NAME.toml`."""

import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from tonegap.declared.assets import asset_in, asset_named
from tonegap.declared.local_files import absolute, public_form, spelled
from tonegap.declared.plugin import FOLDERS, Plugin, not_finite, read_plugin
from tonegap.declared.toml import check_known, read_toml
from tonegap.errors import BadRequest, BadSuiteFolder
from tonegap.files import digest_of
from tonegap.formats.job import Parameter
from tonegap.lines import did_you_mean
from tonegap.numerics import Numerics

SUITES = Path("benchmarks/suites")
NOTHING = "none"  # in a row's post-processors: the predictions as they are
_LABELS = tuple(FOLDERS.values())
_DEVICE = "cpu"  # what a suite runs on unless the command line says otherwise


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one stage may take."""

    timeout_s: int = 24 * 3600  # wall seconds
    memory_mib: int = 16384  # MiB of memory
    output_mib: int = 20480  # MiB of output


class EntryRows(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Entries of a suite: every method × baseline × backbone × post-processor named here."""

    methods: tuple[str, ...]  # folders of `methods/`
    baselines: tuple[str, ...]  # folders of `baselines/`
    # networks; may be empty where the baselines have no such parameter
    backbones: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()  # those of the suite that are asked; none: all
    variant: str = ""  # names a parameter set that differs from another row of the same three
    method_parameters: dict[str, Parameter] = {}  # parameters of these methods
    baseline_parameters: dict[str, Parameter] = {}  # parameters of these baselines
    # folders of `postprocessors/`; `"none"`: the predictions as they are, as without this key
    postprocessors: tuple[str, ...] = ()
    postprocessor_parameters: dict[str, Parameter] = {}  # parameters of these post-processors


class QualitySpec(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What measures a suite's synthetic images: a feature extractor and its parameters."""

    extractor: str  # a folder of `extractors/`
    parameters: dict[str, Parameter] = {}  # its parameters


class SuiteFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A suite's TOML file: a list of entries over a list of tasks and seeds."""

    title: str  # its name for people
    about: str  # what it compares
    tasks: tuple[str, ...]  # tasks, as `DATASET/NAME`
    seeds: tuple[int, ...] | Literal["published"]  # a list, or `"published"` for each task's own
    entries: tuple[EntryRows, ...]  # what is compared
    # by `baselines`, `methods` or `postprocessors` (all that have a parameter of that name) or `baselines/NAME` (one);
    # an entry's own win
    parameters: dict[str, dict[str, Parameter]] = {}
    limits: Limits = Limits()  # what one stage may take
    threads: int = 1  # threads of one stage
    # `"portable"`: the same bytes on every x86 processor with AVX2, on one thread of the CPU
    numerics: Numerics = "native"
    # samples about so many images of each task; its results rank among themselves alone
    subset: int | None = None
    # what measures synthetic images; absent: only what needs no features
    quality: QualitySpec | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite: its id (the file's name without `.toml`), its file, content, and the suite root.

    Relative paths of local files in its parameters start from the root.
    """

    id: str
    path: Path
    file: SuiteFile
    root: Path


def suite_ids(root: Path) -> list[str]:
    """Sorted ids of the suites of a suite root."""
    return sorted(path.stem for path in (root / SUITES).glob("*.toml"))


def read_suite(root: Path, name: str) -> Suite:
    """The suite of that id, or the one at a path that ends in `.toml`.

    Raises BadSuiteFolder for an unknown id (naming those there are) or a wrong file.
    """
    path = Path(name)
    if not name.endswith(".toml"):
        check_known(root / SUITES, "suite", name, suite_ids(root))
        path = root / SUITES / f"{name}.toml"
    file = read_toml(path, SuiteFile)
    for problem in _problems(file):
        raise BadSuiteFolder(f"{path}: {problem}")
    return Suite(id=path.stem, path=path, file=_with_assets(file, root), root=root)


def _with_assets(file: SuiteFile, root: Path) -> SuiteFile:
    """The file with `asset:NAME` of its parameters as the file of that name in the cache, and its digest."""

    def resolved(values: dict[str, Parameter]) -> dict[str, Parameter]:
        return {name: asset_or(value, root) for name, value in values.items()}

    rows = tuple(
        msgspec.structs.replace(
            row,
            method_parameters=resolved(row.method_parameters),
            baseline_parameters=resolved(row.baseline_parameters),
            postprocessor_parameters=resolved(row.postprocessor_parameters),
        )
        for row in file.entries
    )
    parameters = {label: resolved(values) for label, values in file.parameters.items()}
    quality = file.quality and QualitySpec(
        file.quality.extractor, resolved(file.quality.parameters)
    )
    return msgspec.structs.replace(file, entries=rows, parameters=parameters, quality=quality)


def asset_or(value: Parameter, root: Path) -> Parameter:
    """The file that `asset:NAME` names, as PATH#sha256=HEX; any other value as it is. Raises BadSuiteFolder."""
    name = asset_in(value)
    if name is None:
        return value
    asset = asset_named(root, name)
    return spelled(asset.path, asset.sha256)


def plugins_of(suite: Suite) -> list[Plugin]:
    """Every plug-in that a suite names, that of its quality sheets included, each once. Raises BadSuiteFolder."""
    named = {("method", one) for row in suite.file.entries for one in row.methods}
    named |= {("baseline", one) for row in suite.file.entries for one in row.baselines}
    named |= {
        ("postprocessor", one)
        for row in suite.file.entries
        for one in row.postprocessors
        if one != NOTHING
    }
    named |= {("extractor", suite.file.quality.extractor)} if suite.file.quality else set()
    found = {one: read_plugin(suite.root, *one) for one in sorted(named)}
    for row in suite.file.entries:
        for plugin in (found["baseline", one] for one in row.baselines):
            if plugin.file.on == "features":
                for one in row.backbones or (str(plugin.file.parameters["backbone"].default),):
                    found["extractor", one] = read_plugin(suite.root, "extractor", one)
    return [found[one] for one in sorted(found)]


def _parameters_of(file: SuiteFile) -> Iterator[tuple[str, dict[str, Parameter]]]:
    """All parameters that a suite's file gives, by where they stand in it."""
    yield from ((f"parameters.{label}", values) for label, values in file.parameters.items())
    for number, row in enumerate(file.entries):
        for kind in ("method", "baseline", "postprocessor"):
            name = f"{kind}_parameters"
            yield f"entries[{number}].{name}", getattr(row, name)
    if file.quality is not None:
        yield "quality.parameters", file.quality.parameters


def _problems(file: SuiteFile) -> Iterator[str]:
    sections = ("tasks", "seeds", "entries")
    yield from (f"{n}: empty; a suite needs at least one" for n in sections if not getattr(file, n))
    yield from (
        f"entries[{number}].{name}: empty; an entry needs at least one"
        for number, row in enumerate(file.entries)
        for name in ("methods", "baselines")
        if not getattr(row, name)
    )
    yield from (
        f"entries[{number}].tasks: {task!r} is none of the suite's tasks"
        for number, row in enumerate(file.entries)
        for task in row.tasks
        if task not in file.tasks
    )
    for where, values in _parameters_of(file):
        for name, value in values.items():
            if (found := not_finite(value)) is not None:
                yield f"{where}: {name}: found {found}, wanted a finite number"
    counts = {"threads": file.threads, "subset": file.subset}
    for name, value in (counts | msgspec.structs.asdict(file.limits)).items():
        if value is not None and value < 1:
            yield f"{name}: found {value}, wanted 1 or more"
    if file.numerics == "portable" and file.threads > 1:
        yield (
            f'threads: found {file.threads}; numerics = "portable" holds on one thread alone: leave threads out, '
            'or say numerics = "native"'
        )
    if isinstance(file.seeds, tuple) and any(not 0 <= seed < 2**32 for seed in file.seeds):
        yield "seeds: a seed is not between 0 and 4294967295"
    lists = {"tasks": file.tasks, "seeds": file.seeds}
    yield from (
        f"{name}: a value is listed twice"
        for name, values in lists.items()
        if isinstance(values, tuple) and len(set(values)) < len(values)
    )
    yield from (
        f"parameters: {key!r} is none of {', '.join(_LABELS)} nor one of theirs"
        for key in file.parameters
        if key.split("/")[0] not in _LABELS
    )


def check_common_parameters(suite: Suite, plugins: Sequence[Plugin]) -> None:
    """Raises BadSuiteFolder for a parameter that none of a suite's plug-ins has: it would change nothing."""
    labels = {*_LABELS, *(plugin.label for plugin in plugins)}
    for label, values in suite.file.parameters.items():
        if label not in labels:
            there = ", ".join(sorted(labels - {*_LABELS}))
            raise BadSuiteFolder(
                f"{suite.path}: parameters: {label!r} is no plug-in of this suite{did_you_mean(label, labels)}; there "
                f"are: {there}"
            )
        known = {
            name
            for plugin in plugins
            if label in {plugin.label, plugin.label.split("/")[0]}
            for name in plugin.file.parameters
        }
        for name in values:
            if name not in known:
                there = ", ".join(sorted(known))
                raise BadSuiteFolder(
                    f"{suite.path}: parameters.{label}: no plug-in of this suite has a parameter "
                    f"{name!r}{did_you_mean(name, known)}; "
                    + (f"there are: {there}" if known else "they have no parameters: leave it out")
                )


def with_entries(
    suite: Suite,
    methods: tuple[str, ...],
    baselines: tuple[str, ...],
    postprocessors: tuple[str, ...] = (),
) -> Suite:
    """The suite and, beside its first entries, the same with other methods, baselines or post-processors."""
    first = suite.file.entries[0]
    rows = suite.file.entries
    if methods:
        rows += (msgspec.structs.replace(first, methods=methods, method_parameters={}),)
    if baselines:
        rows += (msgspec.structs.replace(first, baselines=baselines, baseline_parameters={}),)
    if postprocessors:
        given = {"postprocessors": postprocessors, "postprocessor_parameters": {}}
        rows += (msgspec.structs.replace(first, **given),)
    return replace(suite, file=msgspec.structs.replace(suite.file, entries=rows))


def with_parameters(suite: Suite, settings: tuple[str, ...]) -> Suite:
    """The suite with parameters set as `LABEL.NAME=VALUE`, VALUE as TOML writes it or plain text.

    LABEL is `baselines`, `methods`, `extractors`, `postprocessors` or one of theirs (`baselines/NAME`). A relative path
    of a local file or folder (`PATH#sha256=HEX`) starts from the current folder. Raises BadRequest.
    """
    parameters = {label: dict(values) for label, values in suite.file.parameters.items()}
    for setting in settings:
        left, equals, text = setting.partition("=")
        label, dot, name = left.rpartition(".")
        if not (equals and dot and label.split("/")[0] in _LABELS):
            raise BadRequest(
                f"--set {setting}: wanted LABEL.NAME=VALUE, as baselines.epochs=2; LABEL is {', '.join(_LABELS)} or "
                "one of theirs, as baselines/NAME"
            )
        if (found := not_finite(value := _value(text))) is not None:
            raise BadRequest(f"--set {setting}: found {found}, wanted a finite number")
        value = absolute(value, Path.cwd())
        parameters.setdefault(label, {})[name] = asset_or(value, suite.root)
    return replace(suite, file=msgspec.structs.replace(suite.file, parameters=parameters))


def with_subset(suite: Suite, n_images: int | None) -> Suite:
    """The suite with about so many images of each task, under an id of its own; None leaves it as it is.

    The id is another so that its report does not take the place of the whole suite's. Raises BadRequest for
    fewer than one image.
    """
    if n_images is None:
        return suite
    if n_images < 1:
        raise BadRequest(f"--subset {n_images}: wanted 1 image or more")
    file = msgspec.structs.replace(suite.file, subset=n_images)
    return _renamed(suite, f"subset-{n_images}", f"subset of {n_images:,} images", file)


def _renamed(suite: Suite, suffix: str, said: str, file: SuiteFile) -> Suite:
    """A suite whose file was changed under an id of its own, with what was changed in its title."""
    file = msgspec.structs.replace(file, title=f"{suite.file.title} [{said}]")
    return replace(suite, id=f"{suite.id}-{suffix}", file=file)


def with_exclusions(suite: Suite, lists: Sequence[tuple[str, str]]) -> Suite:
    """The suite without the images of lists, each (name, SHA-256), under an id of its own; as it is without any."""
    if not lists:
        return suite
    names = ", ".join(name for name, _ in lists)
    digest = digest_of(sorted(sha256 for _, sha256 in lists))[:8]
    return _renamed(suite, f"without-{digest}", f"without {names}", suite.file)


def named_apart(suite: Suite, declared: Suite, said: Sequence[str], device: str) -> Suite:
    """A suite that the command line changed, under an id of its own; `declared` itself where nothing differs.

    The id is another so that its results never take the place of the suite's. It follows from what was changed, local
    files by content; `said` are the options as typed, for the title.
    """
    if suite.file == declared.file and device == _DEVICE:
        return declared
    said = [*map(_public, said), *([] if device == _DEVICE else [f"--device {device}"])]
    if suite.file == declared.file:
        name = f"on-{device}"
    else:
        values = {
            label: {name: public_form(value) or value for name, value in of.items()}
            for label, of in suite.file.parameters.items()
        }
        name = f"with-{digest_of([msgspec.to_builtins(suite.file.entries), values, device])[:8]}"
    return _renamed(suite, name, f"with {' '.join(said)}", suite.file)


def _public(option: str) -> str:
    """An option as a title has it: a local file by name and digest, without the folders it lies in."""
    left, equals, value = option.partition("=")
    return f"{left}{equals}{public_form(value) or value}"


def with_numerics(suite: Suite, numerics: Numerics | None) -> Suite:
    """The suite with other numerics under an id of its own; None or its own numerics leave it as it is.

    Raises BadRequest for portable numerics on several threads.
    """
    if numerics in {None, suite.file.numerics}:
        return suite
    file = msgspec.structs.replace(suite.file, numerics=numerics)
    for problem in _problems(file):
        raise BadRequest(f"--numerics {numerics}: {suite.path}: {problem}")
    return _renamed(suite, str(numerics), f"{numerics} numerics", file)


def _value(text: str) -> Parameter:
    """A parameter's value as TOML reads it; what is no TOML value is plain text."""
    try:
        value: Parameter = msgspec.convert(tomllib.loads(f"value = {text}")["value"], Parameter)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError):
        return text
    return value
