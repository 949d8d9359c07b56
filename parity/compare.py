"""Runs functions of published code beside ours on the same random tensors, and says the largest difference.

    python parity/compare.py CLONES [NAME ...]

CLONES is a folder with clones of the repositories named in `parity/*.toml`, each under its own name. Their code is read
at the pinned commit and never shipped; `.cuda()` does nothing. What it prints is what the certificates hold.
"""

import ast
import contextlib
import copy
import io
import re
import runpy
import subprocess
import sys
import tomllib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(ROOT / "docker" / "kit"))
Found = dict[str, float]


def ours(name: str) -> dict[str, Any]:
    """What the program of our baseline defines."""
    folder = ROOT / "baselines" / name
    sys.path.insert(0, str(folder))
    return runpy.run_path(str(folder / "train.py"))


def theirs(clones: Path, name: str, file: str, wanted: set[str]) -> dict[str, Any]:
    """These classes and functions of a file of the pinned commit, and nothing else of it."""
    text = source(clones, name, file)
    tree = ast.parse(text)
    tree.body = [node for node in tree.body if getattr(node, "name", None) in wanted]
    space: dict[str, Any] = {
        "torch": torch,
        "nn": nn,
        "F": functional,
        "np": np,
        "Tensor": Tensor,
        "baseline": object,
        "BaseNet": object,
    }
    space |= {"Module": nn.Module, "copy": copy, "deepcopy": copy.deepcopy, "deque": deque}
    space |= dict.fromkeys(("Optional", "Tuple", "List", "Dict", "DataLoader", "dataset"), Any)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):  # annotations are theirs to resolve
            node.returns = None
            for given in node.args.args:
                given.annotation = None
    exec(compile(tree, file, "exec"), space)
    return space


