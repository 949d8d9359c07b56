"""Fetching from servers that answer wrongly, from two processes at once, and with a token."""

import hashlib
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Event, Thread

import pytest
from quiet_server import QuietServer
from tiny_rooms import Command, Rooms, rooms, tonegap

__all__ = ["rooms", "tonegap"]
CONTENT = bytes(range(256)) * 1000
HALF = len(CONTENT) // 2
TOKEN = "hf_notForOthers"
PAGE = b"<html>accept the terms</html>"


@dataclass
class Server:
    """A server of 127.0.0.1 whose answers are given by a function; what it was asked is kept."""

    answer: Callable[[BaseHTTPRequestHandler], None]
    port: int = 0
    ranges: list[str | None] = field(default_factory=list)
    tokens: list[str | None] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[Server]:
    told = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            told.ranges.append(self.headers.get("Range"))
            told.tokens.append(self.headers.get("Authorization"))
            with suppress(ConnectionError):
                told.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    server = QuietServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    told.port = server.server_port
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def give(to: BaseHTTPRequestHandler, body: bytes, status: int = 200, **headers: object) -> None:
    """An answer with a length."""
    to.send_response(status)
    for name, value in (headers | {"Content_Length": len(body)}).items():
        to.send_header(name.replace("_", "-"), str(value))
    to.end_headers()
    to.wfile.write(body)


def give_chunks(to: BaseHTTPRequestHandler, body: bytes, **headers: str) -> None:
    """An answer without a length, which ends as chunks do."""
    to.send_response(200)
    for name, value in (headers | {"Transfer_Encoding": "chunked"}).items():
        to.send_header(name.replace("_", "-"), value)
    to.end_headers()
    for some in (body[:10], body[10:]):
        to.wfile.write(b"%x\r\n%s\r\n" % (len(some), some))
    to.wfile.write(b"0\r\n\r\n")


def give_what_is_asked(to: BaseHTTPRequestHandler) -> None:
    """The file, or what follows the byte asked for."""
    asked = to.headers.get("Range")
    begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
    span = {"Content_Range": f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}"} if asked else {}
    give(to, CONTENT[begin:], 206 if asked else 200, **span)


@pytest.fixture
def server() -> Iterator[Server]:
    with serving(give_what_is_asked) as one:
        yield one


