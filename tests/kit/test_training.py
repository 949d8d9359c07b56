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
    Rule,
    _batches,
    cross_entropy,
    learning_rate,
    n_steps,
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


def test_a_schedule_that_is_never_stepped_leaves_the_full_rate() -> None:
    built = replace(RECIPE, schedule="step", schedule_stepped=False)
    assert [learning_rate(built, e) for e in (1, 4)] == [0.1, 0.1]


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
                lambda _: torch.arange(4),
                Rule(),
            )
        )


def test_the_loss_is_the_mean_of_weighted_cross_entropies() -> None:
    model = nn.Linear(1, 2)
    nn.init.zeros_(model.weight)
    nn.init.zeros_(model.bias)
    batch = Batch(
        torch.ones(2, 1),
        y=torch.tensor([0, 1]),
        t=torch.tensor([0, 0]),
        w=torch.tensor([3.0, 1.0]),
        rows=torch.arange(2),
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
            lambda _: torch.arange(40),
            Rule(),
        )
    )
    assert [epoch.number for epoch in epochs] == [1, 2, 3]
    assert epochs[2].loss < epochs[0].loss
    assert epochs[2].p.argmax(axis=1).tolist() == [0, 1]
    assert np.abs(epochs[2].p.sum(axis=1) - 1).max() < 1e-12


def test_a_loss_that_is_no_number_stops_the_training() -> None:
    examples = replace(_examples(4), source=TensorSource(torch.full((4, 1), torch.inf)))
    order = lambda _: torch.arange(4)  # noqa: E731
    with pytest.raises(StageError, match="epoch 1: the mean loss is nan; lower learning_rate"):
        list(
            train_epochs(
                nn.Linear(1, 2),
                examples,
                TensorSource(torch.ones(1, 1)),
                RECIPE,
                order,
                Rule(),
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


def _steps(recipe: Recipe, rule: Rule, model: nn.Module) -> list[float]:
    """The model's only weight after each epoch of one step on a row of class 0."""
    x, nothing = torch.ones(2, 1), torch.zeros(2)
    examples = Examples(TensorSource(x), nothing.long(), nothing.long(), torch.ones(2))
    weight = next(model.parameters())
    epochs = train_epochs(model, examples, TensorSource(x), recipe, lambda _: torch.arange(2), rule)
    return [weight.detach().flatten()[0].item() for _ in epochs]


def _slope(model: nn.Linear, batch: Batch) -> torch.Tensor:
    """A loss that falls by 5 for each 1 that the first weight grows."""
    return -5 * model.weight[0, 0] * batch.w.mean()


def _from_zero() -> nn.Linear:
    model = nn.Linear(1, 2)
    nn.init.zeros_(model.weight)
    return model


def test_a_gradient_is_cut_to_the_largest_norm_that_is_allowed() -> None:
    # A rate of 0.1 on a gradient of 5, or of 1 after the cut.
    recipe = replace(RECIPE, epochs=1)
    assert _steps(recipe, Rule(_slope), _from_zero()) == pytest.approx([0.5])
    cut = replace(recipe, gradient_clip=1.0)
    assert _steps(cut, Rule(_slope), _from_zero()) == pytest.approx([0.1], rel=1e-4)


def test_after_each_step_a_baseline_may_look_at_its_network() -> None:
    seen: list[float] = []
    rule = Rule(_slope, after_step=lambda model: seen.append(model.weight[0, 0].item()))
    _steps(RECIPE, rule, _from_zero())
    assert seen == pytest.approx([0.5, 1.0, 1.5])


def test_the_module_that_predicts_may_be_another_than_the_one_that_learns() -> None:
    certain = nn.Linear(1, 2)
    with torch.no_grad():
        certain.weight.zero_()
        certain.bias.copy_(torch.tensor([0.0, 50.0]))
    rule = Rule(after_epoch=lambda model, number: certain if number == 2 else model)
    held_out = TensorSource(torch.ones(1, 1))
    epochs = train_epochs(
        _from_zero(), _examples(4), held_out, RECIPE, lambda _: torch.arange(4), rule
    )
    assert [epoch.p[0, 1] > 0.99 for epoch in epochs] == [False, True, False]


def test_held_out_inputs_are_scored_with_their_rows() -> None:
    def by_row(_model: nn.Module, x: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        return torch.stack([rows.float() * 100, torch.full((len(x),), 150.0)], dim=1)

    p = predict(_from_zero(), TensorSource(torch.ones(300, 1)), RECIPE, by_row)
    assert p.argmax(axis=1).tolist() == [1, 1] + [0] * 298


def test_a_loss_is_told_which_rows_it_sees() -> None:
    seen: list[list[int]] = []

    def loss(model: nn.Module, batch: Batch) -> torch.Tensor:
        seen.append(batch.rows.tolist())
        return cross_entropy(model, batch)

    recipe = replace(RECIPE, epochs=1, batch=2)
    order = lambda _: torch.tensor([3, 0, 2, 1])  # noqa: E731
    held_out = TensorSource(torch.ones(1, 1))
    list(train_epochs(_from_zero(), _examples(4), held_out, recipe, order, Rule(loss)))
    assert seen == [[3, 0], [2, 1]]


def test_each_epoch_is_asked_for_an_order_of_its_own() -> None:
    asked: list[int] = []

    def order(number: int) -> torch.Tensor:
        asked.append(number)
        return torch.arange(4)

    held_out = TensorSource(torch.ones(1, 1))
    list(train_epochs(_from_zero(), _examples(4), held_out, RECIPE, order, Rule()))
    assert asked == [1, 2, 3]


def test_steps_are_counted_as_they_are_taken() -> None:
    # Five rows in batches of four are one step, since a single row joins the batch before.
    assert n_steps(RECIPE, 5) == 3
    assert n_steps(RECIPE, 6) == 6
