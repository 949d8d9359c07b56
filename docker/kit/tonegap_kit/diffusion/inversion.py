"""Textual inversion: a word for each condition whose vectors are learned, and nothing else.

Placeholders learn side by side, each from its own images with its own draws, which is the same as one
after another: their vectors share no gradient, and the optimiser treats every number by itself.

Source: Gal et al. 2022, arXiv 2208.01618.
"""

import copy
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import CLIPTokenizer

from tonegap_kit.diffusion.models import Models, encode_ids, token_ids, vector_names
from tonegap_kit.diffusion.noise_loop import (
    Encoded,
    StepRecipe,
    Watch,
    generator_of,
    noise_losses,
    run_steps,
    shuffled_rows,
)
from tonegap_kit.diffusion.prompts import filled
from tonegap_kit.errors import StageError
from tonegap_kit.weights_file import read_weights


@dataclass(frozen=True, slots=True)
class InversionRecipe:
    """How placeholders are learned: for each, `steps.steps` updates from `steps.batch` images at a time.

    Each has `vectors` vectors that begin as that of `initial_token`; `templates` are captions with
    `{}` for the placeholder, one drawn for each image. At most `at_once` placeholders share a run of
    steps (0: all of them), which only memory limits.
    """

    steps: StepRecipe
    vectors: int
    initial_token: str
    templates: tuple[str, ...]
    at_once: int = 0

    def __post_init__(self) -> None:
        if self.vectors < 1:
            raise StageError(f"vectors are {self.vectors}, wanted 1 or more")
        if self.at_once < 0:
            raise StageError(
                f"inversion_at_once is {self.at_once}, wanted how many words learn side by side, or 0 for all of them"
            )
        if not self.templates or not all("{}" in template for template in self.templates):
            raise StageError("templates: wanted captions that all have {} for the placeholder")
        for template in self.templates:
            filled(template, {"{}": ""}, "inversion_templates")


@dataclass(frozen=True, slots=True)
class Concepts:
    """What placeholders learn from: all images encoded, and for each placeholder the rows of its own.

    `template_of` [n] tells each image's template by its place; without it one is drawn each time.
    """

    encoded: Encoded
    rows: Mapping[str, Tensor]
    template_of: Tensor | None = None


def learn_tokens(
    models: Models,
    concepts: Concepts,
    recipe: InversionRecipe,
    seed: int,
    watch: Watch,
) -> dict[str, Tensor]:
    """The learned vectors [v, width] of each placeholder; the models stay as they are.

    Raises StageError for a placeholder without images or one that the pipeline knows already.
    """
    tokens = list(concepts.rows)
    _check(models, concepts, recipe)
    at_once = recipe.at_once or len(tokens)
    learned: dict[str, Tensor] = {}
    for start in range(0, len(tokens), at_once):
        run = _Inversion(models, concepts, tokens[start : start + at_once], recipe, seed)
        part = watch.part(start)
        run_steps(run.models, {"vectors": run.vectors}, recipe.steps, run.loss, part)
        learned |= run.learned()
    return learned


