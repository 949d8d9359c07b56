"""The options of `run` and `plan` as one value, and the request they spell."""

import functools
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tonegap.cli.complete import baseline_names, method_names, postprocessor_names
from tonegap.cli.options import store_option, suite_root_option
from tonegap.cli.terminal import Notes
from tonegap.cli.terminal import say as say_line
from tonegap.declared.dataset import read_dataset
from tonegap.declared.root import default_store, find_root
from tonegap.errors import BadRequest, StoreError
from tonegap.files import is_there
from tonegap.lines import counted
from tonegap.numerics import Numerics, cores
from tonegap.split.id_lists import IdList, read_id_list
from tonegap.store.layout import AUDITS, INDEX, MARKER
from tonegap.store.store import Store

if TYPE_CHECKING:
    from tonegap.engines.base import Engine
    from tonegap.engines.slurm import Slurm
    from tonegap.plan.prepare import Request


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What was typed; `roots` as `NAME=DIR` or `DIR`, `gpus` as names."""

    suite_root: Path | None
    store: Path | None
    roots: tuple[str, ...]
    engine: str
    device: str
    gpus: str
    jobs: int | None
    allow_missing: bool
    methods: tuple[str, ...]
    baselines: tuple[str, ...]
    settings: tuple[str, ...]
    subset: int | None = None
    verify: bool = False
    numerics: Numerics | None = None
    exclude: tuple[str, ...] = ()
    postprocessors: tuple[str, ...] = ()
    progress: str = "auto"
    keep: bool = False
    place: str = "here"
    gpus_per_stage: int = 1

    @property
    def changes(self) -> tuple[str, ...]:
        """What makes the suite another one, as typed."""
        return (
            *(f"--method {name}" for name in self.methods),
            *(f"--baseline {name}" for name in self.baselines),
            *(f"--postprocessor {name}" for name in self.postprocessors),
            *(f"--set {setting}" for setting in self.settings),
        )


_OPTIONS = (
    suite_root_option,
    store_option,
    click.option(
        "--root",
        "roots",
        multiple=True,
        metavar="[DATASET=]DIR",
        help="Where your download of a data set lies; may be repeated.",
    ),
    click.option(
        "--engine",
        default="local",
        show_default=True,
        help="What stages run in: local (processes), docker (containers, Docker or Podman), bwrap or apptainer (the "
        "same images without a daemon).",
    ),
    click.option(
        "--place",
        type=click.Choice(["here", "slurm"]),
        default="here",
        show_default=True,
        help="Where stages run: this machine, or as jobs of a Slurm cluster (docs/cluster.md).",
    ),
    click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True),
    click.option(
        "--gpus",
        default="0",
        show_default=True,
        help="For --device cuda: indices, names (GPU-…, MIG-…), or all.",
    ),
    click.option(
        "--gpus-per-stage",
        type=click.IntRange(1),
        default=1,
        show_default=True,
        help="GPUs of a stage that can use several, as of a diffusion method's sampling; others get one.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(1),
        default=None,
        help="Stages at once (default: one per core, or per GPU; on a cluster as many as it gives).",
    ),
    click.option(
        "--allow-missing",
        is_flag=True,
        help="Run without images that are missing; records count them.",
    ),
    *(
        click.option(
            f"--{k}",
            f"{k}s",
            multiple=True,
            metavar="NAME",
            shell_complete=names,
            help=f"Also this {what} the suite's first entries.",
        )
        for k, names, what in (
            ("method", method_names, "method, with the baselines of"),
            ("baseline", baseline_names, "baseline, with the methods of"),
            ("postprocessor", postprocessor_names, "post-processor, behind"),
        )
    ),
    click.option(
        "--set",
        "settings",
        multiple=True,
        metavar="LABEL.NAME=VALUE",
        help="A parameter for this run: baselines.epochs=2, baselines/NAME.weights=PATH#sha256=HEX.",
    ),
    click.option(
        "--subset",
        type=int,
        metavar="N",
        help="Only about N images of each task, sampled by class and tone; reported in tables of their own.",
    ),
    click.option(
        "--exclude",
        multiple=True,
        metavar="[DATASET=]LIST",
        help="Without the images of a list of ids (mislabelled, duplicate); reported in tables of their own.",
    ),
    click.option(
        "--verify",
        is_flag=True,
        help="Hold what is used against its SHA-256, not only against its size and time of change.",
    ),
    click.option(
        "--numerics",
        type=click.Choice(["portable", "native"]),
        help="portable: the same bytes on every x86 processor with AVX2. (Default: the suite's own.)",
    ),
    click.option(
        "--progress",
        type=click.Choice(["auto", "rich", "plain", "json"]),
        default="auto",
        show_default=True,
        help="How a run shows itself on standard error: bars, lines, or one JSON object per event.",
    ),
    click.option(
        "--keep",
        "--debug",
        "keep",
        is_flag=True,
        help="Keep the folder of a stage that failed, with its input, and say where it is.",
    ),
)


def spelled(options: RunOptions, root: Path, store: Path) -> list[str]:
    """The words that ask for the same work from any folder: what decides what is done, not where or how it shows."""
    words = ["--suite-root", str(root), "--store", str(store)]
    for text in options.roots:
        name, separator, path = text.rpartition("=")
        words += ["--root", f"{name}{separator}{Path(path).expanduser().resolve()}"]
    words += ["--engine", options.engine, "--device", options.device]
    for name, values in (
        ("--method", options.methods),
        ("--baseline", options.baselines),
        ("--postprocessor", options.postprocessors),
        ("--set", options.settings),
        ("--exclude", options.exclude),
        ("--subset", () if options.subset is None else (str(options.subset),)),
        ("--numerics", (options.numerics,) if options.numerics else ()),
        ("--gpus", (options.gpus,) if options.gpus_per_stage > 1 else ()),
        ("--gpus-per-stage", (str(n),) if (n := options.gpus_per_stage) > 1 else ()),
    ):
        words += [word for value in values for word in (name, value)]
    return [*words, *(["--allow-missing"] if options.allow_missing else [])]


def run_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds the options and hands them over as one `options` argument."""
    names = tuple(RunOptions.__dataclass_fields__)

    @functools.wraps(function)
    def with_options(*args: Any, **values: Any) -> Any:
        options = RunOptions(**{name: values.pop(name) for name in names})
        Notes.as_json = options.progress == "json"
        return function(*args, options=options, **values)

    decorated: Callable[..., Any] = with_options
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    return decorated


