"""Assets: fetched from a server, gone on with after a stop, held against size and digest, and named by suites."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest
from quiet_server import QuietServer
from tiny_rooms import Command, Rooms, rooms, tonegap

from tonegap.declared.assets import Asset, asset_named
from tonegap.declared.suite import read_suite, with_parameters
from tonegap.errors import BadSuiteFolder
from tonegap.files import folder_digest

__all__ = ["rooms", "tonegap"]
CONTENT = bytes(range(256)) * 5000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@dataclass
class Served:
    """What the server does and was asked: it stops in the middle of the first answers, as often as told."""

    url: str = ""
    stops: int = 0
    endless: bool = False
    satisfies: bool = True
    content: bytes = CONTENT
    paths: set[str] = field(default_factory=lambda: {"/weights.pth"})
    sent: int = 0
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def served() -> Iterator[Served]:
    told = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = self.headers.get("Range")
            told.ranges.append(asked)
            begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
            if self.path not in told.paths:
                self.send_error(404)
                return
            if asked and not told.satisfies:
                self.send_error(416)
                return
            self.send_response(206 if asked else 200)
            if asked:
                size = len(told.content)
                self.send_header("Content-Range", f"bytes {begin}-{size - 1}/{size}")
            left = told.content[begin:]
            if not told.endless:
                self.send_header("Content-Length", str(len(left)))
            self.end_headers()
            with suppress(ConnectionError):
                while told.endless:
                    self.wfile.write(left)
                    told.sent += len(left)
            if told.endless:
                return
            if told.stops:
                told.stops -= 1
                left = left[: len(left) // 2]
            self.wfile.write(left)

        def log_message(self, *_: object) -> None:
            pass

    server = QuietServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    told.url = f"http://127.0.0.1:{server.server_port}/weights.pth"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def root(rooms: Rooms, served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A suite root with one asset that lies at the server, and a cache of its own."""
    monkeypatch.setenv("TONEGAP_ASSETS", str(tmp_path / "cache"))
    rooms.drawn()
    declare(rooms, served.url)
    return rooms.root


def kept(root: Path) -> list[Path]:
    """The files in the cache, but for locks."""
    return [p for p in (root.parent / "cache").rglob("*") if p.is_file() and p.name != ".lock"]


def declare(rooms: Rooms, url: str, **other: object) -> None:
    values = {"url": url, "size": len(CONTENT), "sha256": SHA256, "licence": "free"} | other
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    rooms.write(
        "benchmarks/assets.toml", "\n".join(["[assets.small]", 'about = "for tests"', *lines, ""])
    )


def test_a_file_is_fetched_once_and_is_then_as_declared(
    tonegap: Command, root: Path, served: Served
) -> None:
    assert tonegap("assets", "fetch", "small", "--suite-root", root) == 0
    assert asset_named(root, "small").path.read_bytes() == CONTENT
    assert tonegap("assets", "fetch", "--suite-root", root) == 0
    assert served.ranges == [None]
    assert tonegap("assets", "check", "--suite-root", root) == 0
    assert tonegap.out == "small: as declared\n"


@pytest.mark.parametrize("rest", ["?download=true", "#top", "?at=a/b"])
def test_what_an_address_asks_for_beside_the_file_is_not_in_its_name(
    tonegap: Command, root: Path, rooms: Rooms, served: Served, rest: str
) -> None:
    declare(rooms, served.url + rest)
    served.paths = {"/weights.pth" + rest.removesuffix("#top")}
    assert tonegap("assets", "fetch", "--suite-root", root) == 0
    (path,) = kept(root)
    assert (path.name, path.read_bytes()) == ("weights.pth", CONTENT)


def test_the_same_command_goes_on_where_the_connection_ended(
    tonegap: Command, root: Path, served: Served
) -> None:
    served.stops = 1
    assert tonegap("assets", "fetch", "small", "--suite-root", root) == 1
    assert "the same command goes on from there" in tonegap.err
    assert tonegap("assets", "list", "--suite-root", root) == 0
    assert "partly" in tonegap.out
    assert tonegap("assets", "fetch", "small", "--suite-root", root) == 0
    first, second = served.ranges
    assert first is None
    # What came before the end is kept but for a piece of 64 KiB at most.
    begun = int(str(second).removeprefix("bytes=").removesuffix("-"))
    assert len(CONTENT) // 2 - (64 << 10) <= begun <= len(CONTENT) // 2
    assert asset_named(root, "small").path.read_bytes() == CONTENT


