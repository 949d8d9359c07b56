"""{{title}}: probabilities weighed so that classes are named as often as they are met, an example to replace.

A rule that reads tones says so by `needs = ["tone_at_test"]` in the TOML file; see the other folders here.
"""

from functools import partial

from tonegap_kit.command import Stage, main
from tonegap_kit.postprocess import LEAST, Floats, Indices, Rule, adjust_predictions


def postprocess(stage: Stage) -> None:
    """Leaves new predictions of every epoch, by a rule that is fitted on its validation predictions."""
    adjust_predictions(stage, partial(fit, stage.job.real("strength")))


def fit(strength: float, p: Floats, y: Indices, t: Indices) -> Rule:
    """The rule for probabilities `p` [n, classes], classes `y` [n] and tones `t` [n] of validation images."""
    del t  # the rule is that of all images; `tonegap_kit.postprocess.tone_by_tone` makes one for each tone
    met = (y[:, None] == range(p.shape[1])).mean(axis=0)
    weights = ((met + LEAST) / (p.mean(axis=0) + LEAST)) ** strength

    def rule(asked: Floats, _tones: Indices) -> Floats:
        weighed = asked * weights + LEAST
        shares: Floats = weighed / weighed.sum(axis=1, keepdims=True)
        return shares

    return rule


if __name__ == "__main__":
    main(postprocess=postprocess)
