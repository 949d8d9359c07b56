"""Gives a shell the names it completes: suites, tasks, methods, baselines, data sets, papers and entries that are here.

eval "$(_TONEGAP_COMPLETE=bash_source tonegap)"        bash; `zsh_source`, `fish_source` likewise
"""

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.declared.root import default_store, find_root
from tonegap.errors import ToneGapError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def _completer(module: str, function: str, *more: str) -> Completer:
    """Completes by the names that a function of that module gives of a suite root; nothing where there is none."""

    def complete(ctx: click.Context, param: click.Parameter, typed: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        del param
        given = ctx.params.get("suite_root")
        try:
            root = find_root(Path(given) if given else None)
            names = getattr(importlib.import_module(f"tonegap.{module}"), function)(root, *more)
            return [CompletionItem(name) for name in names if name.startswith(typed)]
        except ToneGapError:
            return []

    return complete


def entries_of(root: Path) -> list[str]:
    """The labels of all entries in the store of a suite root. Raises ToneGapError where nothing ran."""
    from tonegap.store.read import merge_suites, read_suites

    runs = merge_suites(read_suites(default_store(root)))
    return list(dict.fromkeys(run.id.entry.label for run in runs))


def suites_of(root: Path) -> list[str]:
    """Names of the suites that ran in the store of a suite root."""
    from tonegap.store.layout import SUITES

    return sorted(path.stem for path in (default_store(root) / SUITES).glob("*.json"))


suite_names = _completer("declared.suite", "suite_ids")
task_names = _completer("declared.task", "task_ids")
method_names = _completer("declared.plugin", "plugin_ids", "method")
baseline_names = _completer("declared.plugin", "plugin_ids", "baseline")
postprocessor_names = _completer("declared.plugin", "plugin_ids", "postprocessor")
dataset_names = _completer("declared.dataset", "dataset_ids")
paper_names = _completer("declared.paper", "paper_keys")
entry_names = _completer("cli.complete", "entries_of")
ran_names = _completer("cli.complete", "suites_of")
