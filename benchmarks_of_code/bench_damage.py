"""Randomly damaged files of a finished store: what reports, bundles and runs make of them.

Run: `python benchmarks_of_code/bench_damage.py [N] [SEED]`, 200 trials by default. Prints counts and every fault; the
exit code is 1 if there is one: another number on a page, a traceback, or a run that does not end in the records of a
store that was never damaged.
"""

import sys
import tempfile
from pathlib import Path


def main(n: int, seed: int) -> int:
    """Prints what was seen; 1 where there was a fault."""
    from damages import Bench, damage_at_random

    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        try:
            seen = damage_at_random(bench, n, seed)
        finally:
            bench.close()
    for what, count in sorted(seen.counts.items()):
        sys.stdout.write(f"{what:<28} {count:>4}\n")
    for fault in seen.faults:
        sys.stdout.write(f"FAULT {fault}\n")
    return int(bool(seen.faults))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [200, 1][len(numbers) :])))
