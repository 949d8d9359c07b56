"""What a container says, read from a stream that other threads and the engine may end at any moment."""

import socket
import struct
import threading
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import requests

from tonegap.engines.docker.attach import Attached

FRAME = struct.pack(">BxxxL", 1, 3) + b"one"


@pytest.fixture
def stream() -> Iterator[tuple[SimpleNamespace, list[socket.socket]]]:
    """A client whose `attach` is answered with one frame over a connection that stays open."""
    server = socket.create_server(("127.0.0.1", 0))
    port, accepted = server.getsockname()[1], []

    def answer() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + FRAME)
            accepted.append(connection)

    thread = threading.Thread(target=answer)
    thread.start()
    api = SimpleNamespace(
        base_url=f"http://127.0.0.1:{port}", api_version="1.41", post=requests.post
    )
    yield SimpleNamespace(api=api), accepted
    server.shutdown(socket.SHUT_RDWR)
    server.close()
    thread.join()
    for connection in accepted:
        connection.close()


def listening(client) -> tuple[Attached, list[tuple[bytes, bytes]], threading.Thread]:
    output, heard = Attached(client, "c"), []
    thread = threading.Thread(target=lambda: heard.extend(output.pieces()))
    thread.start()
    return output, heard, thread


def test_a_thread_that_waits_for_more_ends_quietly_when_another_stops_listening(stream):
    for _ in range(100):
        output, heard, thread = listening(stream[0])
        output.close()
        thread.join(10)
        assert not thread.is_alive()
        assert heard in ([], [(b"one", b"")])


def test_stopping_while_the_engine_goes_away_is_no_error(stream):
    client, accepted = stream
    for n in range(1, 101):
        output, _, thread = listening(client)
        while len(accepted) < n:
            pass
        accepted[-1].shutdown(socket.SHUT_RDWR)
        output.close()
        thread.join(10)
        assert not thread.is_alive()


def test_what_was_closed_before_it_was_read_says_nothing(stream):
    output = Attached(stream[0], "c")
    output.close()
    assert list(output.pieces()) == []
    output.close()
