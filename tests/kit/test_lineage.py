import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.lineage import UNKNOWN_SOURCE, Part, read_parts, write_lineage
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

IMAGE = np.full((8, 8, 3), 7, np.uint8)


@pytest.fixture
def fitted(make_stage: Callable[..., Stage]) -> Stage:
    """A stage that has left one learned file."""
    stage = make_stage()
    (stage.out / "model" / "deep").mkdir(parents=True)
    (stage.out / "model" / "deep" / "lora").write_bytes(b"weights")
    return stage


def hand_over(stage: Stage) -> None:
    """What `fit` left becomes what `generate` is given."""
    (stage.out / "model").rename(stage.inputs / "model")


def test_a_part_is_written_with_its_digest_and_each_source_once(fitted: Stage) -> None:
    write_lineage(fitted, [Part("a", Path("deep/lora"), ("r2", "r1", "r2"))])
    found = json.loads((fitted.out / "model" / "lineage.json").read_text())
    digest = sha256(b"weights").hexdigest()
    part = {"file": "deep/lora", "sha256": digest, "sources": ["r1", "r2"]}
    assert found == {"schema": "tonegap/lineage@1", "parts": {"a": part}}


def test_what_was_written_is_read_by_generate(fitted: Stage) -> None:
    write_lineage(fitted, [Part("a", fitted.out / "model" / "deep" / "lora", ("r1",))])
    hand_over(fitted)
    part = read_parts(fitted)["a"]
    assert part == Part("a", fitted.inputs / "model" / "deep" / "lora", ("r1",))


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (Part("a b", Path("deep/lora"), ("r1",)), "without blanks"),
        (Part("", Path("deep/lora"), ("r1",)), "without blanks"),
        (Part("a", Path("gone"), ("r1",)), "gone is no file below model/"),
        (Part("a", Path("../../in/job.json"), ("r1",)), "is no file below model/"),
        (Part("a", Path("deep/lora"), ()), "no sources"),
    ],
)
def test_a_part_that_breaks_the_contract_is_refused(fitted: Stage, part: Part, said: str) -> None:
    with pytest.raises(StageError, match=said):
        write_lineage(fitted, [part])


def test_two_parts_of_one_name_are_refused(fitted: Stage) -> None:
    part = Part("a", Path("deep/lora"), ("r1",))
    with pytest.raises(StageError, match="a name of its own"):
        write_lineage(fitted, [part, part])


def test_a_file_that_is_not_the_one_that_was_trained_is_refused(fitted: Stage) -> None:
    write_lineage(fitted, [Part("a", Path("deep/lora"), ("r1",))])
    hand_over(fitted)
    (fitted.inputs / "model" / "deep" / "lora").write_bytes(b"others")
    with pytest.raises(StageError, match=r"not the file that lineage\.json names"):
        read_parts(fitted)


def test_a_method_without_fit_has_no_parts(make_stage: Callable[..., Stage]) -> None:
    assert read_parts(make_stage()) == {}


def test_an_image_names_the_parts_it_was_made_with(fitted: Stage) -> None:
    write_lineage(fitted, [Part("a", Path("deep/lora"), ("r1",))])
    hand_over(fitted)
    image = SyntheticImage("s", IMAGE, "a", "VI", (), models=("a",))
    write_synthetic(fitted, [image], 1, ["r1"])
    assert (fitted.out / "synthetic.csv").read_text().endswith("\ns,s.png,a,VI,,,,a\n")


def test_a_part_that_fit_did_not_name_is_refused(fitted: Stage) -> None:
    image = SyntheticImage("s", IMAGE, "a", "VI", (), models=("b",))
    with pytest.raises(StageError, match="model 'b' is no part"):
        write_synthetic(fitted, [image], 1, ["r1"])


def test_an_image_may_say_that_nobody_knows_its_sources(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage()
    write_synthetic(stage, [SyntheticImage("s", IMAGE, "a", "VI", (UNKNOWN_SOURCE,))], 1, ["r1"])
    assert (stage.out / "synthetic.csv").read_text().endswith("\ns,s.png,a,VI,,,?,\n")
