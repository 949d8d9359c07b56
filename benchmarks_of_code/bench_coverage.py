"""How often intervals hold the truth, and tests tell equal methods apart, as a table for `docs/metrics.md`.

    python benchmarks_of_code/bench_coverage.py --sets 200 --sizes ddi --seeds 2 5 --sd 1 --kept FILE

A set is a table of six entries that are equal as methods (`simulated.py` says how they err). Of its first entry
every interval is held against the true score; all six are compared. Pieces add up: each run adds its sets to those
in FILE, one line of JSON each, and prints the table of all of them. `--ranked balanced_accuracy` is quicker: the
intervals of that metric and of accuracy alone, and no tests. Wanted: 93 to 97 % of intervals hold the
truth, and 6 % of tests at most tell equal methods apart.
"""

import argparse
import json
import sys
from collections import Counter
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path

import numpy as np
from simulated import SETTINGS, Simulation

from tonegap.scores.evidence.comparing import ALPHA, compare_entries, holm_steps
from tonegap.scores.evidence.entries import EvidenceRequest, entry_means, evidence_of
from tonegap.scores.evidence.seeds import pooled
from tonegap.scores.evidence.tie_groups import tie_groups
from tonegap.scores.tables import ALL, GAP, WORST

N_ENTRIES = 6
_PIECE = 5
INTERVALS = {
    "all": [("accuracy", ALL)],
    "tone": "accuracy",
    "worst": [("accuracy", WORST)],
    "gap": [("accuracy", GAP)],
    "balanced accuracy of a tone": "balanced_accuracy",
    "worst, balanced accuracy": [("balanced_accuracy", WORST)],
    "gap, balanced accuracy": [("balanced_accuracy", GAP)],
    "sensitivity of a tone": "sensitivity",
    "AUC": [("auc", ALL)],
    "AUC of a tone": "auc",
    "ECE": [("ece", ALL)],
    "ECE of a tone": "ece",
}  # fmt: skip
TESTS = ("pair, all", "pair, worst", "pair, gap", "Holm, all", "bands, all", "bands, worst")


def one_set(simulation, n_draws, ranked, number):
    """Counts of (what, outcome) in one test set: 'in', 'out' or 'none' of intervals, 'told' or 'not' of tests."""
    rng = np.random.default_rng([number, simulation.n_seeds, round(100 * simulation.sd)])
    entries, truth_of_networks = simulation.draw(rng)
    asked = EvidenceRequest(
        ("malignant",),
        simulation.setting.tones,
        ranked or "accuracy",
        everything=ranked is None,
        nulls=False,
    )
    # As `table_evidence` does it, without the intervals of entries that are compared alone.
    means = [entry_means(seeds, asked, n_draws) for seeds in entries]
    seeds, alone = pooled([entry.means for entry in means]), replace(asked, everything=False)
    found = [evidence_of(means[0], asked, seeds)]
    if ranked is None:
        found += [evidence_of(entry, alone, seeds) for entry in means[1:]]
    counted = Counter()
    one_run = simulation.n_seeds == 1
    for about, intervals, truth in (
        ("method", found[0].intervals, simulation.expected),
        ("networks", found[0].network_intervals, truth_of_networks),
    ):
        for name, keys in INTERVALS.items():
            if isinstance(keys, str):
                keys = [(keys, tone) for tone in simulation.setting.tones]
            for key in keys:
                counted[f"{about}: {name}", outcome(intervals.get(key), truth[key])] += 1
    for name, told in ({} if one_run or ranked else tests_of(found)).items():
        counted[name, "told" if told else "not"] += 1
    return counted


def outcome(interval, truth):
    """Whether the interval holds the truth; 'none' where there is none."""
    if interval is None or interval.low is None:
        return "none"
    return "in" if interval.low - 1e-9 <= truth <= interval.high + 1e-9 else "out"


def tests_of(found):
    """Which tests tell equal methods apart."""
    drawn = [evidence.drawn for evidence in found]
    told = {}
    for score in (ALL, WORST, GAP):
        p = [paired.p for one in drawn[1:] if (paired := compare_entries(one, drawn[0], score))]
        if len(p) == N_ENTRIES - 1:
            told[f"pair, {score}"] = p[0] < ALPHA
            told[f"Holm, {score}"] = holm_steps(np.array(p))[0].min() < ALPHA
    for score in (ALL, WORST):
        ranked = sorted(drawn, key=lambda one: -one.point[score])
        told[f"bands, {score}"] = max(tie_groups(ranked, score)) > 1
    return {name: told[name] for name in TESTS if name in told}


def piece(task):
    """The counts of some sets of one row of the table."""
    row, n_draws, ranked, numbers = task
    size, sd, n_seeds = row
    simulation = Simulation(SETTINGS[size], sd, n_seeds, N_ENTRIES)
    counts = Counter()
    for number in numbers:
        counts.update(one_set(simulation, n_draws, ranked, number))
    return row, numbers, counts


