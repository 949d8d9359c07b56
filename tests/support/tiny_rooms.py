"""A suite root in a temporary folder, built piece by piece, with plug-ins that run in a blink."""

import json
import shutil
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tonegap.cli.main import main

PROJECT = Path(__file__).parents[2]

# No plots: they take longer than all else in a report.
LEADERBOARD = """\
title = "Tests"
selection = "validation"
rank_by = "worst"
metrics = ["accuracy"]
reference = { method = "none", baseline = "plain" }
tone_note = "Tones are drawn."
n_plots = 0
n_details = 0
"""

DRAWN = """\
title = "Sixty drawn images"
source = "drawn"
licence = "free"
access = "nothing to fetch"
metadata = ["rows.csv"]
id_column = "image_id"
label_column = "label"
file_names = ["{image_id}.png"]

[columns]
image_id = {}
label = {}
tone = {}
malignant = {}
half = {}

[tones.tone]
column = "tone"

[drawn]
seed = 1
size_px = 32
id_prefix = "d"

[drawn.labels]
"basal cell carcinoma" = true
"folliculitis" = false

[drawn.halves.pool]
images = 40
tones = { I = 1, VI = 1 }

[drawn.halves.probe]
images = 20
tones = { I = 1, VI = 1 }
"""

CLINIC = """\
title = "Photographs of a clinic"
source = "a clinic"
licence = "ask the clinic"
access = "walk in"
metadata = ["rows.csv"]
id_column = "image_id"
label_column = "label"
file_names = ["{image_id}.png"]

[columns]
image_id = {}
label = {}
tone = {}
half = {}

[tones.tone]
column = "tone"
"""

TASK = """\
title = "Two classes"
about = "Pool to train on, probe to test on."

[labels]
column = "label"
classes = ["basal cell carcinoma", "folliculitis"]
positive = ["basal cell carcinoma"]

[tones]
axis = "tone"
scored = ["I", "VI"]

[split]
rule = "value-holdout"
seeds = [0, 1]
column = "half"
train = ["pool"]
test = ["probe"]

[validation]
rule = "carve"
fraction = 0.25
strata = ["tone", "class"]

[scores]
min_support = 1
"""

# Probabilities from a hash of parameters, seed and id: no training, and no two epochs alike.
TRAIN_PY = """\
import csv, hashlib, json, sys
from pathlib import Path

stage, given, out = sys.argv[1], Path(sys.argv[3]), Path(sys.argv[5])
job = json.loads((given / "job.json").read_text())
rows = [r for n in ("validation", "test") for r in csv.DictReader((given / f"{n}.csv").open())]
with (out / "predictions.csv").open("w") as f:
    table = csv.writer(f, lineterminator="\\n")
    table.writerow(["epoch", "image_id", *(f"p_{c}" for c in job["classes"])])
    for epoch in (1, 2):
        for row in rows:
            text = f"{job['seed']} {job['parameters']} {epoch} {row['image_id']}"
            p = hashlib.sha256(text.encode()).digest()[0] / 255
            table.writerow([epoch, row["image_id"], p, 1 - p])
print("trained", stage)
"""

# As many grey images as the parameter `n` says; without an image library, which takes long to load.
GENERATE_PY = """\
import csv, json, struct, sys, zlib
from pathlib import Path

given, out = Path(sys.argv[3]), Path(sys.argv[5])
job = json.loads((given / "job.json").read_text())
rows = list(csv.DictReader((given / "train.csv").open()))[: job["parameters"]["n"]]
(out / "images").mkdir()

def png(size, level):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    lines = b"".join(b"\\0" + bytes([level]) * (3 * size) for _ in range(size))
    head = struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)
    return b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")

with (out / "synthetic.csv").open("w") as f:
    table = csv.writer(f, lineterminator="\\n")
    table.writerow(["image_id", "file", "label", "tone", "prompt", "seed", "sources"])
    for i, row in enumerate(rows):
        (out / "images" / f"{i}.png").write_bytes(png(32, i + job["seed"]))
        table.writerow([f"new-{i}", f"{i}.png", row["label"], row["tone"], "", "", row["image_id"]])
"""