def source(clones: Path, name: str, file: str) -> str:
    """The text of a file of a baseline's upstream at the pinned commit."""
    pin = tomllib.loads((HERE / f"{name}.toml").read_text(encoding="utf-8"))
    clone = clones / pin["upstream"].rsplit("/", 1)[1]
    return subprocess.run(
        ["git", "-C", str(clone), "show", f"{pin['commit']}:{file}"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def scp(clones: Path) -> Found:
    """The soft nearest neighbour loss of one channel: as it is, and with the image itself in its own group."""
    their = theirs(clones, "scp", "SNNL.py", {"SoftNearestNeighborLoss"})[
        "SoftNearestNeighborLoss"
    ]()
    our, as_is, with_itself = ours("scp")["soft_nearest_neighbour"], 0.0, 0.0
    for _ in range(100):
        maps, t = torch.randn(32, 1, 9), torch.randint(0, 2, (32,))
        found = their(maps[:, 0], t).item()
        as_is = max(as_is, abs(our(maps, t, 1.0).item() - found))
        unit = functional.normalize(maps[:, 0], dim=1)
        near = (unit @ unit.T - 1).exp()
        itself = torch.eye(32)
        own = (near * (t[:, None] == t[None, :])).sum(dim=1)
        with_itself = max(
            with_itself, abs(-(own / (near * (1 - itself)).sum(dim=1)).log().mean().item() - found)
        )
    return {"loss of a channel": as_is, "the same, the image itself in its own group": with_itself}


def fairquantize(clones: Path) -> Found:
    """The power of two of 100,000 weights."""
    lines = source(clones, "fairquantize", "quantize.py").splitlines()
    power, value = (
        next(line.split("=", 1)[1] for line in lines if re.match(rf"\s+{start}", line))
        for start in (r"tmp_quantized_weight =", r"quantized_weights\[idx\] = 2")
    )
    param = torch.randn(100_000) * 0.1
    space = {"torch": torch, "param": param}
    space["tmp_quantized_weight"] = eval(power, space)  # noqa: S307 - two lines of pinned code that is no function
    found = eval(value, space)  # noqa: S307
    return {
        "power of two of a weight": (ours("fairquantize")["powers_of_two"](param) - found)
        .abs()
        .max()
        .item()
    }


def fairmoe(clones: Path) -> Found:
    """The mutual information of two groups and two experts."""
    their = theirs(clones, "fairmoe", "model.py", {"MoEConv"})["MoEConv"](3, 3, 3)
    our, worst = ours("fairmoe")["mutual_information"], 0.0
    for _ in range(100):
        shares, t = torch.randn(32, 2).softmax(dim=1), torch.randint(0, 2, (32,))
        worst = max(worst, abs(our(shares, t).item() + their.calculate_mi_loss(shares, t).item()))
    return {"mutual information of group and expert": worst}


def multi_exit(clones: Path) -> Found:
    """The exit at which each of 500 images leaves."""
    names = {"get_confidence", "early_exit_inference"}
    code = theirs(clones, "multi-exit", "eval_me.py", names)
    leaves_at, differ = ours("multi-exit")["leaves_at"], 0
    for _ in range(500):
        scores = torch.randn(1, 4, 5) * 2
        rows = [(lambda x: x, lambda _x, i=i, s=scores: s[:, i]) for i in range(4)]
        model = SimpleNamespace(f=rows, num_output=4, confidence_threshold=0.8)
        chosen, _, _ = code["early_exit_inference"](torch.zeros(1), model)
        differ += not torch.equal(chosen[0], scores[0, leaves_at(scores, 0.8)[0]])
    return {"images that leave at another exit": float(differ)}


def fairadabn(clones: Path) -> Found:
    """The disparity of decisions, and whether theirs has a gradient."""
    their = theirs(clones, "fairadabn", "main.py", {"SPD_Loss"})["SPD_Loss"]()
    our, worst, with_gradient = ours("fairadabn")["disparity"], 0.0, 0
    for _ in range(100):
        scores, t = torch.randn(32, 9, requires_grad=True), torch.arange(32) % 2
        named = scores.argmax(dim=1)
        found = their(named, t)
        with_gradient += found.requires_grad
        worst = max(worst, abs(our(functional.one_hot(named, 9).float(), t).item() - found.item()))
    return {
        "disparity of decisions": worst,
        "draws in which theirs has a gradient": float(with_gradient),
    }


def bmft(clones: Path) -> Found:
    """The ratio of importance, relative; and the difference between groups of their code on probabilities."""
    code = theirs(clones, "bmft", "algorithm/BMFT.py", {"ParameterPerturber"})["ParameterPerturber"]
    empirical = theirs(clones, "bmft", "algorithm/utlis.py", {"compute_empirical_bias"})[
        "compute_empirical_bias"
    ]
    network, our, worst, apart = nn.Linear(7, 5), ours("bmft"), 0.0, 0.0
    for _ in range(100):
        one, other = (
            {n: torch.rand(p.shape) for n, p in network.named_parameters()} for _ in range(2)
        )
        found = code(network, None).cal_imp_diff(one, other)
        for name, value in our["ratios"](one, other).items():
            worst = max(
                worst, ((value - found[name]).abs() / found[name].abs().clamp(min=1)).max().item()
            )
        p1, y, t = torch.rand(32), torch.randint(0, 2, (32,)), torch.arange(32) % 2
        ours_ = our["difference"](torch.stack([1 - p1, p1], dim=1), y, t).item()
        apart = max(apart, abs(ours_ - float(empirical(p1, y, t, "eodds"))))
    return {"ratio of importance, relative": worst, "difference between groups": apart}


def sam(clones: Path) -> Found:
    """Weights after 20 steps of SGD with momentum and weight decay."""
    optimiser = theirs(clones, "sam", "models/SAM/utils.py", {"SAM_optimizer"})["SAM_optimizer"]
    from tonegap_kit.training import Batch

    networks = [nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3)) for _ in range(2)]
    networks[1].load_state_dict(networks[0].state_dict())
    how: dict[str, Any] = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
    step_of_ours = torch.optim.SGD(networks[0].parameters(), **how)
    step_of_theirs = optimiser(networks[1].parameters(), torch.optim.SGD, rho=0.05, **how)
    loss = ours("sam")["loss"]
    for _ in range(20):
        x, y = torch.randn(16, 6), torch.randint(0, 3, (16,))
        step_of_ours.zero_grad()
        loss(0.05, networks[0], Batch(x, y, y, torch.ones(16), torch.arange(16))).backward()
        step_of_ours.step()

        def again(x: Tensor = x, y: Tensor = y) -> None:
            step_of_theirs.zero_grad()
            functional.cross_entropy(networks[1](x), y).backward()

        again()
        step_of_theirs.step(again)
    pairs = zip(networks[0].parameters(), networks[1].parameters(), strict=True)
    return {"weights after 20 steps": max((a - b).abs().max().item() for a, b in pairs)}


def domain_ind(clones: Path) -> Found:
    """The class named by the heads together, of 1,000 images of three tones and four classes."""
    code = theirs(clones, "domain-ind", "models/DomainInd/DomainInd.py", {"DomainInd"})["DomainInd"]
    scores = torch.randn(1000, 3, 4)
    found = code.inference_sum_prob(SimpleNamespace(sens_classes=3), scores.flatten(1))
    return {
        "images of another class": float(
            (found.argmax(dim=1) != scores.mean(dim=1).argmax(dim=1)).sum()
        )
    }


