"""The cards of a report's methods and baselines as files: `methods/NAME.html`."""

from pathlib import Path

from tonegap.declared.paper import PaperFile
from tonegap.declared.plugin import FOLDERS, plugin_ids, read_plugin
from tonegap.errors import BadRoom
from tonegap.report.pages.links import CARDS, card_name
from tonegap.report.pages.plugin_page import PluginCard, PluginFacts, cards_of, method_card
from tonegap.report.pages.templates import render_template
from tonegap.results.board import Leaderboard
from tonegap.store.source import ResultSource

TEMPLATE = "method.html.j2"


def card_files(board: Leaderboard, source: ResultSource) -> dict[str, bytes]:
    """Contents by path of the card of every method and baseline. Raises BadRoom for a wrong template."""
    papers = {compared.key: compared.paper for compared in board.papers}
    return {
        f"{CARDS}/{card_name(kind, plugin_id)}.html": render_card(
            method_card(board, kind, plugin_id, _known(source.root, kind, plugin_id, papers)),
            board,
        ).encode()
        for kind, plugin_id in cards_of(board)
    }


def render_card(card: PluginCard, board: Leaderboard) -> str:
    """The page, with the report's stamps; the same card gives the same text.

    Raises BadRoom for a wrong template.
    """
    return render_template(board.settings, TEMPLATE, {"card": card, "stamps": board.stamps})


def _known(root: Path, kind: str, plugin_id: str, papers: dict[str, PaperFile]) -> PluginFacts:
    """What its folder says; a report outlives the plug-ins of its records, and others have their own."""
    if plugin_id not in plugin_ids(root, kind):
        where = f"{FOLDERS[kind]}/{plugin_id}"
        return PluginFacts(
            None,
            f"{where} is not in this suite: removed, or part of an external submission.",
            papers,
        )
    try:
        return PluginFacts(read_plugin(root, kind, plugin_id).file, "", papers)
    except BadRoom as e:
        why = str(e).replace(f"{root}/", "")
        return PluginFacts(None, f"What its folder says of it cannot be read: {why}.", papers)
