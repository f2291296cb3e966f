"""An HTTP server whose threads stay, for processes that run for months.

A thread for each request would be simpler, and costs memory for good: OpenCV 5.0 keeps 0.9 KB for every thread that
ever called it (measured on Linux), which at 20 requests a second is 1.5 GB a day.
"""

import queue
import threading
from http.server import ThreadingHTTPServer
from typing import Any


class PooledServer(ThreadingHTTPServer):
    """Serves as many requests at once as it has threads; more wait, unless a subclass turns them away."""

    def __init__(self, address: tuple[str, int], handler: Any, threads: int) -> None:
        """Raises OSError if the address cannot be used."""
        self._waiting: queue.SimpleQueue[tuple[Any, Any] | None] = queue.SimpleQueue()
        self._pool: list[threading.Thread] = []
        super().__init__(address, handler)  # which closes the server where the address cannot be used
        self._pool = [threading.Thread(target=self._serve, name="http", daemon=True) for _ in range(threads)]
        for thread in self._pool:
            thread.start()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._waiting.put((request, client_address))

    def server_close(self) -> None:
        """Waits for the requests that are being served, unless `daemon_threads`."""
        super().server_close()
        for _ in self._pool:
            self._waiting.put(None)
        if not self.daemon_threads:
            for thread in self._pool:
                thread.join()

    def _serve(self) -> None:
        while (request := self._waiting.get()) is not None:
            self.process_request_thread(*request)
