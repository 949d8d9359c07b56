"""Preference training as MAGIC released it: by the probability of each step of DDIM, not of a whole image.

A sampling step is a draw from a normal distribution whose mean the network decides. Of two images of one photograph
and prompt the one with the better checklist is to become more probable than under the reference, the other less. The
mistake it exists to prevent: a step without spread, the last one of some schedules, which has no probability at all.

Source: Wang et al. 2025, arXiv 2506.12323, after D3PO (Yang et al. 2023, arXiv 2311.13231); the step is
equations 12 and 16 of DDIM (Song et al. 2021, arXiv 2010.02502).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDIMScheduler
from torch import Tensor
from torch.nn.functional import logsigmoid

from tonegap_kit.diffusion.models import Latents, Models, embed_prompts
from tonegap_kit.diffusion.noise_loop import LossOfBatch, generator_of, shuffled_rows
from tonegap_kit.diffusion.sampling import (
    Conditions,
    SamplingRecipe,
    draw_noise,
    embed_conditions,
    predict_noise,
)
from tonegap_kit.diffusion.scheduler import stock_sampler
from tonegap_kit.errors import StageError


@dataclass(frozen=True, slots=True)
class Chain:
    """The steps of DDIM with eta 1 that image-to-image does: timestep, and signal kept before and after each [steps].

    Latents are not clipped, whatever the folder says: no stock pipeline from an image clips them.
    """

    t: Tensor
    signal: Tensor
    signal_after: Tensor
    velocity: bool

    def __len__(self) -> int:
        return len(self.t)

    @property
    def spread(self) -> Tensor:
        """Standard deviation of what each step adds [steps]; 0 where a step adds nothing."""
        share = (1 - self.signal_after) / (1 - self.signal)
        return torch.sqrt((share * (1 - self.signal / self.signal_after)).clamp(min=0))

    def mean(self, step: Tensor, x: Tensor, found: Tensor) -> Tensor:
        """The mean of what step `step` [b] makes of latents x [b, c, h, w], from what the network found there."""
        a, after, spread = (
            v[step].float().to(x.device).view(-1, 1, 1, 1)
            for v in (self.signal, self.signal_after, self.spread)
        )
        if self.velocity:
            clean, noise = (
                a.sqrt() * x - (1 - a).sqrt() * found,
                a.sqrt() * found + (1 - a).sqrt() * x,
            )
        else:
            clean, noise = (x - (1 - a).sqrt() * found) / a.sqrt(), found
        return after.sqrt() * clean + (1 - after - spread**2).clamp(min=0).sqrt() * noise


@dataclass(frozen=True, slots=True)
class Wanted:
    """A pair to sample: the row of its photograph's latents, the prompt, and the seed that both samples draw from."""

    row: int
    prompt: str
    seed: int


@dataclass(frozen=True, slots=True)
class SampledPairs:
    """Two samples of each of n prompts: all their latents [n, 2, steps + 1, c, h, w], in main memory."""

    prompts: tuple[str, ...]
    latents: Tensor


@dataclass(frozen=True, slots=True)
class PreferenceRecipe:
    """`beta` scales the log-ratios, which are cut at 1 - `clip` and 1 + `clip`; `batch` pairs in a draw.

    `guidance` is that of the sampling, for the probabilities are those of the guided steps.
    """

    beta: float
    clip: float
    batch: int
    guidance: float

    def __post_init__(self) -> None:
        if self.beta <= 0 or not 0 < self.clip < 1:
            raise StageError(
                f"preference_beta is {self.beta} and preference_clip {self.clip}, wanted a number above 0 and one "
                f"between 0 and 1"
            )


def chain_of(models: Models, recipe: SamplingRecipe) -> Chain:
    """The chain by the pipeline's own noise schedule.

    Raises StageError for a pipeline that predicts neither noise nor velocity.
    """
    return chain_by(models.scheduler_config, recipe)


def chain_by(config: Mapping[str, Any], recipe: SamplingRecipe) -> Chain:
    """The chain by the settings of a pipeline's scheduler.

    Raises StageError for a pipeline that predicts neither noise nor velocity.
    """
    sampler = stock_sampler(DDIMScheduler, config)
    kind = sampler.config.prediction_type
    if kind not in {"epsilon", "v_prediction"}:
        raise StageError(f"the pipeline predicts {kind!r}, wanted epsilon or v_prediction")
    sampler.set_timesteps(recipe.steps)
    t = sampler.timesteps[recipe.steps - recipe.done_steps :]
    before = t - sampler.config.num_train_timesteps // recipe.steps
    kept = sampler.alphas_cumprod
    after = torch.where(before >= 0, kept[before.clamp(min=0)], sampler.final_alpha_cumprod)
    return Chain(t, kept[t].double(), after.double(), kind == "v_prediction")


def sample_pairs(
    models: Models,
    chain: Chain,
    latents: Latents,
    wanted: Sequence[Wanted],
    recipe: SamplingRecipe,
) -> SampledPairs:
    """Two samples of each, made from row `row` of `latents`, each from the seed and its number alone."""
    kept = torch.empty((len(wanted), 2, len(chain) + 1, *models.latent_shape))
    for start in range(0, len(wanted), recipe.batch):
        at = slice(start, start + recipe.batch)
        kept[at] = _trajectories(models, chain, latents, wanted[at], recipe)
    return SampledPairs(tuple(one.prompt for one in wanted), kept)


