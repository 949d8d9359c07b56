"""How fast the kit's diffusion parts are beside loops built as the papers' scripts are, in one run.

The other loops encode images and captions in every step (training) or take one source at a time
(sampling), as published; each ratio has a bound beside it: what is left if everything but the
denoising network cost nothing. Seconds of this process alone count, and rounds of the loops take turns, so that other
work on the machine weighs on all alike: a ratio is the median over rounds, with their range. Run it as
`PYTHONPATH=docker/kit python benchmarks_of_code/bench_diffusion.py PIPELINE_FOLDER [cpu|cuda]`.
"""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np
import torch
from diffusers import DDPMScheduler, StableDiffusionImg2ImgPipeline
from peft import LoraConfig
from PIL import Image

from tonegap_kit.diffusion.inversion import Concepts, InversionRecipe, learn_tokens
from tonegap_kit.diffusion.lora import (
    ATTENTION,
    Captioned,
    LoraRecipe,
    merged_lora,
    save_lora,
    train_lora,
)
from tonegap_kit.diffusion.models import (
    Models,
    as_input,
    encode_ids,
    encode_images,
    open_models,
    token_ids,
)
from tonegap_kit.diffusion.noise_loop import StepRecipe, Watch, autocast, encode_examples
from tonegap_kit.diffusion.sampling import SamplingRecipe, img2img

BATCH, STEPS, ROUNDS = 4, 6, 5
N_IMAGES, PER_SOURCE, N_TOKENS = 20, 5, 7
PROMPT = "An image of psoriasis on the skin of a very dark-skinned individual"
SAMPLING = SamplingRecipe(steps=20, strength=0.5, guidance=2.0, batch=20)
STEP_RECIPE = StepRecipe(STEPS, BATCH, 1, 1e-4, max_grad_norm=1.0)


@dataclass(frozen=True)
class Bench:
    """A pipeline, images, and a clock: seconds of this process on the CPU, of the wall on a GPU."""

    folder: Path
    models: Models
    images: np.ndarray
    work: Path

    def seconds(self, *runs: Callable[[], object]) -> list[list[float]]:
        """The seconds of each run in each round; rounds take turns, after one that does not count."""
        taken: list[list[float]] = [[] for _ in runs]
        for turn in range(ROUNDS + 1):
            for own, run in zip(taken, runs, strict=True):
                start = self._now()
                run()
                own += [self._now() - start] if turn else []
        return taken

    def _now(self) -> float:
        if self.models.device.type == "cuda":
            torch.cuda.synchronize()
            return time.perf_counter()
        return time.process_time()


@dataclass(frozen=True)
class Ratio:
    """How many times as fast one loop is as another: the median of rounds, the least and the most of them."""

    median: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.median:.2f} ({self.least:.2f} to {self.most:.2f})"


def ratio(slow: list[float], fast: list[float]) -> Ratio:
    """The ratio of seconds, round by round."""
    found = sorted(a / b for a, b in zip(slow, fast, strict=True))
    return Ratio(median(found), found[0], found[-1])


def bound(whole: list[float], spared: list[float], times: int = 1) -> float:
    """The ratio if what can be spared, so often in each run, cost nothing."""
    return median(whole) / (median(whole) - times * median(spared))


def open_bench(folder: Path, device: str, work: Path) -> Bench:
    """A bench on one thread, its images noise: no speed depends on what they show."""
    torch.set_num_threads(1)
    dtype = torch.float16 if device == "cuda" else torch.float32
    models = open_models(folder, torch.device(device), dtype)
    side = models.image_px
    images = np.random.default_rng(0).integers(0, 256, (32, side, side, 3), dtype=np.uint8)
    return Bench(folder, models, images, work)


