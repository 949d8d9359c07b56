"""An exported archive is taken only if it is the lock's, to the byte."""

import msgspec
import pytest
from saved_archives import layer, saved

from tonegap.engines.images.oci import write_oci_archive
from tonegap.engines.images.saved import SavedImages
from tonegap.engines.images.transport import archive_path, check_archive, locked_images
from tonegap.errors import EngineError
from tonegap.files import sha256_file
from tonegap.formats.image_lock import ImageLock, LockedImage


@pytest.fixture
def archive(tmp_path):
    """An archive in a folder, and the lock's entry for it."""
    images = SavedImages(saved(tmp_path / "saved.tar", [layer(("etc/a", b"a" * 3000, {}))]))
    (image,) = images.images.values()
    path = archive_path(tmp_path, "baselines/first")
    write_oci_archive(images, image, "linux/amd64", path)
    content = images.content_sha256(image.image_id)
    images.close()
    entry = LockedImage(
        name="baselines/first", base="base-cuda", source_sha256="s", base_id="b", size_bytes=1,
        image_id=image.image_id, content_sha256=content, platform="linux/amd64",
        archive_sha256=sha256_file(path),
    )  # fmt: skip
    return path, entry


def flip(path, place):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_the_locks_own_archive_is_taken(archive):
    path, entry = archive
    check_archive(entry, path)


@pytest.mark.parametrize("share", [0, 0.1, 0.3, 0.5, 0.7, 0.9, 0.999])
def test_a_flipped_byte_anywhere_is_refused_by_the_images_name(archive, share):
    path, entry = archive
    flip(path, int(share * path.stat().st_size))
    with pytest.raises(EngineError, match=r"^baselines/first: .* is refused: found sha256"):
        check_archive(entry, path)


def test_a_flipped_byte_of_a_layer_is_refused_where_the_lock_knows_no_archive(archive):
    path, entry = archive
    flip(path, path.read_bytes().index(b"aaaa"))
    with pytest.raises(EngineError, match=r"^baselines/first: .* is refused"):
        check_archive(msgspec.structs.replace(entry, archive_sha256=None), path)


def test_an_archive_of_another_image_is_refused_where_the_lock_knows_no_archive(archive):
    path, entry = archive
    other = msgspec.structs.replace(entry, archive_sha256=None, image_id="sha256:other")
    with pytest.raises(EngineError, match=r"^baselines/first: .* is refused"):
        check_archive(other, path)


def test_a_missing_archive_is_named(archive, tmp_path):
    with pytest.raises(EngineError, match=r"^baselines/first: no archive .*gone.oci.tar"):
        check_archive(archive[1], tmp_path / "gone.oci.tar")


def test_an_image_that_the_lock_lacks_is_answered_with_those_it_has(archive, tmp_path):
    lock = ImageLock({"baselines/first": archive[1]})
    with pytest.raises(EngineError, match=r"no image 'x'; there are: baselines/first"):
        locked_images(lock, tmp_path, ["x"])


def test_without_a_lock_nothing_can_be_imported(tmp_path):
    with pytest.raises(EngineError, match="no images are locked"):
        locked_images(ImageLock(), tmp_path, [])