class Rows:
    """Sets and counts by (size, spread, seeds), over all pieces in a file; `next` are the numbers of the next sets."""

    def __init__(self, path):
        self.path, self.sets, self.next, self.counts = path, Counter(), Counter(), {}
        if path and path.exists():
            for line in path.read_text().splitlines():
                self._count(json.loads(line))

    def add(self, row, numbers, counts):
        """Counts a piece, and keeps it in the file."""
        counts = [[*name, count] for name, count in counts.items()]
        line = {"row": row, "first": numbers[0], "sets": len(numbers), "counts": counts}
        self._count(line)
        if self.path:
            with self.path.open("a") as file:
                file.write(json.dumps(line) + "\n")

    def _count(self, line):
        row = tuple(line["row"])
        self.sets[row] += line["sets"]
        self.next[row] = max(self.next[row], line["first"] + line["sets"])
        counts = self.counts.setdefault(row, Counter())
        counts.update({(what, outcome): n for what, outcome, n in line["counts"]})


def pooled_over_spreads(rows):
    """The same counts by (size, "0 to 2", seeds): rows of one size and number of seeds together."""
    found = Rows(None)
    spreads = [sd for _, sd, _ in rows.counts]
    name = f"{min(spreads):g} to {max(spreads):g}"
    for (size, _, n_seeds), counts in rows.counts.items():
        row = size, name, n_seeds
        found.counts.setdefault(row, Counter()).update(counts)
    for (size, _, n_seeds), n in rows.sets.items():
        found.sets[size, name, n_seeds] += n
    return found


def share(total, name, hits):
    """`95`: percent of the outcomes that count; – without any."""
    n = sum(
        total[name, outcome] for outcome in (("in", "out") if hits == "in" else ("told", "not"))
    )
    return f"{100 * total[name, hits] / n:.0f}" if n else "–"


def table(rows, heading, names, hits, fewest=1):
    """A Markdown table: one line for each size, spread and number of seeds."""
    of_all = sum((counts for row, counts in rows.counts.items() if row[2] >= fewest), Counter())
    names = {name: what for name, what in names.items() if share(of_all, what, hits) != "–"}
    if not names:
        return ""
    lines = [
        f"| {heading} | seed sd | seeds | sets | {' | '.join(names)} |",
        "|" + " --- |" * (len(names) + 4),
    ]
    for row in sorted(row for row in rows.counts if row[2] >= fewest):
        size, sd, n_seeds = row
        cells = " | ".join(share(rows.counts[row], names[name], hits) for name in names)
        spread = sd if isinstance(sd, str) else f"{sd:g}"
        lines.append(
            f"| {SETTINGS[size].name} | {spread} | {n_seeds} | {rows.sets[row]} | {cells} |"
        )
    return "\n".join(lines)


def report(rows):
    """The tables: intervals of the method, of the networks, tests."""
    of_method = {name: f"method: {name}" for name in INTERVALS}
    of_networks = {name: f"networks: {name}" for name in INTERVALS}
    return "\n\n".join(
        each
        for each in (
            table(rows, "method, % covered", of_method, "in", fewest=2),
            table(rows, "these networks, % covered", of_networks, "in"),
            table(
                rows,
                "equal methods, % significantly different",
                {n: n for n in TESTS},
                "told",
                fewest=2,
            ),
        )
        if each
    )


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--sets", type=int, default=100)
    parse.add_argument("--sizes", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parse.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 5, 10])
    parse.add_argument("--sd", nargs="+", type=float, default=[0, 1, 2])
    parse.add_argument("--draws", type=int, default=600)
    parse.add_argument("--processes", type=int, default=2)
    parse.add_argument("--kept", type=Path)
    parse.add_argument("--ranked", help="the intervals of this metric and accuracy alone")
    parse.add_argument("--pooled", action="store_true", help="all seed sd of a size together")
    asked = parse.parse_args()
    rows = Rows(asked.kept)
    each = [(size, sd, n) for size in asked.sizes for sd in asked.sd for n in asked.seeds]
    # Piece by piece through all rows: whatever ends the run, all of them have about as many sets.
    tasks = [
        (row, asked.draws, asked.ranked, range(rows.next[row] + at, rows.next[row] + min(at + _PIECE, asked.sets)))
        for at in range(0, asked.sets, _PIECE)
        for row in each
    ]  # fmt: skip
    with Pool(asked.processes) as pool:
        for row, numbers, counts in pool.imap_unordered(piece, tasks):
            rows.add(row, numbers, counts)
    sys.stdout.write(report(pooled_over_spreads(rows) if asked.pooled else rows) + "\n")


if __name__ == "__main__":
    main()
