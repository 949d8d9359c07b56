"""Baselines that use tones while they train: what each one claims, on data made to show it."""

import hashlib
import json
import math
import runpy
import shutil
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from programs import importable
from torch import Tensor, nn

from tonegap_kit.backbones import Classifier
from tonegap_kit.command import Stage
from tonegap_kit.job import Job
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.sources import TensorSource
from tonegap_kit.tone_heads import tone_head_notes
from tonegap_kit.training import Batch, Examples, Recipe, Rule, predict, train_epochs

from .conftest import CLASSES, ROOT, TYPES, Ended, Toy, draw_toy

RunStage = Callable[..., Ended]
NAMES = ("attribute-aware", "disentangled", "fairdisco", "adversarial", "group-dro", "patchalign")
EPOCHS = 4
RECIPE = Recipe(30, 32, "adam", 0.02, 0.0, 0.0, "constant", 1, 1.0, "full")
# Two heads that pull at the same features settle only if neither is fast; decay calms the adversary.
CALM = replace(RECIPE, optimiser="sgd", learning_rate=0.1, weight_decay=0.06, batch=64, epochs=40)
LONG = replace(CALM, learning_rate=0.12, weight_decay=0.01, batch=32, epochs=60)
HEADS = {"width": 8, "tone_outputs": 0, "head": "linear", "adversary_hidden": 16}


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


