"""Hours without the plant server, then all of it delivered: promise 17.

    python -m tests.faults.outbox_outage FOLDER [PARTS]

8 hours at 10 parts a second are 288,000. Prints one JSON document; the server runs in the same process.
"""

import json
import sys
import time
from pathlib import Path

from tests.line.deadline import until
from tests.line.parts import outcome
from tests.line.plant import Plant, PlantServer

from sightline.line.history import History, verify_lines
from sightline.line.http_sink import HttpSink, PlantClient
from sightline.line.outbox import Outbox, Pace
from sightline.line.spool import Spool

AT_ONCE = 100  # outcomes of a commit; more than a line has, to be done sooner


def outage(folder: Path, parts: int) -> dict[str, object]:
    """Record `parts` while the server is away, let it come back, and see what arrived."""
    plant = Plant()
    records = folder / "records.db"
    away = PlantServer(plant)
    away.close()
    spool = Spool(records, station="s")
    pace = Pace(first_wait_s=0.1, longest_wait_s=2)
    box = Outbox(records, folder / "outbox.db", HttpSink(PlantClient(away.url)), pace)
    started = time.perf_counter()
    for first in range(0, parts, AT_ONCE):
        spool.record([outcome(part + 1) for part in range(first, min(first + AT_ONCE, parts))])
    recorded_s = time.perf_counter() - started
    server = PlantServer(plant, away.port)
    started = time.perf_counter()
    until(lambda: box.status.backlog == 0, within_s=3600)
    delivered_s = time.perf_counter() - started
    box.close()
    server.close()
    spool.close()
    history = History(records)
    in_order = plant.lines == [row.document for row in history.after(0, parts)]
    history.close()
    damage = verify_lines(plant.lines)
    return {
        "parts": parts,
        "recorded_per_s": round(parts / recorded_s),
        "delivered_per_s": round(parts / delivered_s),
        "megabytes": round(sum(map(len, plant.lines)) / 1e6, 1),
        "once_and_in_order": in_order,
        "repeated": plant.repeated,
        "damage": damage and str(damage),
    }


if __name__ == "__main__":
    print(json.dumps(outage(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 288_000)))
