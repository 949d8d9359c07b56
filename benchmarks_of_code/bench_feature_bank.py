"""How long 100 probes at 5 seeds take on a stored bank of 16,577 × 768, with 1,000 draws of their scores each.

    python benchmarks_of_code/bench_feature_bank.py [--probes 100] [--seeds 5]

The bank is drawn (the images of Fitzpatrick17k are not ours to ship): three classes, six tones, features that tell
classes a little. A probe runs as the engine starts it: a process of its own with `/in` laid out, to its predictions.
Processor seconds of each part are printed, and wall seconds of two processes at a time.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.tone_draws import tone_draws

ROOT = Path(__file__).parents[1]
N, D, CLASSES, TONES = (
    16_577,
    768,
    ("benign", "malignant", "other"),
    ("I", "II", "III", "IV", "V", "VI"),
)
CUT = {"train": slice(0, 11_604), "validation": slice(11_604, 13_262), "test": slice(13_262, N)}


def lay_out(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Writes the bank and the manifests; returns classes and tones."""
    rng = np.random.default_rng(0)
    y, t = rng.integers(0, 3, N), rng.integers(0, 6, N)
    centres = rng.normal(0, 0.08, (3, D)).astype(np.float32)
    np.save(folder / "bank.npy", rng.standard_normal((N, D), dtype=np.float32) + centres[y])
    for name, cut in CUT.items():
        head = "image_id,row" if name == "test" else "image_id,label,tone,row"
        rows = [
            f"i{i},{i}" if name == "test" else f"i{i},{CLASSES[y[i]]},{TONES[t[i]]},{i}"
            for i in range(N)[cut]
        ]
        (folder / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n")
    return y, t


def probes(n: int) -> list[tuple[str, dict[str, object]]]:
    """So many probes: linear ones, neighbours, few shots and balanced ones, each with another setting."""
    found: list[tuple[str, dict[str, object]]] = []
    for i in range(n):
        kind, k = (
            ("linear-probe", "linear-probe", "knn", "few-shot", "probe-dfr")[i % 5],
            i // 5 + 1,
        )
        own = {
            "linear-probe": {"penalties": [0.3 / (k + (i % 5) / 2), 0.03 / k, 0.003 / k]},
            "knn": {"neighbours": [5 * k]},
            "few-shot": {"shots": 4 * k},
            "probe-dfr": {"l1": 0.02 / k, "subsets": 3, "steps": 100},
        }
        found.append((kind, own[kind]))
    return found


def run(bank: Path, work: Path, kind: str, own: dict[str, object], seed: int) -> Path:
    """One probe in a process of its own; where its predictions are."""
    room = ROOT / "baselines" / kind
    spec = tomllib.loads((room / "baseline.toml").read_text())["parameters"]
    values = {name: one["default"] for name, one in spec.items()} | own
    given, out = work / "in", work / "out"
    given.mkdir(parents=True)
    out.mkdir()
    for path in bank.iterdir():
        (given / path.name).symlink_to(path)
    job = {
        "contract": 1, "stage": "train", "task": "drawn/three", "classes": CLASSES, "positive": ["malignant"],
        "tones": TONES, "seed": seed, "image": {"size_px": 224, "geometry": "crop"}, "parameters": values,
        "device": "cpu", "threads": 1, "time_limit_s": 600,
    }  # fmt: skip
    (given / "job.json").write_text(json.dumps(job))
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    env = dict(os.environ) | one | {"PYTHONPATH": str(ROOT / "docker" / "kit")}
    argv = [sys.executable, "train.py", "train", "--in", str(given), "--out", str(out)]
    subprocess.run(argv, cwd=room, env=env, check=True, capture_output=True)
    return out / "predictions.parquet"


def draws(path: Path, y: np.ndarray, t: np.ndarray) -> None:
    """Resampled scores of the last epoch's test images, by tone."""
    table = pq.read_table(path).to_pydict()
    epoch, n_held = max(table["epoch"]), N - CUT["validation"].start
    start = len(table["epoch"]) - n_held + (CUT["test"].start - CUT["validation"].start)
    p = np.stack([np.array(table[f"p_{c}"][start:]) for c in CLASSES], axis=1)
    cut = CUT["test"]
    said = TestAnswers(
        ids=tuple(table["image_id"][start:]), labels=tuple(CLASSES[i] for i in y[cut]),
        tones=tuple(TONES[i] for i in t[cut]), units=tuple(range(len(p))), classes=CLASSES, p=p, epoch=epoch,
        threshold=None,
    )  # fmt: skip
    assert tone_draws([said], ("malignant",), TONES, "accuracy", 1000) is not None


def cpu(who: int) -> float:
    used = resource.getrusage(who)
    return used.ru_utime + used.ru_stime


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--probes", type=int, default=100)
    asked.add_argument("--seeds", type=int, default=5)
    given = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        bank = folder / "bank"
        bank.mkdir()
        y, t = lay_out(bank)
        todo = [(k, o, s) for k, o in probes(given.probes) for s in range(given.seeds)]
        began, before = time.monotonic(), cpu(resource.RUSAGE_CHILDREN)
        with ThreadPoolExecutor(2) as pool:
            jobs = [pool.submit(run, bank, folder / f"w{i}", *one) for i, one in enumerate(todo)]
            paths = [job.result() for job in jobs]
        fitted, wall = cpu(resource.RUSAGE_CHILDREN) - before, time.monotonic() - began
        before = cpu(resource.RUSAGE_SELF)
        for path in paths:
            draws(path, y, t)
        scored = cpu(resource.RUSAGE_SELF) - before
    say(
        f"{len(todo)} probes of {N:,} × {D}: {fitted:.0f} processor s, {wall:.0f} s of wall, two at a time"
    )
    say(
        f"draws of each: {scored:.0f} processor s; both on two cores: {(fitted + scored) / 2:.0f} s"
    )


if __name__ == "__main__":
    main()
