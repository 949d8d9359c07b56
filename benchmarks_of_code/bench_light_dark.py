"""How often the excess of Eopp1 and Eodd over their null covers 0 where recall is equal: `bench_light_dark.py [DRAWS]`.

On the classes and groups of the published Multi-Exit test list; recall by class from Beta(2, 2). Wanted: 93 to 97 %.
"""

import sys
import tomllib
from pathlib import Path

import numpy as np

from tonegap.scores.eopp_eodd import light_dark

PAPER = Path(__file__).parents[1] / "reports/papers/scp-2024/paper.toml"


def main(n_draws):
    cells = np.array(tomllib.loads(PAPER.read_text())["tables"][0]["sets"][0]["cells"])
    y = np.repeat(np.arange(len(cells)), cells.sum(axis=1))
    group = np.concatenate([np.repeat([0, 1], row) for row in cells])
    rng = np.random.default_rng(0)
    for as_published in (True, False):
        held, shown = {}, {}
        for _ in range(n_draws):
            right = rng.random(len(y)) < rng.beta(2, 2, len(cells))[y]
            said = np.where(right, y, rng.integers(0, len(cells), len(y)))
            found = light_dark(y, said, group, len(cells), as_published=as_published)
            for name, null in found.nulls.items():
                held.setdefault(name, []).append(null.low <= found.values[name] <= null.high)
                shown.setdefault(name, []).append(found.values[name])
        about = "as published" if as_published else "defined cells"
        for name in held:
            low, high = np.quantile(shown[name], (0.025, 0.975))
            shown_text = f"{np.mean(shown[name]):.3f} ({low:.3f} to {high:.3f})"
            covers = f"excess covers 0 in {np.mean(held[name]):.1%}"
            sys.stdout.write(f"{about:13} {name}: {shown_text}; {covers}\n")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