@pytest.fixture(scope="module")
def told(toy: Toy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The toy input with tones of test images, as the engine gives them where a baseline needs them."""
    folder = tmp_path_factory.mktemp("told") / "in"
    shutil.copytree(toy.folder, folder)
    _tell_tone(folder, "I")
    return folder


def _tell_tone(folder: Path, tone: str) -> None:
    ids = [line.split(",")[0] for line in (folder / "test.csv").read_text().splitlines()[1:]]
    rows = "".join(f"{image},{tone}\n" for image in ids)
    (folder / "test.csv").write_text("image_id,tone\n" + rows)


def _folder(name: str, toy: Toy, told: Path) -> Path:
    return told if name == "attribute-aware" else toy.folder


def _digest(ended: Ended) -> str:
    return hashlib.sha256((ended.out / "predictions.parquet").read_bytes()).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_it_learns_what_class_frequencies_cannot_say(
    name: str, toy: Toy, told: Path, run_here: RunStage
) -> None:
    changes = {"epochs": EPOCHS, "learning_rate": 0.003}
    ended = run_here(f"baselines/{name}", _folder(name, toy, told), changes)
    assert ended.code == 0, ended.errors
    hits = ended.probabilities(EPOCHS).argmax(axis=1) == toy.truth
    # 80 images of four classes: chance is 0.25, and 0.45 is four standard errors above it.
    assert hits.mean() > 0.45


@pytest.mark.parametrize("name", NAMES)
def test_the_same_job_gives_the_same_bytes(
    name: str, toy: Toy, told: Path, run_here: RunStage
) -> None:
    folder = _folder(name, toy, told)
    first, again = (run_here(f"baselines/{name}", folder, {"epochs": 1}) for _ in range(2))
    assert first.code == 0, first.errors
    assert _digest(first) == _digest(again)


@pytest.mark.parametrize("name", NAMES)
def test_images_of_unknown_tone_are_borne(
    name: str, toy: Toy, told: Path, run_here: RunStage, tmp_path: Path
) -> None:
    shutil.copytree(_folder(name, toy, told), tmp_path / "in")
    train = tmp_path / "in" / "train.csv"
    head, *rows = train.read_text().splitlines()
    blank = [row.rsplit(",", 1)[0] + "," if i % 3 else row for i, row in enumerate(rows)]
    train.write_text("\n".join([head, *blank]) + "\n")
    ended = run_here(f"baselines/{name}", tmp_path / "in", {"epochs": 1})
    assert ended.code == 0, ended.errors
    assert np.isfinite(ended.probabilities(1)).all()


def test_six_tone_outputs_for_three_tones_are_an_option(run_here: RunStage, tmp_path: Path) -> None:
    groups = ("I-II", "III-IV", "V-VI")
    toy = draw_toy(tmp_path / "in", groups)
    runs = [
        run_here(
            "baselines/disentangled", toy.folder, {"epochs": 1, "tone_outputs": n}, tones=groups
        )
        for n in (0, 6)
    ]
    assert [ended.code for ended in runs] == [0, 0], runs[0].errors + runs[1].errors
    assert _digest(runs[0]) != _digest(runs[1])


def test_fewer_tone_outputs_than_tones_are_refused(toy: Toy, run_here: RunStage) -> None:
    ended = run_here("baselines/fairdisco", toy.folder, {"tone_outputs": 3})
    assert ended.code == 1
    assert "tone_outputs is 3, wanted 0 or at least the 6 tones of the task" in ended.errors


def test_published_epochs_are_kept_only_where_asked(toy: Toy, run_here: RunStage) -> None:
    kept = run_here("baselines/erm", toy.folder, {"epochs": 2, "keep_from_epoch": 3})
    plain = run_here("baselines/erm", toy.folder, {"epochs": 2})
    # The untrained network stands in both epochs, and is not what training made.
    assert (kept.probabilities(1) == kept.probabilities(2)).all()
    assert (kept.probabilities(2) != plain.probabilities(2)).any()


@pytest.mark.parametrize("name", ["resample", "reweight"])
def test_weights_may_be_computed_on_given_counts(
    name: str, toy: Toy, run_here: RunStage, tmp_path: Path
) -> None:
    shutil.copytree(toy.folder, tmp_path / "in")
    (tmp_path / "in" / "files").mkdir()
    rows = [f"{tone},{label},{i + 1}" for i, tone in enumerate(TYPES) for label in CLASSES]
    (tmp_path / "in" / "files" / "n.csv").write_text("tone,label,images\n" + "\n".join(rows) + "\n")
    given = {"epochs": 1, "counts": "n.csv#sha256=0"}
    ended = run_here(f"baselines/{name}", tmp_path / "in", given)
    assert ended.code == 0, ended.errors
    assert _digest(ended) != _digest(run_here(f"baselines/{name}", toy.folder, {"epochs": 1}))


def test_a_frozen_backbone_lets_both_heads_learn_from_features_computed_once(
    toy: Toy, run_here: RunStage
) -> None:
    frozen = {"frozen": True, "augmentation": "none", "epochs": 1}
    ended = run_here("baselines/fairdisco", toy.folder, frozen)
    assert ended.code == 0, ended.errors
    assert ended.probabilities(1).std(axis=0).max() > 0.01


@pytest.mark.parametrize("k", [2, 3, 7, 9, 114])
def test_any_number_of_classes_is_scored(k: int) -> None:
    classifier = Classifier(nn.Identity(), nn.Linear(5, k), False)
    stage = _stage()
    stage = replace(stage, job=replace(stage.job, classes=tuple(f"c{i}" for i in range(k))))
    for name in ("fairdisco", "adversarial"):
        assert _plugin(name)["build"](stage, classifier)(torch.zeros(4, 5)).shape == (4, k)


def _plugin(name: str) -> dict[str, Any]:
    with importable(ROOT / "baselines" / name):
        return runpy.run_path(str(ROOT / "baselines" / name / "train.py"))


def _stage(**parameters: Any) -> Stage:
    job = Job(
        stage="train",
        task="toy/task",
        classes=("a", "b"),
        positive=(),
        tones=("I", "VI"),
        seed=0,
        size_px=32,
        geometry="crop",
        parameters=HEADS | parameters,
        device="cpu",
        threads=1,
        time_limit_s=60,
    )
    return Stage(job, Path("in"), Path("out"))


def _batch(x: Tensor, y: list[int], t: list[int]) -> Batch:
    n = len(x)
    return Batch(x, torch.tensor(y), torch.tensor(t), torch.ones(n), torch.arange(n))


def _two_axes(n: int) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs [n, 2] whose first axis tells the class and whose second one tells the tone, both roughly."""
    rng = torch.Generator().manual_seed(0)
    y, t = (torch.randint(0, 2, (n,), generator=rng) for _ in range(2))
    x = torch.stack([y, t], dim=1) * 2.0 - 1
    return x + 0.5 * torch.randn(n, 2, generator=rng), y, t


def _train(
    network: nn.Module, rows: tuple[Tensor, ...], rule: Rule, recipe: Recipe = RECIPE
) -> None:
    x, y, t = rows
    examples = Examples(TensorSource(x), y, t, torch.ones(len(x)))
    rng = torch.Generator().manual_seed(0)
    order = lambda _: torch.randperm(len(x), generator=rng)  # noqa: E731
    for _ in train_epochs(network, examples, TensorSource(x[:1]), recipe, order, rule):
        pass
    network.eval()


def _named(name: str, loss: Any, recipe: Recipe) -> tuple[float, float]:
    """How often a trained network names the class and the tone of its inputs."""
    plugin, (x, y, t) = _plugin(name), _two_axes(400)
    build = plugin.get("build", plugin["two_heads"])
    network = build(_stage(), Classifier(nn.Identity(), nn.Linear(2, 2), False))
    _train(network, (x, y, t), Rule(loss(plugin)), recipe)
    named = predict(network, TensorSource(x), recipe).argmax(axis=1)
    notes = tone_head_notes(t, network, TensorSource(x))
    return float((named == y.numpy()).mean()), float(str(notes["tone_head_accuracy"]))


def _disentangling(alpha: float, plugin: dict[str, Any]) -> Any:
    return partial(plugin["loss"], alpha)


def _fairdisco(alpha: float, plugin: dict[str, Any]) -> Any:
    return partial(plugin["loss"], plugin["Weights"](alpha, 0.8, 0.1, 0.0))


def _against(weight: float, plugin: dict[str, Any]) -> Any:
    return plugin["AgainstTone"](weight, 10.0, CALM.epochs * 7)


@pytest.mark.parametrize(
    ("name", "loss", "recipe"),
    [
        ("disentangled", _disentangling, CALM),
        ("fairdisco", _fairdisco, LONG),
        ("adversarial", _against, CALM),
    ],
)
def test_the_tone_head_is_near_chance_only_where_features_are_turned_against_it(
    name: str, loss: Any, recipe: Recipe
) -> None:
    # Two tones, as many of each: chance is 0.5. Both classes stay to be told in either case.
    class_free, tone_free = _named(name, partial(loss, 0.0), recipe)
    class_turned, tone_turned = _named(name, partial(loss, 1.0), recipe)
    assert tone_free > 0.9
    assert abs(tone_turned - 0.5) < 0.2
    assert min(class_free, class_turned) > 0.9


def test_the_disentangling_loss_of_three_images_is_worked_out_by_hand() -> None:
    plugin = _plugin("disentangled")
    network = plugin["TwoHeads"](nn.Identity(), nn.Identity(), nn.Identity())
    x = torch.tensor([[0.0, 0], [0, 0], [math.log(3), 0]])
    # p(class) = p(tone) = (1/2, 1/2) twice and (3/4, 1/4). The second image's tone is unknown.
    of_class = (2 * math.log(2) + math.log(4 / 3)) / 3
    confused = (2 * math.log(2) + (math.log(4 / 3) + math.log(4)) / 2) / 3
    of_tone = (math.log(2) + math.log(4)) / 2
    found = plugin["loss"](0.5, network, _batch(x, [0, 1, 0], [0, UNKNOWN, 1]))
    assert found.item() == pytest.approx(of_class + 0.5 * confused + of_tone)


def test_the_contrastive_loss_of_three_images_is_worked_out_by_hand() -> None:
    contrast = _plugin("fairdisco")["contrast"]
    projections = torch.tensor([[2.0, 0], [5, 0], [0, 1]])  # cosines: 1 within the pair, else 0
    y = torch.tensor([0, 0, 1])
    # Two ordered pairs: -log(e / (e + 1)) each, at temperature 1. The third has no partner.
    assert contrast(projections, y, 1.0).item() == pytest.approx(math.log(1 + math.exp(-1)))
    assert contrast(projections, torch.tensor([0, 1, 2]), 1.0).item() == 0


def test_the_contrastive_loss_with_a_floor_is_worked_out_by_hand() -> None:
    contrast = _plugin("fairdisco")["contrast"]
    projections = torch.tensor([[2.0, 0], [5, 0], [0, 1]])
    # The largest exponential of a row is 1, so e is 1.25 within the pair and exp(-1) + 0.25 of the rival; the
    # denominator has 0.25 once more, and so has the number of pairs, 2.
    rival = math.exp(-1) + 0.25
    each = math.log((1.25 + rival + 0.25) / 1.25)
    found = contrast(projections, torch.tensor([0, 0, 1]), 1.0, 0.25)
    assert found.item() == pytest.approx(2 * each / 2.25)
    # Without a rival the denominator is still larger than the exponential.
    alone = contrast(projections[:2], torch.tensor([0, 0]), 1.0, 0.25)
    assert alone.item() == pytest.approx(2 * math.log(1.5 / 1.25) / 2.25)


def test_images_of_the_same_class_are_no_rivals_in_the_contrastive_loss() -> None:
    contrast = _plugin("fairdisco")["contrast"]
    projections = torch.tensor([[1.0, 0], [1, 0], [-1, 0]])
    # No other class at all: nothing to be told apart from.
    assert contrast(projections, torch.tensor([0, 0, 0]), 0.1).item() == 0


def test_the_adversary_gets_its_gradient_and_the_features_its_reverse() -> None:
    plugin = _plugin("adversarial")
    z = torch.tensor([[3.0, 4]], requires_grad=True)
    (plugin["Reversed"].apply(z, 0.5) * torch.tensor([2.0, 6])).sum().backward()
    assert z.grad is not None
    assert z.grad.tolist() == [[-1, -3]]


def test_the_reversal_grows_from_nothing() -> None:
    loss = _plugin("adversarial")["AgainstTone"](2.0, 10.0, 100)
    assert loss.strength() == 0
    loss.step = 50
    assert loss.strength() == pytest.approx(2 * (2 / (1 + math.exp(-5)) - 1))


def test_the_adversarial_loss_of_three_images_is_worked_out_by_hand() -> None:
    plugin = _plugin("adversarial")
    network = plugin["TwoHeads"](nn.Identity(), nn.Identity(), nn.Identity())
    x = torch.tensor([[0.0, 0], [0, 0], [math.log(3), 0]])
    found = plugin["AgainstTone"](1.0, 10.0, 10)(network, _batch(x, [0, 1, 0], [0, UNKNOWN, 1]))
    of_class = (2 * math.log(2) + math.log(4 / 3)) / 3
    assert found.item() == pytest.approx(of_class + (math.log(2) + math.log(4)) / 2)


def test_the_worst_case_loss_of_three_images_is_worked_out_by_hand() -> None:
    worst = _plugin("group-dro")["WorstCase"](torch.tensor([0, 0, 1]), 1.0, 0.0)
    x = torch.tensor([[0.0, 0], [0, 0], [math.log(3), 0]])
    found = worst(nn.Identity(), _batch(x, [0, 1, 1], [0, 0, 1]))
    # Mean losses log 2 and log 4: the weights 1/2 and 1/2 are multiplied by 2 and 4, so become 1/3 and 2/3.
    assert worst.q.tolist() == pytest.approx([1 / 3, 2 / 3])
    assert found.item() == pytest.approx((math.log(2) + 2 * math.log(4)) / 3)


def test_a_tone_that_a_batch_lacks_keeps_its_weight_and_one_without_images_has_none() -> None:
    worst = _plugin("group-dro")["WorstCase"](torch.tensor([0, 1, 3]), 1.0, 0.0)
    assert worst.q.tolist() == pytest.approx([1 / 3, 1 / 3, 0, 1 / 3])
    worst(nn.Identity(), _batch(torch.zeros(1, 2), [0], [0]))
    # The first tone's mean loss is log 2: 2/3, 1/3 and 1/3 before they are scaled to sum to 1.
    assert worst.q.tolist() == pytest.approx([0.5, 0.25, 0, 0.25])


def test_a_tone_that_a_batch_lacks_grows_by_its_adjustment_where_it_is_asked_for() -> None:
    worst = _plugin("group-dro")["WorstCase"](
        torch.tensor([0, 1, 3]), 1.0, math.log(2), absent_grow=True
    )
    worst(nn.Identity(), _batch(torch.zeros(1, 2), [0], [0]))
    # The first tone's loss is log 2 and its adjustment too: times 4. The others' loss is 0: times 2. One without images
    # has no weight.
    assert worst.q.tolist() == pytest.approx([0.5, 0.25, 0, 0.25])
    keeps = _plugin("group-dro")["WorstCase"](torch.tensor([0, 1, 3]), 1.0, math.log(2))
    keeps(nn.Identity(), _batch(torch.zeros(1, 2), [0], [0]))
    assert keeps.q.tolist() == pytest.approx([4 / 6, 1 / 6, 0, 1 / 6])


def test_the_adjustment_weighs_rare_tones_up() -> None:
    worst = _plugin("group-dro")["WorstCase"](torch.tensor([0, 0, 0, 0, 1]), 1.0, math.log(4))
    x = torch.zeros(2, 2)
    batch = Batch(
        x, torch.tensor([0, 0]), torch.tensor([0, 1]), torch.ones(2), torch.tensor([0, 4])
    )
    worst(nn.Identity(), batch)
    # Equal losses; exp(log 4 / sqrt 4) = 2 against exp(log 4 / sqrt 1) = 4.
    assert worst.q.tolist() == pytest.approx([1 / 3, 2 / 3])


def test_group_dro_moves_weight_to_the_worst_tone() -> None:
    x, y, t = _two_axes(400)
    swapped = (t == 1) & (torch.arange(400) % 3 == 0)  # a third of tone 1 is mislabelled
    y = torch.where(swapped, 1 - y, y)
    worst = _plugin("group-dro")["WorstCase"](t, 0.01, 0.0)
    _train(nn.Linear(1, 2), (x[:, :1], y, t), Rule(worst))
    assert worst.q[1] > 0.7


def test_group_dro_notes_what_each_tone_weighs(toy: Toy, run_here: RunStage) -> None:
    ended = run_here("baselines/group-dro", toy.folder, {"epochs": 1, "parts": "tone-class"})
    weights = json.loads((ended.out / "notes.json").read_text())["weights"]
    assert sum(weights.values()) == pytest.approx(1, abs=0.002)
    assert {name.split()[0] for name in weights} == {"I", "II", "III", "IV", "V", "VI"}


def test_the_attribute_aware_loss_of_three_images_is_worked_out_by_hand() -> None:
    plugin = _plugin("attribute-aware")
    network = plugin["ToldTheTone"](nn.Identity(), nn.Identity(), 2, 2)
    with torch.no_grad():
        network.of_tone.weight.copy_(torch.tensor([[0.0, math.log(3)], [0, -5]]))
        network.of_tone.bias.zero_()
    # Tone 0 and an unknown one add nothing; tone 1 adds (log 3, -5), of which relu leaves (log 3, 0).
    found = plugin["loss"](network, _batch(torch.zeros(3, 2), [0, 0, 0], [0, UNKNOWN, 1]))
    assert found.item() == pytest.approx((2 * math.log(2) + math.log(4 / 3)) / 3)


def test_what_only_the_tone_decides_is_learned_by_the_attribute_aware_classifier() -> None:
    plugin = _plugin("attribute-aware")
    x, _, t = _two_axes(400)
    y = ((x[:, 0] > 0) == (t == 1)).long()  # neither the input nor the tone says anything alone
    network = plugin["build"](_stage(), Classifier(nn.Identity(), nn.Linear(1, 2), False))
    told, untrue = (partial(plugin["score"], tones) for tones in (t, 1 - t))
    _train(network, (x[:, :1], y, t), Rule(plugin["loss"], told))
    named = predict(network, TensorSource(x[:, :1]), RECIPE, told).argmax(axis=1)
    assert (named == y.numpy()).mean() > 0.9
    named = predict(network, TensorSource(x[:, :1]), RECIPE, untrue).argmax(axis=1)
    assert (named == y.numpy()).mean() < 0.1


def test_an_attribute_aware_prediction_changes_with_the_tone_that_is_told(
    toy: Toy, told: Path, run_here: RunStage, tmp_path: Path
) -> None:
    shutil.copytree(told, tmp_path / "in")
    _tell_tone(tmp_path / "in", "VI")
    light = run_here("baselines/attribute-aware", told, {"epochs": 1}).probabilities(1)
    dark = run_here("baselines/attribute-aware", tmp_path / "in", {"epochs": 1}).probabilities(1)
    assert (light[: toy.n_validation] == dark[: toy.n_validation]).all()
    assert (light[toy.n_validation :] != dark[toy.n_validation :]).any(axis=1).all()


class TwoPatches(nn.Module):
    """Every image has the patches (1, 0) and (0, 1)."""

    n, d = 2, 2

    def forward(self, x: Tensor) -> Tensor:
        return torch.eye(2).expand(len(x), 2, 2)


@pytest.mark.parametrize(("allowed", "moved"), [("own", 0.0), ("other", 0.09)])
def test_the_patchalign_loss_of_three_images_is_worked_out_by_hand(
    allowed: str, moved: float
) -> None:
    plugin = _plugin("patchalign")
    class_head = nn.Linear(2, 2)
    network = plugin["PatchAlign"](TwoPatches(), class_head, torch.eye(2), 4, 1)
    pairs = torch.eye(2) if allowed == "own" else 1 - torch.eye(2)
    with torch.no_grad():
        for layer in (class_head, network.tone_head, network.mask[3]):
            layer.weight.zero_()
            layer.bias.zero_()
        network.mask[3].bias.copy_((pairs * 40 - 20).flatten())
    # Each patch is one of the texts. A mask that leaves it its own moves nothing; one that leaves it the
    # other moves all by a cosine cost of 1 - 0.1, a tenth of which counts, and keeps distances within.
    batch = _batch(torch.zeros(3, 1), [0, 1, 0], [0, UNKNOWN, 1])
    # One step: after many, a plan leaves what the mask allows for what is cheap.
    found = plugin["loss"](plugin["Weights"](0.5, 1.0, 0.9, 1, False), network, batch)
    assert found.item() == pytest.approx(math.log(2) + 1.5 * math.log(4) + moved, abs=1e-4)


def test_patchalign_takes_text_vectors_from_a_file(
    toy: Toy, run_here: RunStage, tmp_path: Path
) -> None:
    shutil.copytree(toy.folder, tmp_path / "in")
    (tmp_path / "in" / "files").mkdir()
    np.save(tmp_path / "in" / "files" / "texts.npy", np.random.default_rng(0).normal(size=(9, 12)))
    given = {"epochs": 1, "text_vectors": "texts.npy#sha256=0"}
    ended = run_here("baselines/patchalign", tmp_path / "in", given)
    assert ended.code == 0, ended.errors


def test_a_floor_of_the_contrast_moves_the_loss_and_one_below_0_is_refused(
    toy: Toy, run_here: RunStage
) -> None:
    losses = []
    for floor in (0.0, 1e-5):
        ended = run_here("baselines/fairdisco", toy.folder, {"epochs": 1, "contrast_floor": floor})
        assert ended.code == 0, ended.errors
        losses.append(json.loads((ended.out / "notes.json").read_text())["loss"][0])
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)
    ended = run_here("baselines/fairdisco", toy.folder, {"epochs": 1, "contrast_floor": -1.0})
    assert ended.code != 0
    assert "contrast_floor is -1.0, wanted 0 or more" in ended.errors
