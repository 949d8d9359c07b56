import json
import struct
from pathlib import Path

import pytest
import torch
from torch import nn

from tonegap_kit.backbones import BackboneSpec, Classifier, MatrixPool, _load_body, build_classifier
from tonegap_kit.errors import StageError
from tonegap_kit.weights_file import read_weights

MLP = "mlp-256"


def _spec(
    name: str = "cnn4", head: str = "linear", weights: Path | None = None, is_frozen: bool = False
) -> BackboneSpec:
    return BackboneSpec(name, head, weights, is_frozen)


@pytest.mark.parametrize("name", ["cnn4", "resnet18", "mobilenet_v3_small"])
def test_a_backbone_gives_one_score_per_class(name: str) -> None:
    model = build_classifier(_spec(name), 7, 64).eval()
    with torch.no_grad():
        assert model(torch.zeros(2, 3, 64, 64)).shape == (2, 7)


@pytest.mark.parametrize(
    ("name", "n_features"),
    [
        ("vgg16", 4096),
        ("vit_b_16", 768),
        ("resnet50", 2048),
        ("densenet121", 1024),
        ("efficientnet_b0", 1280),
        ("convnext_tiny", 768),
    ],
)
def test_the_head_of_any_classifier_is_replaced(name: str, n_features: int) -> None:
    with torch.device("meta"):  # shapes alone: these networks are large
        model = build_classifier(_spec(name), 7, 224)
        assert isinstance(model.head, nn.Linear)
        assert model.head.in_features == n_features
        assert model.eval()(torch.zeros(1, 3, 224, 224)).shape == (1, 7)


def test_the_frozen_vgg_of_the_papers_has_1050631_weights_that_learn() -> None:
    # Counted for seven classes from skin-diff's code: 4096 * 256 + 256 + 256 * 7 + 7.
    with torch.device("meta"):
        model = build_classifier(_spec("vgg16", MLP, is_frozen=True), 7, 224)
    assert sum(p.numel() for p in model.parameters() if p.requires_grad) == 1_050_631


@pytest.mark.parametrize(
    ("head", "n_weights"),
    [
        # With 256 features of cnn4 and three classes: 256 * 3 + 3, and with layers of 256 or 256 and 128.
        ("linear", 771),
        (MLP, 256 * 257 + 257 * 3),
        ("mlp-256-128", 256 * 257 + 257 * 128 + 129 * 3),
    ],
)
def test_heads_are_as_wide_as_their_names_say(head: str, n_weights: int) -> None:
    model = build_classifier(_spec(head=head), 3, 32)
    assert sum(p.numel() for p in model.head.parameters()) == n_weights
    assert model.width == 256


def test_another_head_stands_on_the_same_body() -> None:
    model = build_classifier(_spec(is_frozen=True), 3, 32)
    other = model.with_head(nn.Linear(256, 9))
    assert other.body is model.body
    assert other.is_frozen
    assert other(torch.zeros(1, 3, 32, 32)).shape == (1, 9)


def test_a_frozen_body_gets_no_gradient_and_keeps_its_batch_statistics() -> None:
    model = build_classifier(_spec(is_frozen=True), 3, 32).train()
    before = {k: v.clone() for k, v in model.body.state_dict().items()}
    model(torch.randn(8, 3, 32, 32)).sum().backward()
    assert all(p.grad is None for p in model.body.parameters())
    assert model.head.weight.grad is not None
    assert all(torch.equal(v, before[k]) for k, v in model.body.state_dict().items())


def test_only_a_frozen_body_without_dropout_has_fixed_features() -> None:
    assert build_classifier(_spec(is_frozen=True), 3, 32).has_fixed_features
    assert not build_classifier(_spec(is_frozen=False), 3, 32).has_fixed_features
    dropping = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.5))
    assert not Classifier(dropping, nn.Linear(4, 2), is_frozen=True).has_fixed_features


