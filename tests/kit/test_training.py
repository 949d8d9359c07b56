import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from torch import nn

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.predictions import write_predictions
from tonegap_kit.sources import TensorSource
from tonegap_kit.training import (
    Batch,
    Examples,
    Recipe,
    _batches,
    cross_entropy,
    learning_rate,
    predict,
    read_recipe,
    train_epochs,
)

RECIPE = Recipe(
    epochs=3,
    batch=4,
    optimiser="sgd",
    learning_rate=0.1,
    weight_decay=0.0,
    momentum=0.0,
    schedule="constant",
    schedule_step=2,
    schedule_gamma=0.5,
    precision="full",
)
PARAMETERS = {name: getattr(RECIPE, name) for name in RECIPE.__dataclass_fields__}


def _examples(n: int) -> Examples:
    """Two classes that the sign of the only feature tells apart."""
    y = torch.arange(n) % 2
    return Examples(TensorSource((y * 2.0 - 1)[:, None]), y, torch.zeros(n).long(), torch.ones(n))


def test_the_recipe_is_read_from_the_parameters(make_stage: Callable[..., Stage]) -> None:
    assert read_recipe(make_stage(PARAMETERS).job) == RECIPE


@pytest.mark.parametrize("name", ["epochs", "batch", "schedule_step"])
def test_a_recipe_of_nothing_is_refused(make_stage: Callable[..., Stage], name: str) -> None:
    with pytest.raises(StageError, match=f"{name} is 0, wanted 1 or more"):
        read_recipe(make_stage(PARAMETERS | {name: 0}).job)


def test_mixed_precision_on_a_cpu_is_refused(make_stage: Callable[..., Stage]) -> None:
    with pytest.raises(StageError, match="precision is 'mixed', which needs device 'cuda'"):
        read_recipe(make_stage(PARAMETERS | {"precision": "mixed"}).job)


def test_a_step_schedule_is_stepped_before_the_first_epoch() -> None:
    # Steps of 2: after 2, 4 ... steps the rate halves, and one step comes before epoch 1.
    step = replace(RECIPE, schedule="step")
    assert [learning_rate(step, e) for e in (1, 2, 3, 4, 5)] == [0.1, 0.05, 0.05, 0.025, 0.025]


def test_a_cosine_schedule_starts_at_the_full_rate_and_falls() -> None:
    cosine = replace(RECIPE, schedule="cosine", epochs=4)
    rates = [learning_rate(cosine, e) for e in (1, 3)]
    assert rates == pytest.approx([0.1, 0.05])


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (replace(RECIPE, schedule="linear"), "schedule is 'linear', wanted"),
        (replace(RECIPE, optimiser="lion"), "optimiser is 'lion', wanted"),
    ],
)
def test_an_unknown_schedule_or_optimiser_is_refused(recipe: Recipe, said: str) -> None:
    with pytest.raises(StageError, match=said):
        list(
            train_epochs(
                nn.Linear(1, 2),
                _examples(4),
                TensorSource(torch.ones(1, 1)),
                recipe,
                lambda: torch.arange(4),
                cross_entropy,
            )
        )


def test_the_loss_is_the_mean_of_weighted_cross_entropies() -> None:
    model = nn.Linear(1, 2)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    batch = Batch(
        torch.ones(2, 1), torch.tensor([0, 1]), torch.tensor([0, 0]), torch.tensor([3.0, 1.0])
    )
    # Equal scores: each cross-entropy is log 2; (3 + 1) / 2 of it.
    assert cross_entropy(model, batch).item() == pytest.approx(2 * math.log(2))


def test_training_learns_and_tells_every_epoch() -> None:
    held_out = TensorSource(torch.tensor([[-1.0], [1.0]]))
    epochs = list(
        train_epochs(
            nn.Linear(1, 2),
            _examples(40),
            held_out,
            RECIPE,
            lambda: torch.arange(40),
            cross_entropy,
        )
    )
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert epochs[2].loss < epochs[0].loss
    assert epochs[2].p.argmax(axis=1).tolist() == [0, 1]
    assert np.abs(epochs[2].p.sum(axis=1) - 1).max() < 1e-12


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    examples = replace(_examples(4), source=TensorSource(torch.full((4, 1), torch.inf)))
    order = lambda: torch.arange(4)  # noqa: E731
    with pytest.raises(StageError, match="epoch 1: the mean loss is nan; lower learning_rate"):
        list(
            train_epochs(
                nn.Linear(1, 2),
                examples,
                TensorSource(torch.ones(1, 1)),
                RECIPE,
                order,
                cross_entropy,
            )
        )


def test_predictions_are_made_in_evaluation_mode() -> None:
    model = nn.Sequential(nn.Dropout(0.9), nn.Linear(8, 2)).train()
    source = TensorSource(torch.ones(300, 8))
    p = predict(model, source, RECIPE)
    assert (p == p[0]).all()


def test_a_last_batch_of_one_row_joins_the_one_before() -> None:
    assert [b.tolist() for b in _batches(torch.arange(5), 4)] == [[0, 1, 2, 3, 4]]
    assert [len(b) for b in _batches(torch.arange(6), 4)] == [4, 2]
    assert [len(b) for b in _batches(torch.arange(1), 4)] == [1]


def test_predictions_hold_every_epoch_and_are_the_same_bytes_again(
    make_stage: Callable[..., Stage],
) -> None:
    out = make_stage().out
    epochs = {1: np.array([[0.25, 0.75], [1, 0]]), 2: np.array([[0.5, 0.5], [0, 1]])}
    write_predictions(out, ["x", "y"], ["a", "b c"], epochs)
    first = (out / "predictions.parquet").read_bytes()
    table = pq.read_table(out / "predictions.parquet").to_pydict()
    assert table == {
        "epoch": [1, 1, 2, 2],
        "image_id": ["x", "y", "x", "y"],
        "p_a": [0.25, 1, 0.5, 0],
        "p_b c": [0.75, 0, 0.5, 1],
    }
    write_predictions(out, ["x", "y"], ["a", "b c"], epochs)
    assert (out / "predictions.parquet").read_bytes() == first
    assert [path.name for path in out.iterdir()] == ["predictions.parquet"]
