"""Bundles and tables that unpack to far more than they are: refused in a sentence, in little memory."""

import bz2
import io
import json
import struct
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.results.bundle.foreign_bundles import contents, fitted, measured, place, write_zip
from tests.results.bundle.test_bundle import verify

from tonegap.errors import BadRequest
from tonegap.files import sha256_bytes
from tonegap.results.bundle.archive import extract
from tonegap.results.bundle.pack import pack_suite

MOST_MIB = 500


@pytest.fixture
def bundle(root, store, tmp_path):
    path = tmp_path / "tiny.tonegap.zip"
    pack_suite(root, store.folder, "tiny", path, allow_incomplete=True)
    return path


def parquet(columns, **options):
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, compression="zstd", **options)
    return out.getvalue()


def numbers(n, value=0.5):
    return pa.array(np.full(n, value))


def table(n, ids):
    return {"image_id": ids, "p_benign": numbers(n), "p_malignant": numbers(n)}


def repeated(text, n, kind):
    """One value n times, held once in memory."""
    values = pa.array([text], kind)
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), values)


def as_declared(array, kind):
    """The coded column as if it were a plain one: the file holds the value once."""
    schema = pa.schema([("image_id", kind)])
    return pa.Table.from_arrays([array.cast(kind)], schema=schema)["image_id"]


def a_binary_column():
    return parquet(
        {
            **table(4000, pa.array(["x"] * 4000)),
            "p_z": as_declared(repeated(b"x" * 10_000, 4000, pa.binary()), pa.binary()),
        }
    )


def a_string_view_column():
    return parquet({**table(4000, pa.array(["x" * 10_000] * 4000, pa.string_view()))})


def a_json_column():
    text = json.dumps("x" * 10_000)
    return parquet(table(2000, pa.array([text] * 2000, pa.json_(pa.string()))))


def a_fixed_binary_column():
    return parquet(table(100, pa.array([b"x" * 100_000] * 100, pa.binary(100_000))))


def a_decimal_column():
    return parquet({**table(9, pa.array(["x"] * 9)), "p_z": pa.array([1] * 9, pa.decimal128(38))})


def a_list_column():
    return parquet({**table(9, pa.array(["x"] * 9)), "p_z": pa.array([[1.0] * 1000] * 9)})


def sixty_million_rows():
    n = 60_000_000
    columns = {"image_id": pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int8)), ["x"])}
    return parquet({**columns, "p_benign": numbers(n, 0.0), "p_malignant": numbers(n, 1.0)})


def one_text_many_times():
    return parquet(table(100_000, repeated("x" * 100_000, 100_000, pa.string())))


def a_text_in_each_of_many_row_groups():
    return parquet(table(2000, pa.array(["x" * 1_000_000] * 2000)), row_group_size=10)


def varint(value):
    """As the footer of a Parquet file spells it (zigzag)."""
    value, out = value << 1, b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def a_footer_that_lies():
    """A page of 400 MB, of which the footer says that it has 2 MB."""
    n = 50_000_000
    big = io.BytesIO()
    pq.write_table(
        pa.table({"p_benign": numbers(n)}), big, compression="zstd", use_dictionary=False,
        row_group_size=n, data_page_size=1 << 30, write_statistics=False,
    )  # fmt: skip
    content = big.getvalue()
    size = struct.unpack("<I", content[-8:-4])[0]
    footer = content[-8 - size : -8]
    column = pq.read_metadata(big).row_group(0).column(0).total_uncompressed_size
    for said, lie in ((column, 300_000_000), (column, 300_000_000), (n, 2_100_000)):
        assert len(varint(said)) == len(varint(lie))
        footer = footer.replace(varint(said), varint(lie))
    return content[: -8 - size] + footer + content[-8:]


TABLES = [
    a_binary_column,
    a_string_view_column,
    a_json_column,
    a_fixed_binary_column,
    a_decimal_column,
    a_list_column,
    sixty_million_rows,
    one_text_many_times,
    a_text_in_each_of_many_row_groups,
    a_footer_that_lies,
]


