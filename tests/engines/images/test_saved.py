"""The content of a saved image, as archives that say the same in other ways show it."""

import gzip
import io
import json
import tarfile
from contextlib import closing, contextmanager

import pytest
from saved_archives import layer, saved

from tonegap.engines.images.archive import take_saved, write_oci_archive
from tonegap.engines.images.layout import open_layout
from tonegap.engines.images.saved import SavedImages
from tonegap.errors import EngineError
from tonegap.files import sha256_bytes


@contextmanager
def taken(path):
    """The layout that took the one image of an archive, and its id."""
    with closing(SavedImages(path)) as images, open_layout(path.with_suffix(".cache")) as layout:
        (image_id,) = images.images
        take_saved(layout, images, image_id, "baselines/first")
        yield layout, image_id


def content_of(path):
    with taken(path) as (layout, image_id):
        return layout.content_sha256(image_id)


PLAIN = ("etc/a", b"a", {})


@pytest.fixture
def plain(tmp_path):
    return content_of(saved(tmp_path / "plain.tar", [layer(PLAIN)]))


@pytest.mark.parametrize(
    "members",
    [[("etc/a", b"a", {"mtime": 5})], [("./etc/a", b"a", {})], [("etc/a", b"a", {"uname": "x"})]],
)
def test_times_and_spellings_are_no_content(tmp_path, plain, members):
    assert content_of(saved(tmp_path / "other.tar", [layer(*members)])) == plain


@pytest.mark.parametrize(
    "members",
    [[("etc/a", b"b", {})], [("etc/b", b"a", {})], [("etc/a", b"a", {"mode": 0o755})],
     [("etc/a", b"a", {"uid": 1000})], [PLAIN, ("etc/b", b"", {})],
     [("etc/a", b"", {"type": tarfile.SYMTYPE, "linkname": "b"})]],
)  # fmt: skip
def test_all_else_of_a_file_is_content(tmp_path, plain, members):
    assert content_of(saved(tmp_path / "other.tar", [layer(*members)])) != plain


def test_the_order_of_members_is_no_content(tmp_path):
    one, two = ("a", b"1", {}), ("b", b"2", {})
    first = content_of(saved(tmp_path / "first.tar", [layer(one, two)]))
    assert content_of(saved(tmp_path / "second.tar", [layer(two, one)])) == first


def test_the_order_of_layers_is_content(tmp_path):
    one, two = layer(("a", b"1", {})), layer(("a", b"2", {}))
    first = content_of(saved(tmp_path / "first.tar", [one, two]))
    assert content_of(saved(tmp_path / "second.tar", [two, one])) != first


def test_moments_and_labels_of_the_config_are_no_content(tmp_path, plain):
    config = {"Labels": {"tonegap.base": "another"}}
    other = saved(tmp_path / "other.tar", [layer(PLAIN)], config, created="2027")
    assert content_of(other) == plain


@pytest.mark.parametrize("config", [{"Env": ["A=1"]}, {"User": "0"}, {"WorkingDir": "/x"}])
def test_what_the_config_says_about_running_is_content(tmp_path, plain, config):
    assert content_of(saved(tmp_path / "other.tar", [layer(PLAIN)], config)) != plain


def test_a_layer_that_is_not_the_configs_is_refused(tmp_path):
    path = saved(tmp_path / "bad.tar", [layer(PLAIN)])
    content = path.read_bytes()
    assert content.count(b"etc/a") == 1
    path.write_bytes(content.replace(b"etc/a", b"etc/b"))
    with pytest.raises(EngineError, match=r"layer 0/layer.tar: found sha256:"):
        content_of(path)


def test_a_layer_that_comes_twice_may_be_saved_as_a_link(tmp_path):
    one = layer(PLAIN)
    twice = saved(tmp_path / "twice.tar", [one, one])
    linked = tmp_path / "linked.tar"
    with tarfile.open(twice) as source, tarfile.open(linked, "w") as target:
        for member in source:
            if member.name == "1/layer.tar":
                member.type, member.linkname, member.size = tarfile.SYMTYPE, "../0/layer.tar", 0
                target.addfile(member)
            else:
                target.addfile(member, source.extractfile(member))
    assert content_of(linked) == content_of(twice)


@pytest.mark.parametrize("content", [b"", b"no archive", layer(("manifest.json", b"{", {}))])
def test_what_is_no_archive_of_images_is_refused(tmp_path, content):
    path = tmp_path / "bad.tar"
    path.write_bytes(content)
    with pytest.raises(EngineError, match="not an archive of images"):
        SavedImages(path)


def test_a_layer_that_is_saved_compressed_is_the_same(tmp_path, plain):
    source = saved(tmp_path / "plain2.tar", [layer(PLAIN)])
    packed = tmp_path / "packed.tar"
    with tarfile.open(source) as before, tarfile.open(packed, "w") as after:
        for member in before:
            content = before.extractfile(member).read()
            content = gzip.compress(content) if member.name == "0/layer.tar" else content
            member.size = len(content)
            after.addfile(member, io.BytesIO(content))
    assert content_of(packed) == plain


def test_every_blob_of_an_archive_is_named_by_its_digest(tmp_path):
    with taken(saved(tmp_path / "source.tar", [layer(PLAIN), layer(("b", b"", {}))])) as (
        layout,
        image_id,
    ):
        out = io.BytesIO()
        write_oci_archive(out, layout, {image_id: "tonegap/x:1"})
    with tarfile.open(fileobj=io.BytesIO(out.getvalue())) as files:
        content = {m.name: files.extractfile(m).read() for m in files if m.isfile()}
    blobs = {name: data for name, data in content.items() if name.startswith("blobs/sha256/")}
    assert {name.split("/")[-1] for name in blobs} == {
        sha256_bytes(data) for data in blobs.values()
    }
    (entry,) = json.loads(content["index.json"])["manifests"]
    manifest = json.loads(blobs[f"blobs/sha256/{entry['digest'][7:]}"])
    named = [manifest["config"], *manifest["layers"]]
    assert [(one["digest"][7:], one["size"]) for one in named] == [
        (sha256_bytes(blobs[f"blobs/sha256/{one['digest'][7:]}"]),
         len(blobs[f"blobs/sha256/{one['digest'][7:]}"])) for one in named
    ]  # fmt: skip
    assert manifest["config"]["digest"] == image_id


def test_engines_find_each_image_of_an_archive_by_its_tag(tmp_path):
    source = saved(tmp_path / "source.tar", [layer(PLAIN)])
    with taken(source) as (layout, image_id), (tmp_path / "out.tar").open("wb") as out:
        write_oci_archive(out, layout, {image_id: "tonegap/x:1"})
    with closing(SavedImages(tmp_path / "out.tar")) as images:
        assert list(images.images) == [image_id]
