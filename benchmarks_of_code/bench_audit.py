"""How often an audit calls a true table impossible, and finds an impossible cell: `bench_audit.py [TABLES]`.

Tables of true counts, rounded as papers round: one test set with known images, five of one size, one of unknown size
in several rows, five random fifths of a pool, one with DPM and EOM; a tenth more of two or three sets. Then the same
tables with one cell changed to what no count gives; that is known here by writing down every value there is.
"""

import sys
import time

import numpy as np

from tonegap.declared.paper import AssumedSets, PaperColumn, PaperRow, PaperTable
from tonegap.results.papers import audit_bounds, audit_counts
from tonegap.results.papers.audit_reading import IMPOSSIBLE, read_rows

COUNTS = (*audit_bounds.FIRST, *audit_counts.TESTS, *audit_bounds.TESTS)
POOL = ((159, 49), (167, 74), (159, 48))
TONES = ("I-II", "III-IV", "V-VI", "a", "b", "c")


def shown(value, digits):
    return f"{100 * value:.{digits}f}"


def table_of(rows, n_tones, tests, digits, extra=()):
    names = ["accuracy", *TONES[:n_tones], "pqd", *extra]
    columns = tuple(
        PaperColumn(name, "accuracy", name) if name in TONES else PaperColumn(name, name)
        for name in names
    )
    lines = tuple(
        PaperRow(f"row {i}", tuple(cells), not_comparable="simulated")
        for i, cells in enumerate(rows)
    )
    return PaperTable("t", "t", "scores", "simulated", "percent", columns, lines, sets=(tests,))


def ratio(x):
    return float((x.min(axis=-1) / np.maximum(x.max(axis=-1), 1e-12)).mean())


def one_known(rng):
    n_tones, digits = int(rng.choice([2, 3, 6])), int(rng.choice([1, 2]))
    n = rng.integers(8, 300, n_tones)
    rows = []
    for _ in range(rng.integers(1, 5)):
        k = np.maximum(rng.binomial(n, rng.uniform(0.5, 0.95, n_tones)), 1)
        rows.append([shown(v, digits) for v in (k.sum() / n.sum(), *(k / n), ratio(k / n))])
    images = {"accuracy": int(n.sum()), **dict(zip(TONES, map(int, n), strict=False))}
    return table_of(rows, n_tones, AssumedSets("simulated", images=images), digits), digits


def spread_of(x, ddof, digits):
    return f"{shown(x.mean(), digits)}±{shown(x.std(ddof=ddof), digits)}"


def five_known(rng, sets=5, most=200):
    n_tones, digits, ddof = 3, int(rng.choice([1, 2])), int(rng.integers(2))
    n = rng.integers(15, most, n_tones)
    rows = []
    for _ in range(rng.integers(1, 4)):
        k = np.maximum(rng.binomial(n, rng.uniform(0.5, 0.95, n_tones), (sets, n_tones)), 1)
        whole = k.sum(axis=1) / n.sum()
        cells = [spread_of(x, ddof, digits) for x in (whole, *(k / n).T)]
        rows.append([*cells, shown(ratio(k / n), digits)])
    images = {"accuracy": int(n.sum()), **dict(zip(TONES, map(int, n), strict=False))}
    tests = AssumedSets("simulated", sets=sets, images=images)
    return table_of(rows, n_tones, tests, digits), digits


def few_known(rng):
    return five_known(rng, int(rng.integers(2, 4)), 60)


def one_searched(rng):
    n = rng.integers(8, 50, 3)
    rows = []
    for _ in range(rng.integers(3, 8)):
        k = np.maximum(rng.binomial(n, rng.uniform(0.5, 0.95, 3)), 1)
        rows.append([shown(v, 1) for v in (k.sum() / n.sum(), *(k / n), ratio(k / n))])
    return table_of(rows, 3, AssumedSets("simulated", totals=(20, 150)), 1), 1


