"""A finished store whose every number follows from every byte that a stage saw, and files of it damaged at random.

A damaged store may do one of two things: give what it gave before, byte for byte, or name what is damaged. The next run
must end in the records of a store that was never damaged.
"""

import contextlib
import csv
import io
import random
import re
import shutil
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
from PIL import Image
from tiny_rooms import CLINIC, TASK, Rooms

from tonegap.cli.main import main
from tonegap.files import folder_digest, sha256_file

# Everything below /in decides every probability and every pixel.
SEEN = """\
import csv, hashlib, json, struct, sys, zlib
from pathlib import Path

stage, given, out = sys.argv[1], Path(sys.argv[3]), Path(sys.argv[5])
job = json.loads((given / "job.json").read_text())
seen = hashlib.sha256()
for path in sorted(p for p in given.rglob("*") if p.is_file()):
    seen.update(str(path.relative_to(given)).encode() + path.read_bytes())
"""
TRAIN = """\
rows = [r for n in ("validation", "test") for r in csv.DictReader((given / f"{n}.csv").open())]
with (out / "predictions.csv").open("w") as f:
    table = csv.writer(f, lineterminator="\\n")
    table.writerow(["epoch", "image_id", *(f"p_{c}" for c in job["classes"])])
    for epoch in (1, 2):
        for row in rows:
            text = f"{seen.hexdigest()} {epoch} {row['image_id']}"
            p = hashlib.sha256(text.encode()).digest()[0] / 255
            table.writerow([epoch, row["image_id"], p, 1 - p])
"""
# Gives up in its first try; what that left is in its predictions.
PATIENT = """\
state = out / "checkpoints" / "state.txt"
if not state.exists():
    state.write_text("half way at step 1200\\n" * 20)
    sys.exit("first try")
seen.update(state.read_bytes())
"""
PAINT = """\
def png(size, level):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    lines = b"".join(b"\\0" + bytes([level]) * (3 * size) for _ in range(size))
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")

if stage == "fit":
    (out / "model").mkdir()
    (out / "model" / "weights.txt").write_text(seen.hexdigest() * 20)
    sys.exit(0)
(out / "images").mkdir()
rows = list(csv.DictReader((given / "train.csv").open()))[:4]
with (out / "synthetic.csv").open("w") as f:
    table = csv.writer(f, lineterminator="\\n")
    table.writerow(["image_id", "file", "label", "tone", "prompt", "seed", "sources"])
    for i, row in enumerate(rows):
        (out / "images" / f"{i}.png").write_bytes(png(32, seen.digest()[i]))
        table.writerow([f"new-{i}", f"{i}.png", row["label"], row["tone"], "", "", row["image_id"]])
"""
KINDS = {
    "predictions": "stages/*/*/predictions.csv",
    "synthetic.csv": "stages/*/*/synthetic.csv",
    "generated images": "stages/*/*/images/*",
    "models": "stages/*/*/model/*",
    "stage.json": "stages/*/*/stage.json",
    "packs": "packs/*.npy",
    "mask packs": "packs/*.npy",
    "records": "records/*.json",
    "matrices": "suites/*.json",
    "failures": "failures/*.json",
    "truth": "truth/*.csv",
    "truth/first": "truth/first/*",
    "lineage": "stages/*/*/lineage.json",
    "audits": "audits/*.json",
    "last": "last/*.json",
    "quality sheets": "quality/*/*",
    "given copies": "given/*/*",
    "checkpoints": "checkpoints/*/*",
    "seals": "seals/**/*.json",
}
_MASK_AXES = 3
_SCORES = "scores"  # beside a report's files
_OF_A_SCORE = (
    *("task", "method", "baseline", "backbone", "variant", "seeds_finished", "selection", "axis"),
    *("metric", "tone", "mean", "low", "high", "n_low", "n_high"),
)
_ERROR = re.compile(r"error: [^\n]+\n?", re.DOTALL)


