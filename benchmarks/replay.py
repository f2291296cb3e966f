"""A server that answers every request with what another one answered to the first: what a client takes by itself."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_HEAD_END = b"\r\n\r\n"


@contextmanager
def replayed(host: str, port: int) -> Iterator[str]:
    """The address of one that stands in for the server at `host:port`."""
    known: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def run() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except OSError:  # closed: the end
                    return
                with connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    while request := _message(connection):
                        if not known:
                            known.append(_asked(host, port, request))
                        connection.sendall(known[0])

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(10)


def _asked(host: str, port: int, request: bytes) -> bytes:
    with socket.create_connection((host, port)) as connection:
        connection.sendall(request)
        return _message(connection)


def _message(connection: socket.socket) -> bytes:
    """A head and its body, whose length it tells; empty at the end of the connection."""
    found = bytearray()
    while _HEAD_END not in found:
        more = connection.recv(65_536)
        if not more:
            return b""
        found += more
    head, _, body = bytes(found).partition(_HEAD_END)
    fields = dict(line.lower().split(b":", 1) for line in head.split(b"\r\n")[1:])
    missing = int(fields.get(b"content-length", b"0")) - len(body)
    while missing > 0:
        more = connection.recv(min(missing, 1 << 20))
        assert more, "the other end closed within a message"
        found += more
        missing -= len(more)
    return bytes(found)
