"""What a shell completes: names of suites, tasks, methods, baselines, data sets, papers and entries that are here.

eval "$(_TONEGAP_COMPLETE=bash_source tonegap)"        bash; `zsh_source`, `fish_source` likewise
"""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.errors import ToneGapError

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], "list[CompletionItem]"]


def _completer(names: Callable[[Path], Iterable[str]]) -> Completer:
    """Completes by the names that a suite root gives; nothing where there is none."""

    def complete(ctx: click.Context, param: click.Parameter, typed: str) -> "list[CompletionItem]":
        from click.shell_completion import CompletionItem

        from tonegap.declared.root import find_root

        del param
        given = ctx.params.get("suite_root")
        try:
            root = find_root(Path(given) if given else None)
            return [CompletionItem(name) for name in names(root) if name.startswith(typed)]
        except ToneGapError:
            return []

    return complete


def _suites(root: Path) -> list[str]:
    from tonegap.declared.suite import suite_ids

    return suite_ids(root)


def _tasks(root: Path) -> list[str]:
    from tonegap.declared.task import task_ids

    return task_ids(root)


def _plugins(kind: str) -> Callable[[Path], list[str]]:
    def found(root: Path) -> list[str]:
        from tonegap.declared.plugin import plugin_ids

        return plugin_ids(root, kind)

    return found


def _datasets(root: Path) -> list[str]:
    from tonegap.declared.dataset import dataset_ids

    return dataset_ids(root)


def _papers(root: Path) -> list[str]:
    from tonegap.declared.paper import paper_keys

    return paper_keys(root)


def _entries(root: Path) -> list[str]:
    from tonegap.declared.root import default_store
    from tonegap.store.read import merge_suites, read_suites

    cells = merge_suites(read_suites(default_store(root)))
    return list(dict.fromkeys(cell.id.entry.label for cell in cells))


suite_names, task_names = _completer(_suites), _completer(_tasks)
method_names, baseline_names = _completer(_plugins("method")), _completer(_plugins("baseline"))
dataset_names, paper_names, entry_names = map(_completer, (_datasets, _papers, _entries))
