"""The mean of a network's weights along its training, over the stretch where it does not overfit.

Source: Cha et al. 2021 (SWAD), algorithm 1, with one evaluation after each epoch.
"""

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tonegap_kit.errors import StageError

Weights = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Patience:
    """When averaging starts and ends, in evaluations; `tolerance` is a factor on the loss at the start."""

    optimum: int
    overfit: int
    tolerance: float


def flat_stretch(losses: Sequence[float], patience: Patience) -> tuple[int, int] | None:
    """First and last evaluation, from 0, of the stretch to average over; None if it has not begun.

    It begins at the first loss that the `optimum` - 1 after it do not fall below. It ends `overfit`
    evaluations before the first one at which the last `overfit` losses are all above `tolerance` times the
    mean of the losses it began with; if there is none, it goes on to the last.
    """
    first, wait = _beginning(losses, patience.optimum), patience.overfit
    if first is None:
        return None
    began = losses[first : first + patience.optimum]
    limit = patience.tolerance * sum(began) / len(began)
    for now in range(first + patience.optimum, len(losses)):
        if now - wait + 1 >= 0 and min(losses[now - wait + 1 : now + 1]) > limit:
            return first, max(first, now - wait)
    return first, len(losses) - 1


def _beginning(losses: Sequence[float], optimum: int) -> int | None:
    for first in range(len(losses) - optimum + 1):
        if losses[first] == min(losses[first : first + optimum]):
            return first
    return None


def counted_as_published(losses: Sequence[float], patience: Patience) -> list[int]:
    """The evaluations, from 0, whose weights published code averages, each as often as it counts.

    Before a beginning is found it is the last evaluation alone. It departs from algorithm 1 in three ways. The mean
    starts with the evaluation that the stretch begins with, and the next one takes its place. Where `overfit` is above
    `optimum`, evaluations before the beginning count too, back to the last loss above the limit, and some may count
    again later. An evaluation counts when it is the oldest of the last `overfit`.

    Source: `LossValley` of Cha et al.'s code and of MEDFAIR's, read at the commits that `parity/swad.toml` names.
    """
    begin, late = _beginning(losses, patience.optimum), patience.overfit
    if begin is None:
        return [len(losses) - 1]
    found_at = begin + patience.optimum - 1
    limit = patience.tolerance * sum(losses[begin : found_at + 1]) / patience.optimum
    counted = [*range(begin + 1, begin + 1 + patience.optimum - late)]
    if late > patience.optimum:
        recent = range(max(0, found_at + 1 - late), found_at + 1)[: late - patience.optimum + 1]
        high = [place for place, i in enumerate(recent) if losses[i] > limit]
        counted += recent[(high[-1] + 1 if high else 0) + 1 :]
    for now in range(found_at + 1, len(losses)):
        oldest = max(0, now + 1 - late)
        if oldest < begin:
            continue
        if min(losses[oldest : now + 1]) > limit:
            return counted or [begin]
        counted.append(oldest)
    for i in range(max(0, len(losses) - late) + 1, len(losses)):
        if min(losses[i:]) > limit:
            break
        counted.append(i)
    return counted or [begin]


@dataclass(frozen=True, slots=True)
class _Piece:
    """The sum of the weights after so many steps, up to and including the epoch `last`, from 0."""

    last: int
    steps: int
    total: Weights


class WeightMean:
    """The mean of a network's weights after every step, over any stretch of epochs that may still be asked for.

    Keeps one sum for each epoch, and one for all that can only be asked for together.
    """

    def __init__(self) -> None:
        self._pieces: list[_Piece] = []
        self._steps = 0
        self._total: Weights = {}

    def add(self, network: nn.Module) -> None:
        """Counts the weights in as they are now."""
        weights = _learned(network)
        if not self._steps:
            self._total = {name: torch.zeros_like(weight) for name, weight in weights.items()}
        for name, weight in weights.items():
            self._total[name] += weight
        self._steps += 1

    def close_epoch(self, epoch: int) -> None:
        """Ends an epoch, from 0. Raises StageError if it had no step."""
        if not self._steps:
            raise StageError(f"epoch {epoch}: no step, so there is no mean of its weights")
        self._pieces.append(_Piece(epoch, self._steps, self._total))
        self._steps, self._total = 0, {}

    def forget(self, before: int, together: int) -> None:
        """Drops the epochs before `before`, and joins the others up to `together` into one."""
        kept = [piece for piece in self._pieces if piece.last >= before]
        joined = [piece for piece in kept if piece.last <= together]
        self._pieces = [*_sum(joined), *kept[len(joined) :]]

    def over(self, network: nn.Module, first: int, last: int) -> nn.Module:
        """A copy of the network with the mean over these epochs, from 0, the last one included."""
        (whole,) = _sum([piece for piece in self._pieces if first <= piece.last <= last])
        mean = copy.deepcopy(network)
        with torch.no_grad():
            for name, weight in _learned(mean).items():
                weight.copy_(whole.total[name] / whole.steps)
        return mean

    def counted(self, network: nn.Module, epochs: Sequence[int]) -> nn.Module:
        """A copy of the network with the mean of the means over these epochs, from 0, each as often as it is named."""
        by_epoch = {piece.last: piece for piece in self._pieces}
        mean = copy.deepcopy(network)
        with torch.no_grad():
            for name, weight in _learned(mean).items():
                weight.zero_()
                for epoch in epochs:
                    piece = by_epoch[epoch]
                    weight += piece.total[name] / (piece.steps * len(epochs))
        return mean


def _sum(pieces: Sequence[_Piece]) -> list[_Piece]:
    """One piece for all, none for none."""
    if len(pieces) < 2:
        return list(pieces)
    total = {
        name: sum((p.total[name] for p in pieces[1:]), weight)
        for name, weight in pieces[0].total.items()
    }
    return [_Piece(pieces[-1].last, sum(p.steps for p in pieces), total)]


def _learned(network: nn.Module) -> Weights:
    return {name: p.data for name, p in network.named_parameters() if p.requires_grad}


def refresh_batch_statistics(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Computes the means and variances of batch normalisation anew, as the plain mean over these inputs.

    Those that were kept belong to other weights. Layers that do not learn keep theirs.
    """
    layers = [m for m in network.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    learning = [m for m in layers if m.weight is None or m.weight.requires_grad]
    if not learning:
        return
    usual = [layer.momentum for layer in learning]
    network.eval()
    for layer in learning:
        layer.reset_running_stats()
        layer.momentum = None  # torch's way to say: the mean over all batches
        layer.train()
    with torch.no_grad():
        for x in batches:
            network(x)
    for layer, momentum in zip(learning, usual, strict=True):
        layer.momentum = momentum
    network.eval()
