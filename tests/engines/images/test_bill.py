"""A bill of materials of an image whose layers are made here file by file."""

import json
import re

import pytest
from click.testing import CliRunner

from tonegap.cli.image import command
from tonegap.engines.images.bill import bill_of
from tonegap.engines.images.layout import Layout, base_config, layout_folder
from tonegap.engines.images.recipe import cache_folder
from tonegap.engines.images.tarring import write_files
from tonegap.errors import EngineError
from tonegap.files import canonical_json
from tonegap.formats.cyclonedx import encode_bill
from tonegap.formats.image_lock import BoundEnvironment, ImageLock, LockedImage, write_lock

ROOT_FILES = {
    "/usr/lib/os-release": b'ID=debian\nVERSION_ID="12"\n',
    "/usr/share/doc/libc6/copyright": b"Format: https://example.org/\n\nFiles: *\nLicense: LGPL-2.1\n"
    b" Words.\n\nFiles: a\nLicense: GPL-2+\n\nFiles: b\nLicense: LGPL-2.1\n",
    "/usr/share/doc/dash/copyright": b"It may be used.\nLicense: not a field\n",
}
WHEELS = {
    "/opt/site/Torch_Vision-1.0+cu.dist-info/METADATA": b"Name: Torch_Vision\nVersion: 1.0+cu\n"
    b"License: MIT\nClassifier: License :: OSI Approved :: BSD License\n\nLicense: Words\n",
    "/opt/site/six-2.dist-info/METADATA": b"Name: six\nVersion: 2\nLicense-Expression: MIT OR Apache-2.0\n",
    "/opt/site/old-3.dist-info/METADATA": b"Name: old\nVersion: 3\nLicense: "
    + b"x" * 300
    + b"\nClassifier: License :: OSI Approved :: BSD License\n",
    "/opt/site/bare-4.dist-info/METADATA": b"Name: bare\nVersion: 4\nLicense: UNKNOWN\n",
    "/opt/site/six-2.dist-info/RECORD": b"",
}
DEBIAN = {"libc6:amd64": "2.36-9+deb12u1", "dash": "1:0.5"}


@pytest.fixture
def root(tmp_path):
    """A suite root with an image `baselines/first` of wheels on an image `base-local` of Debian's packages."""
    (tmp_path / "pyproject.toml").write_text("[tool.tonegap]\n")
    layout = Layout(layout_folder(cache_folder(tmp_path)))
    layers = []
    for files in (ROOT_FILES, WHEELS):
        with layout.incoming() as sink:
            write_files(sink, files)
        layers.append(layout.layer(sink.digest))
    hashed = type(layers[1])(
        **{name: getattr(layers[1], name) for name in ("diff_id", "size", "content")},
        hashes={"torch-vision": "ab" * 32},
    )
    layout.keep("wheels", [hashed])
    lock = ImageLock()
    for name, base, n, debian in (
        ("base-local", "", 1, DEBIAN),
        ("baselines/first", "base-local", 2, {}),
    ):
        config = base_config("amd64")
        config["rootfs"]["diff_ids"] = [one.diff_id for one in layers[:n]]
        image_id = layout.put_image(name, canonical_json(config))
        image = LockedImage(
            *(name, base, "5" * 64, "", image_id, "6" * 64, "linux/amd64", 1),
            environment=BoundEnvironment("/host/site", "7" * 64, {"numpy": "2.1"})
            if base
            else None,
            debian=debian,
        )
        lock = lock.with_image(image)
    (tmp_path / "docker").mkdir()
    write_lock(tmp_path, lock)
    return tmp_path


@pytest.fixture
def bill(root):
    return json.loads(encode_bill(bill_of(root, "baselines/first")))


def part(bill, name):
    (found,) = [one for one in bill["components"] if one["name"] == name]
    return found


def test_a_wheel_has_version_hash_and_the_licence_of_its_metadata(bill):
    torch = part(bill, "Torch_Vision")
    assert torch["version"] == "1.0+cu"
    assert torch["purl"] == "pkg:pypi/torch-vision@1.0%2Bcu"
    assert torch["hashes"] == [{"content": "ab" * 32, "alg": "SHA-256"}]
    assert torch["licenses"] == [{"license": {"name": "MIT"}}]


def test_an_expression_stays_one_and_a_licence_text_gives_way_to_the_classifier(bill):
    assert part(bill, "six")["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert part(bill, "old")["licenses"] == [{"license": {"name": "BSD License"}}]


def test_what_nobody_says_is_left_out(bill):
    assert set(part(bill, "bare")) == {"type", "bom-ref", "name", "version", "purl"}


def test_packages_of_debian_are_those_of_the_base_with_their_licences(bill):
    libc = part(bill, "libc6")
    assert libc["purl"] == "pkg:deb/debian/libc6@2.36-9%2Bdeb12u1?arch=amd64&distro=debian-12"
    assert [one["license"]["name"] for one in libc["licenses"]] == ["GPL-2+", "LGPL-2.1"]
    dash = part(bill, "dash")
    assert dash["purl"] == "pkg:deb/debian/dash@1%3A0.5?distro=debian-12"
    assert "licenses" not in dash


def test_packages_bound_from_the_host_are_named_as_such(bill):
    numpy = part(bill, "numpy")
    assert numpy["properties"] == [{"name": "tonegap:bound_folder_sha256", "value": "7" * 64}]


def test_the_document_has_the_form_of_cyclonedx(bill):
    assert (bill["bomFormat"], bill["specVersion"], bill["version"]) == ("CycloneDX", "1.6", 1)
    assert re.fullmatch(r"urn:uuid:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", bill["serialNumber"])
    image = bill["metadata"]["component"]
    assert (image["type"], image["name"]) == ("container", "baselines/first")
    assert image["hashes"] == [{"content": image["version"][7:], "alg": "SHA-256"}]
    references = [one["bom-ref"] for one in bill["components"]]
    assert len(set(references)) == len(references) == 7
    assert bill["dependencies"] == [{"ref": image["bom-ref"], "dependsOn": references}]


def test_the_command_prints_the_same_bytes_each_time(root):
    said = [
        CliRunner().invoke(command, ["sbom", "baselines/first", "--suite-root", str(root)])
        for _ in range(2)
    ]
    assert said[0].exit_code == 0, said[0].output
    assert (
        said[0].stdout == said[1].stdout == encode_bill(bill_of(root, "baselines/first")).decode()
    )


def test_an_image_that_is_not_here_is_one_sentence(root):
    with pytest.raises(
        EngineError, match=r"no image 'baselines/none'.*`tonegap image list` names them"
    ):
        bill_of(root, "baselines/none")
    layout = Layout(layout_folder(cache_folder(root)))
    layout.blob(layout.diff_ids(layout.id_of("baselines/first"))[1]).unlink()
    with pytest.raises(EngineError, match="is missing; run `tonegap image build baselines/first`"):
        bill_of(root, "baselines/first")
