"""Inspections put straight into the tables, as the figures' tests need them."""

import uuid
from collections import Counter
from dataclasses import dataclass, field

from sqlalchemy import insert
from sqlalchemy.orm import Session

from sightline.store.schema import Base, Defect, Frame, Inspection, Review, Station, Tally

_KEY = ("hour", "station_id", "product", "kind", "verdict", "cause", "label", "lot", "tool")


@dataclass(slots=True)
class Plant:
    """Collects inspections; `finish` writes them with the tallies that belong to them."""

    session: Session
    number: int = 0
    stations: dict[str, int] = field(default_factory=dict)
    rows: dict[type[Base], list[dict[str, object]]] = field(default_factory=dict)
    tallies: Counter[tuple[object, ...]] = field(default_factory=Counter)
    findings: Counter[tuple[object, ...]] = field(default_factory=Counter)

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
        judged: str | None = None,
        shadow: tuple[str, str] = ("", ""),
    ) -> str:
        """One inspection with a frame and, where it has a label, a defect in each box; its id.

        `judged` is the verdict where it is None; `shadow` is (model, verdict).
        """
        if station not in self.stations:
            self.station(station)
        self.number += 1
        id_ = str(uuid.UUID(int=self.number))
        row = {"id": id_, "number": self.number, "station_id": self.stations[station], "sequence": self.number}
        row |= {"serial": serial, "product": product, "recipe": 1, "kind": kind, "verdict": verdict, "score": score}
        row |= {"label": label, "cause": cause, "at_s": at_s, "station_clock_s": at_s, "received_s": at_s}
        row |= {"document": "{}", "late": False, "part_number": 0, "judged": verdict if judged is None else judged}
        self._add(Inspection, row)
        frame = {"id": self.number, "inspection_id": id_, "view": "top", "verdict": verdict, "score": score}
        frame |= {"model_id": "", "cause": "", "reason": "", "threshold": 1.0}
        self._add(Frame, frame | {"shadow_model": shadow[0], "shadow_verdict": shadow[1]})
        for x, y, width, height in boxes or (((0, 0, 2, 2),) if label else ()):
            box = {"x": x, "y": y, "width": width, "height": height, "area_px": width * height}
            self._add(Defect, {"inspection_id": id_, "frame_id": self.number, "label": label, "peak": 2.0, **box})
        key = (int(at_s // 3600), self.stations[station], product, kind, verdict, cause, label, "", "")
        self.tallies[key] += 1
        self.findings[key] += len(boxes) or bool(label)
        return id_

    def review(self, inspection: str, verdict: str, *, by: str = "ann", undone: bool = False) -> None:
        row = {"inspection_id": inspection, "reviewer": by, "verdict": verdict, "at_s": 0.0, "label": "", "note": ""}
        self._add(Review, row | {"undone_s": 0.0 if undone else None})

    def finish(self) -> None:
        for key, parts in self.tallies.items():
            counts = {"parts": parts, "defects": self.findings[key], "late": 0}
            self._add(Tally, dict(zip(_KEY, key, strict=True)) | counts)
        for table in (Inspection, Frame, Defect, Review, Tally):
            if table in self.rows:
                self.session.execute(insert(table), self.rows.pop(table))
        self.tallies.clear()

    def _add(self, table: type[Base], row: dict[str, object]) -> None:
        self.rows.setdefault(table, []).append(row)