def _trajectories(
    models: Models,
    chain: Chain,
    latents: Latents,
    wanted: Sequence[Wanted],
    recipe: SamplingRecipe,
) -> Tensor:
    twice = [one for one in wanted for _ in range(2)]
    draws = [generator_of(one.seed, "sample", k) for one in wanted for k in range(2)]
    text = embed_conditions(models, [one.prompt for one in twice], recipe.guidance)
    with torch.inference_mode():
        own = draw_noise(models, draws).cpu().float()
        clean = latents.draw(torch.tensor([one.row for one in twice]), own).to(models.device)
        kept = float(chain.signal[0])
        x = kept**0.5 * clean + (1 - kept) ** 0.5 * draw_noise(models, draws).float()
        passed = [x]
        for k in range(len(chain)):
            step = torch.full((len(twice),), k)
            mean = chain.mean(step, x, _predicted(models, chain, step, x, text, recipe.guidance))
            x = (mean + float(chain.spread[k]) * draw_noise(models, draws)).float()
            passed.append(x)
    steps = torch.stack(passed, dim=1).cpu()
    return steps.view(len(wanted), 2, *steps.shape[1:])


def _predicted(
    models: Models, chain: Chain, step: Tensor, x: Tensor, text: Conditions, guidance: float
) -> Tensor:
    t = chain.t[step].to(models.device)
    shown = x.to(models.dtype)
    times = t if text.free is None else torch.cat([t, t])
    return predict_noise(models, shown, times, text, guidance).float()


def preference_loss(log_ratios: Tensor, prefers: Tensor, recipe: PreferenceRecipe) -> Tensor:
    """-log sigmoid of beta times the preferred sample's cut log-ratio less the other's, mean over b pairs.

    `log_ratios` [b, 2] are log p - log p of the reference, per number of a latent; `prefers` [b, 2] is 1 for the
    preferred sample and -1 for the other.
    """
    cut = log_ratios.exp().clamp(1 - recipe.clip, 1 + recipe.clip).log()
    return -logsigmoid(recipe.beta * (cut * prefers).sum(dim=1)).mean()


def log_ratio(after: Tensor, mean: Tensor, reference: Tensor, spread: Tensor) -> Tensor:
    """Log p - log p of the reference [b] that a step came to `after` [b, c, h, w], mean over its numbers.

    Both are normal distributions with the same spread [b], so that all but the squared distances cancels.
    """
    scale = 2 * spread.view(-1, 1, 1, 1) ** 2
    return (((after - reference) ** 2 - (after - mean) ** 2) / scale).mean(dim=(1, 2, 3))


def pair_loss(
    models: Models,
    chain: Chain,
    pairs: SampledPairs,
    scores: Tensor,
    recipe: PreferenceRecipe,
    seed: int,
) -> LossOfBatch:
    """The loss of a draw of pairs by its number: each pair at a step of its own, against the network without additions.

    `scores` [n, 2] are what the checklists gave, NaN where nobody judged. Raises StageError where no pair has a
    better image, or no step of sampling adds noise.
    """
    better = scores.isfinite().all(dim=1) & (scores[:, 0] != scores[:, 1])
    told = torch.nonzero(better).flatten()
    steps = torch.nonzero(chain.spread > 0).flatten()
    if len(steps) == 0:
        raise StageError(
            f"sampling_steps and strength leave {len(chain.spread)} steps of sampling, of which the last has no noise; "
            "wanted two or more to learn from"
        )
    if len(told) == 0:
        raise StageError(
            f"feedback: none of {len(scores)} pairs has a better image, wanted one or more to learn from"
        )
    table = embed_prompts(models, pairs.prompts)
    free = embed_prompts(models, [""]) if recipe.guidance > 1 else None

    def loss(number: int) -> Tensor:
        row = told[shuffled_rows(len(told), number * recipe.batch, recipe.batch, seed, "pairs")]
        drawn = torch.randint(
            0, len(steps), (len(row),), generator=generator_of(seed, "step", number)
        )
        step = steps[drawn].repeat_interleave(2)
        at = row.repeat_interleave(2), torch.arange(2).repeat(len(row)), step
        x, after = (pairs.latents[at[0], at[1], k].to(models.device) for k in (step, step + 1))
        text = Conditions(table[at[0].to(table.device)].to(models.dtype), free)
        with torch.no_grad():
            models.unet.disable_lora()
            reference = chain.mean(
                step, x, _predicted(models, chain, step, x, text, recipe.guidance)
            )
            models.unet.enable_lora()
        mean = chain.mean(step, x, _predicted(models, chain, step, x, text, recipe.guidance))
        spread = chain.spread[step].float().to(x.device)
        ratios = log_ratio(after, mean, reference, spread).view(-1, 2)
        prefers = torch.sign(scores[row] - scores[row].flip(1)).to(x.device)
        return preference_loss(ratios, prefers, recipe)

    return loss