def five_fifths(rng):
    pool, rows = np.repeat(np.arange(3), [sum(x) for x in POOL]), []
    for _ in range(rng.integers(1, 4)):
        right = rng.random(len(pool)) < rng.uniform(0.6, 0.95, 3)[pool]
        tests = [rng.permutation(len(pool))[:132] for _ in range(5)]
        by_tone = np.array([[right[t][pool[t] == j].mean() for j in range(3)] for t in tests])
        whole = np.array([right[t].mean() for t in tests])
        ddof = int(rng.integers(2))
        rows.append(
            [*(spread_of(x, ddof, 1) for x in (whole, *by_tone.T)), shown(ratio(by_tone), 1)]
        )
    return table_of(rows, 3, AssumedSets("simulated", sets=5, totals=(131, 132), pool=POOL), 1), 1


def one_with_ratios(rng):
    size, rows = [sum(x) for x in POOL], []
    n = rng.multivariate_hypergeometric(size, 132)
    m = np.array([rng.hypergeometric(pos, neg, k) for (neg, pos), k in zip(POOL, n, strict=True)])
    m = np.clip(m, 1, n - 1)
    for _ in range(2):
        hit = np.maximum(rng.binomial(m, rng.uniform(0.4, 0.9)), 1)
        rejected = np.maximum(rng.binomial(n - m, rng.uniform(0.7, 0.95)), 1)
        k, called = hit + rejected, hit + n - m - rejected
        eom = (ratio(hit / m) + ratio(rejected / (n - m))) / 2
        dpm = (ratio(called / n) + ratio(1 - called / n)) / 2
        rows.append([shown(v, 1) for v in (k.sum() / 132, *(k / n), ratio(k / n), dpm, eom)])
    images = {"accuracy": 132, **dict(zip(TONES, map(int, n), strict=False))}
    tests = AssumedSets("simulated", images=images, totals=(132, 132), pool=POOL)
    return table_of(rows, 3, tests, 1, ("dpm", "eom")), 1


KINDS = {
    "one set, images known": (one_known, 40),
    "five sets, images known": (five_known, 30),
    "one set, searched": (one_searched, 14),
    "five random fifths": (five_fifths, 15),
    "one set with DPM and EOM": (one_with_ratios, 1),
}
FEW = "two or three sets, known"
MORE = {FEW: few_known}


def impossible(table):
    reading = read_rows(table, table.sets[0], {})
    for test in COUNTS:
        test(reading)
    return [f for f in reading.found if f.verdict == IMPOSSIBLE]


def values_of(n, sets, digits):
    return {shown(k / (n * sets), digits) for k in range(n * sets + 1)}


def changed(table, row, column, text):
    cells = list(table.rows[row].printed)
    cells[column] = text
    rows = list(table.rows)
    rows[row] = replace_struct(rows[row], printed=tuple(cells))
    return replace_struct(table, rows=tuple(rows))


def replace_struct(struct, **values):
    import msgspec

    return msgspec.structs.replace(struct, **values)


def plant_count(table, digits, rng):
    """A share moved by a digit or a few to what no count gives; None where every value is one."""
    tests = table.sets[0]
    row = int(rng.integers(len(table.rows)))
    column = int(rng.integers(len(tests.images)))
    n = list(tests.images.values())[column]
    able, text = values_of(n, tests.sets, digits), table.rows[row].printed[column]
    mean, _, spread = text.partition("±")
    for step in rng.permutation([-3, -2, -1, 1, 2, 3]):
        new = f"{float(mean) + step * 10.0**-digits:.{digits}f}"
        if new not in able and 0 < float(new) < 100:
            return changed(table, row, column, new + (f"±{spread}" if spread else ""))
    return None


def plant_mean(table, digits, rng):
    """The score over all images moved beyond what those of the tones allow, to a count there is."""
    tests = table.sets[0]
    row, n = int(rng.integers(len(table.rows))), list(tests.images.values())
    if tests.sets != 1:
        return None
    cells = [float(x) / 100 for x in table.rows[row].printed[1 : len(n)]]
    half = 0.5 * 10.0 ** (-digits - 2)
    most = sum(np.floor((c + half) * k + 1e-9) for c, k in zip(cells, n[1:], strict=True))
    k = int(most) + int(rng.integers(1, 4))
    new = shown(k / n[0], digits)
    return (
        changed(table, row, 0, new) if k <= n[0] and float(new) / 100 - half > most / n[0] else None
    )


def plant_pqd(table, digits, rng):
    """PQD moved by 1.5 to 5 points, within 0 and 100."""
    row, column = int(rng.integers(len(table.rows))), [c.name for c in table.columns].index("pqd")
    new = float(table.rows[row].printed[column]) + rng.choice([-1, 1]) * rng.uniform(1.5, 5)
    return changed(table, row, column, f"{new:.{digits}f}") if 0 < new < 100 else None


