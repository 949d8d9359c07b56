"""How often intervals hold the truth, and tests tell equal methods apart, as a table for `docs/metrics.md`.

    python tests/benchmarks/bench_coverage.py --sets 200 --sizes ddi --seeds 2 5 --sd 1 --kept FILE

A set is a table of six entries that are equal as methods (`simulated.py` says how they err). Of its first entry
every interval is held against the true score; all six are compared. Pieces add up: each run adds its sets to those
in FILE, one line of JSON each, and prints the table of all of them. Wanted: 93 to 97 % of intervals hold the
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

from tonegap.evidence.bands import rank_bands
from tonegap.evidence.comparing import ALPHA, compare_entries, holm_steps
from tonegap.evidence.entries import Asked, entry_means, evidence_of
from tonegap.evidence.seeds import pooled
from tonegap.score.tables import ALL, GAP, WORST

N_ENTRIES = 6
INTERVALS = {
    "all": [("accuracy", ALL)],
    "tone": "accuracy",
    "worst": [("accuracy", WORST)],
    "gap": [("accuracy", GAP)],
    "sensitivity of a tone": "sensitivity",
    "AUC": [("auc", ALL)],
    "AUC of a tone": "auc",
    "ECE": [("ece", ALL)],
    "ECE of a tone": "ece",
}  # fmt: skip
TESTS = ("pair, all", "pair, worst", "pair, gap", "Holm, all", "bands, all", "bands, worst")


def one_set(simulation, n_draws, number):
    """Counts of (what, outcome) in one test set: 'in', 'out' or 'none' of intervals, 'told' or 'not' of tests."""
    rng = np.random.default_rng([7, number])
    entries, truth_of_networks = simulation.draw(rng)
    asked = Asked(("malignant",), simulation.setting.tones, "accuracy", nulls=False)
    # As `table_evidence` does it, without the intervals of entries that are compared alone.
    means = [entry_means(seeds, asked, n_draws) for seeds in entries]
    seeds, alone = pooled([entry.means for entry in means]), replace(asked, everything=False)
    found = [evidence_of(entry, asked if i == 0 else alone, seeds) for i, entry in enumerate(means)]
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
    for name, told in ({} if one_run else tests_of(found)).items():
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
        told[f"bands, {score}"] = max(rank_bands(ranked, score)) > 1
    return {name: told[name] for name in TESTS if name in told}


def piece(task):
    """The counts of some sets of one row of the table."""
    size, sd, n_seeds, n_draws, numbers = task
    simulation = Simulation(SETTINGS[size], sd, n_seeds, N_ENTRIES)
    total = Counter()
    for number in numbers:
        total.update(one_set(simulation, n_draws, number))
    return size, sd, n_seeds, len(numbers), total


def read(path):
    """(size, sd, seeds) into sets and counts, over all pieces in the file."""
    rows = {}
    if path and path.exists():
        for line in map(json.loads, path.read_text().splitlines()):
            n, total = rows.setdefault(tuple(line["row"]), (0, Counter()))
            total.update({tuple(name): count for name, count in line["counts"]})
            rows[tuple(line["row"])] = (n + line["sets"], total)
    return rows


def share(total, name, hits):
    """`95`: percent of the outcomes that count; – without any."""
    n = sum(
        total[name, outcome] for outcome in (("in", "out") if hits == "in" else ("told", "not"))
    )
    return f"{100 * total[name, hits] / n:.0f}" if n else "–"


def table(rows, heading, names, hits):
    """A Markdown table: one line for each size, spread and number of seeds."""
    lines = [
        f"| {heading} | seed sd | seeds | sets | {' | '.join(names)} |",
        "|" + " --- |" * (len(names) + 4),
    ]
    for (size, sd, n_seeds), (n, total) in sorted(rows.items()):
        cells = [share(total, names[name], hits) for name in names]
        lines.append(f"| {SETTINGS[size].name} | {sd:g} | {n_seeds} | {n} | {' | '.join(cells)} |")
    return "\n".join(lines)


def report(rows):
    """The tables: intervals of the method, of the networks, tests."""
    more = {k: v for k, v in rows.items() if k[2] > 1}
    return "\n\n".join(
        (
            table(more, "method, % covered", {n: f"method: {n}" for n in INTERVALS}, "in"),
            table(rows, "these networks, % covered", {n: f"networks: {n}" for n in INTERVALS}, "in"),
            table(more, "equal methods, % told apart", {n: n for n in TESTS}, "told"),
        )
    )  # fmt: skip


def main():
    parse = argparse.ArgumentParser(description=__doc__)
    parse.add_argument("--sets", type=int, default=100)
    parse.add_argument("--sizes", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    parse.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 5, 10])
    parse.add_argument("--sd", nargs="+", type=float, default=[0, 1, 2])
    parse.add_argument("--draws", type=int, default=600)
    parse.add_argument("--processes", type=int, default=2)
    parse.add_argument("--kept", type=Path)
    asked = parse.parse_args()
    rows, tasks = read(asked.kept), []
    for size in asked.sizes:
        for row in [(size, sd, n) for sd in asked.sd for n in asked.seeds]:
            first = rows.get(row, (0, None))[0]
            numbers = range(first, first + asked.sets)
            tasks += [(*row, asked.draws, numbers[i : i + 10]) for i in range(0, len(numbers), 10)]
    with Pool(asked.processes) as pool:
        for *row, n, total in pool.imap_unordered(piece, tasks):
            line = {"row": row, "sets": n, "counts": [[list(k), v] for k, v in total.items()]}
            if asked.kept:
                with asked.kept.open("a") as file:
                    file.write(json.dumps(line) + "\n")
            had, sums = rows.get(tuple(row), (0, Counter()))
            rows[tuple(row)] = (had + n, sums + total)
    sys.stdout.write(report(rows) + "\n")


if __name__ == "__main__":
    main()