def test_a_shorter_answer_is_another_file_and_not_a_connection_that_ended(
    tonegap: Command, root: Path, served: Served
) -> None:
    """A page to log in at, whole as it is: no second try would bring the file."""
    served.content = b"<html>log in</html>"
    assert tonegap("assets", "fetch", "small", "--suite-root", root) == 1
    assert "the answer has 19 bytes, wanted 1,280,000: this is another file" in tonegap.err
    assert "goes on from there" not in tonegap.err
    assert tonegap("assets", "list", "--suite-root", root) == 0
    assert "missing" in tonegap.out


def test_another_file_of_the_same_size_is_refused_and_not_kept(
    tonegap: Command, root: Path, served: Served
) -> None:
    served.content = CONTENT[::-1]
    assert tonegap("assets", "fetch", "small", "--suite-root", root) == 1
    assert "this is another file than the one declared" in tonegap.err
    assert kept(root) == []


def test_a_file_that_was_changed_in_the_cache_is_named_and_fetched_anew(
    tonegap: Command, root: Path
) -> None:
    tonegap("assets", "fetch", "small", "--suite-root", root)
    asset_named(root, "small").path.write_bytes(CONTENT[::-1])
    assert tonegap("assets", "check", "small", "--suite-root", root) == 2
    assert "found sha256" in tonegap.out
    assert tonegap("assets", "fetch", "small", "--suite-root", root) == 0
    assert asset_named(root, "small").path.read_bytes() == CONTENT


def test_what_the_address_does_not_have_is_said(
    tonegap: Command, root: Path, rooms: Rooms, served: Served
) -> None:
    declare(rooms, served.url.replace("weights", "others"))
    assert tonegap("assets", "fetch", "small", "--suite-root", root) == 1
    assert "404" in tonegap.err
    assert "goes on" not in tonegap.err


def test_a_suite_names_an_asset_and_a_run_without_it_says_how_to_get_it(
    tonegap: Command, root: Path, rooms: Rooms, tmp_path: Path
) -> None:
    weights = {"weights": {"default": "none", "about": "x", "kind": "file"}}
    rooms.baseline("heavy", parameters=weights)
    entry = {"methods": ["none"], "baselines": ["heavy"]}
    rooms.suite(entries=[entry], parameters={"baselines": {"weights": "asset:small"}})
    wanted = f"{asset_named(root, 'small').path}#sha256={SHA256}"
    suite = read_suite(root, "tiny")
    assert suite.file.parameters["baselines"]["weights"] == wanted
    again = with_parameters(suite, ("baselines/heavy.weights=asset:small",))
    assert again.file.parameters["baselines/heavy"]["weights"] == wanted
    words = ("run", "tiny", "--suite-root", root, "--store", tmp_path / "store")
    assert tonegap(*words) == 2
    assert "the asset small of 1 MB; `tonegap assets fetch small` brings it" in tonegap.err
    assert tonegap("plan", *words[1:]) == 0
    needed = "not here, and a run needs it: the asset small of 1 MB; `tonegap assets fetch small` brings it"
    assert tonegap.out.splitlines()[1] == needed
    assert tonegap("plan", *words[1:], "--json") == 0
    assert json.loads(tonegap.out)["missing_assets"] == [{"asset": "small", "bytes": len(CONTENT)}]
    tonegap("assets", "fetch", "--suite-root", root)
    assert tonegap("plan", *words[1:]) == 0
    assert "not here" not in tonegap.out


def test_a_quality_sheets_extractor_takes_an_asset(root: Path, rooms: Rooms) -> None:
    rooms.suite(quality={"extractor": "heavy", "parameters": {"weights": "asset:small"}})
    quality = read_suite(root, "tiny").file.quality
    assert quality is not None
    wanted = f"{asset_named(root, 'small').path}#sha256={SHA256}"
    assert quality.parameters == {"weights": wanted}


def test_a_server_that_sends_without_end_is_stopped_at_the_declared_size(
    tonegap: Command, root: Path, served: Served
) -> None:
    served.endless = True
    assert tonegap("assets", "fetch", "small", "--suite-root", root) == 1
    assert f"found more than {len(CONTENT):,} bytes" in tonegap.err
    assert kept(root) == []


def test_half_a_file_that_the_server_cannot_go_on_with_is_begun_anew(
    tonegap: Command, root: Path, served: Served
) -> None:
    path = asset_named(root, "small").path
    path.parent.mkdir(parents=True)
    path.with_name(f"{path.name}.part").write_bytes(CONTENT[:7])
    served.satisfies = False
    assert tonegap("assets", "fetch", "small", "--suite-root", root) == 0
    assert served.ranges == ["bytes=7-", None]
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize("damage", ["the cache is a file", "the asset is a folder"])
def test_a_cache_that_cannot_be_written_is_said_in_a_sentence(
    tonegap: Command, root: Path, damage: str
) -> None:
    if damage == "the cache is a file":
        (root.parent / "cache").write_text("x")
    else:
        asset_named(root, "small").path.mkdir(parents=True)
    assert tonegap("assets", "fetch", "small", "--suite-root", root) == 1
    assert "wanted a cache that can be read and written" in tonegap.err
    assert len(tonegap.err.strip().splitlines()) == 1


