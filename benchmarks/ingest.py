"""How many parts a second the plant server takes in, each a record and a picture of 200 KB, by what stations use.

    PYTHONPATH=. python benchmarks/ingest.py [--stations 4] [--seconds 30] [--picture-kb 200]

Each station is a process that sends records in batches of 32 and then their pictures, together, as fast as the server
confirms them; the server is another process. Target: 200 parts a second. What was confirmed is then counted
in the server's list. Processor time a part is told as well, as other work on the machine changes it less than the rate.
"""

import argparse
import multiprocessing
import os
import struct
import sys
import tempfile
import time
import zlib
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from tests.service.test_serve import running

from sightline.line.http_sink import MOST_PICTURES, HttpPictures, HttpSink, PlantClient
from sightline.line.outcome import FIRST, Ids, Outcome, ViewOutcome, content, digest, document
from sightline.line.picture_outbox import Picture
from sightline.records import Verdict
from sightline.service.opening import open_database
from sightline.service.settings import Settings, StoreSettings
from sightline.store.inspections import newest
from tables import RESULTS, Cell, write_table

TARGET = 200.0
_TIMEOUT_S = 60.0
_END_BYTES = 12  # of a PNG's last chunk


def picture_of(size_kb: int) -> bytes:
    """A PNG of noise, about so large."""
    side = round((size_kb * 1000 / 3) ** 0.5)
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), np.uint8)
    return cv2.imencode(".png", pixels)[1].tobytes()


def marked(picture: bytes, name: str) -> bytes:
    """The same picture with a name in it, so that it is another file."""
    text = b"tEXt" + b"part\x00" + name.encode("ascii")
    chunk = struct.pack(">I", len(text) - 4) + text + struct.pack(">I", zlib.crc32(text))
    return picture[:-_END_BYTES] + chunk + picture[-_END_BYTES:]


def station(number: int, url: str, picture: bytes, until_s: float) -> tuple[int, float]:
    """Send until a moment of `time.time()`; parts that were confirmed with their pictures, and processor seconds."""
    begun_s = time.process_time()
    client = PlantClient(f"{url}/api/v1/ingest", timeout_s=_TIMEOUT_S)
    records, pictures, ids = HttpSink(client), HttpPictures(client), Ids()
    previous, sequence = FIRST, 0
    while time.time() < until_s:
        names, lines = [ids.new() for _ in range(MOST_PICTURES)], []
        for name in names:
            sequence += 1
            line = document(content(_part(name, sequence)), sequence, previous, f"press-{number}")
            previous = digest(line)
            lines.append(line)
        records.send(lines)
        said = pictures.send([Picture(outcome=name, view="top", content=marked(picture, name)) for name in names])
        assert said == [""] * len(names), said
    return sequence, time.process_time() - begun_s


def processor_s(pid: int) -> float:
    """Processor time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _part(name: str, sequence: int) -> Outcome:
    view = ViewOutcome(view="top", verdict=Verdict.PASS, score=0.4, threshold=1.0, model_id="0" * 64)
    return Outcome(
        id=name,
        part_id=sequence,
        product="cap",
        recipe=1,
        verdict=Verdict.PASS,
        unix_s=time.time(),
        score=0.4,
        durations_ms={"model": 20.0},
        views=(view,),
    )


def measured(folder: Path, stations: int, seconds: float, picture: bytes) -> dict[str, Cell]:
    """One row; raises AssertionError where the server has other parts than it confirmed."""
    with running("--dev", "--folder", str(folder)) as server:
        fresh = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(stations, mp_context=fresh) as pool:
            list(pool.map(abs, range(stations)))  # the processes stand before the clock starts
            begun_s, before_s = time.time(), processor_s(server.process.pid)
            sent = [pool.submit(station, place, server.url, picture, begun_s + seconds) for place in range(stations)]
            confirmed = sum(one.result()[0] for one in sent)
            took_s, used_s = time.time() - begun_s, processor_s(server.process.pid) - before_s
        server.stop()
    with open_database(Settings(store=StoreSettings(folder=folder))) as database, database.reading() as session:
        there = newest(session)
    assert there == confirmed, f"{confirmed} were confirmed, {there} are there"
    return {
        "stations": stations,
        "parts": confirmed,
        "parts per second": confirmed / took_s,
        "server's ms a part": 1e3 * used_s / confirmed,
        "stations' ms a part": 1e3 * sum(one.result()[1] for one in sent) / confirmed,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stations", type=int, nargs="+", default=[1, 4, 10])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--picture-kb", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    picture = picture_of(options.picture_kb)
    rows: list[dict[str, Cell]] = []
    for stations in options.stations:
        with tempfile.TemporaryDirectory() as folder:
            rows.append(measured(Path(folder), stations, options.seconds, picture))
        print(rows[-1], flush=True)
    notes = [
        f"Pictures of {len(picture) // 1000} KB; target {TARGET:g} a second. Stations share the cores with the server."
    ]
    command = " ".join(["PYTHONPATH=. python benchmarks/ingest.py", *sys.argv[1:]])
    write_table(
        options.out, "ingest", rows, title="Parts with pictures into the plant server", command=command, notes=notes
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
