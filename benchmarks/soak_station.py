"""A station in a process of its own, to be killed; PLC, conveyor and what its cameras see stay with its parent."""

import sys
from collections.abc import Callable, Mapping
from multiprocessing.connection import Client, Connection, Listener
from pathlib import Path
from threading import Lock, Thread

import numpy as np

from brightness import SHAPE
from sightline.devices.controllers import open_plc
from sightline.devices.modbus_plc import ModbusConfig
from sightline.devices.reconnecting_camera import ReconnectingCamera
from sightline.devices.reconnection import ReconnectingPlc
from sightline.devices.sim_belt import BeltPart
from sightline.devices.sim_camera import SimCamera, SimDevice
from sightline.line.fusion import Fused, fuse
from sightline.line.handshake import HandshakeConfig
from sightline.line.images import ImagePolicy, ImageWriter
from sightline.line.judge import Patience as Judging
from sightline.line.metrics import Metrics
from sightline.line.photographer import Patience, Photographer
from sightline.line.pictures import PictureFolder
from sightline.line.setup import Setup
from sightline.line.spool import Spool
from sightline.line.station import Station, StationConfig
from sightline.line.stock import Stock
from sightline.line.view import Seen, View, ViewPlan
from sightline.line.worker import Work
from sightline.records import Frame, Inspection

HOST = "127.0.0.1"
WINDOW_S = 0.8
VIEW = "front"


class Scene:
    """What is before the cameras, told to whoever asks; the parent's end."""

    def __init__(self, in_view: Callable[[], BeltPart | None], stock: Stock) -> None:
        self._in_view, self._stock = in_view, stock
        self._listener = Listener((HOST, 0), backlog=16)
        self.port: int = self._listener.address[1]
        Thread(target=self._serve, name="scene", daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                connection = self._listener.accept()
            except OSError:  # closed
                return
            Thread(target=self._tell, args=(connection,), name="onlooker", daemon=True).start()

    def _tell(self, connection: Connection) -> None:
        with connection:
            try:
                while True:
                    view = connection.recv_bytes().decode()
                    connection.send_bytes(self._stock.picture(view, self._in_view()).pixels.tobytes())
            except (EOFError, OSError):
                return  # it was killed


class Onlooker:
    """The station's end of a scene."""

    def __init__(self, port: int) -> None:
        self._connection = Client((HOST, port))
        self._lock = Lock()

    def look(self, view: str) -> Frame:
        with self._lock:
            self._connection.send_bytes(view.encode())
            pixels = np.frombuffer(self._connection.recv_bytes(), np.uint8).reshape(SHAPE)
        return Frame(pixels=pixels.copy())


def main() -> None:
    """The process; its arguments are the ports of Modbus and of the scene, a folder, and the model."""
    modbus_port, scene_port = int(sys.argv[1]), int(sys.argv[2])
    folder, model = Path(sys.argv[3]), Path(sys.argv[4])
    onlooker = Onlooker(scene_port)
    device = SimDevice(lambda _number: onlooker.look(VIEW))
    config = ModbusConfig(host=HOST, port=modbus_port, timeout_s=2.0)

    photographer = Photographer(VIEW, ReconnectingCamera(VIEW, lambda: SimCamera(VIEW, device)))

    def load(recipe: int, tell: Callable[[Seen], None]) -> Setup:
        plan = ViewPlan(
            name=VIEW,
            work=Work(model=model, shape=SHAPE),
            patience=Patience(late_s=0.15, delay_s=0.05),
            judging=Judging(),
        )
        view = View(plan, photographer, None, tell)

        def alone(views: Mapping[str, Inspection]) -> Fused:
            return fuse({VIEW: 1.0}, views)

        return Setup(product="flange", recipe=recipe, views=(view,), fuse=alone, window_s=WINDOW_S)

    station = Station(
        StationConfig(name="soak", handshake=HandshakeConfig(window_s=WINDOW_S, capacity=16)),
        ReconnectingPlc("plc", lambda: open_plc("plc", config), seed=0),
        load,
        Spool(folder / "records.db", station="soak"),
        ImageWriter(PictureFolder(folder / "pictures"), ImagePolicy()),
        Metrics(),
    )
    station.run(1)
