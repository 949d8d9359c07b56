"""The whole of a report: its tables and all that is said of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.results.claims import Claims
from tonegap.results.model import Hole, LeaderboardTable, Mean, NotApplicable, Row
from tonegap.results.papers.compare import ComparedPaper
from tonegap.results.quality import SetSheet

if TYPE_CHECKING:
    from tonegap.results.submissions.stored import StoredSubmission


@dataclass(frozen=True, slots=True)
class Leaderboard:
    """All tables of a report with what is missing from them.

    `n_runs` counts the declared runs that apply; `sheets` has the synthetic sets, `claims`
    the intervals and comparisons of the tables that have any; `papers` are those of the suite root beside
    these runs, where they were compared.
    """

    settings: LeaderboardSettings
    tables: tuple[LeaderboardTable, ...]
    holes: tuple[Hole, ...]
    not_applicable: tuple[NotApplicable, ...]
    n_runs: int
    sheets: tuple[SetSheet, ...] = ()
    claims: tuple[Claims, ...] = ()
    submissions: "tuple[StoredSubmission, ...]" = ()
    truth_alarms: tuple[str, ...] = ()
    papers: tuple[ComparedPaper, ...] = ()

    def claims_of(self, table: LeaderboardTable) -> Claims | None:
        """The claims of one of the tables, None if it has none."""
        return next((claims for claims in self.claims if claims.table is table), None)

    def rank_mean(self, row: Row, table: LeaderboardTable) -> Mean:
        """The score of a row of the table that ranks it, as measured."""
        scores = row.views[table.ranked].scores
        worst = scores.worst if self.settings.by_worst(table.ranked[2]) else None
        return worst or scores.overall

    @property
    def alarms(self) -> tuple[str, ...]:
        """What controls say against the whole report; empty as it should be."""
        return tuple(alarm for claims in self.claims for alarm in claims.alarms)

    @property
    def stamps(self) -> tuple[tuple[str, str], ...]:
        """Every alarm with the name of its kind, as all formats say it first of all."""
        return (
            *(("CONTROL ALARM", alarm) for alarm in self.alarms),
            *(("TRUTH ALARM", alarm) for alarm in self.truth_alarms),
            *(("TRUTH ALARM", text) for claims in self.claims for text in claims.contradictions),
        )
