"""A plan as a Snakemake workflow, for whoever has Kubernetes, LSF or a cloud: one rule for each stage, then the run.

Pure. What Snakemake decides is where and when; what is done, checked and kept is tonegap's, as is what is cached: the
output of a rule is the mark of a finished stage in the store.
"""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from shlex import quote

from tonegap.declared.suite import Limits
from tonegap.plan.plan import Plan, PlannedStage
from tonegap.run.stages import stage_titles
from tonegap.store.layout import stage_unit

WRITTEN = b"# Written by `tonegap export snakemake`:"  # how each begins
_HEAD = """\
# Written by `tonegap export snakemake`: the stages of suite {suite}, then its scores and report.
# Run it with any executor of Snakemake: snakemake --snakefile FILE --cores N
# Each job needs tonegap, the suite root and the store under the same paths; --config tonegap="..." names the program.
TONEGAP = config.get("tonegap", "tonegap")


rule all:
    input: {done!r}


rule report:
    input: {inputs}
    output: touch({done!r})
    shell: TONEGAP + {run!r}
"""
_RULE = """

rule {name}:  # {title}
    input: {inputs}
    output: {output!r}
    threads: {threads}
    resources: mem_mb={memory_mib}, runtime={minutes}{gpu}
    shell: TONEGAP + {make!r}
"""


def snakefile(
    plan: Plan, words: Sequence[str], limits: Limits, store: Path, several: int = 1
) -> str:
    """The workflow of a plan; `words` are the suite and the options of its run.

    `several`: GPUs of a stage that can use more than one.
    """
    titles = stage_titles(plan)
    needed = dict.fromkeys(
        key for run in plan.runs if not run.id.not_applicable for key in run.stages
    )
    options = " ".join(_shell(word) for word in words[1:])
    suite = _shell(words[0])

    def marks(keys: Sequence[str]) -> str:
        return "[" + ", ".join(repr(_mark(store, key)) for key in keys) + "]"

    def rule(stage: PlannedStage) -> str:
        return _RULE.format(
            name=f"stage_{stage.key[:16]}",
            title=" ".join(titles[stage.key].split()),
            inputs=marks(stage.upstream),
            output=_mark(store, stage.key),
            threads=stage.threads * max(stage.n_gpus(several), 1),
            memory_mib=limits.memory_mib,
            minutes=ceil(limits.timeout_s / 60),
            gpu=f", gpu={n}" if (n := stage.n_gpus(several)) else "",
            make=f" stage make {suite} {stage.key} {options}",
        )

    head = _HEAD.format(
        suite=plan.matrix.suite,
        done=f"tonegap-{plan.matrix.suite}.done",
        inputs=marks(list(needed)),
        run=f" run {suite} {options}",
    )
    return head + "".join(rule(plan.stages[key]) for key in needed)


def _mark(store: Path, key: str) -> str:
    return (store / stage_unit(key) / "stage.json").as_posix()


def _shell(word: str) -> str:
    """A word for a shell, within a command that Snakemake formats."""
    return quote(word).replace("{", "{{").replace("}", "}}")
