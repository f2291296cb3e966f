"""Where on a part a defect may lie: anywhere on its surface, or at its edge; millimetres from the picture's centre."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.records import BoolArray
from sightline.synthesis.scene import Scene, broadly


def spot(scene: Scene, rng: np.random.Generator, clearance_mm: float = 0.0) -> tuple[float, float]:
    """A point on the part, mm from the picture's centre; clear of its edge where there is room."""
    reach = round(clearance_mm / scene.pitch_mm)
    inner = scene.region
    if reach and scene.has_background:
        disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
        inner = cv2.erode(scene.region.astype(np.uint8), disk, borderValue=0).astype(np.bool_)
    places = np.flatnonzero(inner if inner.any() else scene.region)
    return millimetres(scene, int(places[rng.integers(len(places))]))


def edge_place(scene: Scene, rng: np.random.Generator) -> tuple[float, float, float]:
    """A point on the part's outline, or on the picture's where the part fills it, and the angle inwards."""
    framed = cv2.copyMakeBorder(_filled(scene.region), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    inner = cv2.erode(framed, np.ones((3, 3), np.uint8))
    outline = np.flatnonzero((framed > inner)[1:-1, 1:-1])
    x, y = millimetres(scene, int(outline[rng.integers(len(outline))]))
    reach = max(4.0, min(scene.shape) / 25)
    away = broadly(framed.astype(np.float32)[..., None], reach)[..., 0]
    row, column = pixel(scene, (x, y))
    slope = [float(cv2.Sobel(away, cv2.CV_32F, dx, dy)[row + 1, column + 1]) for dx, dy in ((1, 0), (0, 1))]
    return x, y, math.atan2(slope[1], slope[0])


def _filled(region: BoolArray) -> NDArray[np.uint8]:
    """The region with its holes: what does not belong to it and does not reach the picture's border."""
    outside = (~region).astype(np.uint8)
    _, regions = cv2.connectedComponents(outside)
    reaching = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    return np.asarray(region | ~np.isin(regions, reaching), np.uint8)


def millimetres(scene: Scene, place: int) -> tuple[float, float]:
    row, column = divmod(place, scene.shape[1])
    return (column + 0.5 - scene.shape[1] / 2) * scene.pitch_mm, (row + 0.5 - scene.shape[0] / 2) * scene.pitch_mm


def pixel(scene: Scene, place: tuple[float, float]) -> tuple[int, int]:
    column, row = (
        round(millimetres / scene.pitch_mm + side / 2 - 0.5)
        for millimetres, side in zip(place, reversed(scene.shape), strict=True)
    )
    return min(max(row, 0), scene.shape[0] - 1), min(max(column, 0), scene.shape[1] - 1)


def level_at(scene: Scene, place: tuple[float, float]) -> float:
    """How bright the part is there, 0..1."""
    return float(scene.brightness[pixel(scene, place)].mean())
