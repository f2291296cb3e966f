"""What a plant asks a station for all the time: its status page and its metrics, as Prometheus and a screen do."""

import time
from http.client import HTTPException
from threading import Event, Thread
from urllib.request import urlopen

EVERY_S = 5.0
_TIMEOUT_S = 5.0
_PAGES = ("metrics", "status.json")


class Scraper:
    """Asks until it is closed; the first time at once."""

    def __init__(self, url: str) -> None:
        """`url` is the status page's, with its slash."""
        self.answered = 0
        self.failed: list[str] = []  # what went wrong, the first few
        self.longest_s = 0.0
        self._url, self._ending = url, Event()
        self._thread = Thread(target=self._run, name="scraper", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._ending.set()
        self._thread.join()

    def broken(self) -> list[str]:
        """What to tell of a station whose pages did not answer."""
        unheard = [] if self.answered else ["status page and metrics were never answered"]
        return unheard + self.failed

    def _run(self) -> None:
        while True:
            began_s = time.monotonic()
            try:
                for page in _PAGES:
                    with urlopen(self._url + page, timeout=_TIMEOUT_S) as answer:
                        assert answer.read(), page
                self.answered += 1
            except (OSError, HTTPException) as error:
                self.failed = [*self.failed, f"{page} was not answered: {error}"][:3]
            self.longest_s = max(self.longest_s, time.monotonic() - began_s)
            if self._ending.wait(EVERY_S):
                return
