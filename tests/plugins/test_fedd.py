"""FEDD: which features it takes from the denoiser, that it leaves it alone, and that it learns."""

import hashlib
import runpy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from tonegap_kit.determinism import generator, seed_everything
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Pictures
from tonegap_kit.training import Batch, cross_entropy

pytest.importorskip("diffusers")

from programs import importable
from tiny_pipeline import build_pipeline

from tonegap_kit.diffusion.models import Models, embed_prompts, encode_images, open_models

from .conftest import ROOT, Ended, Toy

with importable("baselines/fedd"):
    from unet_features import Place, decoder_blocks, features_of

RunStage = Callable[..., Ended]
QUICK = {"epochs": 40, "batch": 1000, "learning_rate": 0.02}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_pipeline(tmp_path_factory.mktemp("pipeline") / "tiny")


@pytest.fixture(scope="module")
def models(pipeline: Path) -> Models:
    torch.set_num_threads(1)
    return open_models(pipeline, torch.device("cpu"))


def _pictures(n: int, side: int = 32) -> Pictures:
    rng = np.random.default_rng(0)
    return Pictures((rng.integers(0, 256, (n, side, side, 3), dtype=np.uint8),))


def _digest(network: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in sorted(network.state_dict().items()):
        digest.update(name.encode() + value.contiguous().numpy().tobytes())
    return digest.hexdigest()


def test_features_are_the_means_of_a_decoder_blocks_maps_at_a_timestep(models: Models) -> None:
    pictures = _pictures(2)
    found = features_of(models, pictures, Place((2,), (100,), 512), seed=5)
    latents = encode_images(models, pictures.parts[0]).mean
    noise = torch.randn(1, *models.latent_shape, generator=generator(5))
    share = models.noise_schedule().alphas_cumprod[100]
    noised = share.sqrt() * latents + (1 - share).sqrt() * noise
    kept = []
    handle = decoder_blocks(models.unet)[1].register_forward_hook(
        lambda _module, _given, output: kept.append(
            output[0] if isinstance(output, tuple) else output
        )
    )
    with torch.no_grad():
        models.unet(noised, 100, embed_prompts(models, ["", ""]))
    handle.remove()
    assert torch.allclose(found, kept[0].mean(dim=(2, 3)), atol=1e-5)


def test_an_images_features_do_not_depend_on_the_others(models: Models) -> None:
    pictures, place = _pictures(18), Place((1,), (100,), 512)
    together = features_of(models, pictures, place, seed=0)
    alone = features_of(models, Pictures((pictures.parts[0][17:],)), place, seed=0)
    assert torch.allclose(together[17:], alone, atol=1e-5)


def test_features_of_several_blocks_and_timesteps_stand_side_by_side(models: Models) -> None:
    pictures = _pictures(2)
    n = [
        features_of(models, pictures, Place(blocks, steps, 512), seed=0).shape[1]
        for blocks, steps in (((1,), (10,)), ((2,), (10,)), ((1, 2), (10, 200)))
    ]
    assert n[2] == 2 * (n[0] + n[1])
    assert features_of(models, pictures, Place((1, 2), (10, 200), 7), seed=0).shape == (2, 7)


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (Place((0,), (10,), 512), r"blocks is \[0\], wanted one or more of the \d+ blocks"),
        (Place((), (10,), 512), r"blocks is \[\]"),
        (Place((1,), (1000,), 512), r"timesteps is \[1000\], wanted one or more of 0 to 999"),
    ],
)
def test_a_place_that_there_is_not_is_refused(models: Models, place: Place, said: str) -> None:
    with pytest.raises(StageError, match=said):
        features_of(models, _pictures(1), place, seed=0)


def test_the_loss_is_the_mean_cross_entropy_of_three_samples() -> None:
    class Saying(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x

    # Softmax of (log 3, 0) is (3/4, 1/4); of (0, 0) halves; of (0, log 4) it is (1/5, 4/5).
    x = torch.tensor([[3.0, 1.0], [1.0, 1.0], [1.0, 4.0]]).log()
    y = torch.tensor([0, 1, 0])
    batch = Batch(x, y, y, torch.ones(3), torch.arange(3))
    by_hand = -(np.log(3 / 4) + np.log(1 / 2) + np.log(1 / 5)) / 3
    assert cross_entropy(Saying(), batch).item() == pytest.approx(by_hand, rel=1e-5)


def test_the_small_network_has_the_papers_layers() -> None:
    with importable("baselines/fedd"):
        program = runpy.run_path(str(ROOT / "baselines" / "fedd" / "train.py"))
    seed_everything(0)
    layers = program["small_network"](512, 2)
    widths = [m.out_features for m in layers if isinstance(m, torch.nn.Linear)]
    dropout = [m.p for m in layers if isinstance(m, torch.nn.Dropout)]
    assert (widths, dropout) == ([64, 32, 2], [0.5, 0.25])


@pytest.fixture(scope="module")
def given(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, object]]:
    """The toy's input with the embedded pipeline beside it, and the parameters that name it."""
    embedded = ROOT / "benchmarks" / "phantom" / "models" / "phantom-sd"
    if not (embedded / "unet" / "diffusion_pytorch_model.safetensors").is_file():
        pytest.skip("the embedded pipeline is not here")
    folder = tmp_path_factory.mktemp("fedd") / "in"
    (folder / "files").mkdir(parents=True)
    (folder / "files" / "phantom-sd").symlink_to(embedded)
    for path in toy.folder.iterdir():
        (folder / path.name).symlink_to(path)
    return folder, QUICK | {"pipeline": f"phantom-sd#sha256={'0' * 64}", "blocks": [4]}


def test_it_learns_deterministically_and_leaves_the_denoiser_as_it_was(
    given: tuple[Path, dict[str, object]],
    toy: Toy,
    run_here: RunStage,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tonegap_kit.diffusion import models as loading

    folder, parameters = given
    opened: list[tuple[Models, str]] = []

    def watched(*arguments: object) -> Models:
        found = before(*arguments)
        opened.append((found, _digest(found.unet)))
        return found

    before = loading.open_models
    monkeypatch.setattr(loading, "open_models", watched)
    outputs = []
    for _ in range(2):
        ended = run_here("baselines/fedd", folder, parameters)
        assert ended.code == 0, ended.errors
        outputs.append((ended.out / "predictions.parquet").read_bytes())
    assert outputs[0] == outputs[1]
    assert [_digest(found.unet) for found, _ in opened] == [digest for _, digest in opened]
    hits = ended.probabilities(40).argmax(axis=1) == toy.truth
    assert hits[toy.n_validation :].mean() > 0.45  # four classes: chance is 0.25


def test_no_pipeline_is_a_clear_error(toy: Toy, run_here: RunStage) -> None:
    ended = run_here("baselines/fedd", toy.folder)
    assert ended.code == 1
    assert "error: pipeline is 'none', wanted a Stable Diffusion pipeline" in ended.errors
