"""The plant server hears how a station is, the more so when something is wrong there."""

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from tests.line.deadline import until
from tests.line.parts import outcome
from tests.line.plant import Plant, PlantServer

from sightline.errors import DeliveryError
from sightline.line.board import Board, Device
from sightline.line.bulletin import Bulletin
from sightline.line.http_sink import HttpSink, PlantClient
from sightline.line.outbox import Outbox
from sightline.line.spool import Spool

pytest.importorskip("prometheus_client")

from sightline.line.assembly import bulletin_of


def told(plant: Plant, station: str) -> list[dict[str, Any]]:
    """All that was, oldest first."""
    return [json.loads(body) for name, body in plant.bulletins if name == station]


def bulletin(server: PlantServer, status: Callable[[], Mapping[str, Any]]) -> Bulletin:
    return Bulletin(PlantClient(server.url), "press 3", status, every_s=0.01)


def test_it_tells_state_devices_and_backlog(tmp_path: Path, plant: Plant, server: PlantServer) -> None:
    with closing(Spool(tmp_path / "records.db", station="press 3")) as spool:
        spool.record([outcome(1), outcome(2)])
    plant.status = 503  # for records
    board = Board("press 3", devices=[Device(name="disk", state="half full")])
    sink = HttpSink(PlantClient(server.url))
    with (
        closing(Outbox(tmp_path / "records.db", tmp_path / "outbox.db", sink)) as outbox,
        closing(bulletin(server, lambda: bulletin_of(board, outbox))),
    ):
        until(lambda: bool(told(plant, "press 3")))
    first = told(plant, "press 3")[0]
    assert (first["state"], first["backlog"]) == ("loading", 2)
    assert {"name": "disk", "state": "half full"} in first["devices"]


def test_a_station_whose_records_cannot_be_read_tells_the_rest(
    tmp_path: Path, plant: Plant, server: PlantServer
) -> None:
    with closing(Spool(tmp_path / "records.db", station="press 3")) as spool:
        spool.record([outcome()])
    board = Board("press 3", devices=[Device(name="records", state="cannot be read")])
    outbox = Outbox(tmp_path / "records.db", tmp_path / "outbox.db", HttpSink(PlantClient(server.url)))
    outbox.close()  # and its file is, too
    with closing(bulletin(server, lambda: bulletin_of(board, outbox))):
        until(lambda: len(told(plant, "press 3")) > 1)
    last = told(plant, "press 3")[-1]
    assert "backlog" not in last
    assert {"name": "records", "state": "cannot be read"} in last["devices"]


def test_it_goes_on_after_an_outage_and_after_a_bug(plant: Plant, server: PlantServer) -> None:
    trouble = iter([DeliveryError("the network is away"), RuntimeError("a bug")])

    def status() -> dict[str, Any]:
        if error := next(trouble, None):
            raise error
        return {"state": "ready"}

    with closing(bulletin(server, status)):
        until(lambda: told(plant, "press 3") != [])
    assert told(plant, "press 3")[0] == {"state": "ready"}