def test_fetch_goes_on_after_one_that_cannot_be_fetched(
    tonegap: Command, root: Path, rooms: Rooms, served: Served
) -> None:
    text = (root / "benchmarks/assets.toml").read_text()
    lost = text.replace("weights.pth", "lost.pth")
    rooms.write("benchmarks/assets.toml", lost.replace("small", "a_lost") + text)
    assert tonegap("assets", "fetch", "a_lost", "small", "--suite-root", root) == 1
    assert asset_named(root, "small").path.read_bytes() == CONTENT
    assert "error: a_lost: " in tonegap.err
    assert "1 of 2 assets not fetched: a_lost\n" in tonegap.err


def test_check_names_every_asset_before_it_ends(
    tonegap: Command, root: Path, rooms: Rooms, served: Served
) -> None:
    text = (root / "benchmarks/assets.toml").read_text()
    other = text.replace("small", "an_other").replace(SHA256, "0" * 64)
    rooms.write("benchmarks/assets.toml", other + text)
    tonegap("assets", "fetch", "small", "--suite-root", root)
    assert tonegap("assets", "check", "--suite-root", root) == 2
    assert tonegap.out.startswith("an_other: ")
    assert tonegap.out.endswith("small: as declared\n")
    assert "1 of 2 assets not as declared: an_other" in tonegap.err
    rooms.suite(parameters={"baselines": {"weights": "asset:an_other"}})
    named = read_suite(root, "tiny").file.parameters["baselines"]["weights"]
    assert named == f"{asset_named(root, 'an_other').path}#sha256={'0' * 64}"


def test_an_asset_given_to_a_parameter_that_is_a_name_is_refused(
    tonegap: Command, root: Path, rooms: Rooms
) -> None:
    rooms.baseline("heavy", parameters={"backbone": {"default": "small-cnn", "about": "x"}})
    entry = {"methods": ["none"], "baselines": ["heavy"]}
    rooms.suite(entries=[entry], parameters={"baselines": {"backbone": "asset:small"}})
    assert tonegap("plan", "tiny", "--suite-root", root) == 2
    assert "baselines/heavy backbone: found an asset, which is a file (weights.pth)" in tonegap.err


def test_an_unknown_asset_names_those_there_are(root: Path, rooms: Rooms) -> None:
    rooms.suite(parameters={"baselines": {"weights": "asset:large"}})
    with pytest.raises(BadSuiteFolder, match="no asset 'large'; there are: small"):
        read_suite(root, "tiny")


def test_a_digest_that_is_none_is_refused(root: Path, rooms: Rooms, served: Served) -> None:
    declare(rooms, served.url, sha256="397923af")
    with pytest.raises(BadSuiteFolder, match="small: wanted a sha256 of 64 digits"):
        asset_named(root, "small")


FOLDER = """\
[assets.pair]
about = "for tests"
licence = "free"
url = "{url}"
folder = "pipeline"

[assets.pair.files]
"unet/config.json" = {{ size = {size}, sha256 = "{sha256}" }}
"weights.pth" = {{ size = {size}, sha256 = "{sha256}" }}
"""


@pytest.fixture
def pair(root: Path, rooms: Rooms, served: Served) -> Asset:
    """An asset that is a folder of two files, both with the server's content."""
    served.paths.add("/unet/config.json")
    url = served.url.removesuffix("/weights.pth")
    filled = FOLDER.format(url=url, size=len(CONTENT), sha256=SHA256)
    rooms.write("benchmarks/assets.toml", filled)
    return asset_named(root, "pair")


def test_a_folder_is_fetched_file_by_file_and_has_the_digest_that_was_known_before(
    tonegap: Command, root: Path, served: Served, pair: Asset
) -> None:
    assert pair.size == 2 * len(CONTENT)
    served.stops = 1
    assert tonegap("assets", "fetch", "pair", "--suite-root", root) == 1
    assert tonegap("assets", "list", "--suite-root", root) == 0
    assert "3 MB  partly" in tonegap.out
    assert tonegap("assets", "fetch", "pair", "--suite-root", root) == 0
    assert len(served.ranges) == 3
    assert pair.path.name == "pipeline"
    assert folder_digest(pair.path) == pair.sha256
    assert tonegap("assets", "check", "--suite-root", root) == 0


