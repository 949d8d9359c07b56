"""CIRCLe: its loss by hand, where its counterparts come from, and that features stop telling the tone."""

import hashlib
import runpy
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from programs import importable
from safetensors.torch import save_file
from torch import nn

from tonegap_kit.baseline import TrainingData
from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition, Pictures
from tonegap_kit.skin import draw_skin_colour, recolour
from tonegap_kit.sources import normalise
from tonegap_kit.training import Batch

from .conftest import ROOT, TYPES, Ended, Toy

with importable("baselines/circle"):
    from stargan import Generator, change_domain, read_generator
    from tone_transfer import read_pairs, tone_transfer_named

    CIRCLE = runpy.run_path(str(ROOT / "baselines" / "circle" / "train.py"))

RunStage = Callable[..., Ended]
FAST = {"optimiser": "adam", "weight_decay": 0.0, "features": 16}


def _accuracy(ended: Ended, toy: Toy, epoch: int) -> float:
    hits = ended.probabilities(epoch).argmax(axis=1) == toy.truth
    return float(hits[toy.n_validation :].mean())


def _partition(images: np.ndarray) -> Partition:
    n = len(images)
    return Partition(
        tuple(f"r{i}" for i in range(n)),
        np.arange(n) % 2,
        np.zeros(n, np.int64),
        Pictures((images,)),
    )


def _grey(*levels: int) -> np.ndarray:
    return np.stack([np.full((4, 4, 3), level, np.uint8) for level in levels])


