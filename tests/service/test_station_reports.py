"""A station's own outbox and a plant server as users start it: what was recorded arrives once, and is found again."""

import hashlib
import json
import time
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from tests.line.deadline import until
from tests.line.parts import outcome
from tests.service.test_serve import DEADLINE_S, Running, running

from sightline.line.http_sink import HttpPictures, HttpSink, PlantClient
from sightline.line.outbox import Outbox, Pace
from sightline.line.picture_outbox import Picture
from sightline.line.spool import Spool
from sightline.records import Verdict
from sightline.service.opening import open_database
from sightline.service.rights import Role
from sightline.service.settings import Settings, StoreSettings
from sightline.store.keys import Wanted, make

STATION = "press-3"
PACE = Pace(most_lines=20, poll_s=0.01, first_wait_s=0.05, longest_wait_s=0.2, tries=2, try_again_s=0.01)


class Site:
    """A plant's folder with one key for the station and one for somebody who looks on."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with open_database(Settings(store=StoreSettings(folder=folder))) as database:
            wanted = Wanted(name="press", role=Role.STATION, station=STATION)
            self.token = folder / "station.key"
            self.token.write_text(make(database, wanted, by="test", now_s=time.time())[1])
            viewer = Wanted(name="viewer", role=Role.OPERATOR)
            self.viewer = make(database, viewer, by="test", now_s=time.time())[1]

    def seen(self, server: Running, path: str) -> Any:
        asked = urllib.request.Request(f"{server.url}{path}", headers={"Authorization": f"Bearer {self.viewer}"})
        with urllib.request.urlopen(asked, timeout=DEADLINE_S) as answer:
            return json.loads(answer.read())

    def client(self, server: Running) -> PlantClient:
        return PlantClient(f"{server.url}/api/v1/ingest", token_file=self.token, timeout_s=DEADLINE_S)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    (tmp_path / "plant").mkdir()
    return Site(tmp_path / "plant")


def test_a_station_and_the_server_understand_each_other(site: Site, tmp_path: Path) -> None:
    spool = Spool(tmp_path / "records.db", station=STATION)
    verdicts = [Verdict.PASS, Verdict.REJECT, Verdict.FAULT, Verdict.PASS, Verdict.REVIEW] * 12
    outcomes = [
        outcome(number, verdict=verdict, serial=f"S{number}", unix_s=time.time(), known_as=spool.ids.new())
        for number, verdict in enumerate(verdicts, 1)
    ]
    spool.record(outcomes[:30])
    for _ in range(2):  # the second time, a server that was started anew, and a station that has gone on
        with running("--folder", str(site.folder)) as server:
            box = Outbox(tmp_path / "records.db", tmp_path / "outbox.db", HttpSink(site.client(server)), PACE)
            until(lambda box=box: box.status.backlog == 0)  # type: ignore[misc]
            assert (box.status.quarantined, box.status.error) == (0, "")
            box.close()
            found = site.seen(server, "/api/v1/inspections?limit=100")["items"]
            rejected = next(one for one in outcomes if one.verdict is Verdict.REJECT)
            content = cv2.imencode(".png", np.full((24, 32), 90, np.uint8))[1].tobytes()
            sink = HttpPictures(site.client(server))
            known = Picture(outcome=rejected.id, view="top", content=content)
            unknown = Picture(outcome="01987a6e-5b1f-7c3a-9d58-3f2a1c0b9e77", view="top", content=content)
            assert sink.send([known]) == [""]
            taken, *refused = sink.send([known, unknown]) + sink.send([unknown])
            assert (taken, ["404" in why for why in refused]) == ("", [True, True])
            one = site.seen(server, f"/api/v1/inspections/{rejected.id}")
        spool.record(outcomes[30:])
    spool.close()
    assert [row["id"] for row in reversed(found)] == [part.id for part in outcomes]
    assert [row["verdict"] for row in reversed(found)] == [str(part.verdict) for part in outcomes]
    (view,) = one["inspection"]["views"]
    assert view["picture"] == hashlib.sha256(content).hexdigest()
    assert [defect["label"] for defect in one["defects"]] == ["dent"]
