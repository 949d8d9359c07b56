"""Damaged picture files: do check, packs and the search for copies make the same of every one?

Run: `python benchmarks_of_code/bench_pictures.py [N] [SEED]`, 2,000 files by default. Prints what was read and refused
by format, and the slowest file; the exit code is 1 where two places differ, in pixels or sentence, or one raises.
"""

import sys
import tempfile
import time
from collections import Counter
from pathlib import Path


def main(n: int, seed: int) -> int:
    """Prints what was seen; 1 where there was a fault."""
    from damaged_pictures import damaged, read_everywhere

    counts: Counter[tuple[str, bool]] = Counter()
    slowest, faults = (0.0, ""), 0
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.png"
        for i, (form, content) in enumerate(damaged(n, seed)):
            path.write_bytes(content)
            start = time.process_time()
            try:
                found = read_everywhere(path)
                fault, usable = found.fault, found.usable
            except Exception as e:  # noqa: BLE001 - whatever it is, it is the fault looked for
                fault, usable = f"{type(e).__name__}: {e}", False
            slowest = max(slowest, (time.process_time() - start, f"{i} {form}"))
            counts[form, usable] += 1
            if fault:
                faults += 1
                sys.stdout.write(f"FAULT {i} {form}: {fault}\n")
    for form in sorted({form for form, _ in counts}):
        read, refused = counts[form, True], counts[form, False]
        sys.stdout.write(f"{form:<9} read {read:>5}, refused {refused:>5}\n")
    sys.stdout.write(
        f"{n} files, {faults} faults; slowest {slowest[0]:.2f} s of processor ({slowest[1]})\n"
    )
    return int(bool(faults))


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    numbers = [int(word) for word in sys.argv[1:]]
    sys.exit(main(*(numbers + [2000, 1][len(numbers) :])))
