"""An HTTP server that stays as it is, however many requests come."""

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler
from urllib.request import urlopen

from sightline.devices.pooled_server import PooledServer

THREADS = 3
served_by: list[threading.Thread] = []
held = threading.Event()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        served_by.append(threading.current_thread())
        if self.path == "/slow":
            held.wait(60.0)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing."""


class Waiting(PooledServer):
    daemon_threads = False


@contextmanager
def running() -> Iterator[tuple[PooledServer, str]]:
    server = Waiting(("127.0.0.1", 0), Handler, THREADS)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    served_by.clear()
    held.clear()
    try:
        yield server, f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        held.set()
        server.shutdown()
        server.server_close()
        thread.join()


def ask(url: str) -> int:
    with closing(urlopen(url, timeout=60)) as answer:
        return int(answer.status)


def test_the_same_few_threads_serve_all_requests_and_end_with_the_server() -> None:
    with running() as (_, url):
        assert [ask(url) for _ in range(40)] == [200] * 40
    assert len(set(served_by)) <= THREADS
    assert len(served_by) == 40
    assert not any(thread.is_alive() for thread in served_by)


def test_a_slow_request_keeps_no_other_one_waiting() -> None:
    with running() as (_, url):
        slow = threading.Thread(target=ask, args=(f"{url}/slow",))
        slow.start()
        assert [ask(url) for _ in range(5)] == [200] * 5
        assert slow.is_alive()
        held.set()
        slow.join()