class Rooms:
    """A suite root; each call writes one file or folder of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.write("pyproject.toml", "[tool.tonegap]\n")
        self.write("docker/kit/requirements.in", "")
        shutil.copytree(PROJECT / "reports" / "templates", root / "reports" / "templates")
        self.write("reports/leaderboard.toml", LEADERBOARD)

    def write(self, path: str, content: str | bytes) -> Path:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        return target

    def baseline(self, name: str, code: str = TRAIN_PY, **fields: object) -> Path:
        """A baseline whose `train.py` holds the code; fields go to its TOML file."""
        fields = {"command": ["python", "train.py"], "stages": ["train"]} | fields
        return self._plugin("baseline", name, {"train.py": code}, fields)

    def method(self, name: str, code: str | None = None, **fields: object) -> Path:
        """A method with a `generate` stage, or without any stage where there is no code."""
        if code is None:
            return self._plugin("method", name, {}, {"stages": []} | fields)
        fields = {"command": ["python", "make.py"], "stages": ["generate"]} | fields
        return self._plugin("method", name, {"make.py": code}, fields)

    def extractor(self, name: str, code: str, **fields: object) -> Path:
        """An extractor whose `embed.py` holds the code."""
        fields = {"command": ["python", "embed.py"], "stages": ["embed"]} | fields
        return self._plugin("extractor", name, {"embed.py": code}, fields)

    def postprocessor(self, name: str, code: str = "", **fields: object) -> Path:
        """A post-processor whose `adjust.py` holds the code."""
        fields = {"command": ["python", "adjust.py"], "stages": ["postprocess"]} | fields
        return self._plugin("postprocessor", name, {"adjust.py": code}, fields)

    def _plugin(
        self, kind: str, name: str, files: Mapping[str, str], fields: Mapping[str, object]
    ) -> Path:
        for file, content in files.items():
            self.write(f"{kind}s/{name}/{file}", content)
        self.write(f"{kind}s/{name}/Dockerfile", "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n")
        texts = {"title": name, "about": f"{name} for tests"}
        return self.write(f"{kind}s/{name}/{kind}.toml", toml({**texts, **fields})).parent

    def drawn(self) -> None:
        """The data set `sixty`, drawn by the suite, and its task `sixty/two`."""
        self.write("benchmarks/sixty/dataset.toml", DRAWN)
        self.write("benchmarks/sixty/tasks/two.toml", TASK)

    def clinic(self, data_root: Path) -> None:
        """The data set `clinic`, its task `clinic/two`, and a download of 24 images."""
        self.write("benchmarks/clinic/dataset.toml", CLINIC)
        self.write("benchmarks/clinic/tasks/two.toml", TASK)
        write_clinic(data_root)

    def suite(self, name: str = "tiny", **fields: object) -> Path:
        """A suite of `none` and `plain` on `sixty/two`, unless fields say otherwise."""
        defaults: dict[str, object] = {
            "title": f"Suite {name}",
            "about": "for tests",
            "tasks": ["sixty/two"],
            "seeds": [0],
            "entries": [{"methods": ["none"], "baselines": ["plain"]}],
            "limits": {"timeout_s": 60, "memory_mib": 1024, "output_mib": 50},
        }
        return self.write(f"benchmarks/suites/{name}.toml", toml({**defaults, **fields}))


def toml(fields: Mapping[str, object]) -> str:
    """TOML of plain values and inline tables; JSON's texts, numbers and lists are TOML's."""
    return "".join(f"{json.dumps(key)} = {_inline(value)}\n" for key, value in fields.items())


def _inline(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(k)} = {_inline(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(_inline(item) for item in value) + "]"
    return json.dumps(value)


def write_clinic(data_root: Path, n: int = 24) -> None:
    """Rows `c00` … and their images: half to train on, both labels and tones in each half."""
    data_root.mkdir(parents=True, exist_ok=True)
    rows = ["image_id,label,tone,half"]
    for i in range(n):
        label = ("basal cell carcinoma", "folliculitis")[i % 2]
        tone = ("I", "VI")[i // 2 % 2]
        rows.append(f"c{i:02},{label},{tone},{('pool', 'probe')[i >= 2 * n // 3]}")
        pixels = np.random.default_rng(i).integers(0, 256, (5, 5, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((40, 32), Image.Resampling.BICUBIC).save(
            data_root / f"c{i:02}.png"
        )
    (data_root / "rows.csv").write_text("\n".join(rows) + "\n")


def bomb_png(side: int) -> bytes:
    """A PNG of a few bytes that declares side × side pixels."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        crc = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", crc)

    head = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b""))


@pytest.fixture
def rooms(tmp_path: Path) -> Rooms:
    """A suite root with method `none` and baseline `plain`, no data set and no suite."""
    made = Rooms(tmp_path / "root")
    made.method("none")
    made.baseline("plain")
    return made


@pytest.fixture
def tonegap(capfd: pytest.CaptureFixture[str]) -> "Command":
    """The command line in this process."""
    return Command(capfd)


class Command:
    """Runs `tonegap WORDS…` and keeps what it said."""

    def __init__(self, capture: pytest.CaptureFixture[str]) -> None:
        self._capture = capture
        self.out = self.err = ""

    def __call__(self, *words: object) -> int:
        return self.run([str(word) for word in words])

    def run(self, words: Sequence[str]) -> int:
        self._capture.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(list(words))
        self.out, self.err = self._capture.readouterr()
        return int(ended.value.code or 0)