def entangle(clones: Path) -> Found:
    """Both regularisers on features of length 1."""
    code = theirs(clones, "entangle", "models/EnD/EnD.py", {"EnD"})["EnD"]
    cosines, within, across = ours("entangle")["cosines"], 0.0, 0.0
    for _ in range(100):
        z = functional.normalize(torch.randn(16, 4), dim=1)
        y, t = torch.randint(0, 2, (16,)), torch.randint(0, 3, (16,))
        one, other = cosines(z, y, t)
        gram = z @ z.T
        within = max(
            within, abs(one.item() - code.abs_orthogonal_blind(None, z, gram, y, t).item())
        )
        # Theirs is 1 less the mean of (1 + cosine) / 2.
        across = max(
            across, abs(other.item() - (1 - 2 * code.abs_parallel(None, gram, y, t).item()))
        )
    return {"within a tone": within, "across tones": across}


def fairdisco(clones: Path) -> Found:
    """The confusion loss, and the contrastive loss without and with the constants of their code."""
    file, names = "Models/models_losses.py", {"Confusion_Loss", "Supervised_Contrastive_Loss"}
    code, our = theirs(clones, "fairdisco", file, names), ours("fairdisco")
    confusion, contrastive = code["Confusion_Loss"](), code["Supervised_Contrastive_Loss"](0.1)
    from tonegap_kit.tone_heads import confusion as our_confusion

    heads, bare, same, gradient = 0.0, 0.0, 0.0, 0.0
    for draw in range(100):
        scores, y = torch.randn(32, 6), torch.randint(0, 4, (32,))
        heads = max(heads, abs(our_confusion(scores).item() - confusion(scores, None).item()))
        found, slopes = [], []
        for call in (
            lambda z, y=y: contrastive(z, y),
            lambda z, y=y: our["contrast"](z, y, 0.1),
            lambda z, y=y: our["contrast"](z, y, 0.1, 1e-5),
        ):
            z = torch.randn(32, 128, generator=torch.Generator().manual_seed(draw)).requires_grad_()
            found.append(call(z))
            slopes.append(torch.autograd.grad(found[-1], z)[0])
        bare = max(bare, abs(found[0].item() - found[1].item()))
        same = max(same, abs(found[0].item() - found[2].item()))
        apart = (slopes[0] - slopes[2]).norm() / slopes[0].norm()
        gradient = max(gradient, apart.item())
    return {
        "confusion loss": heads,
        "contrastive loss of random features": bare,
        "the same with contrast_floor = 1e-5": same,
        "its gradient with contrast_floor = 1e-5, relative": gradient,
    }


def patchalign(clones: Path) -> Found:
    """Both parts of the transport, and the gradient of the Gromov part without and with `detach_plan`."""
    names = {
        "cos_batch_torch",
        "cost_matrix_batch_torch",
        "batch_trace",
        "IPOT_torch_batch_uniform",
        "IPOT_distance_torch_batch_uniform",
        "GW_distance",
        "GW_torch_batch",
        "GW_distance_uniform",
    }
    code = theirs(clones, "patchalign", "Masked_GOT_NewSinkhorn.py", names)
    sys.path.insert(0, str(ROOT / "baselines" / "patchalign"))
    our = runpy.run_path(str(ROOT / "baselines" / "patchalign" / "transport.py"))
    value, plain, detached = 0.0, 0.0, 0.0
    for _ in range(20):
        x, y, mask = torch.randn(2, 49, 64), torch.randn(2, 30, 64), torch.rand(2, 49, 30)
        x.requires_grad_()
        their = code["GW_distance_uniform"](x.transpose(2, 1), y.transpose(2, 1), mask)
        wanted = torch.autograd.grad(their.sum(), x)[0]
        for detach in (False, True):
            found = our["gromov_wasserstein"](x, y, mask, detach_plan=detach)
            slope = torch.autograd.grad(found.sum(), x)[0]
            value = max(value, (found - their.flatten()).abs().max().item())
            apart = ((slope - wanted).norm() / wanted.norm()).item()
            if detach:
                detached = max(detached, apart)
            else:
                plain = max(plain, apart)
    return {
        "value of the Gromov part": value,
        "its gradient by the patches, relative": plain,
        "the same with detach_plan = true": detached,
    }


