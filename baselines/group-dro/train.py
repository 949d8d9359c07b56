"""Group DRO: tones whose loss is high weigh more and more, so that the worst tone is what is minimised."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.baseline import TrainingData, TrainingHooks, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.job import Job
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.sources import Source
from tonegap_kit.told_groups import told_groups
from tonegap_kit.training import Batch


class WorstCase:
    """The loss, with the weights `q` of the parts that it is taken over: tones, or tones by class.

    After each step, q of a part is multiplied by exp(step * (its mean loss + adjustment / sqrt(its images)))
    and all q are scaled to sum to 1. A part without a row in the batch keeps its q, before scaling; where
    `absent_grow`, it has loss 0 and its q is multiplied by exp(step * adjustment / sqrt(its images)), as in published
    code.

    Source: Sagawa et al. 2020 (arXiv 1911.08731), algorithm 1 and section 3.3, on whole batches as in its code.
    """

    def __init__(
        self, parts: Tensor, step: float, adjustment: float, *, absent_grow: bool = False
    ) -> None:
        """`parts [n]`: the part of each training row, from 0; UNKNOWN for one that is in none."""
        n_images = parts[parts != UNKNOWN].bincount()
        self.parts, self.step, self.absent_grow = parts, step, absent_grow
        self.extra = adjustment / n_images.clamp(min=1).double().sqrt()
        self.q = (n_images > 0).double() / (n_images > 0).sum()

    def __call__(self, model: nn.Module, batch: Batch) -> Tensor:
        """Sum over parts of q times the mean loss of the part's rows."""
        losses = functional.cross_entropy(model(batch.x), batch.y, reduction="none") * batch.w
        part = self.parts[batch.rows].to(losses.device)
        in_part = (part[None, :] == torch.arange(len(self.q), device=part.device)[:, None]).float()
        n_rows = in_part.sum(dim=1)
        means = in_part @ losses.float() / n_rows.clamp(min=1)
        self._weigh(means.detach().double().cpu(), (n_rows > 0).cpu())
        return self.q.to(means) @ means

    def _weigh(self, means: Tensor, present: Tensor) -> None:
        raised = self.q * torch.exp(self.step * (means + self.extra))
        self.q = raised if self.absent_grow else torch.where(present, raised, self.q)
        self.q = self.q / self.q.sum()


def parts_of(data: TrainingData, job: Job) -> tuple[Tensor, list[str]]:
    """The part of each training row, and the names of parts. Raises StageError where no tone is known."""
    y, t = torch.from_numpy(data.train.y), torch.from_numpy(data.train.t)
    if not (t != UNKNOWN).any():
        raise StageError("train.csv: no training image has a tone, but this baseline needs them")
    if job.text("parts") == "tone":
        return t, list(job.tones)
    by_class = torch.where(t == UNKNOWN, UNKNOWN, t * len(job.classes) + y)
    return by_class, [f"{tone} {label}" for tone in job.tones for label in job.classes]


def train(stage: Stage) -> None:
    """Leaves predictions, and notes what each part weighed in the end; rows of unknown tone are not drawn."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    parts, names = parts_of(data, job)
    grow = job.text("absent") == "grows"
    worst = WorstCase(parts, job.real("step"), job.real("adjustment"), absent_grow=grow)
    known = parts != UNKNOWN
    n_images = parts.clamp(min=0).bincount(weights=known.double())[parts.clamp(min=0)]
    draw = known / n_images.clamp(min=1) if job.text("draw") == "parts" else known.double()

    def notes(_model: nn.Module, _held_out: Source) -> dict[str, object]:
        weights = zip(names, worst.q.tolist(), strict=False)
        return {"weights": {name: round(q, 4) for name, q in weights if q > 0}}

    train_classifier(
        stage, data, TrainingHooks(draw=draw.double().numpy(), loss=worst, notes=notes)
    )


if __name__ == "__main__":
    main(train=train)
