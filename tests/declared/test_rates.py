"""`benchmarks/rates.toml` as written: every mistake is one sentence, and nothing says that something costs nothing."""

from pathlib import Path

import pytest

from tonegap.checks.declared import check_declared
from tonegap.declared.plugin import Plugin, read_plugin
from tonegap.declared.rates import RATES, Rate, rate_problems, read_rates, units_of
from tonegap.errors import BadSuiteFolder

ROOT = Path(__file__).parents[2]
RATE = {
    "stages": '["methods/skin-diff fit"]',
    "measured_on": '"a desk"',
    "source": '"by hand"',
    "seconds": "2.5",
}


def read(root: Path, **changed: str) -> dict[str, tuple[Rate, ...]]:
    path = root / RATES
    path.parent.mkdir(exist_ok=True)
    keys = {name: value for name, value in (RATE | changed).items() if value}
    path.write_text("[[rates]]\n" + "\n".join(f"{n} = {v}" for n, v in keys.items()))
    return read_rates(root)


def test_a_root_without_the_file_declares_none(tmp_path: Path) -> None:
    assert read_rates(tmp_path) == {}


def test_rates_are_found_by_their_stage(tmp_path: Path) -> None:
    found = read(tmp_path, stages='["methods/a fit", "methods/b fit"]', per='["images"]')
    assert list(found) == ["methods/a fit", "methods/b fit"]
    assert found["methods/a fit"][0].seconds == 2.5


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"seconds": ""}, "seconds: missing, as disk_mib and memory_mib are"),
        ({"seconds": "0.0"}, "seconds: found 0.0, wanted a number above 0; leave it out"),
        ({"seconds": "nan"}, "seconds: found nan"),
        ({"disk_mib": "inf"}, "disk_mib: found inf"),
        ({"memory_mib": "-1"}, "memory_mib: found -1"),
        ({"source": '""'}, "source: empty, wanted who measured or counted it"),
        ({"measured_on": '""'}, "measured_on: empty, wanted the device"),
        ({"stages": "[]"}, "stages: empty, wanted one or more"),
        ({"second": "1"}, "second"),
        ({"device": '"tpu"'}, "there are: cpu, cuda"),
    ],
)
def test_a_wrong_rate_is_one_sentence(tmp_path: Path, changed: dict[str, str], words: str) -> None:
    with pytest.raises(BadSuiteFolder) as found:
        read(tmp_path, **changed)
    assert words in str(found.value)
    assert str(found.value).startswith(f"{tmp_path / RATES}: ")


@pytest.fixture(scope="module")
def plugin() -> Plugin:
    return read_plugin(ROOT, "method", "skin-diff")


def of(**fields: object) -> Rate:
    said = {"stages": ("methods/skin-diff fit",), "measured_on": "x", "source": "x", "seconds": 1.0}
    return Rate(**said | fields)


@pytest.mark.parametrize(
    ("stage", "rate", "words"),
    [
        ("train", of(), "has no stage 'train'; there are: fit, generate"),
        ("fit", of(per=("lora_stepz",)), "did you mean 'lora_steps'?"),
        ("fit", of(per=("save_memory",)), "per: 'save_memory' is no count and no number"),
        ("fit", of(per=("caption",)), "per: 'caption'"),
        ("fit", of(only_with={"wordz": "none"}), "only_with: methods/skin-diff has no parameter"),
        ("fit", of(holds_with={"lora_rank": "8"}), "holds_with: lora_rank: found '8', wanted"),
        ("fit", of(holds_with={"lora_rank": [8, "16"]}), "lora_rank: found '16', wanted"),
        ("fit", of(least_of=("ratioo",)), "least_of: 'ratioo' is no number of methods/skin-diff"),
        ("fit", of(within={"caption": (0.0, 1.0)}), "within: 'caption' is no number of"),
    ],
)
def test_what_a_rate_names_has_to_be_there(
    plugin: Plugin, stage: str, rate: Rate, words: str
) -> None:
    (said,) = rate_problems(f"methods/skin-diff {stage}", rate, plugin)
    assert words in said


