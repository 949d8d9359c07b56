"""Images written for real without any engine: on this machine's own Python, from locks of tiny wheels."""

import io
import json
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from click.testing import CliRunner
from images_root import make_environment, make_small, write
from own_engine import root_of_python
from small_wheel import lock_wheels

from tonegap.cli.image import command
from tonegap.engines.images.build import BuildRequest, build_images
from tonegap.engines.images.layout import Layout, layout_folder, open_layout
from tonegap.engines.images.recipe import cache_folder
from tonegap.engines.images.transport import export_images, import_images
from tonegap.engines.images.verify import list_images, verify_images
from tonegap.errors import EngineError
from tonegap.formats.image_lock import read_lock, write_lock

NAMES = ("baselines/first", "methods/drawn")
OTHER_TORCH = {"torch": "9.2", "torchvision": "8.1"}


@pytest.fixture(scope="module", autouse=True)
def no_engine():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
        yield


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    """Makes a root in a new folder; all of them have the same root file system and wheels."""
    folder = tmp_path_factory.mktemp("written")
    (folder / "wheels").mkdir()
    (folder / "root.tar").write_bytes(root_of_python())
    return lambda name: make_small(folder / name, folder / "wheels", folder / "root.tar")


def build(root, *names, **more):
    """The lock after a build, and what was said."""
    said = []
    return build_images(root, BuildRequest(names, **more), said.append), said


@pytest.fixture(scope="module")
def first(make):
    """A root whose images are built on wheels, as nothing else was asked for, and what was said."""
    root = make("first")
    return root, build(root, *NAMES)[1]


@pytest.fixture
def root(first):
    """The root as built; a test may change its lock."""
    before = read_lock(first[0])
    yield first[0]
    write_lock(first[0], before)


@pytest.fixture
def copy(first, tmp_path):
    """The root as built, elsewhere, to be changed."""
    return shutil.copytree(first[0], tmp_path / "copy")


def layout_of(root):
    return Layout(layout_folder(cache_folder(root)))


def files_of(root, name):
    """Every file of an image by name, those of higher layers in place of lower ones."""
    layout, found = layout_of(root), {}
    for diff_id in layout.diff_ids(read_lock(root).images[name].image_id):
        with tarfile.open(layout.blob(diff_id)) as layer:
            for member in layer.getmembers():
                if member.isreg():
                    found[member.name] = layer.extractfile(member).read()
    return found


def test_wheels_are_the_foundation_where_nothing_else_is_asked_for(root):
    images = read_lock(root).images
    assert {name: image.base for name, image in images.items()} == {
        "base-local": "", "base-torch": "base-local", "base-cuda": "base-torch",
        "base-diffusion": "base-cuda", "baselines/first": "base-cuda", "methods/drawn": "base-diffusion",
    }  # fmt: skip


def test_the_same_sources_give_the_same_images_in_another_folder(root, make):
    other, _ = build(make("second"), *NAMES)
    assert other == read_lock(root)


def test_an_image_holds_its_plug_in_the_kit_and_the_locked_packages(root):
    files = files_of(root, "methods/drawn")
    wanted = {
        "plugin/method.toml",
        "kit/tonegap_kit/job.py",
        "opt/site/torch.py",
        "opt/python/numpy.py",
        "opt/diffusion/diffusers.py",
    }
    assert wanted <= set(files)
    assert b"9.1" in files["opt/site/torch.py"]


def test_python_of_the_image_takes_the_compiled_files(root):
    files = files_of(root, "base-cuda")
    (compiled,) = [name for name in files if name.startswith("opt/python/__pycache__/numpy.")]
    code = "import importlib.util, sys; sys.stdout.buffer.write(importlib.util.MAGIC_NUMBER)"
    magic = subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, check=True).stdout
    unchecked_hash = (1).to_bytes(4, "little")
    assert files[compiled][:8] == magic + unchecked_hash
    assert b"/opt/python/numpy.py" in files[compiled]


