"""torch without its compiler: what a stage saves, and that whoever compiles still can."""

import os
import subprocess
import sys
from pathlib import Path

KIT = Path(__file__).parents[2] / "docker" / "kit"


def python(code):
    env = {**os.environ, "PYTHONPATH": str(KIT)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_an_optimiser_steps_without_the_compiler():
    found = python(
        """
import sys, torch
from tonegap_kit.eager import without_compiler
without_compiler()
x = torch.nn.Parameter(torch.tensor([1.0]))
optimiser = torch.optim.SGD([x], lr=0.5)
(3 * x).sum().backward()
optimiser.step()
print(x.item(), "sympy" in sys.modules, "torch._dynamo.utils" in sys.modules)
"""
    )
    assert found == ["-0.5", "False", "False"]


def test_who_compiles_has_the_real_compiler():
    found = python(
        """
import sys, torch
from tonegap_kit.eager import without_compiler
without_compiler()
import torch._dynamo
assert torch._dynamo.disable()(len) is len
from torch._dynamo.utils import counters
import torch._dynamo.config as config
assert config is sys.modules["torch._dynamo.config"] and config.__spec__.origin == config.__file__
print(torch.compile(lambda x: x + 1, backend="eager")(torch.ones(1)).item(), counters["frames"]["ok"])
"""
    )
    assert found == ["2.0", "1"]


def test_hidden_packages_are_there_again_afterwards():
    found = python(
        """
import sys
from tonegap_kit.eager import hidden
import json
with hidden("colorsys", "json"):
    assert sys.modules["json"] is json
    try:
        import colorsys
    except ImportError:
        print("hidden")
import colorsys
print(colorsys.rgb_to_hsv(0, 0, 1)[2])
"""
    )
    assert found == ["hidden", "1"]