def inversion(bench: Bench) -> tuple[Ratio, Ratio, float]:
    """Ratio of steps per second alone and side by side, and the bound, for textual inversion."""
    words = tuple(f"new{k}-class" for k in range(N_TOKENS))
    encoded = encode_examples(bench.models, bench.images, mirror=True)
    rows = {word: torch.arange(k, 32, N_TOKENS) for k, word in enumerate(words)}
    recipe = InversionRecipe(
        replace(STEP_RECIPE, max_grad_norm=0.0), 1, "skin", ("a photo of a {}",)
    )

    def kit(n: int) -> Callable[[], object]:
        own = Concepts(encoded, {word: rows[word] for word in words[:n]})
        return lambda: learn_tokens(bench.models, own, recipe, 0, Watch("bench"))

    # Gradients of a word flow through the text encoder: captions have to be encoded anew.
    other, alone, joint, spared = bench.seconds(
        lambda: _published_inversion(bench), kit(1), kit(N_TOKENS), lambda: _encoded_now(bench)
    )
    each = [seconds / N_TOKENS for seconds in joint]
    return ratio(other, alone), ratio(other, each), bound(other, spared, STEPS)


def lora(bench: Bench) -> tuple[Ratio, float]:
    """Ratio of steps per second and its bound, for LoRA."""
    encoded = encode_examples(bench.models, bench.images, mirror=False)
    examples = Captioned(encoded, torch.arange(32), (PROMPT,) * 32)
    recipe = LoraRecipe(STEP_RECIPE, rank=8, alpha=8)
    ids = token_ids(bench.models, [PROMPT] * BATCH)

    def encode() -> None:
        _encoded_now(bench)
        with torch.no_grad():
            encode_ids(bench.models, ids)

    other, ours, spared = bench.seconds(
        lambda: _published_lora(bench),
        lambda: train_lora(bench.models, examples, None, recipe, 0, Watch("bench")),
        encode,
    )
    return ratio(other, ours), bound(other, spared, STEPS)


