"""Intervals of scores between 0 and 1 from few images: never without width, never beyond 0 and 1.

The mistake they exist to prevent: five of five images right, printed as certain. Draws with replacement of
five equal answers give five equal answers.
Sources: Wilson 1927, JASA 22; Brown, Cai and DasGupta 2001, Statistical Science 16(2), on which to use; Kish 1965,
Survey Sampling, on design effects, and Korn and Graubard 1998, Survey Methodology 24(2), on effective numbers;
Newcombe 2006, Statistics in Medicine 25(4), method 5, and Hanley and McNeil 1982 for areas at 0 and 1.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit, ndtri, stdtrit

from tonegap.arrays import FloatArray
from tonegap.scores.evidence.bisection import bisected

_HALVINGS = 50
_MORE = 4 * 0.5 * 0.5  # n p (1 - p) of two right and two wrong images


@dataclass(frozen=True, slots=True)
class Seeds:
    """What training seeds add to a mean over seeds: its variance.

    `between` is that with what draws of images explain still in it, as measured, with `df` degrees of freedom; so much
    is not known, however little is left.
    """

    variance: float
    between: float
    df: float


def satterthwaite(images: float, df_images: float, seeds: Seeds) -> float:
    """Degrees of freedom of the sum of two variances, of which one is a difference.

    Source: Satterthwaite 1946, Biometrics Bulletin 2(6).
    """
    parts = images**2 / df_images
    if seeds.between > 0:
        parts += seeds.between**2 / seeds.df
    return (images + seeds.variance) ** 2 / parts if parts > 0 else np.inf


def student(df: float, level: float) -> float:
    """How many standard errors an interval reaches to each side; the normal's where df is infinite."""
    tail = (1 - level) / 2
    return -float(ndtri(tail) if np.isinf(df) else stdtrit(df, tail))


def wilson(p: float, n: float, z: float) -> tuple[float, float]:
    """Wilson's interval of a share p of n images, z standard errors to each side."""
    spread = z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    middle, scale = p + z**2 / (2 * n), 1 + z**2 / n
    return max(float(middle - spread) / scale, 0.0), min(float(middle + spread) / scale, 1.0)


def effective_n(p: float, variance: float, n: float) -> float:
    """How many independent images a share at one seed is worth whose variance over draws of n groups of images is this.

    p (1 - p) / variance, and never more than were looked at; `n` at 0 and 1, where nothing says how much groups vary.
    """
    return min(p * (1 - p) / variance, n) if 0 < p < 1 and variance > 0 else n


def worth_of_means(
    p: FloatArray,
    variance: FloatArray,
    n: FloatArray,
    df: FloatArray,
    n_seeds: int,
    level: float,
) -> FloatArray:
    """How many independent images each mean over seeds is worth, [slots]; all slots say together how much images vary.

    n over the design factor: the variance over images against p (1 - p) / n, 1 / seeds at least, as each image was
    looked at more than once. Ten images of one tone hardly say it, least where nearly all are right: so two right and
    two wrong images are added that vary as independent ones do (Agresti and Coull 1998). Fewer images in the ratio of
    the normal's square to Student's, for what they do not know together (Korn and Graubard 1998). Draws with
    replacement vary too little, by df / (df + 1); `df` is n - 1, or fewer where a class has few images.
    """
    able = np.isfinite(p) & np.isfinite(variance) & (n > 1) & (df > 0)
    alone = float((n * p * (1 - p))[able].sum())
    if alone <= 0:
        return n
    varies = float((n[able] ** 2 * (df[able] + 1) / df[able] * variance[able]).sum())
    known: float = (student(np.inf, level) / student(float(df[able].sum()), level)) ** 2
    worth: FloatArray = n * known / max((varies + _MORE) / (alone + _MORE), 1 / n_seeds)
    return worth


def share_interval(p: float, n: float, seeds: Seeds, level: float) -> tuple[float, float]:
    """The interval of a share of effectively n images, with what seeds add; within 0 and 1.

    To each side the squares of Wilson's reach and of the seeds' are added (Zou and Donner 2008, Statistics in Medicine
    27(10)), by Student's t for what is not known of the seeds.
    """
    z = student(np.inf, level)
    low, high = wilson(p, n, z)
    if seeds.between <= 0:
        return low, high
    # The share that 95 % intervals lie around (Agresti and Coull 1998), as the measured one may be 0 or 1.
    middle = (n * p + z**2 / 2) / (n + z**2)
    t = student(satterthwaite(middle * (1 - middle) / n, np.inf, seeds), level)
    down, up = (t / z * np.hypot(end - p, z * np.sqrt(seeds.variance)) for end in (low, high))
    return max(float(p - down), 0.0), min(float(p + up), 1.0)


def area_interval(
    area: float, variance: float, n: float, seeds: Seeds, level: float, df: float = np.inf
) -> tuple[float, float]:
    """The interval of an area under the ROC curve, made on the logit scale; `n`: images of the rarer side.

    `df`: degrees of freedom of the variance. At 0 and 1, or where the variance is not known, Newcombe's, from n images
    of each side.
    """
    if not (0 < area < 1 and variance > 0):
        return _newcombe(area, n, seeds, level)
    t = student(satterthwaite(variance, df, seeds), level)
    reach = t * np.sqrt(variance + seeds.variance) / (area * (1 - area))
    return float(expit(logit(area) - reach)), float(expit(logit(area) + reach))


def _newcombe(area: float, n: float, seeds: Seeds, level: float) -> tuple[float, float]:
    def within(value: float) -> bool:
        images = hanley_mcneil(value, (n, n))
        t = student(satterthwaite(images, np.inf, seeds), level)
        return bool(abs(area - value) <= t * np.sqrt(images + seeds.variance))

    low, high = (
        end if within(end) else bisected(within, area, end, _HALVINGS) for end in (0.0, 1.0)
    )
    return low, high


def hanley_mcneil(area: float, sides: tuple[float, float]) -> float:
    """The variance of an area, from nothing but itself and the numbers of images (method 5 of Newcombe)."""
    more = (sum(sides) / 2 - 1) * ((1 - area) / (2 - area) + area / (1 + area))
    return area * (1 - area) * (1 + more) / (sides[0] * sides[1])