def open_request(suite_name: str, options: RunOptions, cache: Path | None = None) -> "Request":
    """The request that the options spell. Raises ToneGapError for what cannot be.

    `cache`: an empty folder that takes what a store that cannot be written would; for what only looks.
    """
    from tonegap.declared import suite as suites
    from tonegap.engines import open_engine
    from tonegap.plan.prepare import Request

    root = find_root(options.suite_root)
    declared = suites.read_suite(root, suite_name)
    suite = suites.with_entries(
        declared, options.methods, options.baselines, options.postprocessors
    )
    suite = suites.with_parameters(suite, options.settings)
    suite = suites.named_apart(suite, declared, options.changes, options.device)
    suite = suites.with_numerics(suites.with_subset(suite, options.subset), options.numerics)
    wanted = tuple(dict.fromkeys(task.split("/")[0] for task in suite.file.tasks))
    excluded = read_lists(root, options.exclude, wanted)
    lists = [(ids.path.name, ids.sha256) for of in excluded.values() for ids in of]
    suite = suites.with_exclusions(suite, lists)
    say, here = functools.partial(say_line, err=True), options.place == "here"
    if not here and cache is None:
        open_slurm(options)
    engine = open_engine(options.engine, root, suite_name, here, say)
    # What only looks needs no GPU here: a plan is made before the machine is rented.
    elsewhere = cache is not None and options.gpus == "all" and not engine.gpus()
    if not elsewhere:
        _check_gpus_per_stage(options, engine)
    _check_device(options, engine, only_looks=cache is not None)
    store, overlay = _open_store(options.store or default_store(root), options.verify, cache)
    return Request(
        root=root,
        suite=suite,
        store=store,
        engine=engine,
        roots=parse_roots(options.roots, wanted),
        device=options.device,
        jobs=options.jobs or (0 if elsewhere else len(parse_gpus(options, engine))) or cores(),
        allow_missing=options.allow_missing,
        cache=overlay,
        excluded=excluded,
        only_looks=cache is not None,
    )


def open_slurm(options: RunOptions) -> "Slurm":
    """The cluster of a run. Raises BadRequest for bad settings, EngineError where no cluster answers here."""
    from tonegap.engines.slurm import Slurm, read_site

    slurm = Slurm(read_site(), options.jobs or 0)
    slurm.site.gpu_words(options.gpus_per_stage)
    slurm.check()
    return slurm


def _check_device(options: RunOptions, engine: "Engine", *, only_looks: bool) -> None:
    """Raises BadRequest for GPUs that this machine does not have; of a container engine's it says which, once asked.

    With `only_looks` they may be another machine's.
    """
    if options.place == "slurm" and options.engine == "docker":
        raise BadRequest("--place slurm: found --engine docker, wanted local, bwrap or apptainer")
    if options.device != "cuda":
        return
    if options.engine == "bwrap":
        raise BadRequest(
            "--device cuda: bwrap brings no driver of a GPU into an image; take apptainer or docker"
        )
    # Nodes have GPUs of their own; /dev/dxg: where Windows lends its GPU.
    if options.place == "slurm" or only_looks or Path("/dev/dxg").exists():
        return
    there = engine.gpus()
    if options.engine == "docker":
        if not there:
            raise BadRequest(
                "--device cuda: the docker engine sees no GPU here; NVIDIA's driver and container toolkit are wanted, "
                "and what `nvidia-ctk cdi generate` writes, or leave --device out to run on the CPU"
            )
        return
    asked = () if options.gpus == "all" else parse_gpus(options, engine)
    missing = [gpu for gpu in asked if gpu.isdecimal() and gpu not in there]
    if missing or not there:
        found = f"GPU {', '.join(there)}" if there else "no GPU"
        raise BadRequest(
            f"--device cuda: wanted GPU {', '.join(missing or asked) or 'all'}, this machine has {found} (see "
            "`tonegap doctor`); leave --device out to run on the CPU"
        )


