"""What stands in for browsers of other machines gets the parts that a browser would."""

import http.client
import time
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("nicegui")

from live import NAME, PASSWORD, serving
from live_feed import Line
from live_listeners import Listeners

GRACE_S = 60.0


def test_each_of_them_is_told_of_every_part(tmp_path: Path) -> None:
    with serving(tmp_path / "plant") as server, closing(Listeners(server.url, 2, NAME, PASSWORD)) as listeners:
        line = Line(url=server.url, key=server.key, station="press")
        with closing(http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=GRACE_S)) as connection:
            for _ in range(3):
                line.report(connection)
        took: list[float] = []
        end_s = time.monotonic() + GRACE_S
        while len(took) < 6 and time.monotonic() < end_s:
            took += listeners.take(line.sent_s)
            time.sleep(0.05)
        assert not line.failures
        assert len(took) == 6
        assert min(took) > 0