def inversion_steps(n_tokens: int, recipe: InversionRecipe) -> int:
    """How many steps learning n placeholders takes, for the progress display."""
    return -(-n_tokens // (recipe.at_once or n_tokens)) * recipe.steps.steps


def save_tokens(folder: Path, learned: Mapping[str, Tensor]) -> dict[str, Path]:
    """The file of each placeholder in a folder, in the form of diffusers' `load_textual_inversion`."""
    found = {}
    for token, vectors in learned.items():
        path = folder / f"{file_stem(token)}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({token: vectors.contiguous()}, path)
        found[token] = path
    return found


def read_tokens(paths: Sequence[Path]) -> dict[str, Tensor]:
    """The placeholders with their vectors [v, width] in files that `save_tokens` left. Raises StageError for others."""
    found: dict[str, Tensor] = {}
    for path in paths:
        for token, vectors in read_weights(path).items():
            found[token] = vectors if vectors.dim() == 2 else vectors[None]
    return found


def file_stem(token: str) -> str:
    """The placeholder as a file's name: without brackets, and with `_` for what a name on disk cannot have."""
    return re.sub(r"[^\w.-]+", "_", token.strip("<>"))


class _Inversion:
    """Placeholders that learn side by side."""

    def __init__(
        self,
        models: Models,
        concepts: Concepts,
        tokens: Sequence[str],
        recipe: InversionRecipe,
        seed: int,
    ) -> None:
        self._concepts, self._tokens, self._recipe, self._seed = concepts, tokens, recipe, seed
        tokenizer = copy.deepcopy(models.tokenizer)
        for token in tokens:
            tokenizer.add_tokens(vector_names(token, recipe.vectors))
        # In full precision, as the vectors are that learn in it.
        encoder = copy.deepcopy(models.text_encoder).float()
        table = encoder.get_input_embeddings()
        begin = table.weight[initial_id(models.tokenizer, recipe.initial_token)].detach()
        self.vectors = nn.Parameter(begin.repeat(len(tokens) * recipe.vectors, 1).clone())
        first = tokenizer.convert_tokens_to_ids(tokens[0])
        encoder.set_input_embeddings(_Extended(table, self.vectors, first))
        self.models = replace(models, tokenizer=tokenizer, text_encoder=encoder)
        captions = [
            filled(template, {"{}": token}) for token in tokens for template in recipe.templates
        ]
        self._ids = token_ids(self.models, captions)
        self._schedule = models.noise_schedule()

    def loss(self, number: int) -> Tensor:
        """The sum over placeholders of the mean error over their own images of batch `number`."""
        parts = [self._draw(place, token, number) for place, token in enumerate(self._tokens)]
        clean, captions = (torch.cat(part) for part in zip(*parts, strict=True))
        distinct, back = torch.unique(captions, return_inverse=True)
        text = encode_ids(self.models, self._ids[distinct])[back.to(self.models.device)]
        draws = [generator_of(self._seed, token, "noise", number) for token in self._tokens]
        losses = noise_losses(self.models, self._schedule, clean, text, draws)
        return losses.view(len(self._tokens), -1).mean(dim=1).sum()

    def _draw(self, place: int, token: str, number: int) -> tuple[Tensor, Tensor]:
        """Latents of a placeholder's images of one batch, and their captions' numbers."""
        own, batch = self._concepts.rows[token], self._recipe.steps.batch
        taken = own[shuffled_rows(len(own), number * batch, batch, self._seed, token)]
        rng = generator_of(self._seed, token, "images", number)
        n = len(self._recipe.templates)
        clean = self._concepts.encoded.draw(taken, rng)
        if self._concepts.template_of is not None:
            return clean, place * n + self._concepts.template_of[taken]
        return clean, place * n + torch.randint(0, n, (batch,), generator=rng)

    def learned(self) -> dict[str, Tensor]:
        """The vectors of each placeholder as they are now."""
        found = self.vectors.detach().cpu().split(self._recipe.vectors)  # type: ignore[no-untyped-call]
        return {token: part.clone() for token, part in zip(self._tokens, found, strict=True)}


class _Extended(nn.Module):
    """A table of words and, from number `first` on, words that learn: no gradient reaches the table."""

    def __init__(self, table: nn.Embedding, learned: nn.Parameter, first: int) -> None:
        super().__init__()
        self.table, self.learned, self.first = table, learned, first

    def forward(self, ids: Tensor) -> Tensor:
        """The vector of each number."""
        known: Tensor = self.table(ids.clamp(max=self.first - 1))
        new = self.learned[(ids - self.first).clamp(min=0)]
        return torch.where((ids < self.first)[..., None], known, new)


def initial_id(tokenizer: CLIPTokenizer, word: str) -> int:
    """The number of the word that vectors begin as. Raises StageError for one that is not one token."""
    ids = tokenizer.encode(word, add_special_tokens=False)
    if len(ids) != 1:
        raise StageError(
            f"inversion_initial_token is {word!r}, which is {len(ids)} tokens of this pipeline, wanted one; give a "
            "shorter or more common word"
        )
    return int(ids[0])


def check_unknown(tokenizer: CLIPTokenizer, vectors_of: Mapping[str, int]) -> None:
    """Raises StageError for a placeholder of so many vectors that the pipeline knows already."""
    vocabulary = set(tokenizer.get_vocab())
    for token, n in vectors_of.items():
        if vocabulary & set(vector_names(token, n)):
            raise StageError(f"placeholder {token!r} is a word of the pipeline already")


def _check(models: Models, concepts: Concepts, recipe: InversionRecipe) -> None:
    for token, rows in concepts.rows.items():
        if len(rows) == 0:
            raise StageError(
                f"placeholder {token!r} has no image to learn from, wanted one or more"
            )
    check_unknown(models.tokenizer, dict.fromkeys(concepts.rows, recipe.vectors))
