"""Finds synthetic images that show a held-out image, by their pixels alone."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tonegap.synthetic.copies import Copy, find_copies
from tonegap.synthetic.findings import LeakFinding
from tonegap.synthetic.thumbnails import Thumbs, read_thumbs
from tonegap.synthetic.withheld import SAME_FILE, HeldOut

_SOURCES_SEEN = 64  # of one image; one that names more than these shows none of them


def showing(
    images: Mapping[str, tuple[Path, str]],
    sources: Mapping[str, Sequence[Path]],
    held: HeldOut,
) -> tuple[list[LeakFinding], int]:
    """Who shows a held-out image, and how many look like one but more like a source of their own.

    `images` maps a synthetic id to its file and content hash, `sources` to files of the real images it was made from.
    """
    same = dict(zip(held.sha256, range(len(held.ids)), strict=True))
    found = [
        LeakFinding(image_id, SAME_FILE, *held[same[sha256]])
        for image_id, (_path, sha256) in images.items()
        if sha256 in same
    ]
    done = {finding.image_id for finding in found}
    ids = [image_id for image_id in images if image_id not in done]
    mine = read_thumbs([images[image_id][0] for image_id in ids], both_views=False)
    n_explained = 0
    for copy in find_copies(mine, read_thumbs(held.paths, both_views=True)):
        if _is_nearer(mine, copy, sources.get(ids[copy.mine], ())[:_SOURCES_SEEN]):
            n_explained += 1
        else:
            found.append(LeakFinding(ids[copy.mine], copy.kind, *held[copy.other]))
    return sorted(found, key=lambda finding: finding.image_id), n_explained


def _is_nearer(mine: Thumbs, copy: Copy, sources: Sequence[Path]) -> bool:
    """Whether a picture is at least as much like one of its own sources as like the held-out one."""
    if not sources:
        return False
    picture = Thumbs(mine.grey[copy.mine : copy.mine + 1], np.zeros(1, np.int64))
    found = find_copies(picture, read_thumbs(sources, both_views=True))
    return bool(found) and found[0].likeness >= copy.likeness