@pytest.fixture
def root(rooms: Rooms, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("HF_TOKEN", "HF_ENDPOINT", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TONEGAP_ASSETS", str(tmp_path / "cache"))
    declare(rooms, server.url)
    return rooms.root


def declare(rooms: Rooms, url: str, name: str = "small", *, folder: bool = False) -> None:
    pin = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()}
    facts = {"about": "for tests", "licence": "free", "url": f"{url}/owner/weights/resolve/1"}
    lines = [f"[assets.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in facts.items())]
    pins = [f"{key} = {json.dumps(value)}" for key, value in pin.items()]
    if folder:
        files = (f'"{one}" = {{ {", ".join(pins)} }}' for one in ("unet/a.bin", "b.bin"))
        lines += ['folder = "pipeline"', f"[assets.{name}.files]", *files]
    else:
        lines += pins
    rooms.write("benchmarks/assets.toml", "\n".join([*lines, ""]))


def fetched(root: Path) -> dict[str, bytes]:
    """The files in the cache by their path below the asset's own folder, but for locks."""
    files = [p for p in (root.parent / "cache").rglob("*") if p.is_file() and p.name != ".lock"]
    return {"/".join(p.relative_to(root.parent / "cache").parts[1:]): p.read_bytes() for p in files}


def begun(root: Path, content: bytes) -> None:
    """A first half that an earlier command left."""
    place = root.parent / "cache" / hashlib.sha256(CONTENT).hexdigest()[:16]
    place.mkdir(parents=True)
    (place / "1.part").write_bytes(content)


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("ranges", [False, True])
def test_two_fetches_at_once_share_one_download(
    root: Path, rooms: Rooms, server: Server, folder: bool, ranges: bool
) -> None:
    """The second waits until the first has it; the server is asked once for each file."""
    held = Event()

    def slowly(to: BaseHTTPRequestHandler) -> None:
        asked = to.headers.get("Range") if ranges else None
        begin = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        to.send_response(206 if asked else 200)
        if asked:
            to.send_header("Content-Range", f"bytes {begin}-{len(CONTENT) - 1}/{len(CONTENT)}")
        to.send_header("Content-Length", str(len(CONTENT) - begin))
        to.end_headers()
        middle = max(begin, HALF)
        to.wfile.write(CONTENT[begin:middle])
        to.wfile.flush()
        held.wait(30)
        to.wfile.write(CONTENT[middle:])

    server.answer = slowly
    declare(rooms, server.url, folder=folder)
    argv = [sys.executable, "-m", "tonegap", "assets", "fetch", "--suite-root", str(root)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [subprocess.Popen(argv, env=os.environ, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    errors = [one.stderr for one in both]
    waits: list[str] = []
    readers = [Thread(target=lambda of=of: waits.extend(of)) for of in errors]
    for reader in readers:
        reader.start()
    while not any("waiting for another `tonegap assets fetch`" in line for line in list(waits)):
        assert all(one.poll() is None for one in both), waits
        Event().wait(0.05)
    held.set()
    assert [one.wait(60) for one in both] == [0, 0], waits
    for reader in readers:
        reader.join()
    for one in both:
        assert one.stdout is not None
        one.stdout.close()
        one.stderr.close()
    names = ("pipeline/unet/a.bin", "pipeline/b.bin") if folder else ("1",)
    assert fetched(root) == dict.fromkeys(names, CONTENT)
    assert server.ranges == [None] * len(names)


@pytest.mark.parametrize("kind", ["text/html; charset=utf-8", "application/octet-stream"])
def test_a_page_in_chunks_is_another_file_and_nothing_of_it_is_kept(
    tonegap: Command, root: Path, server: Server, kind: str
) -> None:
    server.answer = lambda to: give_chunks(to, PAGE, Content_Type=kind)
    assert tonegap("assets", "fetch", "--suite-root", root) == 1
    assert "this is another file than the one declared, or a page" in tonegap.err
    assert "goes on" not in tonegap.err
    assert fetched(root) == {}


def test_a_page_in_place_of_the_rest_leaves_what_was_fetched(
    tonegap: Command, root: Path, server: Server
) -> None:
    begun(root, CONTENT[:HALF])
    server.answer = lambda to: give_chunks(to, PAGE, Content_Type="text/html")
    assert tonegap("assets", "fetch", "--suite-root", root) == 1
    assert fetched(root) == {"1.part": CONTENT[:HALF]}
    server.answer = give_what_is_asked
    assert tonegap("assets", "fetch", "--suite-root", root) == 0
    assert server.ranges == [f"bytes={HALF}-"] * 2
    assert fetched(root) == {"1": CONTENT}


def test_the_whole_file_in_chunks_is_taken(tonegap: Command, root: Path, server: Server) -> None:
    server.answer = lambda to: give_chunks(to, CONTENT)
    assert tonegap("assets", "fetch", "--suite-root", root) == 0
    assert fetched(root) == {"1": CONTENT}


@pytest.mark.parametrize("how", ["length", "chunks", "neither"])
def test_a_connection_that_was_cut_is_gone_on_with(
    tonegap: Command, root: Path, server: Server, how: str
) -> None:
    def cut(to: BaseHTTPRequestHandler) -> None:
        to.send_response(200)
        if how == "length":
            to.send_header("Content-Length", str(len(CONTENT)))
        if how == "chunks":
            to.send_header("Transfer-Encoding", "chunked")
        to.end_headers()
        to.wfile.write(b"%x\r\n" % len(CONTENT) if how == "chunks" else b"")
        to.wfile.write(CONTENT[:HALF])
        to.close_connection = True

    server.answer = cut
    assert tonegap("assets", "fetch", "--suite-root", root) == 1
    words = r"the connection ended after ([\d,]+) of 256,000 bytes; the same command goes on"
    found = re.search(words, tonegap.err)
    assert found is not None, tonegap.err
    kept = int(found[1].replace(",", ""))
    assert fetched(root) == {"1.part": CONTENT[:kept]}
    assert HALF - (64 << 10) <= kept <= HALF
    server.answer = give_what_is_asked
    assert tonegap("assets", "fetch", "--suite-root", root) == 0
    assert server.ranges == [None, f"bytes={kept}-"]
    assert fetched(root) == {"1": CONTENT}


@pytest.mark.parametrize("span", ["bytes 0-255999/256000", "bytes 5-255999/256000", "", "bytes x"])
def test_a_rest_from_another_byte_is_not_appended_and_the_file_is_begun_anew(
    tonegap: Command, root: Path, server: Server, span: str
) -> None:
    def wrongly(to: BaseHTTPRequestHandler) -> None:
        if to.headers.get("Range"):
            give(to, CONTENT[HALF:], 206, **({"Content_Range": span} if span else {}))
        else:
            give(to, CONTENT)

    server.answer = wrongly
    begun(root, CONTENT[:HALF])
    assert tonegap("assets", "fetch", "--suite-root", root) == 0
    assert server.ranges == [f"bytes={HALF}-", None]
    assert f"1.part: the server gives {span or 'nothing'!r}" in tonegap.err
    assert "removed, the file is begun anew" in tonegap.err
    assert fetched(root) == {"1": CONTENT}


def test_a_part_that_nobody_asked_for_is_refused(
    tonegap: Command, root: Path, server: Server
) -> None:
    span = f"bytes 7-{len(CONTENT) - 1}/{len(CONTENT)}"
    server.answer = lambda to: give(to, CONTENT[7:], 206, Content_Range=span)
    assert tonegap("assets", "fetch", "--suite-root", root) == 1
    assert f"the server gives {span!r} for what follows 0 bytes" in tonegap.err
    assert server.ranges == [None]
    assert fetched(root) == {}


def test_a_rest_of_a_file_of_another_size_is_another_file(
    tonegap: Command, root: Path, server: Server
) -> None:
    begun(root, CONTENT[:HALF])
    span = f"bytes {HALF}-299999/300000"
    server.answer = lambda to: give(to, CONTENT[HALF:], 206, Content_Range=span)
    assert tonegap("assets", "fetch", "--suite-root", root) == 1
    assert "the answer has 300,000 bytes, wanted 256,000:" in tonegap.err


def test_a_part_that_is_too_long_is_dropped_and_said(tonegap: Command, root: Path) -> None:
    begun(root, CONTENT + b"x")
    assert tonegap("assets", "fetch", "--suite-root", root) == 0
    said = "1.part: found more than 256,000 bytes, wanted 256,000; removed, the file is begun anew"
    assert said in tonegap.err
    assert fetched(root) == {"1": CONTENT}


def test_a_token_is_for_the_hub_alone_and_stays_there_when_it_sends_elsewhere(
    tonegap: Command, root: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", f"{TOKEN}\n")
    with serving(give_what_is_asked) as store:

        def gated(to: BaseHTTPRequestHandler) -> None:
            """First to itself by another path, then to the store of files, as the Hub does."""
            if to.headers.get("Authorization") != f"Bearer {TOKEN}":
                give(to, b"", 401)
            elif to.path.endswith("/resolve/1"):
                give(to, b"", 307, Location="/cache/1")
            else:
                give(to, b"", 302, Location=f"http://localhost:{store.port}/signed?key=secret")

        server.answer = gated
        elsewhere = ("", "http:", "http://", "http://127.0.0.1", server.url.replace("p:", "ps:"))
        for endpoint in elsewhere:
            monkeypatch.setenv("HF_ENDPOINT", endpoint)
            assert tonegap("assets", "fetch", "--suite-root", root) == 1
        assert server.tokens == [None] * len(elsewhere)
        server.tokens.clear()
        monkeypatch.setenv("HF_ENDPOINT", f"{server.url}/")
        assert tonegap("assets", "fetch", "--suite-root", root) == 0
        assert server.tokens == [f"Bearer {TOKEN}"] * 2
        assert store.tokens == [None]
    assert fetched(root) == {"1": CONTENT}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_names_the_page_of_the_licence_and_the_token(
    tonegap: Command, root: Path, server: Server, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.answer = lambda to: give(to, b"", status)
    address = f"{server.url}/owner/weights/resolve/1"
    refused = f"error: small: {address}: refused ({status}): accept the licence at {server.url}/owner/weights"
    assert tonegap("assets", "fetch", "--suite-root", root) == 1
    assert f"the server answered {status} (" in tonegap.err  # of a host that has no such page
    cases = (
        ({"HF_ENDPOINT": server.url}, ", then set HF_TOKEN\n"),
        ({"HF_TOKEN": TOKEN}, " with the account of HF_TOKEN\n"),
    )
    for named, end in cases:
        for key, value in named.items():
            monkeypatch.setenv(key, value)
        assert tonegap("assets", "fetch", "--suite-root", root) == 1
        assert tonegap.err == refused + end


def test_a_token_that_is_none_is_refused_and_not_shown(
    tonegap: Command, root: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    for token in ("hf_secret hf_other", "hf_secret\nX-Other: 1", "hf_secretö"):
        monkeypatch.setenv("HF_TOKEN", token)
        assert tonegap("assets", "fetch", "--suite-root", root) == 1
        assert tonegap.err == (
            "error: small: HF_TOKEN: wanted one word of ASCII, as the settings of your account show it\n"
        )
    assert server.ranges == []


def test_what_ended_a_connection_is_a_sentence_without_the_names_of_objects(
    tonegap: Command, root: Path, rooms: Rooms, server: Server
) -> None:
    def hang_up(to: BaseHTTPRequestHandler) -> None:
        to.close_connection = True

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        closed = f"http://127.0.0.1:{free.getsockname()[1]}"
    server.answer = hang_up
    secure = server.url.replace("http:", "https:")
    for url, said in (
        (closed, "Connection refused"),
        ("http://no-such-host.invalid", ""),
        ("http://a..b", "no address of a host"),
        (f"http://{70 * 'a'}", "no address of a host"),
        (server.url, "Remote end closed connection without response"),
        (secure, ""),
    ):
        declare(rooms, url)
        assert tonegap("assets", "fetch", "--suite-root", root) == 1
        start = f"error: small: {url}/owner/weights/resolve/1: "
        assert tonegap.err.startswith(start + said)
        assert len(tonegap.err.splitlines()) == 1
        assert len(tonegap.err) > len(start) + 5
        for name in ("HTTP", "Error(", "object at", "Pool", "urllib3"):
            assert name not in tonegap.err.removeprefix(start), tonegap.err


def test_a_redirect_that_was_refused_does_not_show_its_signed_address(
    tonegap: Command, root: Path, server: Server
) -> None:
    def moved(to: BaseHTTPRequestHandler) -> None:
        if "secret" in to.path:
            give(to, b"", 500)
        else:
            give(to, b"", 302, Location="/signed?key=secret")

    server.answer = moved
    assert tonegap("assets", "fetch", "--suite-root", root) == 1
    assert "the server answered 500 (Internal Server Error)" in tonegap.err
    assert "secret" not in tonegap.err
