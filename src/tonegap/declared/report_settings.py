"""`reports/leaderboard.toml` and the page's templates: everything a report depends on beside records.

The mistake it exists to prevent: a choice (which rule ranks, which entry is the reference) that
lives in code, where nobody who reads the table can see it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from tonegap.declared.dataset import image_sources
from tonegap.declared.toml import read_toml
from tonegap.errors import BadSuiteFolder
from tonegap.scores.tables import METRIC_NAMES, metric_named

SETTINGS = Path("reports/leaderboard.toml")
TEMPLATES = Path("reports/templates")


class Reference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The entry that changes are counted from; each backbone has its own."""

    method: str
    baseline: str

    @property
    def label(self) -> str:
        """As people read it."""
        return f"{self.method} + {self.baseline}"


class LeaderboardSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The choices of a report; documented in `reports/leaderboard.toml`.

    `templates` maps a template's file name to its text; it is read from `reports/templates/`. `image_sources` maps data
    sets that share images to one of them; it is read from `benchmarks/`.
    """

    title: str
    selection: Literal["validation", "last"]
    rank_by: Literal["worst", "overall"]
    metrics: tuple[str, ...]
    reference: Reference
    tone_note: str
    min_rank_support: int = 100
    n_rows: int = 100
    n_plots: int = 12
    n_details: int = 24
    n_compared: int = 40
    ranks_told: bool = True
    templates: dict[str, str] = {}
    image_sources: dict[str, str] = {}

    def by_worst(self, metric: str) -> bool:
        """Whether the worst tone's score ranks (a metric that compares tones has none)."""
        return self.rank_by == "worst" and metric_named(metric).per_tone


def read_settings(root: Path) -> LeaderboardSettings:
    """The settings of a suite root with its templates. Raises BadSuiteFolder naming file and key."""
    path = root / SETTINGS
    settings = read_toml(path, LeaderboardSettings)
    if settings.templates:
        raise BadSuiteFolder(f"{path}: templates: put them into {root / TEMPLATES}, one file each")
    if settings.image_sources:
        raise BadSuiteFolder(f"{path}: image_sources: say part_of in the data set's dataset.toml")
    unknown = [name for name in settings.metrics if name not in METRIC_NAMES]
    if unknown or not settings.metrics:
        found = f"unknown value {unknown[0]!r}" if unknown else "empty"
        raise BadSuiteFolder(
            f"{path}: metrics: {found}; known metrics are {', '.join(METRIC_NAMES)}"
        )
    if settings.min_rank_support < 0:
        raise BadSuiteFolder(
            f"{path}: min_rank_support: found {settings.min_rank_support}, wanted a number of images, 0 or more"
        )
    return msgspec.structs.replace(
        settings, templates=_read_templates(root / TEMPLATES), image_sources=image_sources(root)
    )


def titled(settings: LeaderboardSettings, suites: Sequence[str]) -> LeaderboardSettings:
    """The settings with the title of the suite that is reported, if it is a single one."""
    return settings if len(suites) != 1 else msgspec.structs.replace(settings, title=suites[0])


def _read_templates(folder: Path) -> dict[str, str]:
    try:
        found = {p.name: p.read_text(encoding="utf-8") for p in sorted(folder.glob("*.j2"))}
    except (OSError, UnicodeDecodeError) as e:
        raise BadSuiteFolder(f"{folder}: a template cannot be read ({e})") from None
    if not found:
        raise BadSuiteFolder(f"{folder}: no template (*.j2) there; the page of a report needs them")
    return found
