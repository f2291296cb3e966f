"""What stands around a station that is the product's own process: cameras that push pictures, and a plant server."""

import json
import time
from collections.abc import Mapping
from http.client import HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from threading import Event, Thread
from urllib.request import Request as Push
from urllib.request import urlopen

import numpy as np

from sightline.devices.plc import Answer, Request
from sightline.devices.sim_belt import BeltPart
from sightline.devices.sim_plc import SimPlc
from sightline.imaging.writing import png
from sightline.line.stock import Stock
from sightline.records import Pixels

HOST = "127.0.0.1"
_SENSING_S = 0.002  # between two looks at the sensor
EXPOSURE_S = 0.01  # and transfer: a picture comes after the PLC's word of its part
_NUMBER_BITS = 32
_TIMEOUT_S = 5.0
_REMEMBERED = 2000  # records, of which one that comes again is known
_LONGEST = 100  # what went wrong and is told


class PushedCameras:
    """A PLC whose sensor fires the cameras as well; each pushes what it saw to a station by HTTP.

    The cameras fire whether the station reads the trigger or not.
    """

    def __init__(
        self, plc: SimPlc, stock: Stock, ports: Mapping[str, int], *, numbered: bool = False, named: bool = False
    ) -> None:
        """
        Args:
            ports: of the station, by view.
            numbered: pictures carry the number of their part, for `number_in`; the station knows nothing of that.
            named: pictures come with the number of their part, by which the station joins them.
        """
        self.failed: list[str] = []  # pictures that the station did not take
        self.slowest_s = 0.0  # from a camera being fired to the station having its picture; far behind, parts have none
        self._plc, self._ending = plc, Event()
        self._stock, self._encoded, self._numbered, self._named = stock, _encoded(stock), numbered, named
        self._due: dict[str, SimpleQueue[tuple[BeltPart, float] | None]] = {view: SimpleQueue() for view in ports}
        self._threads = [Thread(target=self._push, args=item, name="pushing camera") for item in ports.items()]
        self._threads.append(Thread(target=self._sense, name="sensor"))
        for thread in self._threads:
            thread.start()

    def read(self) -> Request:
        return self._plc.read()

    def write(self, answer: Answer) -> None:
        self._plc.write(answer)

    def close(self) -> None:
        """Push what is due; may be called more than once."""
        self._ending.set()
        for due in self._due.values():
            due.put(None)
        for thread in self._threads:
            thread.join()

    def _sense(self) -> None:
        fired = 0
        while not self._ending.wait(_SENSING_S):
            for number, part in self._plc.sensed(fired):
                fired = number
                for due in self._due.values():
                    due.put((part, time.monotonic()))

    def _seen(self, view: str, part: BeltPart) -> bytes:
        frame = self._stock.picture(view, part)
        return png(with_number(frame.pixels, part.number)) if self._numbered else self._encoded[id(frame)]

    def _push(self, view: str, port: int) -> None:
        while (fired := self._due[view].get()) is not None:
            part, fired_s = fired
            picture, headers = self._seen(view, part), {"Part-Id": str(part.number)} if self._named else {}
            time.sleep(max(0.0, fired_s + EXPOSURE_S - time.monotonic()))  # one that is behind was exposed long ago
            try:
                with urlopen(Push(f"http://{HOST}:{port}/", picture, headers, method="POST"), timeout=_TIMEOUT_S):
                    pass
            except (OSError, HTTPException) as error:
                self.failed = [*self.failed, f"{view}: a picture was not taken: {error}"][:_LONGEST]
            self.slowest_s = max(self.slowest_s, time.monotonic() - fired_s)


def number_in(pixels: Pixels) -> int:
    """The number that a picture carries: the lowest bits of its first pixels."""
    return int(np.packbits(pixels.reshape(-1)[:_NUMBER_BITS] & 1).view(">u4")[0])


def with_number(pixels: Pixels, number: int) -> Pixels:
    carrying = pixels.copy()
    first = carrying.reshape(-1)[:_NUMBER_BITS]
    first[:] = first & 0xFE | np.unpackbits(np.array([number], ">u4").view(np.uint8))
    return carrying


def _encoded(stock: Stock) -> dict[int, bytes]:
    """The files of its pictures, made in advance, by the picture's identity."""
    return {id(frame): png(frame.pixels) for part in (*stock.good, *stock.bad) for frame in part.values()}


class ConfirmingPlant:
    """A plant server that takes all that comes and confirms it; counts records and pictures, and keeps none."""

    def __init__(self) -> None:
        self.records = self.repeated = self.pictures = 0
        self._newest: list[str] = []
        self._server = ThreadingHTTPServer((HOST, 0), _handler(self))
        self._server.daemon_threads = True
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="plant server")
        self._thread.start()
        self.url = f"http://{HOST}:{self._server.server_address[1]}/api/v1/ingest"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def take(self, body: bytes) -> bytes:
        """The confirmation of these records, one in a line."""
        ids = [str(json.loads(line)["id"]) for line in body.splitlines()]
        known = set(self._newest)
        new = [one for one in ids if one not in known]
        self.records, self.repeated = self.records + len(new), self.repeated + len(ids) - len(new)
        self._newest = [*self._newest, *new][-_REMEMBERED:]
        return json.dumps({"through": ids[-1]}).encode()

    def keep(self, body: bytes) -> bytes:
        """The confirmation of these pictures."""
        listed = json.loads(body.partition(b"\n")[0])["pictures"]
        self.pictures += len(listed)
        return json.dumps(
            {"pictures": [{"digest": one["digest"], "status": 200, "detail": ""} for one in listed]}
        ).encode()


def _handler(plant: ConfirmingPlant) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"  # the station keeps its connections open

        def do_POST(self) -> None:
            body = self._body()
            self._answer(plant.keep(body) if self.path.endswith("/pictures") else plant.take(body))

        def do_PUT(self) -> None:
            """How the station is, or a picture that is sent alone."""
            self._body()
            plant.pictures += self.path.endswith("/picture")
            self._answer(b"{}")

        def _body(self) -> bytes:
            return self.rfile.read(int(self.headers["Content-Length"]))

        def _answer(self, content: bytes) -> None:
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing."""

    return Handler