def plant_searched(table, digits, rng):
    """A cell of a set of unknown size moved to what its images do not give, in a table that shows their number."""
    if len(table.rows) < 5:
        return None
    row, column = int(rng.integers(len(table.rows))), int(rng.integers(4))
    new = f"{float(table.rows[row].printed[column]) + rng.choice([-0.3, -0.2, -0.1, 0.1, 0.2, 0.3]):.1f}"
    able = {shown(k / n, 1) for n in range(1, 51) for k in range(n + 1)} if column else set()
    return None if new in able or float(new) > 100 else changed(table, row, column, new)


def spread_cell(table, rng):
    """A row and a column whose images are known, the mean there, and the spread."""
    row, column = int(rng.integers(len(table.rows))), int(rng.integers(len(table.sets[0].images)))
    return (row, column, *table.rows[row].printed[column].split("±"))


def plant_spread(table, digits, rng):
    """A spread of 0.1 to 9 points that no two or three counts have, all of which are written down."""
    tests = table.sets[0]
    row, column, mean, _ = spread_cell(table, rng)
    n = list(tests.images.values())[column]
    k = np.indices([n + 1] * tests.sets).reshape(tests.sets, -1)
    k = k[:, np.abs(k.mean(axis=0) / n - float(mean) / 100) <= 0.51 * 10.0 ** (-digits - 2)]
    spread = round(float(rng.uniform(0.1, 9)), digits)
    able = 100 * np.concatenate([k.std(axis=0, ddof=ddof) for ddof in (0, 1)]) / n
    if np.abs(able - spread).min() <= 0.51 * 10.0**-digits:
        return None
    return changed(table, row, column, f"{mean}±{spread:.{digits}f}")


def plant_wide(table, digits, rng):
    """A spread beyond that of shares that are all 0 or 100 %."""
    row, column, mean, _ = spread_cell(table, rng)
    sets, p = table.sets[0].sets, float(mean) / 100 - 10.0 ** (-digits - 2)
    widest = 100 * np.sqrt(p * (1 - p) * sets / (sets - 1))
    return changed(
        table, row, column, f"{mean}±{widest + 10.0**-digits + rng.uniform(0, 20):.{digits}f}"
    )


PLANTS = {
    ("one set, images known", "a share that no count gives"): plant_count,
    ("one set, images known", "a mean beyond its tones"): plant_mean,
    ("one set, images known", "a PQD of other tones"): plant_pqd,
    ("five sets, images known", "a mean that no counts give"): plant_count,
    ("one set, searched", "a cell that no set of that size gives"): plant_searched,
    (FEW, "a spread that no counts have"): plant_spread,
    ("five sets, images known", "a spread beyond all or none"): plant_wide,
}


def main(n_tables):
    rng, start = np.random.default_rng(0), time.process_time()
    total = sum(weight for _, weight in KINDS.values())
    wrong = every = 0
    kinds = {name: (draw, n_tables * weight // total) for name, (draw, weight) in KINDS.items()}
    kinds |= {name: (draw, n_tables // 10) for name, draw in MORE.items()}
    for name, (draw, n) in kinds.items():
        called = sum(bool(impossible(draw(rng)[0])) for _ in range(n))
        wrong, every = wrong + called, every + n
        sys.stdout.write(f"{name:26} {n:6} true tables, {called} called impossible\n")
    sys.stdout.write(f"{'all':26} {every:6} true tables, {wrong} called impossible\n")
    found = planted = 0
    for (kind, about), plant in PLANTS.items():
        hits = n = 0
        while n < max(n_tables // 50, 20):
            table, digits = kinds[kind][0](rng)
            spoiled = plant(table, digits, rng)
            if spoiled is not None:
                n += 1
                hits += bool(impossible(spoiled))
        found, planted = found + hits, planted + n
        sys.stdout.write(f"{kind:26} {about}: {hits} of {n} found\n")
    sys.stdout.write(
        f"{'all':26} {found} of {planted} planted cells found ({found / planted:.1%})\n"
    )
    sys.stdout.write(f"{time.process_time() - start:.0f} processor seconds\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
