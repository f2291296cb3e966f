"""How a station is, told to the plant server every few seconds: there people see it, and that it is silent."""

import json
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from sightline.errors import DeliveryError
from sightline.line.http_sink import REFUSALS, PlantClient
from sightline.supervision import survived

LOG = logging.getLogger("sightline.line")
_TOLD = ("product", "state", "ready", "reason", "devices", "alarms")  # of what the station's own page shows


class Bulletin:
    """Tells until it is closed; what does not arrive is told anew the next time, and kept nowhere."""

    def __init__(
        self, client: PlantClient, station: str, status: Callable[[], Mapping[str, Any]], *, every_s: float = 10.0
    ) -> None:
        """
        Args:
            status: what the station's page shows, and the backlog.
        """
        self._client, self._status, self._every_s = client, status, every_s
        self._url = f"{client.base}/api/v1/ingest/status?station={quote(station, '')}"
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bulletin", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """May be called more than once."""
        self._closing.set()
        self._thread.join()

    def tell(self) -> None:
        """Once.

        Raises:
            DeliveryError: it did not arrive.
        """
        status = self._status()
        told = {name: status[name] for name in (*_TOLD, "backlog") if name in status}
        body = json.dumps(told).encode("ascii")
        self._client.ask("PUT", self._url, body, {"Content-Type": "application/json"}, REFUSALS)

    def _run(self) -> None:
        while not self._closing.is_set():
            with survived():
                try:
                    self.tell()
                except DeliveryError as error:  # the outbox tells people that the server is away
                    LOG.debug("bulletin: %s", error)
            self._closing.wait(self._every_s)
