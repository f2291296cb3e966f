"""What goes between the station and a worker: frames there, inspections back, as JSON and raw arrays, never pickled.

A message is one or more byte strings on a `multiprocessing` connection: a JSON header, and then each array that it
announces. The connection ends with the process at either end of it.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sightline.records import Box, Defect, Frame, Inspection, Timings, Verdict

Array = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.float32]
_DTYPES = ("uint8", "uint16", "float32")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Job:
    """A frame to judge."""

    number: int  # counts up; an answer names it
    frame: Frame
    motion_px: float | None = None  # how far this part moved while exposed; None: as the worker's task says


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Judged:
    """What a worker says of a frame; without an inspection it could not say anything."""

    number: int
    inspection: Inspection | None
    fault: str | None = None  # why there is no inspection

    def __post_init__(self) -> None:
        assert (self.inspection is None) == (self.fault is not None), "an inspection, or a reason for its absence"


def send_job(connection: Connection, job: Job) -> None:
    frame = job.frame
    arrays: list[Array] = [frame.pixels] if frame.depth is None else [frame.pixels, frame.depth]
    header = {"number": job.number, "bit_depth": frame.bit_depth, "source": frame.source, "motion_px": job.motion_px}
    _send(connection, header, arrays)


def receive_job(connection: Connection) -> Job:
    """Raises EOFError when the station has closed the connection, or is no more."""
    header, arrays = _receive(connection)
    pixels, depth = (*arrays, None)[:2]
    frame = Frame(pixels=pixels, bit_depth=header["bit_depth"], source=header["source"], depth=depth)  # type: ignore[arg-type]
    return Job(number=header["number"], frame=frame, motion_px=header["motion_px"])


def send_judged(connection: Connection, judged: Judged) -> None:
    inspection = judged.inspection
    document = None if inspection is None else _document(inspection)
    arrays: list[Array] = [] if inspection is None or inspection.map is None else [inspection.map]
    _send(connection, {"number": judged.number, "fault": judged.fault, "inspection": document}, arrays)


def receive_judged(connection: Connection) -> Judged:
    """Raises EOFError when the worker is no more."""
    header, arrays = _receive(connection)
    document = header["inspection"]
    inspection = None if document is None else _inspection(document, arrays)
    return Judged(number=header["number"], inspection=inspection, fault=header["fault"])


def _document(inspection: Inspection) -> dict[str, Any]:
    """Without outlines and raw boxes, which nobody at the station wants: what they come to are defects."""
    plain = replace(inspection, map=None, segments=None, boxes=None)
    return asdict(plain) | {"map": inspection.map is not None}


def _inspection(document: dict[str, Any], arrays: list[Array]) -> Inspection:
    defects = tuple(Defect(**defect | {"box": Box(**defect["box"])}) for defect in document["defects"])
    timings = document["timings"]
    return Inspection(
        **document
        | {
            "verdict": Verdict(document["verdict"]),
            "defects": defects,
            "timings": None if timings is None else Timings(**timings),
            "map": arrays.pop(0) if document["map"] else None,
        }
    )


def _send(connection: Connection, header: dict[str, Any], arrays: Sequence[Array]) -> None:
    kinds = [{"shape": array.shape, "dtype": str(array.dtype)} for array in arrays]
    connection.send_bytes(json.dumps(header | {"arrays": kinds}).encode())
    for array in arrays:
        connection.send_bytes(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _receive(connection: Connection) -> tuple[dict[str, Any], list[Array]]:
    header = json.loads(connection.recv_bytes())
    arrays = []
    for kind in header.pop("arrays"):
        assert kind["dtype"] in _DTYPES, "only this file writes headers"
        arrays.append(np.frombuffer(connection.recv_bytes(), kind["dtype"]).reshape(kind["shape"]))
    return header, arrays
