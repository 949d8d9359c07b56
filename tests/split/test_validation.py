"""The validation images: an exact share, of every stratum, whatever the order of rows."""

import random

from hypothesis import given
from hypothesis import strategies as st

from tonegap.split.validation import hold_out, share_out

IDS = [f"image {n}" for n in range(100)]
LIGHT_AND_DARK = [("I", "ab"[n % 2]) if n < 90 else ("VI", "ab"[n % 2]) for n in range(100)]


def test_shares_go_by_largest_remainder() -> None:
    # 4 of 10 images: 2.8, 0.8 and 0.4; the two left over go to the two largest remainders.
    assert share_out({"a": 7, "b": 2, "c": 1}, 4, "key") == {"a": 3, "b": 1, "c": 0}


def test_exact_shares_leave_nothing_to_round() -> None:
    assert share_out({"a": 70, "b": 20, "c": 10}, 10, "key") == {"a": 7, "b": 2, "c": 1}


def test_ties_do_not_always_go_to_the_first_name() -> None:
    winners = {
        max(s, key=lambda k: s[k])
        for s in (share_out({"a": 1, "b": 1}, 1, str(k)) for k in range(20))
    }
    assert winners == {"a", "b"}


@given(
    st.dictionaries(st.text(max_size=3), st.integers(1, 50), min_size=1, max_size=8),
    st.floats(0, 1),
)
def test_shares_add_up_and_never_exceed_their_size(sizes: dict[str, int], part: float) -> None:
    total = int(part * sum(sizes.values()))
    shares = share_out(sizes, total, "key")
    assert sum(shares.values()) == total
    assert all(0 <= shares[name] <= size for name, size in sizes.items())


def test_a_half_image_is_rounded_up() -> None:
    assert len(hold_out(IDS[:25], [()] * 25, 0.1, "key")) == 3
    assert len(hold_out(IDS[:24], [()] * 24, 0.1, "key")) == 2


def test_a_fraction_is_taken_as_written() -> None:
    # In binary, 0.29 x 100 is 28.999999999999996 and 0.145 x 100 is 14.499999999999998.
    assert len(hold_out(IDS, [()] * 100, 0.145, "key")) == 15


def test_a_rare_tone_gets_its_share() -> None:
    kept = hold_out(IDS, LIGHT_AND_DARK, 0.1, "key")
    strata = [s for i, s in zip(IDS, LIGHT_AND_DARK, strict=True) if i in kept]
    assert sum(tone == "I" for tone, _ in strata) == 9
    assert sum(tone == "VI" for tone, _ in strata) == 1
    assert sum(name == "a" for tone, name in strata if tone == "I") in {4, 5}


def test_the_order_of_rows_does_not_matter() -> None:
    rows = list(zip(IDS, LIGHT_AND_DARK, strict=True))
    random.Random(0).shuffle(rows)
    shuffled = hold_out([i for i, _ in rows], [s for _, s in rows], 0.1, "key")
    assert shuffled == hold_out(IDS, LIGHT_AND_DARK, 0.1, "key")


def test_another_key_keeps_other_images() -> None:
    assert hold_out(IDS, LIGHT_AND_DARK, 0.1, "key") != hold_out(IDS, LIGHT_AND_DARK, 0.1, "other")


def test_the_images_kept_are_those_of_the_lowest_hashes() -> None:
    # SHA-256 of "k:x" starts with 7064f3, of "k:y" with 80b758, of "k:z" with 7fb0d6.
    assert hold_out("xyz", [()] * 3, 0.34, "k") == {"x"}
    assert hold_out("xyz", [()] * 3, 0.67, "k") == {"x", "z"}