def sampling(bench: Bench, per_source: int) -> tuple[Ratio, float, float]:
    """Ratio of images per second, its bound, and the largest difference of images in grey levels."""
    recipe = LoraRecipe(replace(STEP_RECIPE, steps=1), rank=8, alpha=8)
    encoded = encode_examples(bench.models, bench.images[:4], mirror=False)
    examples = Captioned(encoded, torch.arange(4), (PROMPT,) * 4)
    learned = train_lora(bench.models, examples, None, recipe, 0, Watch("bench"))
    path = save_lora(bench.work, learned, recipe)
    pipeline = _stock(bench, path)
    n, sources = N_IMAGES, N_IMAGES // per_source
    rows, seeds = [i // per_source for i in range(n)], list(range(n))

    def kit() -> list[np.ndarray]:
        with merged_lora(bench.models, path):
            latents = encode_images(bench.models, bench.images[:sources])
            return list(img2img(bench.models, latents, rows, [PROMPT] * n, seeds, SAMPLING))

    other, ours, network = bench.seconds(
        lambda: [_notebook(bench, pipeline, i, per_source) for i in range(sources)],
        kit,
        _denoising(bench, n),
    )
    stock = [
        image
        for i in range(sources)
        for image in _notebook(bench, pipeline, i, per_source, seeds[i * per_source :])
    ]
    pairs = zip(kit(), stock, strict=True)
    difference = max(float(abs(a - (b * 255).round()).max()) for a, b in pairs)
    return ratio(other, ours), median(other) / median(network), difference


def _published_inversion(bench: Bench) -> None:
    """A word learned as the papers' script does it: all is encoded in every step, all rows restored."""
    models = bench.models
    encoder = models.text_encoder
    table = encoder.get_input_embeddings().weight
    before = table.detach().clone()
    table.requires_grad_(True)
    optimiser = torch.optim.AdamW([table], lr=1e-4)
    keep = torch.arange(len(table)) != len(table) - 1
    ids = token_ids(models, ["a photo of a skin"] * BATCH)
    schedule = models.noise_schedule()
    for _ in range(STEPS):
        clean = _encoded_now(bench)
        with autocast(models):
            loss = _error(models, schedule, clean, encode_ids(models, ids))
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad()
        with torch.no_grad():
            table[keep] = before[keep]
    table.requires_grad_(False)
    table.copy_(before)


def _published_lora(bench: Bench) -> None:
    """A LoRA learned as the papers' script does it: images and captions are encoded in every step."""
    models = bench.models
    config = LoraConfig(
        r=8, lora_alpha=8, init_lora_weights="gaussian", target_modules=list(ATTENTION)
    )
    models.unet.add_adapter(config)
    learning = [p for p in models.unet.parameters() if p.requires_grad]
    for weight in learning:
        weight.data = weight.data.float()
    optimiser = torch.optim.AdamW(learning, lr=1e-4)
    schedule = models.noise_schedule()
    for _ in range(STEPS):
        clean = _encoded_now(bench)
        with torch.no_grad():
            text = encode_ids(models, token_ids(models, [PROMPT] * BATCH))
        with autocast(models):
            loss = _error(models, schedule, clean, text)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimiser.step()
        optimiser.zero_grad()
    models.unet.unload_lora()


def _encoded_now(bench: Bench) -> torch.Tensor:
    models, side = bench.models, bench.models.image_px
    images = [Image.fromarray(image).resize((side, side)) for image in bench.images[:BATCH]]
    x = as_input(np.stack([np.asarray(image) for image in images]), side)
    with torch.no_grad():
        found = models.vae.encode(x.to(models.device, models.dtype)).latent_dist.sample()
    return torch.as_tensor(found * models.vae.config.scaling_factor)


def _error(
    models: Models, schedule: DDPMScheduler, clean: torch.Tensor, text: torch.Tensor
) -> torch.Tensor:
    noise = torch.randn_like(clean)
    t = torch.randint(0, 1000, (len(clean),), device=models.device)
    noisy = schedule.add_noise(clean, noise, t)
    found = models.unet(noisy, t, text.to(models.dtype)).sample
    return torch.nn.functional.mse_loss(found.float(), noise.float())


def _stock(bench: Bench, lora_file: Path) -> StableDiffusionImg2ImgPipeline:
    pipeline = StableDiffusionImg2ImgPipeline.from_pretrained(
        bench.folder, dtype=bench.models.dtype
    ).to(bench.models.device)
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(lora_file.parent)
    return pipeline


def _notebook(
    bench: Bench,
    pipeline: StableDiffusionImg2ImgPipeline,
    source: int,
    per_source: int,
    seeds: list[int] | None = None,
) -> np.ndarray:
    """The images of one source. Seeds are given only to compare images: they cost time of their own."""
    draws = [torch.Generator().manual_seed(seed) for seed in (seeds or [])[:per_source]]
    return np.asarray(
        pipeline(
            prompt=PROMPT,
            image=Image.fromarray(bench.images[source]),
            strength=SAMPLING.strength,
            num_inference_steps=SAMPLING.steps,
            guidance_scale=SAMPLING.guidance,
            num_images_per_prompt=per_source,
            generator=draws or None,
            output_type="np",
        ).images
    )


def _denoising(bench: Bench, n: int) -> Callable[[], object]:
    """The denoising network alone for n images, in the kit's batches."""
    models, rows = bench.models, 2 * min(n, SAMPLING.batch)
    x = torch.randn((rows, *models.latent_shape)).to(models.device, models.dtype)
    text = encode_ids(models, token_ids(models, [PROMPT])).expand(rows, -1, -1)

    def run() -> None:
        with torch.inference_mode():
            for _ in range(SAMPLING.done_steps * n * 2 // rows):
                models.unet(x, 500, text)

    return run


def main() -> None:
    """Prints each ratio with its bound."""
    import tempfile

    folder, device = Path(sys.argv[1]), (sys.argv[2:] or ["cpu"])[0]
    with tempfile.TemporaryDirectory() as work:
        bench = open_bench(folder, device, Path(work))
        found, most = lora(bench)
        _tell(f"LoRA: {found} times the steps per second, bound {most:.2f}")
        alone, joint, most = inversion(bench)
        _tell(f"word: {alone} times the steps per second, bound {most:.2f}")
        _tell(f"{N_TOKENS} words side by side: {joint} times the steps per second of each")
        for per_source in (PER_SOURCE, 1):
            found, most, difference = sampling(bench, per_source)
            _tell(
                f"sampling, {per_source} images of a source: {found} times the images per second, "
                f"bound {most:.2f}, largest difference {difference:.0f} grey levels"
            )


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