def test_stages_start_as_nobody_special_in_the_plug_ins_folder_with_packages_in_order(root):
    config = layout_of(root).config(read_lock(root).images["methods/drawn"].image_id)["config"]
    assert (config["User"], config["WorkingDir"]) == ("1000:1000", "/plugin")
    assert "PYTHONPATH=/kit:/opt/diffusion:/opt/python:/opt/site" in config["Env"]
    assert "NVIDIA_VISIBLE_DEVICES=void" in config["Env"]
    assert b"runner:x:1000:1000" in files_of(root, "methods/drawn")["etc/passwd"]


def test_versions_are_those_of_the_locks_and_of_the_images_python(root):
    versions = read_lock(root).images["methods/drawn"].versions
    named = {name: versions[name] for name in ("torch", "torchvision", "numpy", "diffusers")}
    assert named == {"torch": "9.1", "torchvision": "8.1", "numpy": "2.0", "diffusers": "1.0"}
    here = subprocess.run(["/usr/bin/python3", "-V"], capture_output=True, text=True, check=True)
    assert here.stdout.split() == ["Python", versions["python"]]


def test_a_build_says_what_it_writes_as_it_goes(first):
    said = first[1]
    for words in (
        "base-torch: building",
        "base-torch: fetching torch-9.1",
        "base-torch: layer 1 of 1: 2 more",
    ):
        assert any(line.startswith(words) for line in said), said


def test_building_again_builds_nothing(root):
    before = read_lock(root)
    lock, said = build(root, *NAMES)
    assert lock == before
    assert {line.split(": ")[1].split(",")[0] for line in said} == {"current"}


def test_a_lost_lock_is_found_again_without_writing_a_layer(root):
    before = read_lock(root)
    (root / "docker" / "images.lock.json").unlink()
    (layout_folder(cache_folder(root)) / "layers.json").unlink()
    lock, said = build(root, *NAMES)
    assert lock == before
    assert not any("building" in line for line in said)


def test_plug_ins_share_the_blobs_of_their_base(root):
    layout, images = layout_of(root), read_lock(root).images
    own = {name: layout.diff_ids(images[name].image_id) for name in (*NAMES, "base-cuda")}
    shared = own["base-cuda"]
    assert all(own[name][: len(shared)] == shared for name in NAMES)
    assert len(own["baselines/first"]) == len(shared) + 1


def test_another_torch_writes_its_layer_and_what_stands_on_it_keeps_its_own(copy, first):
    root = copy
    layout, before = layout_of(root), read_lock(root).images
    build(root, *NAMES)
    old = layout.diff_ids(before["baselines/first"].image_id)
    lock_wheels(root / "docker/locks/torch.txt", first[0].parent / "wheels", OTHER_TORCH)
    lock, _ = build(root, *NAMES)
    new = layout_of(root).diff_ids(lock.images["baselines/first"].image_id)
    assert [a == b for a, b in zip(old, new, strict=True)] == [True, False, True, True, True, True]
    assert not layout.blob(old[1]).exists()


def test_a_plug_ins_own_wheels_come_first(copy, first):
    root = copy
    folder = root / "baselines" / "first"
    lock_wheels(folder / "requirements.txt", first[0].parent / "wheels", {"torch": "7.0"})
    build(root, "baselines/first")
    image = read_lock(root).images["baselines/first"]
    assert image.versions["torch"] == "7.0"
    env = layout_of(root).config(image.image_id)["config"]["Env"]
    assert "PYTHONPATH=/opt/own:/kit:/opt/python:/opt/site" in env