class Brightness(nn.Module):
    """Features of an image: its mean, twice. The classes' scores are the features."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Identity()

    def features(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean(dim=(1, 2, 3))
        return torch.stack([mean, mean], dim=1)


def test_the_loss_adds_the_mean_squared_difference_of_features(
    make_stage: Callable[..., Stage],
) -> None:
    stage = make_stage({"augmentation": "none", "centre_crop": 1.0, "regularisation": 0.1})
    images = _grey(10, 20, 30)
    data = TrainingData(_partition(images), 3, _partition(images))
    # The first and the third row have a counterpart: one 51 levels lighter, the other as it is.
    circle = CIRCLE["Circle"](stage, data, lambda rows: (np.array([0, 2]), _grey(61, 30)))
    batch = Batch(
        torch.zeros(3), torch.tensor([0, 1, 0]), torch.zeros(3), torch.ones(3), torch.arange(3)
    )
    # Both classes get the same score, so that each row's cross-entropy is log 2. The means of channels differ by
    # 51 / 255 = 0.2, divided by the three deviations: 0.2 * (1/0.229 + 1/0.224 + 1/0.225) / 3 = 0.88498.
    # Squared 0.78319, over two rows of which one does not differ: 0.391594; times 0.1, and log 2.
    assert circle.loss(Brightness(), batch).item() == pytest.approx(0.0391594 + np.log(2), abs=1e-5)


def test_without_counterparts_the_loss_is_the_cross_entropy(
    make_stage: Callable[..., Stage],
) -> None:
    stage = make_stage({"augmentation": "none", "centre_crop": 1.0, "regularisation": 9.0})
    images = _grey(10, 20, 30)
    data = TrainingData(_partition(images), 3, _partition(images))
    circle = CIRCLE["Circle"](stage, data, lambda rows: (np.array([], np.int64), _grey(1)[:0]))
    zeros = torch.zeros(3, dtype=torch.int64)
    batch = Batch(torch.zeros(3), zeros, zeros, torch.ones(3), torch.arange(3))
    assert circle.loss(Brightness(), batch).item() == pytest.approx(np.log(2))


def test_image_and_counterpart_are_turned_and_moved_alike(make_stage: Callable[..., Stage]) -> None:
    stage = make_stage(
        {"augmentation": "crop-rotate-flip", "centre_crop": 1.0, "regularisation": 1.0}
    )
    images = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    data = TrainingData(_partition(images), 3, _partition(images))
    circle = CIRCLE["Circle"](stage, data, lambda rows: (np.array([1, 2]), images[1:]))

    class Pixels(nn.Module):
        head = nn.Linear(16 * 16 * 3, 2)

        def features(self, x: torch.Tensor) -> torch.Tensor:
            return x.flatten(1)

    y = torch.tensor([0, 1, 0])
    loss = circle.loss(Pixels(), Batch(torch.zeros(3), y, y, torch.zeros(3), torch.arange(3)))
    assert loss.item() == 0  # the counterparts are the images themselves, and no row's class weighs


@pytest.fixture(scope="module")
def distances(toy: Toy) -> Callable[[nn.Module], float]:
    """How far features move under recolouring, in units of their spread between images."""
    images = np.load(toy.folder / "test.npy")
    rng = np.random.default_rng(0)
    made = [recolour(image, draw_skin_colour(rng, "VI"), 0.5) for image in images]
    # Skin that is darker than the target already is passed over.
    images = np.stack(
        [image for image, other in zip(images, made, strict=True) if other is not None]
    )
    darker = np.stack([image for image in made if image is not None])
    assert len(darker) > 30

    def distance(network: nn.Module) -> float:
        network.eval()
        with torch.no_grad():
            r, other = (network.features(normalise(torch.from_numpy(x))) for x in (images, darker))
        return float(((r - other) ** 2).mean() / r.var(dim=0).mean())

    return distance


def test_features_move_less_under_recolouring_when_they_are_asked_to(
    toy: Toy, run_here: RunStage, distances: Callable[[nn.Module], float], monkeypatch
) -> None:
    from tonegap_kit import baseline

    trained = []
    before = baseline.train_epochs
    monkeypatch.setattr(
        baseline,
        "train_epochs",
        lambda network, *rest: trained.append(network) or before(network, *rest),
    )
    for strength in (0.0, 1.0):
        ended = run_here("baselines/circle", toy.folder, FAST | {"regularisation": strength})
        assert ended.code == 0, ended.errors
    plain, invariant = (distances(network) for network in trained)
    assert invariant < 0.5 * plain


def test_it_learns_and_the_same_job_gives_the_same_bytes(toy: Toy, run_here: RunStage) -> None:
    digests = set()
    for _ in range(2):
        ended = run_here("baselines/circle", toy.folder, FAST)
        assert ended.code == 0, ended.errors
        assert _accuracy(ended, toy, 4) > 0.5
        digests.add(hashlib.sha256((ended.out / "predictions.parquet").read_bytes()).hexdigest())
    assert len(digests) == 1


def _with_pairs(toy: Toy, folder: Path, sources: list[str]) -> Path:
    shutil.copytree(toy.folder, folder)
    rows = "".join(f"s{i},red,VI,{source}\n" for i, source in enumerate(sources))
    (folder / "synthetic.csv").write_text("image_id,label,tone,sources\n" + rows)
    np.save(folder / "synthetic.npy", np.load(toy.folder / "train.npy")[: len(sources)])
    return folder


def test_synthetic_images_are_counterparts_of_their_only_source(
    toy: Toy, run_here: RunStage, tmp_path: Path
) -> None:
    sources = ["train-003", "train-003", "train-007 train-008", ""]
    folder = _with_pairs(toy, tmp_path / "in", sources)
    ended = run_here("baselines/circle", folder, FAST | {"transformer": "synthetic", "epochs": 1})
    assert ended.code == 0, ended.errors
    assert '"n_synthetic": 0' in (ended.out / "notes.json").read_text()  # compared, not trained on


def test_a_pair_is_a_row_and_what_was_made_from_it_alone(
    make_stage: Callable[..., Stage], write_rows: Callable[..., None]
) -> None:
    train = _partition(_grey(1, 2, 3))
    write_rows("s0,a,VI,r1", "s1,a,VI,r0 r2", "s2,a,VI,", "s3,a,V,r1")
    pairs = read_pairs(make_stage(), train)
    assert [rows.tolist() for rows in pairs.of_row] == [[], [0, 3], []]


def test_only_rows_with_a_pair_are_compared(
    make_stage: Callable[..., Stage], write_rows: Callable[..., None]
) -> None:
    train = _partition(_grey(1, 2, 3))
    write_rows("s0,a,VI,r1", "s1,a,VI,r2")
    stage = make_stage({"transformer": "synthetic"})
    places, images = tone_transfer_named(stage, train, torch.device("cpu"))(np.array([2, 0, 1]))
    assert places.tolist() == [0, 2]
    assert images[:, 0, 0, 0].tolist() == [1, 0]  # synthetic image i is all i


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (None, "absent, so no training image has a synthetic one"),
        (["s0,a,VI,r0 r1"], "no image was made from one training image alone"),
    ],
)
def test_no_pair_is_a_clear_error(
    make_stage: Callable[..., Stage],
    write_rows: Callable[..., None],
    rows: list[str] | None,
    said: str,
) -> None:
    if rows is not None:
        write_rows(*rows)
    with pytest.raises(StageError, match=said):
        read_pairs(make_stage(), _partition(_grey(1, 2)))


@pytest.fixture
def write_rows(tmp_path: Path) -> Callable[..., None]:
    """Writes synthetic.csv from its lines, with image i all i."""

    def write(*lines: str) -> None:
        (tmp_path / "in").mkdir(exist_ok=True)
        text = "".join(f"{line}\n" for line in ("image_id,label,tone,sources", *lines))
        (tmp_path / "in" / "synthetic.csv").write_text(text)
        images = np.stack([np.full((8, 8, 3), i, np.uint8) for i in range(len(lines))])
        np.save(tmp_path / "in" / "synthetic.npy", images)

    return write


@pytest.fixture
def make_stage(tmp_path: Path) -> Callable[..., Stage]:
    """A train stage with these parameters, on images of 8 px."""
    from tonegap_kit.job import Job

    def make(parameters: dict[str, object] | None = None) -> Stage:
        job = Job(
            stage="train",
            task="toy/task",
            classes=("a", "b"),
            positive=(),
            tones=TYPES,
            seed=0,
            size_px=8,
            geometry="crop",
            parameters=parameters or {},
            device="cpu",
            threads=1,
            time_limit_s=60,
        )
        return Stage(job, tmp_path / "in", tmp_path / "out")

    return make


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    save_file(Generator(len(TYPES)).state_dict(), tmp_path / "generator.safetensors")
    return tmp_path / "generator.safetensors"


def test_a_generator_in_a_file_changes_images_by_their_domain(weights: Path) -> None:
    generator = read_generator(weights, len(TYPES))
    images = torch.randint(0, 256, (2, 8, 8, 3), dtype=torch.uint8)
    made = change_domain(generator, images[[0, 0, 1]], torch.tensor([0, 5, 0]))
    assert made.dtype == torch.uint8
    assert made.shape == (3, 8, 8, 3)
    assert not torch.equal(made[0], made[1])
    assert not any(p.requires_grad for p in generator.parameters())


def test_a_generator_for_other_domains_is_refused(weights: Path) -> None:
    with pytest.raises(
        StageError, match=r"no generator of a StarGAN with 3 domains.*main.0.weight"
    ):
        read_generator(weights, 3)


def test_a_stargan_that_is_not_given_is_a_clear_error(toy: Toy, run_here: RunStage) -> None:
    ended = run_here("baselines/circle", toy.folder, FAST | {"transformer": "stargan"})
    assert ended.code == 1
    assert "error: transformer is 'stargan', but generator is 'none'" in ended.errors
