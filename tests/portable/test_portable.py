"""Portable numerics: a run of every kind of stage gives the same bytes on this and on two emulated processors."""

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tiny_rooms import toml

from tonegap.numerics import can_be_portable, stage_numerics

PROJECT = Path(__file__).parents[2]
EMULATOR = "qemu-x86_64"
OLDEST = 8  # 7.2 crashed, or never came to its end, in one processor or the other
PROCESSORS = ("Haswell", "EPYC-Rome")
TIME_LIMIT_S = 1500
CLASSES = ("basal cell carcinoma", "psoriasis")
TONES = ("I", "II", "V", "VI")
# What differs from run to run: times, logs, locks.
_PASSING = {"log.txt", "store.json"}

pytestmark = [
    pytest.mark.portable,
    pytest.mark.skipif(not can_be_portable(), reason="this processor has no AVX2 and FMA"),
]

DATA = """
title = "Few drawn images"
source = "drawn"
licence = "free"
access = "nothing to fetch"
metadata = ["rows.csv"]
id_column = "image_id"
label_column = "label"
file_names = ["{image_id}.jpg"]

[columns]
image_id = {}
label = {}
tone = {}
malignant = {}
half = {}

[tones.tone]
column = "tone"

[drawn]
seed = 3
size_px = 48
id_prefix = "d"
labels = { "basal cell carcinoma" = true, "psoriasis" = false }

[drawn.halves.pool]
images = 40
tones = { I = 3, II = 3, V = 1, VI = 1 }

[drawn.halves.probe]
images = 16
tones = { I = 1, II = 1, V = 1, VI = 1 }
"""
TASK = f"""
title = "Two conditions"
about = "Pool to train on, probe to test on."

[labels]
column = "label"
classes = {json.dumps(CLASSES)}
positive = ["basal cell carcinoma"]

[tones]
axis = "tone"
scored = {json.dumps(TONES)}

[split]
rule = "value-holdout"
seeds = [0]
column = "half"
train = ["pool"]
test = ["probe"]

[validation]
rule = "carve"
fraction = 0.2
strata = ["tone", "class"]

[scores]
min_support = 1
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A suite root with the project's plug-ins, and one small suite of every kind of stage."""
    root = tmp_path_factory.mktemp("portable") / "root"
    for name in ("methods", "baselines", "extractors", "docker/kit", "reports"):
        shutil.copytree(PROJECT / name, root / name, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "pyproject.toml").write_text("[tool.tonegap]\n")
    data = root / "benchmarks" / "few"
    (data / "tasks").mkdir(parents=True)
    (data / "dataset.toml").write_text(DATA)
    (data / "tasks" / "two.toml").write_text(TASK)
    (root / "benchmarks" / "suites").mkdir()
    (root / "benchmarks" / "suites" / "every-kind.toml").write_text(toml(small_suite()))
    return root


def small_suite():
    smoke = tomllib.loads((PROJECT / "benchmarks/suites/smoke.toml").read_text(encoding="utf-8"))
    given = smoke["parameters"]["methods/skin-diff"]
    few = {
        "inversion_steps": 1,
        "lora_steps": 1,
        "lora_batch": 1,
        "sampling_steps": 2,
        "ratio": 0.1,
    }
    quality = smoke["quality"]["parameters"]
    return {
        "title": "Every kind of stage",
        "about": "for tests",
        "tasks": ["few/two"],
        "seeds": [0],
        "numerics": "portable",
        "entries": [
            {
                "methods": ["none", "tone-shift", "skin-diff"],
                "baselines": ["erm"],
                "backbones": ["cnn4"],
            }
        ],
        "parameters": {
            "methods": {"image_size_px": 64},
            "methods/skin-diff": given | few | {"pipeline": here(given["pipeline"])},
            "baselines": smoke["parameters"]["baselines"]
            | {"image_size_px": 32, "epochs": 2, "batch": 8},
        },
        "quality": {
            "extractor": smoke["quality"]["extractor"],
            "parameters": quality | {"weights": here(quality["weights"])},
        },
        "limits": {"timeout_s": 1200, "memory_mib": 4096, "output_mib": 512},
    }


def here(given):
    return str(PROJECT / given)


@pytest.fixture(scope="module")
def stores(root, tmp_path_factory):
    """Stores by processor; the real one's is what the command line leaves."""
    if shutil.which(EMULATOR) is None:
        pytest.skip(f"{EMULATOR} is missing: install the package qemu-user")
    said = subprocess.run([EMULATOR, "--version"], capture_output=True, text=True, check=True)
    version = int(re.search(r"version (\d+)", said.stdout)[1])
    if version < OLDEST:
        pytest.skip(f"QEMU {version} ends in faults of its own: {OLDEST} or newer is wanted")
    at = tmp_path_factory.mktemp("stores")
    program = shutil.which("tonegap", path=str(Path(sys.executable).parent))
    line = [program, "run", "every-kind", "--suite-root", str(root), "--store", str(at / "real")]
    finished(line, {})
    script = [sys.executable, str(PROJECT / "tests" / "support" / "whole_run.py"), str(root)]
    # Any directory of ours on the path that the stages of the real run have, too.
    path = os.pathsep.join(str(PROJECT / name) for name in ("docker/kit", "tests/support", "src"))
    env = stage_numerics("portable") | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""}
    env |= dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    env |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PYTHONHASHSEED": "0"}

    def emulated(processor):
        finished([EMULATOR, "-cpu", processor, *script, "every-kind", str(at / processor)], env)

    with ThreadPoolExecutor() as pool:
        list(pool.map(emulated, PROCESSORS))
    return {name: at / name for name in ("real", *PROCESSORS)}


def finished(command, env):
    done = subprocess.run(
        command,
        env=os.environ | env,
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        timeout=TIME_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]


def contents(store):
    """What a store holds by path, without what tells of times and machines."""
    folders = ("drawn", "packs", "stages", "records", "quality", "truth")
    found = {}
    for path in sorted(p for name in folders for p in (store / name).rglob("*") if p.is_file()):
        if path.name in _PASSING or path.name.endswith(".lock"):
            continue
        content = path.read_bytes()
        if path.name == "stage.json":
            mark = json.loads(content)
            content = repr((mark["key"], mark["ingredients"])).encode()
        elif path.parent.name == "records":
            record = json.loads(content)
            del record["circumstances"]
            content = json.dumps(record, sort_keys=True).encode()
        found[str(path.relative_to(store))] = content
    return found


@pytest.mark.parametrize("processor", PROCESSORS)
def test_every_kind_of_stage_leaves_the_same_bytes_on_another_processor(stores, processor):
    real, other = contents(stores["real"]), contents(stores[processor])
    assert sorted(real) == sorted(other)
    assert [path for path in real if real[path] != other[path]] == []


def test_every_kind_was_there(stores):
    """Else equal bytes would say little."""
    stages = {
        (mark["plugin"], mark["stage"])
        for mark in (json.loads(p.read_bytes()) for p in stores["real"].rglob("stage.json"))
    }
    assert stages == {
        ("baselines/erm", "train"),
        ("methods/tone-shift", "generate"),
        ("methods/skin-diff", "fit"),
        ("methods/skin-diff", "generate"),
        ("extractors/network-layer", "features"),
    }
    found = contents(stores["real"])
    assert sum(path.startswith("drawn/") and path.endswith(".jpg") for path in found) == 56
    assert any(path.startswith("packs/") for path in found)
    assert any(path.endswith("quality.json") for path in found)
    records = [json.loads(found[path]) for path in found if path.startswith("records/")]
    assert [record["numerics"] for record in records] == ["portable"] * 3
