from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

IMAGE = np.full((8, 8, 3), 7, np.uint8)
GOOD = SyntheticImage("s-1", IMAGE, "a", "VI", ("r1", "r2"), prompt='dark, "old"', seed=5)


def test_images_and_their_rows_are_left(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage()
    write_synthetic(
        stage,
        [GOOD, replace(GOOD, image_id="s-2", tone=None, prompt="", seed=None)],
        2,
        ["r1", "r2"],
    )
    assert (stage.out / "synthetic.csv").read_text() == (
        "image_id,file,label,tone,prompt,seed,sources,models\n"
        's-1,s-1.png,a,VI,"dark, ""old""",5,r1 r2,\n'
        "s-2,s-2.png,a,,,,r1 r2,\n"
    )
    with Image.open(stage.out / "images" / "s-1.png") as image:
        assert np.array_equal(np.asarray(image), IMAGE)
    assert sorted(p.name for p in stage.out.iterdir()) == ["images", "synthetic.csv"]


def test_nothing_made_is_a_table_without_rows(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage()
    write_synthetic(stage, [], 0, ["r1"])
    assert (stage.out / "synthetic.csv").read_text().count("\n") == 1


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (replace(GOOD, image_id="r1"), "the id is used already"),
        (replace(GOOD, image_id="../s"), "cannot be the name of a file"),
        (replace(GOOD, label="z"), "label 'z' is no class"),
        (replace(GOOD, tone="0"), "tone '0' is no tone"),
        (replace(GOOD, sources=("r1", "q")), "source 'q' is no training image"),
        (replace(GOOD, image=IMAGE.astype(np.float32)), r"float32 \[8, 8, 3\], wanted uint8"),
    ],
)
def test_an_image_that_breaks_the_contract_is_refused_and_no_table_is_left(
    make_stage: Callable[..., Stage], bad: SyntheticImage, said: str
) -> None:
    stage = make_stage()
    with pytest.raises(StageError, match=said):
        write_synthetic(stage, [replace(GOOD, image_id="ok"), bad], 2, ["r1", "r2"])
    assert not (stage.out / "synthetic.csv").exists()


def test_an_id_used_twice_is_refused(make_stage: Callable[..., Stage]) -> None:
    with pytest.raises(StageError, match="'s-1': the id is used already"):
        write_synthetic(make_stage(), [GOOD, GOOD], 2, ["r1", "r2"])


def test_images_are_written_as_they_come(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage()
    seen: list[int] = []

    def images() -> Iterator[SyntheticImage]:
        for name in ("x", "y"):
            seen.append(len(list(Path(stage.out / "images").glob("*.png"))))
            yield replace(GOOD, image_id=name)

    write_synthetic(stage, images(), 2, ["r1", "r2"])
    assert seen == [0, 1]


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_images_beside_a_gpus_work_are_the_same_bytes(
    make_stage: Callable[..., Stage], tmp_path: Path, device: str
) -> None:
    rng = np.random.default_rng(0)
    made = [rng.integers(0, 256, (8, 8, 3), np.uint8) for _ in range(40)]
    stage = make_stage(device=device)
    images = (replace(GOOD, image_id=f"s-{i}", image=image) for i, image in enumerate(made))
    write_synthetic(stage, images, 40, ["r1", "r2"])
    for i, image in enumerate(made):
        Image.fromarray(image).save(tmp_path / "own.png", compress_level=3)
        assert (stage.out / "images" / f"s-{i}.png").read_bytes() == (
            tmp_path / "own.png"
        ).read_bytes()


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_an_image_that_cannot_be_written_leaves_no_table(
    make_stage: Callable[..., Stage], device: str
) -> None:
    stage = make_stage(device=device)
    (stage.out / "images" / "s-1.png").mkdir(parents=True)
    with pytest.raises(OSError, match=r"s-1\.png"):
        write_synthetic(stage, [GOOD], 1, ["r1", "r2"])
    assert not (stage.out / "synthetic.csv").exists()
