"""Hyper-parameters that a method has where nobody gives any: those of the released scripts, by their own values."""

from pathlib import Path

import pytest

from tonegap.declared.plugin import read_plugin

ROOT = Path(__file__).parents[2]
# Of train_ti.bash: the rate is 5e-4 by --scale_lr, batch 4, accumulation 4 and one GPU, as a run's log has it.
WORDS = {
    "inversion_steps": 500,
    "inversion_batch": 4,
    "inversion_accumulation": 4,
    "inversion_learning_rate": 5e-4 * 4 * 4 * 1,
    "inversion_initial_token": "skin",
}
LORA = {"lora_steps": 3000, "lora_batch": 4, "lora_learning_rate": 5e-6, "lora_rank": 8}
IMAGES = {
    "strength": 0.5,
    "guidance": 2.0,
    "sampling_steps": 100,
    "per_source": 5,
    "image_size_px": 512,
    "output_px": 256,
}
PUBLISHED = {
    "skin-diff": WORDS | LORA | IMAGES,
    "skin-diff-2024": WORDS | LORA | IMAGES,
    "ti-only": WORDS | IMAGES,
    "lora-only": LORA | IMAGES,
    "img2img-plain": IMAGES,
    "cgddi-semantic": WORDS
    | LORA
    | {
        "lora_steps": 750,
        "lora_batch": 16,
        "lora_resolution_px": 256,
        "prior_images": 96,
        "prior_weight": 1.0,
        "strength": 0.725,
        "guidance": 8.75,
        "sampling_steps": 100,
        "repeats": 5,
        "min_images": 11,
        "held_out": 0.1,
        "image_size_px": 512,
        "healthy_dilation_px": 5,
        "healthy_edge_sigma_px": 2.0,
    },
    "cgddi-lesion-mapping": {"padding_px": 10, "lesion_dilation": 2, "edge_sigma_px": 2.0},
    "dreambooth": {
        "epochs": 4,
        "batch": 4,
        "learning_rate": 5e-6,
        "sampling_steps": 50,
        "guidance": 3.0,
        "sampler": "dpm-solver++",
        "training_precision": "full",
        "augmentation": True,
        "image_size_px": 512,
    },
    "magic": {"pairs": 1024, "lora_rank": 32, "strength": 0.3, "lora_learning_rate": 5e-6},
}


@pytest.mark.parametrize("method", PUBLISHED)
def test_hyper_parameters_are_those_of_the_released_scripts(method: str) -> None:
    specs = read_plugin(ROOT, "method", method).file.parameters
    found = {name: specs[name].default for name in PUBLISHED[method]}
    assert found == pytest.approx(PUBLISHED[method])