@pytest.mark.parametrize(
    ("spec", "input_px", "said"),
    [
        (_spec("resnet19"), 64, "backbone is 'resnet19'.*resnet18"),
        (_spec("squeezenet1_0"), 64, "no linear layer"),
        (_spec("googlenet"), 64, "cannot train|more than one output"),
        (_spec("vit_b_16"), 100, "vit_b_16 cannot be built for 100 px"),
        (_spec("cnn4", "mlp"), 64, "head is 'mlp', wanted one of linear, mlp-256"),
    ],
)
@pytest.mark.filterwarnings("ignore:The default weight initialization")
def test_what_cannot_be_built_is_refused(spec: BackboneSpec, input_px: int, said: str) -> None:
    with torch.device("meta"), pytest.raises(StageError, match=said):
        build_classifier(spec, 3, input_px)


def test_pretrained_weights_are_loaded_whatever_their_number_of_classes(tmp_path: Path) -> None:
    torch.manual_seed(0)
    trained = build_classifier(_spec(), 3, 32)
    state = trained.body.state_dict() | {
        "head.weight": torch.zeros(1000, 256),
        "head.bias": torch.zeros(1000),
    }
    torch.save(state, tmp_path / "w.pt")
    model = build_classifier(_spec(weights=tmp_path / "w.pt"), 7, 32)
    x = torch.randn(2, 3, 32, 32)
    assert torch.equal(model.eval().features(x), trained.eval().features(x))
    assert model.head.out_features == 7


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"layers.0.weight": torch.zeros(16, 3, 5, 5)}, tmp_path / "w.pt")
    with pytest.raises(
        StageError, match=r"does not fit backbone cnn4: .* tensors are missing, extra"
    ):
        build_classifier(_spec(weights=tmp_path / "w.pt"), 7, 32)


def test_safetensors_are_read(tmp_path: Path) -> None:
    values = struct.pack("<4f", 1, 2, 3, 4) + struct.pack("<1q", 9)
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "a": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
            "n": {"dtype": "I64", "shape": [], "data_offsets": [16, 24]},
        }
    ).encode()
    (tmp_path / "w.safetensors").write_bytes(struct.pack("<Q", len(header)) + header + values)
    found = read_weights(tmp_path / "w.safetensors")
    assert found["a"].tolist() == [[1, 2], [3, 4]]
    assert found["n"].item() == 9


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("w.safetensors", b""),
        ("w.safetensors", struct.pack("<Q", 2) + b"[]"),
        (
            "w.safetensors",
            struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}      ',
        ),
        ("w.pt", b""),
        ("w.pt", b"<html>not found</html>"),
    ],
)
def test_a_file_that_holds_no_tensors_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(StageError, match="w"):
        read_weights(tmp_path / name)


def test_a_pickle_with_code_in_it_is_refused(tmp_path: Path) -> None:
    torch.save({"a": Path("x")}, tmp_path / "w.pt")
    with pytest.raises(StageError, match="cannot be read as weights alone") as caught:
        read_weights(tmp_path / "w.pt")
    assert "weights_only" not in str(caught.value)  # torch advises to run the code after all


@pytest.mark.parametrize("side", [2, 7, 9])
def test_pooling_by_matrix_is_adaptive_average_pooling(side: int) -> None:
    x = torch.randn(2, 3, side, side, dtype=torch.float64)
    wanted = nn.functional.adaptive_avg_pool2d(x, (7, 7))
    assert torch.allclose(MatrixPool((7, 7))(x), wanted)


def test_names_of_old_densenet_files_are_understood(tmp_path: Path) -> None:
    norm = nn.LayerNorm(2)
    body = nn.ModuleDict({"denselayer1": nn.ModuleDict({"norm1": norm})})
    old = {
        "denselayer1.norm.1.weight": torch.tensor([5.0, 6]),
        "denselayer1.norm.1.bias": torch.zeros(2),
    }
    _load_body(body, old, "classifier", _spec("densenet121"))
    assert norm.weight.tolist() == [5, 6]
