"""What a layout says is here, and what it removes, when its files were changed by hand."""

import io
import json
import tarfile

import pytest

from tonegap.engines.images.layout import Layout, base_config
from tonegap.errors import EngineError
from tonegap.files import canonical_json, sha256_bytes


@pytest.fixture
def made(tmp_path):
    """A layout with an image of one layer."""
    (tmp_path / "oci").mkdir()
    layout = Layout(tmp_path / "oci")
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("x"))
    config = base_config("amd64")
    config["rootfs"]["diff_ids"] = [layout.put(data.getvalue())]
    return layout, layout.put_image("plain", json.dumps(config).encode())


def test_a_manifest_of_other_layers_than_its_config_is_no_image(made):
    layout, image_id = made
    index = json.loads((layout.folder / "index.json").read_bytes())
    (entry,) = index["manifests"]
    manifest = json.loads(layout.blob(entry["digest"]).read_bytes())
    manifest["layers"] = []
    content = canonical_json(manifest)
    entry |= {"digest": f"sha256:{sha256_bytes(content)}", "size": len(content)}
    layout.blob(entry["digest"]).write_bytes(content)
    (layout.folder / "index.json").write_text(json.dumps(index))
    again = Layout(layout.folder)
    assert not again.has(image_id)
    assert "names other layers than its config" in again.lack(image_id)


def test_nothing_is_removed_while_the_index_cannot_be_read(made):
    layout, _image_id = made
    blobs = sorted((layout.folder / "blobs/sha256").iterdir())
    (layout.folder / "index.json").write_text("{")
    with pytest.raises(EngineError, match="is no index of images"):
        Layout(layout.folder).prune()
    assert sorted((layout.folder / "blobs/sha256").iterdir()) == blobs


@pytest.mark.parametrize("running", [{"Env": [1]}, {"Labels": ["a"]}, {"WorkingDir": 3}])
def test_a_config_of_another_form_is_named_and_stops_no_other_image(made, running):
    layout, image_id = made
    config = base_config("amd64")
    config["config"] = running
    path = layout.blob(layout.put(json.dumps(config).encode()))
    with pytest.raises(EngineError, match="is no part of an image"):
        layout.config(f"sha256:{path.name}")
    assert layout.found({"none": "such"}) == ""
    assert layout.has(image_id)