def test_a_bound_environment_is_proved_by_the_images_python(copy, tmp_path):
    root = copy
    lock, _ = build(
        root, "baselines/first", base="local", environment=make_environment(tmp_path / "site")
    )
    assert lock.images["base-cuda"].base == "base-local"
    assert lock.images["baselines/first"].environment.versions == {
        "torch": "9.1",
        "torchvision": "8.1",
    }
    empty = make_environment(tmp_path / "other", {"torchvision": "8.1"})
    with pytest.raises(EngineError, match=r"base-cuda: .*No module named 'torch'"):
        build(root, "baselines/first", base="local", environment=empty)


def test_a_dockerfile_that_runs_something_asks_for_an_engine(copy):
    root = copy
    path = root / "baselines/first/Dockerfile"
    write(path, path.read_text() + "RUN true\n")
    with pytest.raises(EngineError, match="no container engine answers"):
        build(root, "baselines/first")


def test_two_builds_never_write_at_once(root):
    with open_layout(cache_folder(root)), pytest.raises(EngineError, match="another build"):
        build(root, *NAMES)


def test_lock_sources_and_images_agree_after_a_build(root):
    assert verify_images(root, NAMES) == []
    states = {state.name: state.state for state in list_images(root)}
    assert states.pop("baselines/second") == states.pop("base-features") == "not built"
    assert set(states.values()) == {"current"}


def test_a_damaged_layer_is_named_once_for_each_image_that_has_it(copy):
    root = copy
    layout = layout_of(root)
    blob = layout.blob(layout.diff_ids(read_lock(root).images["base-cuda"].image_id)[1])
    content = blob.read_bytes()
    blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    found = verify_images(root, ())
    damaged = [text for text in found if "is not what its name says" in text]
    assert sorted(text.split(":")[0] for text in damaged) == [
        "base-cuda", "base-diffusion", "base-torch", "baselines/first", "methods/drawn"
    ]  # fmt: skip


def test_verify_ends_with_code_2_where_sources_changed(root):
    path = root / "baselines/first/train.py"
    text = path.read_text()
    try:
        write(path, "print('other')\n")
        done = CliRunner().invoke(command, ["verify", "--suite-root", str(root), *NAMES])
    finally:
        write(path, text)
    assert done.exit_code == 2
    assert "baselines/first: its sources changed since its image was built" in done.stderr


def test_a_suite_names_what_has_to_be_built(copy):
    root = copy
    entries = '[[entries]]\nmethods = ["bare"]\nbaselines = ["second"]\n'
    suite = write(
        root / "one.toml", f'title = "One"\nabout = "x"\ntasks = ["a/b"]\nseeds = [0]\n{entries}'
    )
    done = CliRunner().invoke(command, ["build", "--suite", str(suite), "--suite-root", str(root)])
    assert done.exit_code == 0, done.output
    assert {"base-local", "base-torch", "base-cuda", "baselines/second"} < set(
        read_lock(root).images
    )
    assert "a run gives them to the engine" in done.output


def damaged(root, name, what):
    """Breaks a store: the index, or an image's manifest, config or top layer; gives the file and what it held."""
    layout, image_id = layout_of(root), read_lock(root).images[name].image_id
    manifest, config, *layers = layout.parts(image_id)
    blobs = {"manifest": manifest, "config": config, "layer": layers[-1]}
    path = layout.blob(blobs[what]) if what in blobs else layout.folder / "index.json"
    held = path.read_bytes()
    path.write_text("{}" if what in blobs else what)
    return path, held


BROKEN = [
    "[]", '{"manifests":[{}]}', '{"manifests":5}', '{"manifests":' + "[" * 99999,
    "manifest", "config", "layer",
]  # fmt: skip


def test_a_broken_store_is_a_sentence_of_verify_and_export(copy, tmp_path):
    for what in BROKEN:
        path, held = damaged(copy, "methods/drawn", what)
        (said,) = verify_images(copy, ["methods/drawn"])
        with pytest.raises(EngineError) as caught:
            export_images(copy, tmp_path / "taken", ["methods/drawn"], lambda _said: None)
        for text in (said, str(caught.value)):
            assert text.startswith("methods/drawn: "), what
            assert any(word in text for word in ("is no index", "its name says", "no manifest"))
        states = {state.name: state.state for state in list_images(copy)}
        assert states["methods/drawn"] == "not here"
        path.write_bytes(held)
    assert verify_images(copy, ["methods/drawn"]) == []


