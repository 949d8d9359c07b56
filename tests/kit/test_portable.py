"""Portable numerics in the kit: what torch computes where MKL starts from a processor's own approximations."""

import os
import subprocess
import sys
from pathlib import Path

KIT = Path(__file__).parents[2] / "docker" / "kit"

# Overrides last as long as the process, so each is a process of its own.
BEGIN = """
import math, warnings
warnings.simplefilter("error")
import numpy as np, torch
from tonegap_kit.portable import be_portable
x = torch.arange(1, 40001, dtype=torch.float32) / 7
powers = {e: x**e for e in (-1, -0.5, 0, 1, 1.5, 2, 3)}
be_portable()
# The root in double precision, rounded once, is the correctly rounded root in single precision.
right = torch.tensor([math.sqrt(v) for v in x.tolist()], dtype=torch.float32)
"""


def python(code, numerics="portable"):
    # numpy warns of processor features that it is told to do without and never had; a command run here tells it.
    env = {**os.environ, "PYTHONPATH": str(KIT), "TONEGAP_NUMERICS": numerics}
    env.pop("NPY_DISABLE_CPU_FEATURES", None)
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_every_way_to_a_root_gives_the_correctly_rounded_one():
    python(
        """
out = torch.empty(0)
torch.sqrt(x, out=out)
in_place, power, raised = x.clone(), torch.empty(0), x.clone()
in_place.sqrt_()
torch.pow(x, 0.5, out=power)
raised **= 0.5
for found in (x.sqrt(), torch.sqrt(x), x**0.5, x.pow(0.5), out, in_place, power, raised):
    assert torch.equal(found, right)
assert torch.equal(torch._foreach_sqrt([x])[0], right)
"""
    )


def test_roots_of_a_library_written_in_another_language_follow():
    """The distances of more than 25 points are roots that torch takes itself, far from Python."""
    python(
        """
a, b = x[:60].view(30, 2), x[60:120].view(30, 2)
squared = (a * a).sum(1)[:, None]
seen = []
library = torch.library.Library("aten", "IMPL")
from tonegap_kit import portable
library.impl("sqrt_", lambda y: seen.append(1) or y, "CPU")
torch.cdist(a, b)
assert seen
"""
    )


def test_other_powers_stay_as_they_were():
    python("assert all(torch.equal(x**e, found) for e, found in powers.items())")


def test_gradients_of_a_root_are_those_of_a_root():
    """d sqrt(x) / dx = 1 / (2 sqrt(x)): 1/4 at 4, 1/6 at 9."""
    python(
        """
y = torch.tensor([4.0, 9.0], requires_grad=True)
(y.sqrt().sum() + (y**0.5).sum()).backward()
assert torch.allclose(y.grad, torch.tensor([1 / 2, 1 / 3]))
"""
    )


def test_odd_inputs_give_what_torch_gives():
    python(
        """
found = torch.tensor([-1.0, 0.0, math.inf]).sqrt()
assert found[0].isnan() and found[1] == 0 and found[2] == math.inf
assert torch.tensor([4]).sqrt().item() == 2 and torch.tensor(9.0).sqrt().shape == ()
assert torch.ones(3, dtype=torch.bfloat16).sqrt().dtype == torch.bfloat16
assert torch.empty(0).sqrt().shape == (0,)
assert torch.arange(6.0).view(2, 3).T.sqrt().shape == (3, 2)
with torch.inference_mode():
    assert torch.ones(2).sqrt().sum() == 2
"""
    )


def test_a_native_stage_is_left_alone():
    said = python(
        "print(torch.equal(powers[2], x**2), bool(__import__('tonegap_kit.portable').portable._kept))",
        "native",
    )
    assert said == ["True", "False"]
