"""Reductions on frozen features: fairlearn's ExponentiatedGradient over a logistic regression, for two classes."""

import warnings

import numpy as np
from fairlearn.reductions import (
    DemographicParity,
    EqualizedOdds,
    ExponentiatedGradient,
    TruePositiveRateParity,
)
from sklearn.linear_model import LogisticRegression

from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.feature_bank import Matrix, read_training_part, scaled
from tonegap_kit.probes import HeldOutFeatures, labelled

_CONSTRAINTS = {
    "equalized-odds": EqualizedOdds,
    "demographic-parity": DemographicParity,
    "true-positive-rate": TruePositiveRateParity,
}


def share_of_events(model: ExponentiatedGradient, x: Matrix) -> Matrix:
    """With which probability [n] the randomised classifier says the event: its classifiers' votes by their weights."""
    said = [
        weight * found.predict(x)
        for weight, found in zip(model.weights_, model.predictors_, strict=True)
    ]
    share: Matrix = np.clip(np.sum(said, axis=0), 0.0, 1.0)
    return share


def train(stage: Stage) -> None:
    """Leaves the predictions of one epoch."""
    job, data, asked = stage.job, read_training_part(stage), HeldOutFeatures(stage)
    if len(job.classes) != 2:
        raise StageError(f"job.json: {len(job.classes)} classes, wanted a task of two")
    rows = labelled(data, toned=True)
    x, x_asked = (of.astype(np.float64) for of in scaled(data.x[rows], asked.x))
    event = job.classes.index(job.positive[0]) if len(job.positive) == 1 else 1
    penalty = job.real("penalty")
    if penalty <= 0 or job.real("slack") <= 0:
        raise StageError("penalty or slack is too small, wanted more than 0")
    model = ExponentiatedGradient(
        LogisticRegression(C=1 / (penalty * len(rows)), max_iter=500),
        _CONSTRAINTS[job.text("constraint")](),
        eps=job.real("slack"),
        max_iter=job.integer("rounds"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a round's own weights, which may leave one class alone
        model.fit(x, (data.y[rows] == event).astype(int), sensitive_features=data.t[rows])
    share = share_of_events(model, x_asked)
    p = np.empty((len(share), 2))
    p[:, event], p[:, 1 - event] = share, 1 - share
    notes = {"rounds": int(model.n_oracle_calls_), "classifiers": int((model.weights_ > 0).sum())}
    asked.leave(
        {1: p}, notes | {"largest_violation": float(model.best_gap_), "n_training": len(rows)}
    )


if __name__ == "__main__":
    main(train=train)
