"""Portable numerics in the engine: what a suite may say, what a stage is told, what a record keeps."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tonegap import numerics
from tonegap.declared.suite import read_suite, with_numerics
from tonegap.engines.variables import stage_variables
from tonegap.errors import BadSuiteFolder

PORTABLE = {
    "TONEGAP_NUMERICS": "portable",
    "ATEN_CPU_CAPABILITY": "avx2",
    "ONEDNN_MAX_CPU_ISA": "AVX2",
    "OPENBLAS_CORETYPE": "Haswell",
    "MKL_CBWR": "COMPATIBLE",
}
TELLS_PY = """\
import json, os, runpy, sys
from pathlib import Path
(Path(sys.argv[5]) / "notes.json").write_text(json.dumps({n: os.environ.get(n, "") for n in NAMES}))
runpy.run_path("train_plain.py", run_name="__main__")
""".replace("NAMES", repr(tuple(PORTABLE)))


@pytest.fixture
def processor(monkeypatch):
    """Has the processor be one with these flags."""

    def be(*flags):
        monkeypatch.setattr(numerics, "_flags", lambda: frozenset(flags))
        monkeypatch.setattr(numerics.platform, "machine", lambda: "x86_64")

    return be


def told(wanted):
    found = stage_variables(1, "/tmp", "", wanted)
    return {name: found[name] for name in {*PORTABLE, "NPY_DISABLE_CPU_FEATURES"} if name in found}


def test_a_portable_stage_is_told_which_kernels_to_use(processor):
    processor("avx2", "fma")
    assert told("portable") == PORTABLE


def test_numpy_is_told_to_leave_out_only_what_the_processor_has(processor):
    processor("avx2", "fma", "avx512f")
    disabled = told("portable")["NPY_DISABLE_CPU_FEATURES"].split(",")
    assert {"AVX512F", "AVX512_SKX", "X86_V4"} <= set(disabled)


def test_a_native_stage_gets_the_callers_own_choice(processor, monkeypatch):
    processor("avx2", "fma")
    monkeypatch.setattr(numerics.os, "environ", {"OPENBLAS_CORETYPE": "Zen"})
    monkeypatch.setattr(numerics, "_before", {})
    assert told("native") == {"OPENBLAS_CORETYPE": "Zen"}
    numerics.settle()
    assert numerics.os.environ["OPENBLAS_CORETYPE"] == "Haswell"
    assert told("native") == {"OPENBLAS_CORETYPE": "Zen"}


@pytest.mark.parametrize(
    ("flags", "device", "wanted", "found"),
    [
        (("avx2", "fma"), "cpu", "portable", "portable"),
        (("avx2", "fma"), "cpu", "native", "native"),
        (("avx2", "fma"), "cuda", "portable", "native"),
        (("avx", "fma"), "cpu", "portable", "native"),
        ((), "cpu", "portable", "native"),
    ],
)
def test_only_a_cpu_with_the_right_kernels_is_portable(processor, flags, device, wanted, found):
    processor(*flags)
    assert numerics.numerics_of(wanted, device) == found


def test_several_threads_are_not_portable(rooms):
    path = rooms.suite(numerics="portable", threads=2)
    with pytest.raises(
        BadSuiteFolder, match='threads: found 2; numerics = "portable" holds on one thread'
    ):
        read_suite(rooms.root, str(path))


def test_other_numerics_are_a_suite_of_their_own(rooms):
    rooms.suite(numerics="portable")
    suite = read_suite(rooms.root, "tiny")
    assert with_numerics(suite, None) == with_numerics(suite, "portable") == suite
    assert with_numerics(suite, "native").id == "tiny-native"


@pytest.mark.skipif(not numerics.can_be_portable(), reason="this processor has no AVX2 and FMA")
def test_key_record_and_environment_of_a_stage_follow_the_suite(rooms, tonegap, tmp_path):
    rooms.drawn()
    folder = rooms.baseline("plain", TELLS_PY)
    from tiny_rooms import TRAIN_PY

    (folder / "train_plain.py").write_text(TRAIN_PY)
    rooms.suite(numerics="portable")
    for words in ((), ("--numerics", "native")):
        place = ("--suite-root", rooms.root, "--store", tmp_path / "s", "--jobs", 1)
        code = tonegap("run", "tiny", *place, *words)
        assert code == 0, tonegap.err
    marks = {}
    for path in (tmp_path / "s").rglob("stage.json"):
        mark = json.loads(path.read_bytes())
        marks[mark["ingredients"]["numerics"]] = json.loads(
            (path.parent / "notes.json").read_bytes()
        )
    assert marks["portable"] == PORTABLE
    assert {marks["native"][name] for name in ("TONEGAP_NUMERICS", "MKL_CBWR")} == {""}
    records = [json.loads(p.read_bytes()) for p in (tmp_path / "s" / "records").iterdir()]
    assert sorted(record["numerics"] for record in records) == ["native", "portable"]


@pytest.mark.skipif(not numerics.can_be_portable(), reason="this processor has no AVX2 and FMA")
def test_the_command_line_settles_before_numpy_is_loaded():
    """OpenBLAS and numpy read their variables once, when they are loaded."""
    code = (
        "import sys, tonegap.cli.main as m\n"
        "assert 'numpy' not in sys.modules\n"
        "try: m.main(['--version'])\n"
        "except SystemExit: pass\n"
        "import os; print(os.environ['OPENBLAS_CORETYPE'], os.environ['OMP_NUM_THREADS'])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-2:] == ["Haswell", "1"]


def test_the_embedded_suite_is_portable():
    root = Path(__file__).parents[2]
    assert read_suite(root, "smoke").file.numerics == "portable"