def _check_gpus_per_stage(options: RunOptions, engine: "Engine") -> None:
    """Raises BadRequest where a stage is to have more GPUs than the run."""
    n, typed = options.gpus_per_stage, f"--device {options.device} --gpus {options.gpus}"
    if n == 1 or (options.place == "slurm" and options.device == "cuda"):
        return
    found = parse_gpus(options, engine)
    if slices := [name for name in found if ":" in name or name.startswith("MIG-")]:
        raise BadRequest(
            f"--gpus-per-stage {n}: found the slice {slices[0]}, wanted whole GPUs: CUDA shows a process one slice"
        )
    if (n_found := len(found)) < n:
        raise BadRequest(
            f"--gpus-per-stage {n}: found {counted(n_found, 'GPU')} by {typed}, wanted --device cuda and {n} or more"
        )


def _open_store(folder: Path, deep: bool, cache: Path | None) -> tuple[Store, Path | None]:
    """The store, and where what is learned of images is kept instead of in it.

    With a `cache` a store that is not there or cannot be written will do: `cache` gets links to what is known there.
    Raises StoreError.
    """
    # What only looks makes no store; a file in its place is refused.
    is_file = os.path.isfile(folder)  # noqa: PTH113 - false, no error, where nobody may look
    if cache is None or is_file or is_there(folder / MARKER):
        try:
            return Store(folder, deep=deep), None
        except StoreError:
            if cache is None or is_file:
                raise
    store = Store(folder, deep=deep, read_only=True)
    for name in (INDEX, AUDITS):
        (cache / name).mkdir()
        for path in (store.folder / name).glob("*"):
            (cache / name / path.name).symlink_to(path)
    return store, cache


def parse_roots(given: tuple[str, ...], wanted: tuple[str, ...]) -> dict[str, Path]:
    """Data roots by data set; a bare DIR is that of the suite's only data set. Raises BadRequest."""
    found: dict[str, Path] = {}
    for text in given:
        name, path = _of_dataset("--root", text, wanted)
        if not path.is_dir():
            raise BadRequest(f"--root {text}: {path} is no folder")
        found[name] = path
    return found


def read_lists(
    root: Path, given: tuple[str, ...], wanted: tuple[str, ...]
) -> dict[str, tuple[IdList, ...]]:
    """The lists of images to leave out by data set, each once. Raises BadRequest, and BadData for a wrong list."""
    found: dict[str, tuple[IdList, ...]] = {}
    for name, path in (_of_dataset("--exclude", text, wanted) for text in given):
        ids = read_id_list(path, read_dataset(root, name))
        if all(ids.sha256 != other.sha256 for other in found.get(name, ())):
            found[name] = (*found.get(name, ()), ids)
    return found


def _of_dataset(option: str, text: str, wanted: tuple[str, ...]) -> tuple[str, Path]:
    """`NAME=PATH`, or a bare PATH of the suite's only data set."""
    name, separator, path = text.partition("=")
    if not separator:
        if len(wanted) != 1:
            raise BadRequest(
                f"{option} {text}: say which data set, {' or '.join(wanted)}: {option} {wanted[0]}={text}"
            )
        name, path = wanted[0], text
    if name not in wanted:
        raise BadRequest(
            f"{option} {text}: the suite has no task on {name!r}; it asks for {', '.join(wanted)}"
        )
    return name, Path(path).expanduser()


def parse_gpus(options: RunOptions, engine: "Engine") -> tuple[str, ...]:
    """The GPUs of a run by name, none on the CPU; `all` are those the engine has. Raises BadRequest."""
    from tonegap.engines.gpus import GPU_NAME, card

    if options.device != "cuda":
        return ()
    if options.gpus == "all":
        found = engine.gpus()
        if not found:
            raise BadRequest(f"--gpus: found 'all', and the {engine.name} engine sees no GPU here")
        return found
    names = options.gpus.split(",")
    for name in names:
        if not GPU_NAME.fullmatch(name):
            raise BadRequest(
                f"--gpus: found {name!r}, wanted indices like 0,1, names like GPU-… or MIG-…, or all"
            )
    return tuple({card(name): name for name in names}.values())
