"""FEDD: a small network on features that a frozen diffusion model's denoiser has of an image."""

import torch
from torch import nn

from tonegap_kit.baseline import read_training_data, train_on_features
from tonegap_kit.command import Stage, main, say
from tonegap_kit.determinism import make_deterministic
from tonegap_kit.diffusion.models import open_models
from tonegap_kit.errors import StageError
from tonegap_kit.sources import TensorSource
from tonegap_kit.training import Recipe
from unet_features import Place, features_of


def small_network(n_features: int, n_classes: int) -> nn.Module:
    """The paper's: 64 and 32 units, batch normalisation, dropout of a half and a quarter."""
    return nn.Sequential(
        nn.Linear(n_features, 64),
        nn.BatchNorm1d(64),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(64, 32),
        nn.BatchNorm1d(32),
        nn.ReLU(),
        nn.Dropout(0.25),
        nn.Linear(32, n_classes),
    )


def train(stage: Stage) -> None:
    """Leaves the predictions of a small network on the denoiser's features."""
    job, device = stage.job, make_deterministic(stage)
    folder = stage.folder("pipeline")
    if folder is None:
        raise StageError(
            "pipeline is 'none', wanted a Stable Diffusion pipeline as PATH#sha256=HEX"
        )
    data, models = read_training_data(stage), open_models(folder, device)
    place = Place(job.integers("blocks"), job.integers("timesteps"), job.integer("features"))
    train_x, held_out_x = (
        features_of(models, part.pictures, place, stage.seed_of("noise")).to(device)
        for part in (data.train, data.held_out)
    )
    say(f"{train_x.shape[1]} features of each image")
    # Some decoders' features hardly differ in the units that batch normalisation counts in.
    spread, mean = torch.std_mean(train_x, dim=0)
    train_x, held_out_x = ((x - mean) / spread.clamp(min=1e-6) for x in (train_x, held_out_x))
    network = small_network(train_x.shape[1], len(job.classes)).to(device)
    features = TensorSource(train_x), TensorSource(held_out_x)
    train_on_features(stage, data, network, features, _recipe(stage))


def _recipe(stage: Stage) -> Recipe:
    job = stage.job
    epochs, batch = job.integer("epochs"), job.integer("batch")
    if min(epochs, batch) < 1:
        raise StageError(f"epochs is {epochs} and batch {batch}, wanted 1 or more of each")
    rate, decay = job.real("learning_rate"), job.real("weight_decay")
    return Recipe(epochs, batch, "adam", rate, decay, 0.0, "constant", 1, 1.0, "full")


if __name__ == "__main__":
    main(train=train)
