"""Textual inversion: which numbers learn, that tokens learn independently, and what a stock pipeline reads."""

import pytest
import torch
from diffusers import StableDiffusionPipeline

from tonegap_kit.diffusion.inversion import (
    Concepts,
    InversionRecipe,
    learn_tokens,
    read_tokens,
    save_tokens,
)
from tonegap_kit.diffusion.models import add_tokens, open_models
from tonegap_kit.diffusion.noise_loop import StepRecipe, Watch, encode_examples
from tonegap_kit.diffusion.sampling import SamplingRecipe, text2img
from tonegap_kit.errors import StageError

CPU = torch.device("cpu")
STEPS = StepRecipe(steps=4, batch=2, accumulation=2, learning_rate=0.05)
TEMPLATES = ("a photo of a {}", "a rendering of a {}", "the skin of {}")


def recipe(**changes):
    return InversionRecipe(
        **(
            {"steps": STEPS, "vectors": 1, "initial_token": "skin", "templates": TEMPLATES}
            | changes
        )
    )


@pytest.fixture
def concepts(models, images):
    encoded = encode_examples(models, images, mirror=True)
    return Concepts(
        encoded, {"red-class": torch.tensor([0, 2, 4]), "<blu-class>": torch.tensor([1, 3])}
    )


def weights_of(models):
    parts = (models.unet, models.vae, models.text_encoder)
    return [p.detach().clone() for part in parts for p in part.parameters()]


def test_the_models_stay_as_they_are(models, concepts):
    before, words = weights_of(models), len(models.tokenizer)
    learned = learn_tokens(models, concepts, recipe(), 0, Watch("tokens"))
    assert all(torch.equal(a, b) for a, b in zip(before, weights_of(models), strict=True))
    assert len(models.tokenizer) == words
    start = models.text_encoder.get_input_embeddings().weight[
        models.tokenizer.convert_tokens_to_ids("skin</w>")
    ]
    assert set(learned) == {"red-class", "<blu-class>"}
    assert all((vectors - start).abs().max() > 1e-3 for vectors in learned.values())


def test_tokens_learn_the_same_together_as_one_by_one(models, concepts):
    together = learn_tokens(models, concepts, recipe(), 0, Watch("tokens"))
    alone = learn_tokens(models, concepts, recipe(at_once=1), 0, Watch("tokens"))
    for token, vectors in together.items():
        torch.testing.assert_close(vectors, alone[token], atol=1e-5, rtol=0)


def test_a_token_learns_the_same_whatever_the_others_learn_from(models, concepts):
    both = learn_tokens(models, concepts, recipe(), 0, Watch("tokens"))
    other = Concepts(concepts.encoded, {**concepts.rows, "<blu-class>": torch.tensor([5])})
    changed = learn_tokens(models, other, recipe(), 0, Watch("tokens"))
    torch.testing.assert_close(both["red-class"], changed["red-class"], atol=1e-5, rtol=0)
    assert (both["<blu-class>"] - changed["<blu-class>"]).abs().max() > 1e-3


def test_another_seed_learns_other_vectors(models, concepts):
    one, same, other = (
        learn_tokens(models, concepts, recipe(), seed, Watch("tokens"))["red-class"]
        for seed in (0, 0, 1)
    )
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_learning_lowers_the_error(models, images):
    """One image, many steps: its own error has to fall."""
    from tonegap_kit.diffusion.inversion import _Inversion

    encoded = encode_examples(models, images, mirror=False)
    concepts = Concepts(encoded, {"red-class": torch.tensor([0])})
    long = recipe(steps=StepRecipe(steps=30, batch=4, accumulation=1, learning_rate=0.05))
    run = _Inversion(models, concepts, ["red-class"], long, 0)
    learned = learn_tokens(models, concepts, long, 0, Watch("tokens"))["red-class"]
    with torch.no_grad():
        before = sum(run.loss(10_000 + i).item() for i in range(20))
        run.vectors.copy_(learned)
        after = sum(run.loss(10_000 + i).item() for i in range(20))
    assert after < before


@pytest.mark.parametrize("vectors", [1, 3])
def test_a_stock_pipeline_loads_a_token_and_gives_the_same_images(
    pipeline_folder, models, concepts, vectors, tmp_path
):
    learned = learn_tokens(models, concepts, recipe(vectors=vectors), 0, Watch("tokens"))
    files = save_tokens(tmp_path, learned)
    again = read_tokens(list(files.values()))
    assert {token: tuple(v.shape) for token, v in again.items()} == dict.fromkeys(
        learned, (vectors, 16)
    )
    add_tokens(models, again)
    prompts = ["a photo of a red-class", "the skin of <blu-class>", "a photo of the skin"]
    ours = list(text2img(models, prompts, [1, 2, 3], SamplingRecipe(4, 1.0, 4.0, 3)))

    pipeline = StableDiffusionPipeline.from_pretrained(pipeline_folder)
    pipeline.set_progress_bar_config(disable=True)
    for path in files.values():
        pipeline.load_textual_inversion(path.parent, weight_name=path.name)
    draws = [torch.Generator().manual_seed(s) for s in (1, 2, 3)]
    stock = pipeline(
        prompts, num_inference_steps=4, guidance_scale=4.0, generator=draws, output_type="np"
    ).images
    without = list(
        text2img(
            open_models(pipeline_folder, CPU), prompts, [1, 2, 3], SamplingRecipe(4, 1.0, 4.0, 3)
        )
    )
    for i in range(3):
        assert abs(ours[i].astype(int) - (stock[i] * 255).round()).max() <= 1
    assert abs(ours[0].astype(int) - without[0]).max() > 2


def test_a_word_of_the_pipeline_is_no_placeholder(models, concepts):
    rows = {"skin</w>": torch.tensor([0])}
    with pytest.raises(StageError, match="is a word of the pipeline already"):
        learn_tokens(models, Concepts(concepts.encoded, rows), recipe(), 0, Watch("tokens"))


def test_a_placeholder_without_images_is_refused(models, concepts):
    rows = {"red-class": torch.tensor([], dtype=torch.int64)}
    with pytest.raises(StageError, match="no image to learn from"):
        learn_tokens(models, Concepts(concepts.encoded, rows), recipe(), 0, Watch("tokens"))


def test_an_initial_token_of_several_tokens_is_refused(models, concepts):
    with pytest.raises(StageError, match="is 5 tokens of this pipeline, wanted one"):
        learn_tokens(models, concepts, recipe(initial_token="zebra"), 0, Watch("tokens"))


def test_a_template_without_a_place_for_the_token_is_refused():
    with pytest.raises(StageError, match=r"have \{\} for the placeholder"):
        recipe(templates=("a photo of skin",))


def test_adding_a_token_twice_is_refused(models):
    add_tokens(models, {"red-class": torch.zeros(1, 16)})
    with pytest.raises(StageError, match="'red-class' is a word of the pipeline already"):
        add_tokens(models, {"red-class": torch.zeros(1, 16)})