@dataclass
class Outcome:
    """What was seen: how often each word ended a look, and every fault in one line."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)


class Bench:
    """A suite root, a store in which its suite ran, and what the undamaged store gives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rooms = Rooms(folder / "root")
        self.download = folder / "download"
        # On another disk a folder cannot be linked: the store keeps a copy of it.
        here = folder.stat().st_dev
        others = (Path("/dev/shm"), Path("/var/tmp"))
        other = next((p for p in others if p.is_dir() and p.stat().st_dev != here), None)
        self.other_disk = tempfile.mkdtemp(dir=other)
        self._write_rooms()
        self.base = folder / "base"
        assert self.tonegap("run", "tiny", self.base)[0] == 1  # the patient one gave up
        self.report = self._files("report", self.base)
        self.bundle = self._bundle(self.base)
        end = folder / "end"
        shutil.copytree(self.base, end)
        assert self.tonegap("run", "grown", end)[0] == 0
        self.end = self.records(end)
        assert len(self.end) == 6

    def close(self) -> None:
        """Removes what lies on the other disk."""
        shutil.rmtree(self.other_disk)

    def _write_rooms(self) -> None:
        rooms = self.rooms
        rooms.clinic(self.download)
        masks = 'masks = ["masks/{image_id}.png"]\n\n[columns]'
        rooms.write("benchmarks/clinic/dataset.toml", CLINIC.replace("[columns]", masks, 1))
        rooms.write("benchmarks/clinic/tasks/two.toml", TASK)
        (self.download / "masks").mkdir()
        for path in sorted(self.download.glob("*.png")):
            Image.fromarray(np.eye(32, 40, dtype=np.uint8)).save(
                self.download / "masks" / path.name
            )
        table = Path(self.other_disk) / "table"
        table.mkdir()
        (table / "words.txt").write_text("words 12345\n" * 30)
        size = {"image_size_px": {"default": 32, "about": "pixels"}}
        folder = {"table": {"default": "none", "about": "a folder", "kind": "folder"}}
        rooms.method("none")
        rooms.method(
            "paint", SEEN + PAINT, stages=["fit", "generate"], needs=["masks"], parameters=size
        )
        rooms.baseline("plain", SEEN + TRAIN, parameters={**size, **folder})
        rooms.baseline("patient", SEEN + PATIENT + TRAIN, parameters=size, resumable=True)
        rooms.baseline("late", SEEN + TRAIN, parameters=size)
        given = {"baselines/plain": {"table": f"{table}#sha256={folder_digest(table)}"}}
        for name, more in (("tiny", []), ("grown", ["late"])):
            row = {"methods": ["none", "paint"], "baselines": ["plain", "patient", *more]}
            rooms.suite(name, tasks=["clinic/two"], entries=[row], parameters=given)

    def tonegap(self, command: str, suite: str, store: Path, *words: object) -> tuple[int, str]:
        """Exit code and all that was said; a traceback is code 99."""
        argv = [command, suite, "--suite-root", self.rooms.root, "--store", store, *words]
        if command in {"run", "plan"}:
            argv += ["--root", self.download, "--jobs", 1]
        return call(argv)

    def records(self, store: Path) -> dict[str, object]:
        """What the records of a store say, without the circumstances."""
        found = {}
        for path in sorted((store / "records").glob("*.json")):
            record = msgspec.json.decode(path.read_bytes())
            del record["circumstances"]
            found[path.name] = record
        return found

    def _files(self, command: str, store: Path) -> dict[str, str] | str:
        """Digests of a report's files, or the error."""
        out = store.with_name("out")
        shutil.rmtree(out, ignore_errors=True)
        code, said = self.tonegap(command, "tiny", store, "--out", out)
        if code != 0:
            return f"{code} {said}"
        files = {str(p.relative_to(out)): sha256_file(p) for p in out.rglob("*") if p.is_file()}
        return files | {_SCORES: _scores(out / "leaderboard.csv")}

    def _bundle(self, store: Path) -> dict[str, str] | str:
        """The SHA-256 of an archive that verifies, or the error."""
        out = store.with_name("out.zip")
        out.unlink(missing_ok=True)
        code, said = self.tonegap("bundle", "tiny", store, "--allow-incomplete", "--out", out)
        if code == 0:
            code, said = call(["verify", out])
        return f"{code} {said}" if code else {"bundle": sha256_file(out)}

    def trial(self, kind: str, how: str, rng: random.Random, seen: Outcome) -> None:
        """Damages one file in a copy of the store, looks at it in three ways, and runs to the end."""
        store = self.folder / "trial"
        shutil.rmtree(store, ignore_errors=True)
        shutil.copytree(self.base, store)
        files = files_of(store, kind)
        if not files:
            seen.counts["no such file"] += 1
            return
        path = rng.choice(files)
        DAMAGES[how](path, rng, files)
        name = f"{kind}, {how}, {path.relative_to(store)}"
        self._look("report", self._files("report", store), self.report, name, seen)
        self._look("bundle", self._bundle(store), self.bundle, name, seen)
        self._finish(store, name, seen)

    def _look(
        self, what: str, found: dict[str, str] | str, wanted: object, name: str, seen: Outcome
    ) -> None:
        if isinstance(found, str):
            named = found.startswith("2 ") and _ERROR.fullmatch(found[2:]) is not None
            seen.counts[f"{what}: {'named' if named else 'fault'}"] += 1
            if not named:
                seen.faults.append(f"{name}: {what}: {found[-1500:]}")
        elif found == wanted:
            seen.counts[f"{what}: as it was"] += 1
        elif ", delete, " in name and _shows_less(found, wanted):
            seen.counts[f"{what}: shows less"] += 1
        elif isinstance(wanted, dict):
            seen.counts[f"{what}: fault"] += 1
            other = sorted(k for k in found.keys() | wanted.keys() if found.get(k) != wanted.get(k))
            seen.faults.append(f"{name}: {what}: other content: {other[:4]}")

    def _finish(self, store: Path, name: str, seen: Outcome) -> None:
        for n in range(1, 4):
            code, said = self.tonegap("run", "grown", store)
            if code == 0 and self.records(store) == self.end:
                seen.counts[f"run: complete after {n}"] += 1
                return
            if code not in {0, 1, 2}:
                break
        seen.counts["run: fault"] += 1
        seen.faults.append(f"{name}: run: {code} {said[-1500:]}")


