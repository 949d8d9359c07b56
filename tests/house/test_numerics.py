"""Portable numerics in what stages run: no optimiser whose kernels a processor chooses."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
STAGES = [
    p
    for name in ("docker", "baselines", "methods", "extractors", "postprocessors")
    for p in (ROOT / name).rglob("*.py")
]
_OPTIMISERS = {"Adam", "AdamW"}


def unfused(code: str) -> list[int]:
    """Lines that build one of torch's Adams other than fused, whose roots are torch's own code."""
    calls = (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call))
    return [
        call.lineno
        for call in calls
        if isinstance(call.func, ast.Attribute | ast.Name)
        and (call.func.attr if isinstance(call.func, ast.Attribute) else call.func.id)
        in _OPTIMISERS
        and not any(
            word.arg == "fused"
            and isinstance(word.value, ast.Constant)
            and word.value.value is True
            for word in call.keywords
        )
    ]


def test_a_planted_optimiser_is_found():
    planted = "a = torch.optim.Adam(p)\nb = AdamW(p, fused=False)\nc = torch.optim.AdamW(p, fused=True)\nd = SGD(p)\n"
    assert unfused(planted) == [1, 2]


def test_every_adam_of_a_stage_is_fused():
    found = {
        str(path.relative_to(ROOT)): unfused(path.read_text(encoding="utf-8")) for path in STAGES
    }
    assert len(found) > 50
    assert {path: lines for path, lines in found.items() if lines} == {}


def torch_without_seed(folder: Path) -> bool:
    """Whether a plug-in's own files use torch, and neither they nor the kit's recipe make it repeatable."""
    text = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    if "import torch" not in text and "from torch" not in text:
        return False
    kit = ("make_deterministic(", "train_classifier(", "train_and_repair(", "fit_parts(")
    return not any(word in text for word in kit)


def test_a_plug_in_that_uses_torch_sets_it_up_by_the_kit(tmp_path):
    (tmp_path / "train.py").write_text("import torch\nprint(torch.rand(1))\n")
    assert torch_without_seed(tmp_path)
    folders = [
        p
        for name in ("baselines", "methods", "extractors", "postprocessors")
        for p in (ROOT / name).iterdir()
    ]
    assert [p.name for p in folders if p.is_dir() and torch_without_seed(p)] == []
