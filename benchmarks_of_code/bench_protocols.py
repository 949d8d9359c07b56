"""How long three papers' protocols take at full size on two cores: their partitions, seed 0, drawn images, two epochs.

FairDisCo's (ResNet-18, BASE and FairDisCo side by side), PatchAlign's (ViT-B/16, subsampled by class and tone to 4,000
images) and skin-diff's (VGG-16, frozen but for its head, with and without images of skin-diff by the suite's small
pipeline). Every image is a drawn stand-in of 64 px for a row of the real metadata, which you bring; weights start at
random. So the times are what this measures, and no score means anything.

Run it as `python benchmarks_of_code/bench_protocols.py METADATA_CSV WORK_FOLDER [NAME…]`. A folder used before is gone
on with: give it a new one to time all. It ends with code 1 if a protocol takes more than 20 minutes.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]
LIMIT_S = 20 * 60
SMALL = """
[parameters.baselines]
image_size_px = 64
centre_crop = 1.0
epochs = 2
"""
SUITES = {
    "fairdisco": """
title = "FairDisCo's protocol, two epochs"
about = "How long it takes; scores mean nothing."
tasks = ["fitzpatrick17k/fairdisco"]
seeds = [0]
[[entries]]
methods = ["none"]
baselines = ["erm", "fairdisco"]
backbones = ["resnet18"]
""",
    "patchalign": """
title = "PatchAlign's protocol, two epochs, subsampled"
about = "How long it takes; scores mean nothing."
tasks = ["fitzpatrick17k/patchalign"]
seeds = [0]
subset = 4000
[[entries]]
methods = ["none"]
baselines = ["patchalign"]
backbones = ["vit_b_16"]
""",
    "skin-diff": """
title = "skin-diff's protocol, two epochs"
about = "How long it takes; scores mean nothing."
tasks = ["fitzpatrick17k/skin-diff-2025"]
seeds = [0]
[[entries]]
methods = ["none", "skin-diff", "duplicate"]
baselines = ["erm"]
backbones = ["vgg16"]
[parameters."methods/duplicate"]
image_size_px = 64
[parameters."methods/skin-diff"]
pipeline = "{pipeline}"
image_size_px = 64
output_px = 64
strength = 0.9
sampling_steps = 10
per_source = 1
ratio = 0.15
inversion_steps = 40
inversion_batch = 2
inversion_accumulation = 1
lora_steps = 60
lora_learning_rate = 1e-4
[parameters."baselines/erm"]
frozen = true
head = "mlp-256"
batch = 256
learning_rate = 1e-3
schedule_step = 10
schedule_gamma = 0.1
""",
}


def tonegap(*words: object) -> float:
    """Seconds of a command, whose account goes to the terminal. Raises if it fails."""
    program = Path(sys.executable).with_name("tonegap")
    started = time.perf_counter()
    subprocess.run([program, *map(str, words)], check=True, stdin=subprocess.DEVNULL)
    return time.perf_counter() - started


def say(line: str) -> None:
    """At once, in order with what the commands say."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def rooms(folder: Path) -> Path:
    """A suite root beside the project's: the same rooms, and these suites."""
    root = folder / "rooms"
    for name in (
        "benchmarks",
        "methods",
        "baselines",
        "extractors",
        "postprocessors",
        "docker",
        "reports",
    ):
        shutil.copytree(PROJECT / name, root / name, dirs_exist_ok=True)
    shutil.copy(PROJECT / "pyproject.toml", root)
    smoke = (PROJECT / "benchmarks/suites/smoke.toml").read_text(encoding="utf-8")
    pipeline = smoke.split('pipeline = "')[1].split('"')[0]
    for name, text in SUITES.items():
        text = text.replace("{pipeline}", pipeline) + SMALL
        (root / "benchmarks/suites" / f"{name}-short.toml").write_text(text, encoding="utf-8")
    return root


def main() -> int:
    """The exit code."""
    metadata, folder, *wanted = sys.argv[1:]
    work = Path(folder).resolve()
    root, images = rooms(work), work / "images"
    tonegap(
        "data", "phantom", "--like", metadata, "--out", images, "--size", 64, "--suite-root", root
    )
    common = ("--suite-root", root, "--store", work / "store", "--root", f"fitzpatrick17k={images}")
    late = []
    for name in wanted or SUITES:
        planned = tonegap("plan", f"{name}-short", *common)
        seconds = planned + tonegap("run", f"{name}-short", *common)
        say(f"{name}: {seconds / 60:.1f} min, of which {planned:.0f} s before the first stage")
        if seconds > LIMIT_S:
            late.append(name)
    say(f"over 20 minutes: {', '.join(late)}" if late else "none over 20 minutes")
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