def _scores(leaderboard: Path) -> str:
    """Every score of a report and whose it is, one line each; nothing of what stands beside it."""
    with leaderboard.open(encoding="utf-8", newline="") as f:
        rows = [[row[name] for name in _OF_A_SCORE] for row in csv.DictReader(f) if row["mean"]]
    return "\n".join(sorted(map(repr, rows)))


def _shows_less(found: dict[str, str], wanted: object) -> bool:
    """Whether each score that a report has is as it was: of a record or a truth that was taken away it shows none.

    Removing them is allowed: a record or failure whose file is gone is one of a cell that has not run.
    """
    if not isinstance(wanted, dict) or _SCORES not in wanted:
        return isinstance(wanted, dict)
    return set(found[_SCORES].splitlines()) <= set(wanted[_SCORES].splitlines())


def call(words: Sequence[object]) -> tuple[int, str]:
    """The command line in this process: its exit code and all that it said; 99 for a traceback."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main([str(word) for word in words])
        except SystemExit as e:
            return int(e.code or 0), said.getvalue()
        except Exception:  # noqa: BLE001 - what nobody caught is just what is looked for
            return 99, traceback.format_exc()


def files_of(store: Path, kind: str) -> list[Path]:
    """The files of a kind in a store."""
    found = sorted(path for path in store.glob(KINDS[kind]) if path.is_file())
    if "packs" in kind:
        masks = kind == "mask packs"
        found = [p for p in found if (np.load(p).ndim == _MASK_AXES) == masks]
    return found


def _writable(path: Path) -> Path:
    path.chmod(0o644)
    return path


def _flip(path: Path, rng: random.Random, _files: Sequence[Path]) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(3):
        content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    _writable(path).write_bytes(content)


def _digit(path: Path, rng: random.Random, files: Sequence[Path]) -> None:
    content = bytearray(path.read_bytes())
    places = [i for i, byte in enumerate(content) if byte in b"0123456789"]
    if not places:
        _flip(path, rng, files)
        return
    place = rng.choice(places)
    content[place] = rng.choice([b for b in b"0123456789" if b != content[place]])
    _writable(path).write_bytes(content)


def _truncate(path: Path, rng: random.Random, _files: Sequence[Path]) -> None:
    content = path.read_bytes()
    _writable(path).write_bytes(content[: rng.randrange(len(content))])


def _swap(path: Path, rng: random.Random, files: Sequence[Path]) -> None:
    others = [p for p in files if p.read_bytes() != path.read_bytes()]
    if not others:
        _flip(path, rng, files)
        return
    other = rng.choice(others)
    aside = path.with_name("aside")
    path.rename(aside)
    other.rename(path)
    aside.rename(other)


def _folder(path: Path, _rng: random.Random, _files: Sequence[Path]) -> None:
    path.unlink()
    path.mkdir()


def _loop(path: Path, _rng: random.Random, _files: Sequence[Path]) -> None:
    path.unlink()
    path.symlink_to(path.name)


DAMAGES: dict[str, Callable[[Path, random.Random, Sequence[Path]], None]] = {
    "flip": _flip,
    "digit": _digit,
    "truncate": _truncate,
    "empty": lambda path, _rng, _files: _writable(path).write_bytes(b"") and None,
    "delete": lambda path, _rng, _files: path.unlink(),
    "swap": _swap,
    "folder": _folder,
    "loop": _loop,
}


def damage_at_random(bench: Bench, n: int, seed: int) -> Outcome:
    """What was seen in `n` trials: every kind in turn, a damage at random."""
    rng = random.Random(seed)
    seen = Outcome()
    kinds = list(KINDS)
    for number in range(n):
        before = len(seen.faults)
        bench.trial(kinds[number % len(kinds)], rng.choice(list(DAMAGES)), rng, seen)
        for fault in seen.faults[before:]:
            print(f"trial {number + 1}: {fault}", file=sys.stderr, flush=True)  # noqa: T201
    return seen
