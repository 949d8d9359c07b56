"""DFR: a network is trained plainly, and its last layer is fitted anew on balanced draws of its features."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from last_layer import balanced_rows, fit, scaled_layer
from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import Trained, TrainingData, read_training_data
from tonegap_kit.command import Stage, main, say
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.repairs import train_and_repair
from tonegap_kit.sources import ImageSource, Source, in_batches
from tonegap_kit.told_groups import told_groups

_BATCH = 256


def features(network: Classifier, source: Source, rows: Tensor) -> Tensor:
    """Features [n, d] of rows, of images as they are, in double precision and main memory."""
    if isinstance(source, ImageSource):
        source = replace(source, augmentation=None)
    network.eval()
    with torch.no_grad():
        found = [
            network.features(source.take(some)).double().cpu() for some in in_batches(rows, _BATCH)
        ]
    return torch.cat(found)


def repair(stage: Stage, data: TrainingData, trained: Trained) -> Iterator[tuple[nn.Module, float]]:
    """The network with its new last layer, once, with the mean cross-entropy of all images that it was drawn from."""
    job, network = stage.job, trained.network
    if not isinstance(network, Classifier):
        raise TypeError("the network is trained plainly, so it is a Classifier")
    on_train = job.text("reweight_on") == "train"
    part, source = (
        (data.train, trained.examples.source) if on_train else (data.held_out, trained.held_out)
    )
    told = ((part.y != UNKNOWN) & (part.t != UNKNOWN)).nonzero()[0]
    if not len(told):
        raise StageError(
            f"{job.text('reweight_on')}.csv: no image has a tone, but this baseline needs them"
        )
    z, y = features(network, source, torch.from_numpy(told)), torch.from_numpy(part.y[told])
    spread, mean = torch.std_mean(z, dim=0, correction=0)
    spread = spread.clamp(min=1e-6)
    rng, n_classes = stage.rng("balanced subsets"), len(job.classes)
    layers = []
    for _ in range(job.integer("subsets")):
        rows = torch.from_numpy(balanced_rows(part.y[told], part.t[told], rng))
        scaled = (z[rows] - mean) / spread
        layers.append(fit(scaled, y[rows], n_classes, job.real("l1"), job.integer("steps")))
    weight, bias = (torch.stack(each).mean(dim=0) for each in zip(*layers, strict=True))
    say(f"the last layer is the mean of {len(layers)}, of {len(rows)} images each")
    loss = nn.functional.cross_entropy((z - mean) / spread @ weight.T + bias, y)
    head = scaled_layer(weight, bias, mean, spread).to(next(network.parameters()).device)
    yield network.with_head(head), loss.item()


def train(stage: Stage) -> None:
    """Leaves the predictions of the network with its new last layer."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    if job.integer("subsets") < 1 or job.integer("steps") < 1 or job.real("l1") < 0:
        raise StageError(
            "subsets, steps or l1 is too small, wanted 1 or more of each, and l1 of 0 or more"
        )
    train_and_repair(stage, data, partial(repair, stage, data))


if __name__ == "__main__":
    main(train=train)