def test_units_multiply_counts_and_parameters() -> None:
    rate = of(per=("images", "ratio", "classes"))
    assert units_of(rate, {"images": 12, "classes": 2, "tones": 6}, {"ratio": 0.5}) == 12.0
    assert units_of(of(), {}, {}) == 1.0
    assert (
        units_of(of(per=("images",), least_of=("a", "b")), {"images": 12}, {"a": 5.0, "b": 2}) == 24
    )


def test_check_names_rates_of_plug_ins_and_parameters_that_are_not_there(tmp_path: Path) -> None:
    read(tmp_path, stages='["methods/nobody fit", "nowhere/x fit"]')
    assert [f"{p.where}: {p.text}" for p in check_declared(tmp_path)] == [
        "benchmarks/rates.toml: stages: there is no 'methods/nobody', wanted one as `methods/NAME STAGE`",
        "benchmarks/rates.toml: stages: there is no 'nowhere/x', wanted one as `methods/NAME STAGE`",
    ]


def test_the_suite_s_own_rates_give_the_hours_that_the_docs_count() -> None:
    """docs/gpu.md: 6,420 images of skin-diff at 50 steps of two calls in 36 minutes, seven words in 7 to 8."""
    rates = {s: [r for r in of if r.device == "cuda"] for s, of in read_rates(ROOT).items()}
    steps, images = rates["methods/skin-diff generate"]
    asked = {"ratio": 5.0, "per_source": 5, "strength": 0.5, "sampling_steps": 100}

    def minutes(rate: Rate, **counts: int) -> float:
        return (rate.seconds or 0) * (units_of(rate, counts, asked) or 0) / 60

    assert round(minutes(steps, images=1284) + minutes(images, images=1284)) == 36
    asked["per_source"] = 1
    assert round(minutes(steps, images=1284) + minutes(images, images=1284)) == 7
    words, lora = rates["methods/skin-diff fit"]
    asked = {"inversion_steps": 500, "inversion_batch": 4, "inversion_accumulation": 4}
    assert 7 < minutes(words, classes=7) < 8
    asked |= {"lora_steps": 3000, "lora_batch": 4}
    assert round(minutes(lora)) == 2
    words, lora, painted = rates["methods/cgddi-semantic fit"]
    asked |= {"lora_steps": 750, "lora_batch": 16, "healthy_steps": 100, "healthy_strength": 1.0}
    assert round(minutes(words, classes=13)) == 14
    assert round(minutes(lora, classes=13)) == 12
    assert round(minutes(painted, images=334)) == 4
    (healthy,) = rates["methods/cgddi-healthy generate"]
    assert round(minutes(healthy, images=334)) == 4


def test_every_time_of_a_pipeline_holds_with_named_pipelines_and_full_work_alone() -> None:
    """No time is for whatever `image_size_px` says: a network works at its pipeline's side."""
    timed = [r for of in read_rates(ROOT).values() for r in of if r.seconds is not None]
    assert len(timed) > 30
    for rate in timed:
        assert {"pipeline", "save_memory", "acceleration", "precision"} <= set(rate.holds_with)
        assert "image_size_px" not in rate.holds_with
        if "sampling_steps" in rate.per:
            assert rate.within["guidance"] == (1, float("inf"))
        assert ("per_source" in rate.least_of) == (
            "ratio" in rate.within and "variants" in _origin(rate)
        )


def _origin(rate: Rate) -> str:
    """The file that a rate's first method has its parameters from."""
    name = rate.stages[0].partition(" ")[0].partition("/")[2]
    text = (ROOT / "methods" / name / "method.toml").read_text(encoding="utf-8")
    return text.partition("parameters_from = ")[2].partition("\n")[0]
