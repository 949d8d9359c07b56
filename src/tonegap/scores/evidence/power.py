"""Computes what a test set can show: half-widths, differences that are found, images that a difference needs.

The mistake it exists to prevent: a gap of five points sought in forty images of a tone, where only twenty would show.
A difference is found with a chance of 80 % at the two-sided 5 % level; each tone's images are independent, and a gap
is tested against that of equal tones. What training adds is added to all of it: independent of the images, from tone
to tone and from entry to entry, and as large as it is said to be. Sources: Fleiss, Levin and Paik 2003, Statistical
Methods for Rates and Proportions, 4, without continuity correction; Connor 1987, Biometrics 43, on paired proportions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import ceil, sqrt

import numpy as np
from scipy.special import gammaln, ndtri, xlog1py, xlogy

from tonegap.arguments import as_found, is_whole
from tonegap.arrays import FloatArray
from tonegap.errors import BadRequest
from tonegap.scores.evidence.bisection import bisected
from tonegap.scores.evidence.intervals import LEVEL
from tonegap.scores.evidence.proportions import Seeds, share_interval
from tonegap.tones import TONES_WANTED, parse_tone

POWER = 0.8
# Beyond this half-width an interval holds a coin and a good classifier at once.
WIDEST = 0.2
_DRAWS = 4000
_MOST = 100_000
MOST_IMAGES = 1_000_000  # of a tone
MOST_SPREAD = 0.5  # of a share, over training runs
_STEPS = 12


@dataclass(frozen=True, slots=True)
class Reach:
    """What a tone's test images can show, in fractions.

    - `width`: half-width of the 95 % interval of its score; NaN without images
    - `lower`: how far it must lie below the other tones for the gap to be found; None if nothing suffices
    - `entries`: how far an entry must lie below another to be found on it; NaN if nothing suffices
    - `silent`: no statement is possible about it
    """

    tone: str
    n: int
    width: float
    lower: float | None
    entries: float
    silent: bool


def images_by_tone(given: Iterable[tuple[str, object]], where: str) -> dict[str, int]:
    """Images of each tone, as (tone as a user writes it, number); `where` begins what is said.

    Raises BadRequest for what is no tone, a tone that is there twice, and what is no whole number of images.
    """
    found: dict[str, int] = {}
    for name, n in given:
        try:
            tone = parse_tone(name)
        except ValueError:
            tone = None
        if tone is None:
            raise BadRequest(
                f"{where}: found images of {name!r}, which is no skin tone; wanted {TONES_WANTED}"
            )
        if tone in found:
            raise BadRequest(f"{where}: found images of {tone} more than once; add them up")
        if not is_whole(n, 0, MOST_IMAGES):
            raise BadRequest(
                f"{where}: found {as_found(n)} as the images of {tone}, wanted a whole number up to {MOST_IMAGES:,}"
            )
        found[tone] = int(n)
    return found


def reach(
    n_by_tone: Mapping[str, int], p: float, correlation: float, seeds: int = 1, seed_sd: float = 0.0
) -> tuple[Reach, ...]:
    """What each tone's test images can show at a score of p; arguments as in the functions below.

    A tone is silent whose interval is wider than ±20 points; the gap is that of the others, and one that it cannot show
    below them is silent as well.
    """
    widths = {tone: half_width(p, n, seeds, seed_sd) for tone, n in n_by_tone.items()}
    added = seed_sd**2 / seeds
    spoken = [tone for tone, width in widths.items() if width <= WIDEST]
    counts = tuple(n_by_tone[tone] for tone in spoken)
    found = []
    for tone, n in n_by_tone.items():
        lower = lower_by(counts, p, spoken.index(tone), added) if tone in spoken else None
        silent = tone not in spoken or (lower is None and len(spoken) > 1)
        entries = difference_of_entries(p, n, correlation, added)
        found.append(Reach(tone, n, widths[tone], lower, entries, silent))
    return tuple(found)


def not_scored(tone: str, n: int, p: float, seeds: int = 1, seed_sd: float = 0.0) -> Reach:
    """A tone that a task does not score, as one that nothing can be said of; arguments as in `reach`."""
    return Reach(tone, n, half_width(p, n, seeds, seed_sd), None, float("nan"), silent=True)


def half_width(p: float, n: int, seeds: int = 1, seed_sd: float = 0.0) -> float:
    """The mean half-width of the 95 % interval of a share p of n images, over all samples; NaN without images.

    `seed_sd` is the standard deviation that training adds to the score at one of `seeds` runs.
    """
    if n < 1:
        return float("nan")
    variance = seed_sd**2 / seeds
    added = Seeds(variance, variance, np.inf)
    k = np.arange(n + 1)
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    weight = np.exp(ways + xlogy(k, p) + xlog1py(n - k, -p))  # binomial
    kept = k[weight > 1e-9]
    widths = [np.ptp(share_interval(x / n, n, added, LEVEL)) / 2 for x in kept]
    return float(np.dot(widths, weight[kept]) / weight[kept].sum())


def images_for_two(p: float, difference: float, *, gaps: int = 1, added: float = 0.0) -> int | None:
    """Images of each of two tones that show `difference` below p; of twice as many tones for two `gaps`.

    `added` is the variance that training adds to a mean score, here and below; None where no number of images does.
    """
    low = p - difference
    factor = float((ndtri((1 + LEVEL) / 2) + ndtri(POWER)) ** 2) * gaps
    left = difference**2 - factor * 2 * added
    return ceil(factor * (p * (1 - p) + low * (1 - low)) / left) if left > 0 else None


def images_for_entries(
    p: float, difference: float, correlation: float, *, gaps: int = 1, added: float = 0.0
) -> int | None:
    """Images of a tone that show that an entry lies `difference` below one that scores p, by Connor 1987.

    `correlation`: of both being right; the largest there can be where that is less (two entries near 100 % are hardly
    ever wrong together). With `gaps` 2: images of each of two tones that show a difference of two gaps. None beyond a
    million.
    """
    if _entries_needed(p, difference, correlation, added, MOST_IMAGES) * sqrt(gaps) > difference:
        return None
    if not added:
        return ceil(gaps * (_entries_needed(p, difference, correlation, 0.0, 1) / difference) ** 2)

    def enough(n: float) -> bool:
        return _entries_needed(p, difference, correlation, added, n) * sqrt(gaps) <= difference

    return ceil(bisected(enough, MOST_IMAGES, 0.0, 60))


def _entries_needed(
    p: float, difference: float, correlation: float, added: float, n: float
) -> float:
    """The least difference that n images show at the variance of two entries that differ by `difference`."""
    low = p - difference
    both = p * low + min(correlation * sqrt(p * (1 - p) * low * (1 - low)), low * (1 - p))
    discordant = p + low - 2 * both
    rest = max(discordant - difference**2, 0.0)
    null, here = (sqrt(variance / n + 2 * added) for variance in (discordant, rest))
    return float(ndtri((1 + LEVEL) / 2) * null + ndtri(POWER) * here)


def difference_of_entries(p: float, n: int, correlation: float, added: float = 0.0) -> float:
    """The smallest amount that an entry must lie below one that scores p for n images to show it; NaN if none does."""

    def shown(difference: float) -> bool:
        return _entries_needed(p, difference, correlation, added, n) <= difference

    most = p * (1 - 1e-9)
    return bisected(shown, most, 0.0, 40) if n > 0 and shown(most) else float("nan")


def images_for_gap(p: float, difference: float, tones: int, added: float = 0.0) -> int | None:
    """Images of each tone that show a gap of one tone that lies `difference` below the others; None beyond 100,000."""

    def enough(n: int) -> bool:
        return gap_power((n,) * tones, p, 0, difference, added) >= POWER

    if not enough(_MOST):
        return None
    low, high = 1, _MOST
    while high - low > max(low // 100, 1):
        middle = min(max(int(np.sqrt(low * high)), low + 1), high - 1)
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@lru_cache(maxsize=4096)
def gap_power(
    n: tuple[int, ...], p: float, lower: int, difference: float, added: float = 0.0
) -> float:
    """How often the gap is found if one tone lies `difference` below the others, which have accuracy p.

    At 5 % of the gaps of tones that share the accuracy over all images, trained as often.
    """
    truth = np.full(len(n), p)
    truth[lower] -= difference
    null = np.sort(_gaps(n, np.full(len(n), float(np.dot(truth, n) / sum(n))), added, 0))
    return float((_gaps(n, truth, added, 1) > null[int(LEVEL * _DRAWS)] + 1e-12).mean())


def _gaps(n: Sequence[int], p: FloatArray, added: float, seed: int) -> FloatArray:
    rng = np.random.default_rng(seed)
    x = rng.binomial(n, p, (_DRAWS, len(n))) / np.array(n)
    if added:
        x += rng.normal(0, sqrt(added), x.shape)
    gaps: FloatArray = np.ptp(x, axis=1)
    return gaps


def lower_by(n: tuple[int, ...], p: float, tone: int, added: float = 0.0) -> float | None:
    """The smallest amount by which a tone must lie below the others for the gap to be found; None if none does."""
    if min(n) < 1 or len(n) < 2:
        return None

    def found(difference: float) -> bool:
        return gap_power(n, p, tone, difference, added) >= POWER

    return bisected(found, p, 0.0, _STEPS) if found(p) else None
