"""A station at work while its disk fills up and is freed again: promise 18.

    python tests/faults/station_full_disk.py FOLDER MODEL     FOLDER is a disk of its own, of some MB

Prints one JSON document.
"""

import json
import shutil
import sys
from contextlib import closing, suppress
from pathlib import Path

from brightness import brightness_stock, write_brightness
from sightline.line.faults import Fault
from sightline.line.history import History, verify
from sightline.line.images import Dropped, ImagePolicy, Policy
from sightline.line.simulation import LineConfig, SimulatedLine
from sightline.records import Verdict

PATIENCE_S = 90.0


class Disk:
    """A small disk that somebody else fills."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._ballast = folder, folder / "ballast"

    def fill(self, free_share: float) -> None:
        usage = shutil.disk_usage(self._folder)
        with suppress(OSError), self._ballast.open("ab") as ballast:
            ballast.write(bytes(max(0, usage.free - round(free_share * usage.total))))

    def free(self) -> None:
        self._ballast.unlink()


def fill_and_free(line: SimulatedLine, disk: Disk) -> dict[str, object]:
    """What the station says meanwhile."""

    def go_on(parts: int) -> None:
        end = len(line.plc.fallen) + parts
        line.until(lambda: len(line.plc.fallen) >= end, PATIENCE_S)

    def refuses() -> bool:
        disk.fill(0.0)  # again and again, as what gives way makes room
        return line.stopwatch.answer.error == Fault.STORE_FAILED

    line.plc.start()
    go_on(4)
    disk.fill(0.2)
    line.until(lambda: line.images.alarm and line.images.dropped.get(Dropped.SPACE, 0) > 0, PATIENCE_S)
    said: dict[str, object] = {
        "alarm of pictures": line.images.alarm,
        "error with little left": line.stopwatch.answer.error,
    }
    go_on(2)
    line.until(refuses, PATIENCE_S)
    said["alarm of records"] = any("cannot be written" in one for one in line.station.board.status()["alarms"])
    said["ready with none left"] = line.stopwatch.answer.ready
    go_on(6)
    disk.free()
    line.until(lambda: line.stopwatch.answer.error == 0, PATIENCE_S)
    go_on(8)
    line.plc.stop()
    line.until(lambda: not any(line.station.queues().values()), PATIENCE_S)
    said["alarm of records after"] = any("cannot be" in one for one in line.station.board.status()["alarms"])
    return said


def main() -> None:
    folder, model = Path(sys.argv[1]), write_brightness(Path(sys.argv[2]))
    policy = ImagePolicy(policy=Policy.ALL, alarm_share=0.3)
    line = SimulatedLine(folder / "line", model, brightness_stock(), LineConfig(parts=None, rate_hz=5.0, policy=policy))
    with line:
        report = fill_and_free(line, Disk(folder))
    with closing(History(line.records)) as history:
        rows = history.after(0, 10**6)
    triggers = line.station.board.status()["counts"]["triggers"]
    found, damage = line.result(), verify(line.records)
    causes = [json.loads(row.document)["cause"] for row in rows]
    report |= {
        "records": len(rows),
        "unrecorded": triggers - len(rows),
        "parts with two records": len(rows) - len({row.part_id for row in rows}),
        "passed": sum(row.verdict is Verdict.PASS for row in rows),
        "not recorded in time": causes.count("not_recorded"),
        "passed over": causes.count("missed_trigger"),
        "escapes": found.escapes,
        "misplaced": found.misplaced,
        "damage": None if damage is None else str(damage),
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