def group_dro(clones: Path) -> Found:
    """Weights of three tones over 300 steps, two of which a batch often lacks, by adjustment and `absent`."""
    code = theirs(clones, "group-dro", "models/GroupDRO/utils.py", {"LossComputer"})
    from tonegap_kit.training import Batch

    worst = ours("group-dro")["WorstCase"]
    parts = torch.tensor([0] * 90 + [1] * 8 + [2] * 2)
    counts = parts.bincount()
    told = SimpleNamespace(sens_classes=3, group_counts=lambda: (None, counts))
    found = {}
    for said, adjustment, grows in (
        (" over 300 steps, adjustment 0", 0.0, False),
        (', adjustment 2, absent = "keeps"', 2.0, False),
        (', adjustment 2, absent = "grows"', 2.0, True),
    ):
        their = code["LossComputer"](
            nn.CrossEntropyLoss(reduction="none"),
            True,
            told,
            alpha=0.2,
            adj=np.full(3, adjustment) if adjustment else None,
        )
        our, apart = worst(parts, 0.01, adjustment, absent_grow=grows), 0.0
        for _ in range(300):
            rows = torch.randint(0, 100, (16,))
            scores, y = torch.randn(16, 2), torch.randint(0, 2, (16,))
            # Theirs scores accuracy by one column of scores and by nothing that the loss reads.
            group_loss, n = their.compute_group_avg(their.criterion(scores, y), parts[rows])
            their.compute_robust_loss(group_loss, n)
            our(nn.Identity(), Batch(scores, y, parts[rows], torch.ones(16), rows))
            apart = max(apart, (our.q - their.adv_probs.double()).abs().max().item())
        found[f"weight of a tone{said}"] = apart
    return found


def swad(clones: Path) -> Found:
    """How much each evaluation weighs in the mean, on 1,600 curves of 20 losses and four pairs of windows."""
    names = {"AveragedModel", "SWADBase", "LossValley"}
    code = theirs(clones, "swad", "models/SWAD/utils.py", names)
    folder = ROOT / "baselines" / "swad"
    sys.path.insert(0, str(folder))
    our = runpy.run_path(str(folder / "averaging.py"))
    rng, n, other, apart = np.random.default_rng(0), 20, 0, 0.0
    for draw in range(1600):
        optimum, overfit = ((3, 6), (3, 3), (3, 2), (3, 9))[draw % 4]
        losses = (1 / np.arange(1, n + 1) + 0.02 * np.arange(n) + rng.normal(0, 0.1, n)).clip(0.01)
        valley = code["LossValley"](optimum, overfit, 0.2)
        for epoch, loss in enumerate(losses):
            network = nn.Linear(n, 1, bias=False)  # whose weights name the epoch
            network.weight.data = functional.one_hot(torch.tensor([epoch]), n).float()
            segment = code["AveragedModel"](network)
            segment.update_parameters(network, step=epoch)
            with contextlib.redirect_stdout(io.StringIO()):
                valley.update_and_evaluate(segment, float(loss))
        with contextlib.redirect_stdout(io.StringIO()):
            wanted = next(valley.get_final_model().parameters()).detach().flatten()
        patience = our["Patience"](optimum, overfit, 1.2)
        counted = torch.tensor(our["counted_as_published"](losses.tolist(), patience))
        share = counted.bincount(minlength=n) / len(counted)
        apart = max(apart, (share - wanted).abs().max().item())
        stretch = our["flat_stretch"](losses.tolist(), patience)
        if stretch is not None:
            paper = torch.zeros(n)
            paper[stretch[0] : stretch[1] + 1] = 1 / (stretch[1] - stretch[0] + 1)
            other += bool((paper - wanted).abs().max() > 1e-6)
    return {
        'loss curves of 1,600 with another mean, stretch = "paper"': float(other),
        'share of an evaluation in the mean, stretch = "published"': apart,
    }


COMPARISONS: dict[str, Callable[[Path], Found]] = {
    "scp": scp,
    "fairquantize": fairquantize,
    "fairmoe": fairmoe,
    "multi-exit": multi_exit,
    "fairadabn": fairadabn,
    "bmft": bmft,
    "sam": sam,
    "domain-ind": domain_ind,
    "entangle": entangle,
    "fairdisco": fairdisco,
    "patchalign": patchalign,
    "group-dro": group_dro,
    "swad": swad,
}


def main(argv: list[str]) -> None:
    """Prints each comparison and its largest difference."""
    torch.Tensor.cuda = lambda self, *_: self
    for name in argv[1:] or list(COMPARISONS):
        torch.manual_seed(0)
        for what, difference in COMPARISONS[name](Path(argv[0])).items():
            sys.stdout.write(f"{name}: {what}: {difference:.3g}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