@pytest.mark.parametrize("what", ["[]", "layer"])
def test_a_build_writes_anew_what_is_broken(copy, what):
    before = read_lock(copy)
    damaged(copy, "methods/drawn", what)
    assert build(copy, "methods/drawn")[0] == before
    assert verify_images(copy, ["methods/drawn"]) == []


def test_a_build_reads_a_blob_of_the_same_size_that_was_changed(copy):
    before = read_lock(copy)
    build(copy, "methods/drawn")
    layout = layout_of(copy)
    blob = layout.blob(layout.diff_ids(before.images["methods/drawn"].image_id)[-1])
    content = blob.read_bytes()
    blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    after, said = build(copy, "methods/drawn")
    assert f"methods/drawn: {blob} is not what its name says; written anew" in said
    assert (after, blob.read_bytes()) == (before, content)
    assert build(copy, "methods/drawn")[1][-1].startswith("methods/drawn: current, ")


def test_a_build_reads_no_blob_again_that_is_unchanged(copy):
    """One whose stamp is as it was is trusted: of one flipped byte with its old time only `verify` knows."""
    build(copy, "methods/drawn")
    layout = layout_of(copy)
    blob = layout.blob(layout.diff_ids(read_lock(copy).images["methods/drawn"].image_id)[-1])
    stamp, content = blob.stat(), blob.read_bytes()
    blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(blob, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    assert build(copy, "methods/drawn")[1][-1].startswith("methods/drawn: current, ")
    assert "is not what its name says" in verify_images(copy, ["methods/drawn"])[0]
    (layout.folder / "read.json").write_text("{")
    assert "is not what its name says; written anew" in "".join(build(copy, "methods/drawn")[1])


def test_a_damaged_blob_is_never_written_into_an_archive(copy, tmp_path):
    layout = layout_of(copy)
    blob = layout.blob(layout.diff_ids(read_lock(copy).images["methods/drawn"].image_id)[-1])
    content = blob.read_bytes()
    blob.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(EngineError, match=r"^methods/drawn: .* is not what its name says; run"):
        export_images(copy, tmp_path / "taken", (), lambda _said: None)
    assert list((tmp_path / "taken").iterdir()) == []


def test_verify_without_names_is_about_what_the_lock_has(root):
    done = CliRunner().invoke(command, ["verify", "--suite-root", str(root)])
    assert done.exit_code == 0, done.output
    assert done.output.splitlines() == [
        "1 plug-in with stages not in the lock, not verified",
        "Lock, sources and images agree.",
    ]


def test_a_folder_without_an_archive_is_refused_though_all_images_are_here(root, tmp_path):
    with pytest.raises(EngineError, match=r"no archive images\.oci\.tar; wanted the folder"):
        import_images(root, tmp_path / "nowhere", (), lambda _said: None)


@pytest.mark.parametrize("verb", [export_images, import_images])
def test_an_images_name_or_folder_is_no_folder_for_an_archive(root, verb):
    for folder in (Path("methods/drawn"), root / "methods" / "drawn"):
        with pytest.raises(EngineError, match="wanted the folder of an archive"):
            verb(root, folder, (), lambda _said: None)
    assert not (root / "methods" / "drawn" / "images.oci.tar").exists()


def test_import_takes_what_the_archive_has_and_says_so(root, make, tmp_path):
    export_images(root, tmp_path / "one", ("methods/drawn",), lambda _said: None)
    other, said = make("partly"), []
    shutil.copy(root / "docker/images.lock.json", other / "docker")
    import_images(other, tmp_path / "one", (), said.append)
    assert said[0].endswith("images.oci.tar: has 1 of the 6 images of the lock")
    assert [line.split(":")[0] for line in said[1:]] == ["methods/drawn"]
    assert verify_images(other, ["methods/drawn"]) == []


def forged(path, index):
    """An archive with another index."""
    other = path.with_name("other.tar")
    with tarfile.open(path) as source, tarfile.open(other, "w") as target:
        for member in source.getmembers():
            content = source.extractfile(member)
            if member.name == "index.json":
                member.size, content = len(index), io.BytesIO(index)
            target.addfile(member, content)
    other.replace(path)


def test_a_forged_index_is_refused_and_no_name_of_it_is_taken(archive, make, root):
    other = make("forged")
    shutil.copy(root / "docker/images.lock.json", other / "docker")
    with tarfile.open(archive) as files:
        entries = json.load(files.extractfile("index.json"))["manifests"]
    for entry in entries:
        entry["annotations"] = {"org.opencontainers.image.ref.name": "\x1b[31m../../evil"}
    for index in (
        b"[]",
        b'{"manifests":[{"digest":5}]}',
        b'{"manifests":' + b"[" * 99999,
        json.dumps({"manifests": entries}).encode(),
    ):
        forged(archive, index)
        for names in ((), ("methods/drawn",)):
            with pytest.raises(EngineError, match=r" is refused: .*; fetch the archive") as caught:
                import_images(other, archive.parent, names, lambda _said: None)
            assert "\x1b" not in str(caught.value)
    assert [state.state for state in list_images(other) if state.name in NAMES] == ["not here"] * 2


@pytest.mark.parametrize("content", [bytes(range(256)), b"", None])
def test_a_lock_of_wheels_that_is_none_is_one_sentence(copy, content):
    lock = copy / "docker" / "locks" / "kit.txt"
    lock.unlink()
    if content is not None:
        lock.write_bytes(content)
    with pytest.raises(EngineError, match=r"kit\.txt: (no lock of wheels|found no package)"):
        build(copy, "baselines/first")
    assert any("kit.txt" in text for text in verify_images(copy, ["baselines/first"]))


@pytest.fixture
def archive(root, tmp_path):
    return export_images(root, tmp_path / "taken", (), lambda _said: None)


def test_an_archive_has_each_blob_once_and_members_for_its_folders(archive, root):
    with tarfile.open(archive) as files:
        names = files.getnames()
        kinds = {member.name: member.isdir() for member in files.getmembers()}
        index = json.load(files.extractfile("index.json"))
    assert len(names) == len(set(names))
    assert kinds["blobs"]
    assert kinds["blobs/sha256"]
    assert names.index("blobs/sha256") < min(
        i for i, name in enumerate(names) if name.startswith("blobs/sha256/")
    )
    refs = [one["annotations"]["org.opencontainers.image.ref.name"] for one in index["manifests"]]
    assert refs == sorted(name.replace("/", "-") for name in read_lock(root).images)


def test_the_same_images_give_the_same_archive(archive, root, tmp_path):
    again = export_images(root, tmp_path / "again", (), lambda _said: None)
    assert again.read_bytes() == archive.read_bytes()


def test_an_archive_brings_the_images_of_a_lock_to_another_machine(archive, make, root):
    other = make("elsewhere")
    shutil.copy(root / "docker/images.lock.json", other / "docker")
    import_images(other, archive.parent, (), lambda _said: None)
    assert verify_images(other, NAMES) == []


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_one_flipped_byte_is_refused_by_the_images_name(archive, make, root, share):
    other = make(f"flipped-{share}")
    shutil.copy(root / "docker/images.lock.json", other / "docker")
    content = bytearray(archive.read_bytes())
    content[int(len(content) * share)] ^= 1
    archive.write_bytes(content)
    with pytest.raises(
        EngineError, match=r"^[a-z-]+(/\w+)?: .* is refused: .*; fetch the archive again"
    ):
        import_images(other, archive.parent, (), lambda _said: None)
