"""What the phantom probe makes of the sets that diffusion methods left in a store of the smoke suite.

For each set: how many images it takes for the class asked for, which for healthy skin, and what it takes each class
for, beside the contrast and the sharpness of the quality sheet. Run it as
`PYTHONPATH=src:docker/kit:benchmarks/phantom/models/training python benchmarks_of_code/bench_phantom_sets.py STORE`.
"""

import csv
import json
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import torch
from phantom_classifier import read_classifier
from PIL import Image

from tonegap.synthetic.quality.looks import looks_of

PROBE = (
    Path(__file__).parents[1] / "benchmarks" / "phantom" / "models" / "phantom-probe.safetensors"
)


def main() -> None:
    """A paragraph for each set whose images have prompts."""
    torch.set_num_threads(1)
    probe = read_classifier(PROBE)
    for path in sorted(Path(sys.argv[1]).glob("stages/*/*/synthetic.csv")):
        rows = list(csv.DictReader(path.open(encoding="utf-8")))
        if not rows or not rows[0].get("prompt"):
            continue
        files = (path.parent / "images" / row["file"] for row in rows)
        images = np.stack([np.asarray(Image.open(file).convert("RGB")) for file in files])
        named = [probe.classes[i] for i in probe.judge(images).p_class.argmax(axis=1)]
        _tell(path, rows, named, images)


def _tell(path: Path, rows: list[dict[str, str]], named: list[str], images: np.ndarray) -> None:
    mark = json.loads((path.parent / "stage.json").read_text())
    right = sum(row["label"] == name for row, name in zip(rows, named, strict=True))
    looks = looks_of(images, images)
    without = looks.without_lesion.value or 0.0
    sys.stdout.write(
        f"{mark['plugin']} seed {mark['ingredients'].get('seed', '?')}: {right} of {len(rows)} as asked for; "
        f"no visible lesion {100 * without:.0f} %, sharpness {looks.sharpness:.1f}\n"
    )
    pairs = list(zip(rows, named, strict=True))
    bare = [f"{row['label']} on {row['tone']}" for row, name in pairs if name == "healthy skin"]
    sys.stdout.write(f"  taken for healthy skin: {', '.join(bare) or 'none'}\n")
    for label in sorted({row["label"] for row in rows}):
        taken = Counter(name for row, name in pairs if row["label"] == label)
        told = ", ".join(f"{name} {n}" for name, n in taken.most_common())
        sys.stdout.write(f"  {label}: {told}\n")


if __name__ == "__main__":
    main()
