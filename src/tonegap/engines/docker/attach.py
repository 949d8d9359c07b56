"""Reads the output of a container while it runs.

Read from the engine's raw stream: each frame has a header of 8 bytes (channel, three zeros, length).
"""

import contextlib
import struct
from collections.abc import Iterator

import docker
import requests
from docker.errors import create_api_error_from_http_exception
from docker.types import CancellableStream
from urllib3.exceptions import HTTPError

from tonegap.engines.docker.daemon import UNREACHABLE

_HEADER = struct.Struct(">BxxxL")
_ERROR = 2  # the channel of standard error
# What reading a response raises, or taking its socket, that another thread closes at this very moment.
_CLOSED_MEANWHILE = (AttributeError, ValueError)

StreamPiece = tuple[bytes, bytes]  # standard output, standard error


class Attached:
    """The output of a container that is created and not yet started."""

    def __init__(self, client: docker.DockerClient, container_id: str) -> None:
        """Listens from now on. Raises what docker-py does where the engine does not answer."""
        api = client.api
        self._response = api.post(
            f"{api.base_url}/v{api.api_version}/containers/{container_id}/attach",
            params={"stream": "1", "stdout": "1", "stderr": "1"},
            stream=True,
            timeout=None,
        )
        try:
            self._response.raise_for_status()
        except requests.HTTPError as e:
            raise create_api_error_from_http_exception(e) from None

    def pieces(self) -> Iterator[StreamPiece]:
        """What came on each channel, until the container ends or the engine goes away."""
        # What urllib3 and the socket raise then is not worth distinguishing: the output is over.
        with contextlib.suppress(*UNREACHABLE, HTTPError, *_CLOSED_MEANWHILE):
            while len(header := self._response.raw.read(_HEADER.size)) == _HEADER.size:
                channel, length = _HEADER.unpack(header)
                text = self._response.raw.read(length)
                yield (b"", text) if channel == _ERROR else (text, b"")

    def close(self) -> None:
        """Stops listening, also for a thread that waits for more."""
        nothing: Iterator[StreamPiece] = iter(())
        with contextlib.suppress(*UNREACHABLE, *_CLOSED_MEANWHILE):
            CancellableStream(nothing, self._response).close()
        with contextlib.suppress(*UNREACHABLE, *_CLOSED_MEANWHILE):
            self._response.close()
