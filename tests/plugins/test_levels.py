"""`balance = "three-level"` reaches every generator that counts by the quota."""

from collections import Counter
from pathlib import Path

import pytest
from masked_toy import LABELS, Workbench, draw_masked

# 24 images, half of each condition: tones I to VI have 8, 6, 4, 2, 2 and 2.
TONES = ("I", "II", "III", "IV", "I", "II", "III", "I", "II", "I", "V", "VI")


@pytest.mark.parametrize(
    "method", ["duplicate", "reinhard-transfer", "histogram-match", "tone-shift"]
)
def test_a_generator_makes_what_the_levels_ask_for(
    method: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """V and VI come to 8, as tone I has: six images each, three of each condition.

    Of five that are allowed V gets the odd one, of the first condition. By default all four cells shrink alike, to one.
    """
    inputs = draw_masked(tmp_path / "toy", n=24, tones=TONES)
    (tmp_path / "work").mkdir()
    bench = Workbench(tmp_path / "work", inputs, monkeypatch, capsys)
    made = bench.run(method, "generate", {"balance": "three-level", "ratio": 0.5})
    assert made.code == 0, made.errors
    found = Counter((row["label"], row["tone"]) for row in made.rows)
    assert found == {(label, tone): 3 for label in LABELS for tone in ("V", "VI")}
    few = bench.run(method, "generate", {"balance": "three-level", "ratio": 0.21})
    counts = Counter((row["label"], row["tone"]) for row in few.rows)
    assert sum(counts.values()) == 5
    assert Counter(tone for _, tone in counts.elements()) == {"V": 3, "VI": 2}
    plain = bench.run(method, "generate", {"ratio": 0.21})
    assert len(plain.rows) == 4