def test_tables_that_unpack_to_far_more_than_they_are_are_refused_in_little_memory(
    bundle, tmp_path
):
    (tmp_path / "t.csv").write_text("image_id,label,tone\nx,benign,I-II\n")
    files, commands, names = contents(bundle), [], []
    stage = place(files, "stages/", ".parquet")
    for make in TABLES:
        content, name = make(), tmp_path / make.__name__
        forged = write_zip(name.with_suffix(".zip"), fitted(files | {stage: content}))
        name.with_suffix(".parquet").write_bytes(content)
        assert len(content) < 2 << 20
        commands += [
            ["verify", forged],
            ["score", f"{name}.parquet", "--truth", tmp_path / "t.csv"],
        ]
        names += [make.__name__] * 2
    for name, words, ended in zip(names, commands, measured(*commands), strict=True):
        assert ended.code == (1 if words[0] == "verify" else 2), (name, ended)
        assert "as they were" not in ended.said
        if words[0] == "score":
            assert ended.said.count("\n") == 1, (name, ended)
        assert ended.peak < MOST_MIB, (name, ended)


def with_member(bundle, path, name, content, **options):
    """The bundle with one more member, written as `options` say."""
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for member in old.infolist():
            new.writestr(member.filename, old.read(member))
        new.writestr(name, content, **options)
    return path


def test_members_of_zeros_are_refused_before_they_are_unpacked(bundle, tmp_path):
    names = ["stages/aa/x/predictions.csv", "records/x.json", "x.bin"]
    zeros = bytes(100 << 20)
    for i, name in enumerate(names):
        forged = with_member(bundle, tmp_path / f"{i}.zip", name, zeros)
        assert forged.stat().st_size < 1 << 20
        with pytest.raises(BadRequest, match="104,857,600 bytes"):
            extract(forged, tmp_path / "open")
    assert not (tmp_path / "open").exists()
    forgeries = (tmp_path / f"{i}.zip" for i in range(len(names)))
    sound, *ended = measured(["verify", bundle], *(["verify", path] for path in forgeries))
    assert sound.code == 0, sound
    assert all(e.code != 0 and e.peak < sound.peak + 50 for e in ended), (sound, ended)


def test_a_member_that_is_larger_than_it_says_is_damaged(bundle, tmp_path):
    forged = with_member(bundle, tmp_path / "b.zip", "x.bin", bytes(3 << 20))
    content = forged.read_bytes().replace(struct.pack("<I", 3 << 20), struct.pack("<I", 1000))
    forged.write_bytes(content)
    with pytest.raises(BadRequest, match=r"'x\.bin': Bad CRC-32"):
        extract(forged, tmp_path / "open")
    assert (tmp_path / "open/x.bin").stat().st_size <= 1000


def test_two_members_of_one_name_are_refused(bundle, tmp_path):
    with pytest.warns(UserWarning, match="Duplicate name"):
        forged = with_member(bundle, tmp_path / "b.zip", "bundle.json", b"{}")
    with pytest.raises(BadRequest, match=r"it holds 'bundle\.json' twice"):
        extract(forged, tmp_path / "open")


def test_one_file_by_two_spellings_is_refused(bundle, tmp_path):
    forged = with_member(bundle, tmp_path / "b.zip", "./bundle.json", b"{}")
    with pytest.raises(BadRequest, match="twice"):
        extract(forged, tmp_path / "open")


def test_a_member_that_unpacks_without_a_bound_is_refused(bundle, tmp_path):
    forged = with_member(
        bundle, tmp_path / "b.zip", "x.json", bytes(9), compress_type=zipfile.ZIP_BZIP2
    )
    assert bz2.compress(bytes(9))[:3] in forged.read_bytes()
    with pytest.raises(BadRequest, match="by another way than deflate"):
        extract(forged, tmp_path / "open")


@pytest.mark.parametrize("name", ["a\x1b[2J.json", "a" * 300, "/".join("a" * 100), "a\\b"])
def test_a_name_that_no_file_of_a_bundle_has_is_refused(bundle, tmp_path, name):
    forged = with_member(bundle, tmp_path / "b.zip", name, b"{}")
    with pytest.raises(BadRequest, match=r"which is no (short name|file below a folder)"):
        extract(forged, tmp_path / "open")


