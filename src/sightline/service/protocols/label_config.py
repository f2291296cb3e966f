"""Label Studio's labelling interface, and findings as its regions; coordinates are percent of the picture's sides."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element, ParseError, fromstring

import cv2
import numpy as np

from sightline.datasets.dataset import GOOD
from sightline.datasets.formats.brush import write_brush
from sightline.errors import OptionError
from sightline.records import BoolArray, Inspection, Verdict

LONGEST_CONFIG = 1_000_000  # characters
_PERCENT = 100.0
_METHODS = {"BrushLabels": "segmenter", "PolygonLabels": "segmenter", "RectangleLabels": "detector"}
_GOOD = (GOOD, "ok", "normal", "pass", "no defect")
_BAD = ("anomaly", "defect", "defective", "bad", "reject", "nok", "ng")


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One tag by which people label a picture."""

    tag: str  # RectangleLabels, BrushLabels, Choices, ...
    name: str
    to_name: str
    labels: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """How one project labels."""

    image: str  # key of a task's data
    controls: tuple[Control, ...]

    @property
    def method(self) -> str:
        """What can be learnt from its annotations."""
        tags = [control.tag for control in self.controls]
        return next((method for tag, method in _METHODS.items() if tag in tags), "classifier")


def read_interface(text: str) -> Interface:
    """Read a labelling interface; raises OptionError where it has no picture or is no XML that we take."""
    if len(text) > LONGEST_CONFIG or "<!" in text.replace("<!--", ""):  # entities can grow without bound
        raise OptionError("label_config: is too long or declares entities; give a plain labelling interface.")
    try:
        root = fromstring(text)
    except ParseError as error:
        raise OptionError(f"label_config: is no XML ({error}). Check the project's labelling interface.") from error
    image = next(root.iter("Image"), None)
    if image is None:
        raise OptionError("label_config: has no Image; only pictures can be judged.")
    controls = tuple(
        Control(
            tag=found.tag,
            name=found.get("name", ""),
            to_name=found.get("toName", ""),
            labels=tuple(label.get("value", "") for label in found if label.tag in ("Label", "Choice")),
        )
        for found in root.iter()
        if found.tag in (*_METHODS, "Choices")
    )
    return Interface(image=_key(image), controls=controls)


def _key(image: Element) -> str:
    return image.get("value", "$image").removeprefix("$").partition("[")[0]


def regions(found: Inspection, interface: Interface, classes: Sequence[str]) -> list[dict[str, Any]]:
    """What was found, by every tag of the interface that can show it.

    Args:
        classes: labels that the places in `found.segments` stand for.
    """
    if found.width is None or found.height is None:
        return []
    writers: Mapping[str, Callable[[Inspection, Control, Sequence[str]], list[dict[str, Any]]]] = {
        "RectangleLabels": _boxes,
        "BrushLabels": _brushes,
        "Choices": _choices,
    }
    return [
        region
        for control in interface.controls
        if control.tag in writers
        for region in writers[control.tag](found, control, classes)
    ]


def _boxes(found: Inspection, control: Control, _: Sequence[str]) -> list[dict[str, Any]]:
    assert found.width is not None
    assert found.height is not None
    across, down = _PERCENT / found.width, _PERCENT / found.height
    regions = []
    for defect in found.defects if found.verdict is not Verdict.PASS else ():
        label = _named(defect.label, control.labels)
        if label is not None:
            box = defect.box
            value = {"x": box.x * across, "y": box.y * down, "width": box.width * across, "height": box.height * down}
            value["rotation"] = 0
            regions.append(_region(found, control, value | {"rectanglelabels": [label]}, defect.confidence))
    return regions


def _brushes(found: Inspection, control: Control, classes: Sequence[str]) -> list[dict[str, Any]]:
    regions = []
    for name, mask in _masks(found, classes):
        label = _named(name, control.labels)
        if label is not None and mask.any():
            value = {"format": "rle", "rle": list(write_brush(mask)), "brushlabels": [label]}
            regions.append(_region(found, control, value, None))
    return regions


def _masks(found: Inspection, classes: Sequence[str]) -> list[tuple[str, BoolArray]]:
    """Each class that was outlined; of a model that outlines none, where its map reaches the threshold."""
    if found.verdict is Verdict.PASS:
        return []
    assert found.width is not None
    assert found.height is not None
    size = (found.width, found.height)
    if found.segments is not None:
        drawn = cv2.resize(found.segments, size, interpolation=cv2.INTER_NEAREST)
        places = [int(place) for place in np.unique(drawn) if 0 < place < len(classes)]
        return [(classes[place], np.asarray(drawn == place)) for place in places]
    if found.map is None or not found.defects:
        return []
    values = cv2.resize(found.map, size, interpolation=cv2.INTER_LINEAR)
    return [(found.defects[0].label, np.asarray(values >= min(found.threshold, float(values.max()))))]


def _choices(found: Inspection, control: Control, _: Sequence[str]) -> list[dict[str, Any]]:
    if found.verdict is Verdict.PASS:
        label = _first(control.labels, _GOOD)
    else:
        label = _named(found.defects[0].label if found.defects else _BAD[0], control.labels)
    if label is None:
        return []
    confidence = found.defects[0].confidence if found.defects else None
    return [_region(found, control, {"choices": [label]}, confidence)]


def _named(label: str, labels: Sequence[str]) -> str | None:
    """The project's label of this name, whatever its case; else the one for what is bad, or its only one of that."""
    same = _first(labels, (label,))
    bad = [one for one in labels if one.casefold() not in _GOOD]
    return same or _first(labels, _BAD) or (bad[0] if len(bad) == 1 else None)


def _first(labels: Sequence[str], wanted: Sequence[str]) -> str | None:
    return next((label for label in labels if label.casefold() in wanted or label in wanted), None)


def _region(found: Inspection, control: Control, value: dict[str, Any], confidence: float | None) -> dict[str, Any]:
    region = {
        "id": uuid.uuid4().hex[:10],
        "type": control.tag.lower(),
        "from_name": control.name,
        "to_name": control.to_name,
        "original_width": found.width,
        "original_height": found.height,
        "image_rotation": 0,
        "value": value,
    }
    return region if confidence is None else region | {"score": confidence}
