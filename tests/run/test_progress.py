"""Bars that can be read on a narrow terminal."""

import io

import pytest
from rich.console import Console

from tonegap.run.progress import JsonProgress, LiveProgress, PlainProgress, open_progress

TITLE = "tone-shift + reweight (resnet18), fitzpatrick17k/skin-diff-2025 seed 0: baselines/reweight train"


@pytest.mark.parametrize("width", [60, 80, 120])
def test_a_bar_shows_count_and_times_beside_the_entry(width):
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    with LiveProgress(console) as progress:
        progress.expect(12)
        progress.start("a", TITLE)
        progress.step("a", 3, 20)
        console.print(progress.shown)
    lines = console.file.getvalue().splitlines()
    of_run = next(line for line in reversed(lines) if "stages" in line)
    of_stage = next(line for line in reversed(lines) if "tone-shift" in line)
    assert "0/12" in of_run
    assert "3/20" in of_stage
    assert "0:00:0" in of_stage
    assert "tone-shift + rew" in of_stage


def test_a_stage_that_has_said_nothing_yet_has_no_count():
    console = Console(file=io.StringIO(), force_terminal=True, width=80, color_system=None)
    with LiveProgress(console) as progress:
        progress.start("a", TITLE)
        console.print(progress.shown)
    assert "/?" not in console.file.getvalue()


@pytest.mark.parametrize(
    ("kind", "made"), [("json", JsonProgress), ("plain", PlainProgress), ("rich", LiveProgress)]
)
def test_progress_is_as_asked_for(kind, made):
    assert type(open_progress(kind)) is made


@pytest.mark.parametrize("kind", [LiveProgress, PlainProgress])
def test_a_stage_that_was_stopped_does_not_count_as_done(kind):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=80, color_system=None)
    with kind(console if kind is LiveProgress else stream) as progress:
        progress.expect(2)
        for key, done in (("a", True), ("b", False)):
            progress.start(key, key)
            progress.finish(key, "over", done=done)
        if kind is LiveProgress:
            console.print(progress.shown)
    assert "1/2" in stream.getvalue()
    assert "2/2" not in stream.getvalue()