def test_a_long_directory_is_not_read(tmp_path):
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for i in range(60_000):
            archive.writestr(f"{i:0250}", b"")
    with pytest.raises(BadRequest, match="its directory has"):
        extract(path, tmp_path / "open")


DEEP = b"[" * 100_000 + b"]" * 100_000


def test_deep_json_is_refused_in_a_sentence(bundle, tmp_path, capsys):
    files = contents(bundle)
    for start in ("bundle", "ro-crate", "suites/", "records/", "failures/"):
        name = place(files, start, ".json")
        for content in (
            DEEP,
            b'{"@graph":[],"@context":' + DEEP + b"}",
            b'{"entry":' + DEEP + b"}",
        ):
            changed = files | {name: content}
            forged = changed if start in ("bundle", "ro-crate") else fitted(changed)
            code, said = verify(write_zip(tmp_path / "b.zip", forged), capsys)
            assert code == 2
            assert said.startswith("error: ")
            assert said.count("\n") == 1
            assert "/tonegap-bundle-" not in said


def test_a_crate_of_two_million_nodes_takes_little_memory(bundle, tmp_path):
    files = contents(bundle)
    node = b'{"@id":"","@type":""},'
    noise = (
        np.random.default_rng(0).bytes(1_400_000).hex().encode()
    )  # or it compresses too well to be read
    files["ro-crate-metadata.json"] = (
        b'{"noise":"' + noise + b'","@graph":[' + node * 1_900_000 + node[:-1] + b"]}"
    )
    (ended,) = measured(["verify", write_zip(tmp_path / "b.zip", files)])
    # Read and found to be another, or not read at all, as memory is short.
    assert (ended.code, "sha256" in ended.said) in {(1, True), (2, False)}
    assert "Traceback" not in ended.said
    assert ended.peak < MOST_MIB


TRUTHS = {
    "not UTF-8": b"partition,image_id,label,tone,unit\ntest,\xff,benign,I-II,0\n",
    "without columns": b"",
    "with other columns": b"image_id,label\n",
    "unit no number": b"partition,image_id,label,tone,unit\ntest,a,benign,I-II,x\n",
    "a short row": b"partition,image_id,label,tone,unit\ntest,a,benign\n",
    "unknown label": b"partition,image_id,label,tone,unit\ntest,a,other,I-II,0\n",
    "unknown tone": b"partition,image_id,label,tone,unit\ntest,a,benign,VII,0\n",
    "a field of 200 kB": b"partition,image_id,label,tone,unit\ntest,"
    + b"a" * 200_000
    + b",benign,I-II,0\n",
    "an id twice": b"partition,image_id,label,tone,unit\n" + b"test,a,benign,I-II,0\n" * 2,
    "NUL": b"partition,image_id,label,tone,unit\ntest,a\0,benign,I-II,0\n",
    "an unclosed quote": b'partition,image_id,label,tone,unit\ntest,"a,benign,I-II,0\n',
    "a unit of 5,000 digits": b"partition,image_id,label,tone,unit\ntest,a,benign,I-II,"
    + b"1" * 5000
    + b"\n",
}


@pytest.mark.parametrize("name", TRUTHS)
def test_a_truth_that_is_none_names_its_cell(bundle, tmp_path, name, capsys):
    files = contents(bundle)
    old = place(files, "truth/")
    del files[old]
    sha256 = sha256_bytes(TRUTHS[name])
    files[f"truth/{sha256}.csv"] = TRUTHS[name]
    record = place(files, "records/")
    files[record] = files[record].replace(old[6:-4].encode(), sha256.encode())
    graph = json.loads(files["ro-crate-metadata.json"])
    for node in graph["@graph"]:
        node["@id"] = f"truth/{sha256}.csv" if node["@id"] == old else node["@id"]
    files["ro-crate-metadata.json"] = json.dumps(graph).encode()
    code, said = verify(write_zip(tmp_path / "b.zip", fitted(files)), capsys)
    assert code == 1
    state, named = said.split("\n")[:2]
    assert state.startswith("incomplete: 1 of 2 records are missing")
    assert named.startswith("none + erm (cnn4), d/t, seed 0: ")
