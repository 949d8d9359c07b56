"""A new user's five journeys, walked by command: seconds of processor and of the clock, and what each had to show.

`python benchmarks_of_code/bench_journeys.py [FOLDER]`, in an environment with tonegap and torch. Each journey is a list
of commands with the exit code and a text that are wanted; one that differs ends the walk. Seconds of processor are
those of all processes below a command, looked at twenty times a second, and depend little on what else the machine
does; those of the clock do, and the load beside them says how much. Reading is not in them.
"""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
import psutil

_EACH_S = 0.05

# Of the phantom task: two epochs, one seed, as in docs/tutorial.md.
FIRST = """title = "A first look"
about = "Does recolouring images help where dark skin is rare in training?"
tasks = ["phantom/smoke"]
seeds = [0]
[[entries]]
methods = ["none", "tone-shift"]
baselines = ["erm"]
backbones = ["cnn4"]
[[entries]]
methods = ["none"]
baselines = ["class-prior"]
[parameters.methods]
image_size_px = 64
[parameters.baselines]
image_size_px = 64
epochs = 2
batch = 32
"""
PATIENTS = (
    'awk -F, \'NR == 1 { print $0 ",patient_id" } NR > 1 { print $0 ",P" int((NR - 2) / 3) }\' '
    "../images/metadata.csv > ../images/patients.csv"
)
# The template's data set, task and suite with patients, as its comments and docs/own-data.md say; on one seed, short.
OWN = (
    'sed -i \'s/"metadata.csv"/"patients.csv"/\' benchmarks/my-images/dataset.toml && '
    'sed -i \'s/random-holdout/grouped-holdout/; /^stratify/d; s/"carve"/"grouped-carve"/; s/^seeds = .*/seeds = [0]/; '
    "s/^min_support = 5/min_support = 2/' benchmarks/my-images/tasks/malignant.toml && "
    "sed -i 's/^seeds = .*/seeds = [0]/; s/^epochs = .*/epochs = 2/' benchmarks/suites/first.toml"
)
BREAK = "sed -i 's/^    train = .*/    raise KeyError(\"melanoma\")/' methods/my-method/generate.py"
OURS = "tonegap run first-look.toml --method my-method --set baselines.epochs=1"

# (what is done, exit code, what is shown)
JOURNEYS: dict[str, Sequence[tuple[str, int, str]]] = {
    "understand": [
        ("tonegap --help", 0, "closes the gap between skin tones"),
        ("tonegap list tasks", 0, "phantom/smoke"),
        ("tonegap doctor", 0, "local engine"),
    ],
    "first report": [
        ("tonegap plan first-look.toml", 0, "4 stages to run"),
        ("tonegap run first-look.toml", 0, "index.html"),
        ("tonegap report first-look --format md", 0, "# A first look"),
    ],
    "own folder with patients": [
        ("tonegap data phantom --n 600 --size 64 --out ../images", 0, "tonegap data check"),
        (PATIENTS, 0, ""),
        (OWN, 0, ""),
        ("tonegap check", 0, "no problems"),
        ("tonegap data check my-images --root ../images", 0, "can be run"),
        ("tonegap split my-images/malignant --root ../images --pin | wc -l", 0, "601"),
        ("tonegap run first --root ../images", 0, "index.html"),
    ],
    "own method broken and mended": [
        ("cp methods/my-method/generate.py ../kept.py && " + BREAK, 0, ""),
        (OURS, 1, "tonegap log"),
        ("tonegap log 'my-method + erm (cnn4)'", 0, "KeyError: 'melanoma'"),
        ("cp ../kept.py methods/my-method/generate.py", 0, ""),
        (OURS, 0, "index.html"),
    ],
    "reviewer of a bundle": [
        ("tonegap bundle first-look --out ../ours.tonegap.zip", 0, "files"),
        (
            "mkdir ../reviewer && cd ../reviewer && tonegap verify ../ours.tonegap.zip",
            0,
            "complete",
        ),
        (
            "cd ../reviewer && tonegap report ../ours.tonegap.zip --suite-root ../root --out pages",
            0,
            "index.html",
        ),
    ],
}


def walked(command: str, wanted: int, shows: str, root: Path) -> tuple[float, float]:
    """Seconds of processor and of the clock of a command. Ends the program if it does not what is wanted."""
    began, spent = time.monotonic(), dict[tuple[int, float], float]()
    words = f'tonegap() {{ {sys.executable} -m tonegap "$@"; }}; {command}'
    with tempfile.TemporaryFile("w+") as shown:
        process = subprocess.Popen(
            ["bash", "-o", "pipefail", "-c", words], cwd=root, stdout=shown, stderr=shown
        )
        while process.poll() is None:
            note_time(process.pid, spent)
            time.sleep(_EACH_S)
        clock = time.monotonic() - began
        shown.seek(0)
        text = shown.read()
    if process.returncode != wanted or shows not in text:
        sys.exit(f"{command}: exit code {process.returncode}\n{text}")
    return sum(spent.values()), clock


def note_time(pid: int, spent: dict[tuple[int, float], float]) -> None:
    """Notes the seconds of processor of a process and all below it, by pid and start.

    A sandbox's own processes are not among those that a parent is told of, so each is asked while it is there.
    """
    with contextlib.suppress(psutil.NoSuchProcess):
        top = psutil.Process(pid)
        for one in (top, *top.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                times = one.cpu_times()
                spent[one.pid, one.create_time()] = times.user + times.system


def main() -> None:
    """Walks all journeys in one folder and prints a line for each command and each journey."""
    folder = Path(
        sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp(prefix="tonegap-journeys-")
    )
    root = folder.resolve() / "root"
    cpu, clock = walked(f"tonegap init {root}", 0, "my-method", Path.cwd())
    click.echo(f"init                          {cpu:7.1f} s of processor, {clock:7.1f} s")
    (root / "first-look.toml").write_text(FIRST, encoding="utf-8")
    for name, commands in JOURNEYS.items():
        sums = [0.0, 0.0]
        for command in commands:
            times = walked(*command, root)
            sums = [a + b for a, b in zip(sums, times, strict=True)]
            click.echo(f"    {times[0]:7.1f} {times[1]:7.1f}  {command[0][:80]!r}")
        load = os.getloadavg()[0]
        click.echo(f"{name:<30}{sums[0]:7.1f} s of processor, {sums[1]:7.1f} s at load {load:.0f}")


if __name__ == "__main__":
    main()
