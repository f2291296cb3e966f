"""Inspections put straight into the tables, as the figures' tests need them."""

import uuid
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import insert
from sqlalchemy.orm import Session

from sightline.store.schema import Defect, Frame, Inspection, Review, Station, Tally


@dataclass(slots=True)
class Plant:
    """Fills a database; `finish` writes the tallies that belong to it."""

    session: Session
    number: int = 0
    tallies: Counter[tuple[object, ...]] = field(default_factory=Counter)
    findings: Counter[tuple[object, ...]] = field(default_factory=Counter)
    stations: dict[str, int] = field(default_factory=dict)

    def station(self, name: str, line: str = "line 1") -> None:
        one = Station(name=name, line=line, first_seen_s=0.0, last_seen_s=0.0, clock_ahead_s=None)
        self.session.add(one)
        self.session.flush()
        self.stations[name] = one.id

    def part(
        self,
        at_s: float,
        verdict: str = "PASS",
        *,
        station: str = "st-1",
        product: str = "cap",
        kind: str = "production",
        label: str = "",
        cause: str = "",
        serial: str = "",
        score: float | None = 0.5,
        boxes: tuple[tuple[int, int, int, int], ...] = (),
    ) -> str:
        """One inspection with a frame and, where it has a label, a defect in each box; its id."""
        if station not in self.stations:
            self.station(station)
        self.number += 1
        id_ = str(uuid.UUID(int=self.number))
        row = {"id": id_, "number": self.number, "station_id": self.stations[station], "sequence": self.number}
        row |= {"serial": serial, "product": product, "recipe": 1, "kind": kind, "verdict": verdict, "score": score}
        row |= {"label": label, "cause": cause, "at_s": at_s, "station_clock_s": at_s, "received_s": at_s}
        self.session.execute(insert(Inspection), [row | {"document": "{}", "late": False}])
        frame = Frame(inspection_id=id_, view="top", verdict=verdict, score=score, threshold=1.0)
        self.session.add(frame)
        self.session.flush()
        for x, y, width, height in boxes or (((0, 0, 2, 2),) if label else ()):
            box = {"x": x, "y": y, "width": width, "height": height, "area_px": width * height}
            self.session.add(Defect(inspection_id=id_, frame_id=frame.id, label=label, peak=2.0, **box))
        key = (int(at_s // 3600), self.stations[station], product, kind, verdict, cause, label)
        self.tallies[key] += 1
        self.findings[key] += len(boxes) or bool(label)
        return id_

    def review(
        self, inspection: str, verdict: str, *, by: str = "ann", at_s: float = 0.0, undone: bool = False
    ) -> None:
        self.session.add(
            Review(inspection_id=inspection, reviewer=by, verdict=verdict, at_s=at_s, undone_s=at_s if undone else None)
        )
        self.session.flush()

    def finish(self) -> None:
        names = ("hour", "station_id", "product", "kind", "verdict", "cause", "label")
        for key, parts in self.tallies.items():
            self.session.add(
                Tally(**dict(zip(names, key, strict=True)), parts=parts, defects=self.findings[key], late=0)
            )
        self.session.flush()
