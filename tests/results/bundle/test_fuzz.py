"""Random damages of a good bundle: never a traceback, never "all as they were" over changed content.

`TONEGAP_FUZZ=400 pytest tests/results/bundle/test_fuzz.py` tries that many instead of a few; the seed is fixed.
"""

import io
import json
import os

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.results.bundle.foreign_bundles import contents, fitted, write_zip
from tests.results.bundle.test_bundle import verify

from tonegap.results.bundle.pack import pack_suite

N = int(os.environ.get("TONEGAP_FUZZ", "30"))
VERDICT = "all as they were"
ODD = [
    None,
    -1,
    2**70,
    0.5,
    1e308,
    "",
    "\x1b[2J\n",
    "../../x",
    "a" * 5000,
    [],
    {},
    [[]],
    True,
    "\ud800",
    "0" * 64,
]


@pytest.fixture
def bundle(root, store, tmp_path):
    path = tmp_path / "tiny.tonegap.zip"
    pack_suite(root, store.folder, "tiny", path, allow_incomplete=True)
    return path


def flipped(rng, content):
    """Some bytes changed."""
    out = bytearray(content)
    for _ in range(int(rng.integers(1, 8))):
        out[int(rng.integers(len(out)))] ^= int(rng.integers(1, 256))
    return bytes(out)


def cut(rng, content):
    return content[: int(rng.integers(len(content)))]


def doubled(rng, content):
    """A piece of it twice."""
    a, b = sorted(int(i) for i in rng.integers(len(content), size=2))
    return content[:b] + content[a:]


def odd_field(rng, content):
    """One value somewhere in a JSON document replaced, removed or renamed."""
    document = json.loads(content)
    place = document
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return content
        key = keys[int(rng.integers(len(keys)))]
        if not isinstance(place[key], dict | list) or not place[key] or rng.random() < 0.15:
            break
        place = place[key]
    how = int(rng.integers(4))
    if how == 0:
        del place[key]
    elif how == 1 and isinstance(place, dict):
        place[str(key) + "x"] = place.pop(key)
    else:
        place[key] = ODD[int(rng.integers(len(ODD)))]
    return json.dumps(document).encode()


def odd_table(rng, content):
    """A Parquet table with another column, type, row or cell."""
    columns = pq.read_table(io.BytesIO(content)).to_pydict()
    name = list(columns)[int(rng.integers(len(columns)))]
    how = int(rng.integers(5))
    if how == 0:
        del columns[name]
    elif how == 1:
        columns[f"{name}x"] = columns[name]
    elif how == 2:
        columns = {key: values[:-1] for key, values in columns.items()}
    elif how == 3:
        columns[name] = [str(value).encode() for value in columns[name]]
    else:
        columns[name][int(rng.integers(len(columns[name])))] = None
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def damaged_file(rng, name, content):
    ways = [flipped, cut, doubled]
    if name.endswith(".json"):
        ways += [odd_field] * 4
    if name.endswith(".parquet"):
        ways += [odd_table] * 3
    return ways[int(rng.integers(len(ways)))](rng, content)


def damaged(rng, path, out):
    """One random damage; the new file, and whether any content is another than before."""
    files = contents(path)
    names = [name for name in files if files[name] and not name.startswith("specs/")]
    name, other = (names[int(i)] for i in rng.integers(len(names), size=2))
    how = int(rng.integers(6))
    if how == 0:  # the archive itself
        ways = [flipped, cut, doubled]
        out.write_bytes(ways[int(rng.integers(3))](rng, path.read_bytes()))
        return out
    if how == 1:  # two members swapped
        files[name], files[other] = files[other], files[name]
    elif how == 2:
        del files[name]
    else:
        files[name] = damaged_file(rng, name, files[name])
    fits = how > 2 and name not in {"bundle.json", "ro-crate-metadata.json"} and rng.random() < 0.8
    return write_zip(out, fitted(files) if fits else files)


def readable(path):
    """The content of an archive, or None."""
    try:
        return contents(path)
    except Exception:  # noqa: BLE001 (whatever zipfile says: then it must not verify either)
        return None


def numbers_of(files):
    """What a verdict is about: records, predictions and truth, JSON by its values."""
    return {
        name: json.dumps(json.loads(content), sort_keys=True).encode()
        if name.endswith(".json")
        else content
        for name, content in files.items()
        if name.startswith(("records/", "truth/", "stages/"))
    }


# Of a record what only its maker knows: no check can tell another value of these from the true one.
CLAIMS = (
    "circumstances",
    "leaks",
    "data",
    "task",
    "published_selection",
    "primary_metric",
    "tone_at_test",
)


def claimed(files):
    """The numbers without what is a claim: those that `verify` answers for."""
    found = {}
    for name, content in numbers_of(files).items():
        if name.startswith("records/"):
            record = json.loads(content)
            found[name] = {key: value for key, value in record.items() if key not in CLAIMS}
            found[name]["partitions"] = {
                part: of for part, of in record["partitions"].items() if part != "train"
            }
        elif not name.endswith("stage.json"):
            found[name] = content
    return found


def test_a_damaged_bundle_never_ends_in_a_traceback_and_never_verifies_over_other_numbers(
    bundle, tmp_path, capsys
):
    rng, good = np.random.default_rng(20), claimed(contents(bundle))
    codes = []
    for i in range(N):
        path = damaged(rng, bundle, tmp_path / f"{i}.zip")
        code, said = verify(
            path, capsys
        )  # anything but SystemExit fails here, with its damage in the folder
        codes.append(code or 0)
        assert "Traceback" not in said
        assert said.isprintable() or said.replace("\n", "").isprintable()
        if VERDICT in said.rstrip().rpartition("\n")[2]:
            files = readable(path)
            assert files is not None, path
            assert claimed(files) == good, path
            assert code in (0, None)
        else:
            assert code in (1, 2), path
            path.unlink()
    assert codes.count(0) < N / 4
    assert {1, 2} <= set(codes)
