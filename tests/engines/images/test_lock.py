"""The lock file, and the image it gives to a plug-in."""

import msgspec
import pytest
from images_root import DOCKERFILE, make_environment, write

from tonegap.declared.plugin import read_plugin
from tonegap.engines.images.environment import bound_environment
from tonegap.engines.images.recipe import (
    cache_folder,
    foundation_of,
    read_recipe,
    source_sha256,
)
from tonegap.engines.images.resolve import image_of
from tonegap.errors import EngineError
from tonegap.files import readable_json
from tonegap.formats.image_lock import (
    ImageLock,
    LockedImage,
    lock_path,
    read_lock,
    write_lock,
)

LOCAL = "base-local"


def entry(root, name, base_id, environment=None):
    recipe = read_recipe(root, name, LOCAL)
    return LockedImage(
        name=name,
        base=recipe.base,
        source_sha256=source_sha256(root, recipe, LOCAL),
        base_id=base_id,
        image_id=f"sha256:{name}",
        content_sha256="c",
        platform="linux/amd64",
        size_bytes=1,
        environment=environment,
    )


@pytest.fixture
def lock(root, environment):
    bound = bound_environment(environment, ["torch"], cache_folder(root))
    images = [entry(root, "base-local", "")]
    images += [entry(root, "base-cuda", "sha256:base-local", bound)]
    images += [
        entry(root, f"baselines/{name}", "sha256:base-cuda", bound) for name in ("first", "second")
    ]
    found = ImageLock({image.name: image for image in images})
    write_lock(root, found)
    return found


def image(root, name="first"):
    return image_of(root, read_plugin(root, "baseline", name))


def test_a_lock_is_read_as_it_was_written(root, lock):
    assert read_lock(root) == lock


def test_the_order_of_building_leaves_no_trace(root, lock):
    again = ImageLock()
    for name in reversed(lock.images):
        again = again.with_image(lock.images[name])
    assert readable_json(again) == readable_json(ImageLock().with_image(lock.images["base-local"])
        .with_image(lock.images["base-cuda"]).with_image(lock.images["baselines/second"])
        .with_image(lock.images["baselines/first"]))  # fmt: skip


def test_a_misspelt_key_is_refused(root, lock):
    path = lock_path(root)
    path.write_text(path.read_text().replace('"image_id"', '"imageid"'))
    with pytest.raises(EngineError, match="not a lock of images"):
        read_lock(root)


def test_an_entry_under_another_name_is_refused(root, lock):
    write_lock(root, ImageLock({"baselines/other": lock.images["baselines/first"]}))
    with pytest.raises(EngineError, match="'baselines/other' holds the image 'baselines/first'"):
        read_lock(root)


def test_the_foundation_is_what_the_base_of_plug_ins_stands_on(lock):
    assert foundation_of(lock) == "base-local"
    pin = "somewhere/torch@sha256:" + "a" * 64
    assert (
        foundation_of(lock.with_image(msgspec.structs.replace(lock.images["base-cuda"], base=pin)))
        == pin
    )
    assert foundation_of(ImageLock()) == ""


def test_a_lock_of_an_earlier_kind_says_what_to_do(root, lock):
    path = lock_path(root)
    path.write_text(path.read_text().replace("tonegap/images@2", "tonegap/images@1"))
    with pytest.raises(EngineError, match=r"found schema 'tonegap/images@1'.*tonegap image build"):
        read_lock(root)


def test_a_missing_image_names_the_command_for_its_suite(root):
    plugin = read_plugin(root, "baseline", "first")
    with pytest.raises(EngineError, match="run `tonegap image build --suite tiny`"):
        image_of(root, plugin, "tiny")


def test_a_plug_in_gets_its_locked_image_while_nothing_changed(root, lock):
    assert image(root) == lock.images["baselines/first"]


def test_without_a_lock_the_command_that_makes_one_is_named(root):
    with pytest.raises(EngineError, match="run `tonegap image build baselines/first`"):
        image(root)


def test_a_changed_plug_in_refuses_its_image_and_no_other(root, lock):
    write(root / "baselines/first/train.py", "print('another')\n")
    with pytest.raises(EngineError, match="its sources changed since"):
        image(root)
    assert image(root, "second").name == "baselines/second"


@pytest.mark.parametrize("path", ["docker/kit/tonegap_kit/job.py", "docker/locks/kit.txt"])
def test_a_changed_kit_or_lock_refuses_every_image_that_has_it(root, lock, path):
    (root / path).write_text((root / path).read_text() + "# changed\n")
    for name in ("first", "second"):
        with pytest.raises(EngineError, match="base-cuda: its sources changed"):
            image(root, name)


def test_another_base_of_the_same_sources_refuses_what_stood_on_the_old_one(root, lock):
    rebuilt = msgspec.structs.replace(lock.images["base-cuda"], image_id="sha256:another")
    write_lock(root, lock.with_image(rebuilt))
    with pytest.raises(EngineError, match="base-cuda was built again since"):
        image(root)


def test_a_changed_bound_environment_refuses_the_image(root, lock, environment):
    write(environment / "torch" / "__init__.py", "__version__ = '9.2'\n")
    with pytest.raises(EngineError, match=r"the packages bound from .* changed"):
        image(root)


def test_images_on_one_base_never_run_with_different_environments(root, lock, tmp_path):
    other = make_environment(tmp_path / "other", {"torch": "9.2"})
    bound = bound_environment(other, ["torch"], cache_folder(root))
    rebound = msgspec.structs.replace(lock.images["base-cuda"], environment=bound)
    write_lock(root, lock.with_image(rebound))
    with pytest.raises(EngineError, match="base-cuda has another environment bound since"):
        image(root)


def test_a_dockerfile_on_another_base_refuses_the_image(root, lock):
    on_diffusion = DOCKERFILE.replace("BASE_IMAGE\n", "BASE_IMAGE=base-diffusion\n", 1)
    write(root / "baselines/first/Dockerfile", on_diffusion)
    with pytest.raises(EngineError, match="now stands on base-diffusion, the image on base-cuda"):
        image(root)


def test_a_method_without_stages_has_no_image(root, lock):
    with pytest.raises(EngineError, match="methods/bare: has no stages"):
        image_of(root, read_plugin(root, "method", "bare"))
