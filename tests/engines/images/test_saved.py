"""The content of a saved image, as archives that say the same in other ways show it."""

import json
import tarfile

import pytest
from saved_archives import layer, saved

from tonegap.engines.images.oci import write_oci_archive
from tonegap.engines.images.rootfs import write_image_archive
from tonegap.engines.images.saved import SavedImages
from tonegap.errors import EngineError
from tonegap.files import sha256_bytes


def content_of(path):
    images = SavedImages(path)
    try:
        (image_id,) = images.images
        return images.content_sha256(image_id)
    finally:
        images.close()


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


def exported(tmp_path, name, source):
    images = SavedImages(source)
    (image,) = images.images.values()
    write_oci_archive(images, image, "linux/amd64", tmp_path / name)
    images.close()
    return tmp_path / name


def test_an_exported_image_keeps_id_and_content(tmp_path):
    source = saved(tmp_path / "source.tar", [layer(PLAIN), layer(("b", b"", {}))], {"User": "1"})
    archive = exported(tmp_path, "image.oci.tar", source)
    before, after = SavedImages(source), SavedImages(archive)
    assert list(after.images) == list(before.images)
    assert content_of(archive) == content_of(source)
    before.close(), after.close()


def test_the_same_image_exports_to_the_same_bytes(tmp_path):
    source = saved(tmp_path / "source.tar", [layer(PLAIN)])
    first, second = (exported(tmp_path, name, source).read_bytes() for name in ("a.tar", "b.tar"))
    assert first == second


def test_every_blob_of_an_oci_archive_is_named_by_its_digest(tmp_path):
    archive = exported(tmp_path, "image.tar", saved(tmp_path / "source.tar", [layer(PLAIN)]))
    with tarfile.open(archive) as files:
        content = {member.name: files.extractfile(member).read() for member in files}
    blobs = {name: data for name, data in content.items() if name.startswith("blobs/sha256/")}
    assert {name.split("/")[-1]: sha256_bytes(data) for name, data in blobs.items()} == {
        sha256_bytes(data): sha256_bytes(data) for data in blobs.values()
    }
    (entry,) = json.loads(content["index.json"])["manifests"]
    manifest = json.loads(blobs[f"blobs/sha256/{entry['digest'][7:]}"])
    named = [manifest["config"], *manifest["layers"]]
    assert [(one["digest"][7:], one["size"]) for one in named] == [
        (sha256_bytes(blobs[f"blobs/sha256/{one['digest'][7:]}"]),
         len(blobs[f"blobs/sha256/{one['digest'][7:]}"])) for one in named
    ]  # fmt: skip


def test_the_id_of_a_local_base_is_a_function_of_its_root_and_labels(tmp_path):
    root = tmp_path / "rootfs.tar"
    root.write_bytes(layer(PLAIN))
    ids = [
        write_image_archive(root, tmp_path / f"{i}.tar", labels, "amd64")
        for i, labels in enumerate([{"a": "1"}, {"a": "1"}, {"a": "2"}])
    ]
    assert ids[0] == ids[1] != ids[2]
    assert (tmp_path / "0.tar").read_bytes() == (tmp_path / "1.tar").read_bytes()
    images = SavedImages(tmp_path / "0.tar")
    assert list(images.images) == [ids[0]]
    images.close()