def test_a_file_of_a_folder_that_changed_or_is_a_strangers_is_named(
    tonegap: Command, root: Path, pair: Asset
) -> None:
    tonegap("assets", "fetch", "--suite-root", root)
    (pair.path / "notes.txt").write_text("x")
    assert tonegap("assets", "check", "--suite-root", root) == 2
    cure = "`tonegap assets fetch pair` mends it"
    assert f"notes.txt: is no file of this asset; {cure}" in tonegap.out
    (pair.path / "unet" / "config.json").write_bytes(CONTENT[::-1])
    assert tonegap("assets", "check", "--suite-root", root) == 2
    assert "config.json: found sha256" in tonegap.out
    assert f" (and 1 file more); {cure}" in tonegap.out


@pytest.mark.parametrize("damage", ["a changed byte", "another size", "an extra file", "a part"])
def test_every_command_says_the_same_of_a_folder_that_is_not_as_declared(
    tonegap: Command, root: Path, rooms: Rooms, pair: Asset, damage: str, tmp_path: Path
) -> None:
    pipeline = {"pipeline": {"default": "none", "about": "x", "kind": "folder"}}
    rooms.baseline("heavy", parameters=pipeline)
    entry = {"methods": ["none"], "baselines": ["heavy"]}
    rooms.suite(entries=[entry], parameters={"baselines": {"pipeline": "asset:pair"}})
    tonegap("assets", "fetch", "--suite-root", root)
    config = pair.path / "unet" / "config.json"
    if damage == "a changed byte":
        config.write_bytes(b"?" + CONTENT[1:])
    elif damage == "another size":
        config.write_bytes(CONTENT[1:])
    else:
        config = config.with_name("notes.txt" if damage == "an extra file" else "config.json.part")
        config.write_text("mine")
    assert tonegap("assets", "list", "--suite-root", root) == 0
    assert "3 MB  changed" in tonegap.out
    words = ("tiny", "--suite-root", root, "--store", tmp_path / "store")
    for command in (("assets", "check", "--suite-root", root), ("plan", *words), ("run", *words)):
        assert tonegap(*command) == 2
        said = tonegap.out + tonegap.err
        assert f"{config}: " in said
        assert "`tonegap assets fetch pair` mends it" in said
    assert tonegap("assets", "fetch", "pair", "--suite-root", root) == 0
    assert folder_digest(pair.path) == pair.sha256
    if config.name != "config.json":
        aside = pair.path.parent / f"pipeline-unet-{config.name}"
        assert f"moved to {aside}" in tonegap.err
        assert aside.read_text() == "mine"
    assert tonegap("plan", *words) == 0
    assert tonegap("assets", "list", "--suite-root", root) == 0
    assert "3 MB  there" in tonegap.out


