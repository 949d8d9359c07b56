"""A layout whose files were damaged or written by others: one sentence, and what is whole stays."""

import io
import json
import tarfile
from pathlib import Path

import pytest
from one_stage import image_with

from tonegap.engines.images.layout import Layout, base_config
from tonegap.engines.unpacked import UnpackedEngine
from tonegap.errors import EngineError
from tonegap.files import canonical_json


def layer(content: bytes) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        member = tarfile.TarInfo("a/file")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return data.getvalue()


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "images" / "oci")
    made.folder.mkdir(parents=True)
    return made


def put(layout: Layout, name: str, content: bytes = b"good", **running: object) -> str:
    config = base_config("amd64")
    config["config"] |= running
    config["rootfs"]["diff_ids"] = [layout.put(layer(content))]
    return layout.put_image(name, canonical_json(config))


def test_a_layer_that_was_exchanged_is_not_unpacked(layout, tmp_path):
    image_id = put(layout, "one")
    blob = layout.blob(layout.diff_ids(image_id)[0])
    blob.write_bytes(layer(b"evil"))
    again = Layout(layout.folder)
    assert again.has(image_id), "sizes are equal"
    with pytest.raises(
        EngineError,
        match="is not what its name says; run `tonegap image build --no-cache baselines/plain`",
    ):
        UnpackedEngine("bwrap", image_with, again, here=False).open(tmp_path, [image_id])
    assert not [
        path for path in (tmp_path / "images" / "roots").iterdir() if not path.name.startswith(".")
    ]


def test_a_manifest_with_other_layers_than_its_config_is_no_image(layout):
    image_id = put(layout, "one")
    entry = layout.entry(image_id)
    manifest = json.loads(layout.blob(entry["digest"]).read_bytes()) | {"layers": []}
    content = canonical_json(manifest)
    entry |= {"digest": layout.put(content), "size": len(content)}
    index = {"schemaVersion": 2, "manifests": [entry]}
    (layout.folder / "index.json").write_bytes(canonical_json(index))
    assert "has other layers than the image's config" in Layout(layout.folder).lack(image_id)


def test_a_damaged_index_costs_no_blob(layout):
    image_id = put(layout, "one")
    (layout.folder / "index.json").write_text("{")
    again = Layout(layout.folder)
    assert again.prune() == 0
    assert again.blob(image_id).is_file()
    put(again, "two", b"more")
    assert "is no index of images" in again.index_damage
    assert again.prune() == 0
    assert all(again.blob(one).is_file() for one in (image_id, *again.diff_ids(image_id)))


def test_what_no_image_has_is_pruned(layout):
    put(layout, "one", b"first")
    gone = layout.blob(layout.diff_ids(put(layout, "one", b"other"))[0])
    kept = put(layout, "one", b"third")
    assert layout.prune() > 0
    assert not gone.exists()
    assert layout.has(kept)


@pytest.mark.parametrize("running", [{"Env": [1]}, {"Labels": ["a"]}, {"WorkingDir": 1}])
def test_a_config_of_another_form_is_no_image_and_hides_no_other(layout, running):
    put(layout, "odd-or-not")
    good = put(layout, "z", Labels={"tonegap.image": "z"})
    config = json.loads(layout.blob(good).read_bytes())
    config["config"] |= running
    content = canonical_json(config)
    entry = layout.entry(good)
    manifest = json.loads(layout.blob(entry["digest"]).read_bytes())
    manifest["config"] |= {"digest": layout.put(content), "size": len(content)}
    odd = canonical_json(manifest)
    forged = entry | {
        "digest": layout.put(odd),
        "size": len(odd),
        "annotations": {"org.opencontainers.image.ref.name": "a"},
    }
    index = json.loads((layout.folder / "index.json").read_bytes())
    index["manifests"].insert(0, forged)
    (layout.folder / "index.json").write_bytes(canonical_json(index))
    again = Layout(layout.folder)
    assert "is not what its name says" in again.lack(manifest["config"]["digest"])
    assert again.found({"tonegap.image": "z"}) == good


def test_a_variable_without_a_value_is_an_empty_one(layout):
    image_id = put(layout, "one", Env=["PATH=/bin", "BARE"])
    assert layout.config(image_id)["config"]["Env"] == ["PATH=/bin", "BARE"]