def test_a_relative_cache_is_the_same_folder_for_every_command(
    tonegap: Command, root: Path, rooms: Rooms, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {"weights": {"default": "none", "about": "x", "kind": "file"}}
    rooms.baseline("heavy", parameters=weights)
    entry = {"methods": ["none"], "baselines": ["heavy"]}
    rooms.suite(entries=[entry], parameters={"baselines": {"weights": "asset:small"}})
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("TONEGAP_ASSETS", "weights")
    assert tonegap("assets", "fetch", "--suite-root", root) == 0
    assert (tmp_path / "elsewhere" / "weights").is_dir()
    words = ("tiny", "--suite-root", root, "--store", tmp_path / "store")
    assert tonegap("plan", *words) == 0
    assert "not here" not in tonegap.out
    monkeypatch.chdir(tmp_path)
    assert tonegap("assets", "list", "--suite-root", root) == 0
    assert "missing" in tonegap.out
    assert tonegap("plan", *words) == 0
    assert "not here" in tonegap.out
    monkeypatch.setenv("HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("TONEGAP_ASSETS", "~/weights")
    assert tonegap("plan", *words) == 0
    assert "not here" not in tonegap.out


def test_a_parameter_that_is_a_folder_takes_it_and_one_that_is_a_file_does_not(
    tonegap: Command, root: Path, rooms: Rooms, pair: Asset, tmp_path: Path
) -> None:
    kinds = {
        name: {"default": "none", "about": "x", "kind": kind}
        for name, kind in (("pipeline", "folder"), ("weights", "file"))
    }
    rooms.baseline("heavy", parameters=kinds)
    entry = {"methods": ["none"], "baselines": ["heavy"]}
    rooms.suite(entries=[entry], parameters={"baselines": {"pipeline": "asset:pair"}})
    words = ("tiny", "--suite-root", root, "--store", tmp_path / "store")
    assert tonegap("plan", *words) == 0
    assert "the asset pair of 3 MB; `tonegap assets fetch pair` brings it" in tonegap.out
    pair.path.mkdir(parents=True)  # a fetch that was stopped leaves a folder that is not whole
    assert tonegap("run", *words) == 2
    assert "`tonegap assets fetch pair` brings it" in tonegap.err
    tonegap("assets", "fetch", "--suite-root", root)
    assert tonegap("plan", *words) == 0
    assert "not here" not in tonegap.out
    rooms.suite(entries=[entry], parameters={"baselines": {"weights": "asset:pair"}})
    assert tonegap("plan", *words) == 2
    said = "baselines/heavy weights: found an asset, which is a folder (pipeline), wanted a file"
    assert said in tonegap.err


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('folder = "pipeline"\n', ""), "wanted `folder`, a name, and `files`"),
        (('"weights.pth"', '"../weights.pth"'), "wanted `folder`, a name, and `files`"),
        ((SHA256, "12"), "wanted a sha256 of 64 digits"),
    ],
)
def test_a_folder_that_is_declared_wrongly_is_refused(
    root: Path, pair: Asset, change: tuple[str, str], said: str
) -> None:
    path = root / "benchmarks" / "assets.toml"
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(BadSuiteFolder, match=said):
        asset_named(root, "pair")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": -5}, "small: wanted a sha256 of 64 digits and a size of 1 or more"),
        ({"sha256": "abc"}, "small: wanted a sha256 of 64 digits and a size of 1 or more"),
        ({"url": "example.org/weights.pth"}, "small: url: found 'example.org/weights.pth'"),
        ({"url": "file:///weights.pth"}, "small: url: found 'file:///weights.pth'"),
        ({"sise": 1}, "unknown key `sise`"),
    ],
)
def test_check_and_fetch_refuse_the_same_declarations(
    tonegap: Command,
    root: Path,
    rooms: Rooms,
    served: Served,
    change: dict[str, object],
    said: str,
) -> None:
    declare(rooms, served.url)
    assert tonegap("check", "--suite-root", root) == 0
    declare(rooms, **{"url": served.url} | change)
    for command in (("check",), ("assets", "fetch"), ("assets", "list")):
        assert tonegap(*command, "--suite-root", root) == 2
        assert said in tonegap.out + tonegap.err
    assert served.ranges == []


def test_check_names_every_wrong_asset_and_a_name_that_no_suite_can_spell(
    tonegap: Command, root: Path, rooms: Rooms
) -> None:
    text = (root / "benchmarks/assets.toml").read_text()
    named = text.replace("assets.small", 'assets."two words"')
    rooms.write("benchmarks/assets.toml", named + text.replace(SHA256, "12"))
    assert tonegap("check", "--suite-root", root) == 2
    said = tonegap.out + tonegap.err
    assert "two words: wanted a name of letters, digits" in said
    assert "small: wanted a sha256 of 64 digits" in said
    assert tonegap("assets", "fetch", "two words", "--suite-root", root) == 2


def test_the_projects_own_assets_are_sound(project: Path) -> None:
    for name in ("vgg16", "resnet18", "vit-b-16"):
        asset = asset_named(project, name)
        # torchvision puts the first digits of a file's digest into its name.
        assert asset.url.endswith(f"-{asset.sha256[:8]}.pth")
    pipelines = {
        name: asset_named(project, name)
        for name in ("sd21-base", "sd15", "sd2-inpainting", "sd15-inpainting")
    }
    for pipeline in pipelines.values():
        assert pipeline.files.keys() == pipelines["sd15"].files.keys()
        assert {Path(name).parent.name for name in pipeline.files} == {
            "scheduler", "text_encoder", "tokenizer", "unet", "vae",
        }  # fmt: skip
        # An address that names a revision gives the same files tomorrow.
        assert len(pipeline.url.rpartition("/resolve/")[2]) == 40
    for base, painting in (("sd21-base", "sd2-inpainting"), ("sd15", "sd15-inpainting")):
        one, other = (pipelines[name].files for name in (base, painting))
        unet = "unet/diffusion_pytorch_model.fp16.safetensors"
        # Inpainting has 5 more channels into 320 filters of 3 by 3, two bytes each; the text encoder is the same.
        assert other[unet].size - one[unet].size == 5 * 320 * 9 * 2
        assert (
            one["text_encoder/model.fp16.safetensors"]
            == other["text_encoder/model.fp16.safetensors"]
        )
