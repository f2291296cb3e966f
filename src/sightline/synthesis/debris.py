"""What lies on a part and does not belong there: a fibre, a chip, a drop, a smear."""

import math

import cv2
import numpy as np

from sightline.records import FloatArray
from sightline.synthesis.assembly import BOLT_CIRCLE_MM, Assembly
from sightline.synthesis.surface import Surface, Window, blend, clouds, paint, smoothstep

FIBRES = ((0.05, 0.05, 0.06), (0.09, 0.15, 0.40), (0.55, 0.52, 0.47), (0.42, 0.06, 0.05))  # lint, overall, paper, rag


def drop_debris(surface: Surface, assembly: Assembly, rng: np.random.Generator, severity: float) -> None:
    """One foreign thing anywhere on the part, or for a fibre partly beside it."""
    around, radius = rng.uniform(0, 2 * math.pi), BOLT_CIRCLE_MM * rng.uniform(0.55, 1.2)
    place = assembly.x_mm + radius * math.cos(around), assembly.y_mm + radius * math.sin(around)
    (fibre, chip, drop, smear)[int(rng.integers(4))](surface, place, rng, severity)


def fibre(surface: Surface, place: tuple[float, float], rng: np.random.Generator, severity: float) -> None:
    """A curled hair or thread lying on the part, with the faint shadow of its loose ends."""
    length = rng.uniform(5, 9) + 9 * severity
    window = surface.window(*place, length * 0.55 + 2)
    width = 0.10 + 0.14 * severity
    path = _curl(rng, length, rng.uniform(0.10, 0.45))
    cover = _ribbon(surface, window, path, np.full(len(path), width, np.float32))
    _shade_under(surface, window, cover, lift_mm=0.25, strength=0.25 + 0.25 * severity)
    paint(surface, window.at, FIBRES[int(rng.integers(len(FIBRES)))], cover * np.float32(0.65 + 0.35 * severity))
    for plane, value in ((surface.gloss, 0.12), (surface.grain, 0.0), (surface.exposure, 1.0)):
        blend(plane, window.at, value, cover * np.float32(0.9))
    surface.height[window.at] += _softened(surface, cover, width * 0.5) * np.float32(width * 1.2)


def chip(surface: Surface, place: tuple[float, float], rng: np.random.Generator, severity: float) -> None:
    """A curl of swarf: a twisted bright ribbon that turns its face and its edge to the lamp, over a firm shadow."""
    length = rng.uniform(3.5, 5) + 6 * severity
    window = surface.window(*place, length * 0.6 + 2.5)
    path = _curl(rng, length, rng.uniform(1.0, 1.8))
    twist = np.sin(np.linspace(0, rng.uniform(5, 11), len(path)) + rng.uniform(0, 6)).astype(np.float32)
    width = (0.40 + 0.40 * severity) * (0.55 + 0.45 * np.abs(twist)) * np.sin(np.linspace(0.25, 2.9, len(path)))
    cover = _ribbon(surface, window, path, width.astype(np.float32))
    _shade_under(surface, window, cover, lift_mm=0.7, strength=0.45 + 0.3 * severity)
    paint(surface, window.at, (0.70, 0.70, 0.68), cover)
    for plane, value in ((surface.gloss, 0.9), (surface.grain, 0.0), (surface.exposure, 1.0)):
        blend(plane, window.at, value, cover)
    dome = _softened(surface, cover, 0.16)
    ripple = 1 + 0.35 * clouds(rng, (cover.shape[0], cover.shape[1]), length * 2.2, 2)
    surface.height[window.at] += dome * ripple * np.float32(0.55)


def drop(surface: Surface, place: tuple[float, float], rng: np.random.Generator, severity: float) -> None:
    """Oil or coolant: a flat lens that darkens the metal, hides the brushing and glints at its edge."""
    reach = rng.uniform(0.9, 1.6) + severity * rng.uniform(0.6, 1.8)
    window = surface.window(*place, reach * 1.9)
    shape = (window.x.shape[0], window.x.shape[1])
    distance = window.radius / np.float32(reach) + 0.10 * clouds(rng, shape, 2.5, 2)
    wet = (1 - smoothstep(distance, 0.90, 1.04)) * surface.body[window.at]
    cap = np.sqrt(np.maximum(1 - np.square(distance), 0)) * wet
    lens = _softened(surface, cap, 0.12) * np.float32(0.20 * reach)
    surface.height[window.at] += lens
    oil = np.asarray((0.80, 0.66, 0.40) if rng.uniform() < 0.6 else (0.80, 0.82, 0.84), np.float32)
    depth = wet * np.float32(0.45 + 0.55 * severity)
    for plane, factor in zip(surface.albedo, oil, strict=True):
        plane[window.at] *= 1 + depth * (factor * np.float32(0.8) - 1)
    surface.grain[window.at] *= 1 - 0.85 * wet
    surface.gloss[window.at] *= 1 - 0.45 * wet
    blend(surface.coat, window.at, 0.55 + 0.4 * severity, wet)


def smear(surface: Surface, place: tuple[float, float], rng: np.random.Generator, severity: float) -> None:
    """Grease or a dried wipe: streaks along one direction that dull the metal."""
    reach = rng.uniform(2.0, 3.5) + 3.5 * severity
    window = surface.window(*place, reach * 1.5)
    turn = rng.uniform(0, math.pi)
    cos, sin = np.float32(math.cos(turn)), np.float32(math.sin(turn))
    along, side = window.x * cos + window.y * sin, window.y * cos - window.x * sin
    streaks = clouds(rng, (256, 16), 7, 3)  # rows are fine across the wipe, columns coarse along it
    laid = cv2.remap(
        np.asarray(streaks, np.float32),
        (along / np.float32(reach) * 6 + 8).astype(np.float32),
        (side / np.float32(reach) * 110 + 128).astype(np.float32),
        cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REFLECT,
    )
    distance = np.asarray(np.hypot(along, side * np.float32(1.9)) / np.float32(reach), np.float32)
    patch = 1 - smoothstep(distance, 0.45, 1.0)
    film = np.clip(patch * (0.6 + 0.5 * laid), 0, 1) * surface.body[window.at] * np.float32(0.30 + 0.6 * severity)
    paint(surface, window.at, (0.20, 0.175, 0.14), film)
    blend(surface.gloss, window.at, 0.2, film)


def _curl(rng: np.random.Generator, length: float, curl: float) -> FloatArray:
    """(n, 2) mm, a path about its own middle whose curvature, `curl` rad/mm at most places, drifts and changes sign."""
    count = 140
    nodes = rng.normal(0, 1, 5) * curl + rng.choice((-1, 1)) * curl * 0.6
    bend = np.interp(np.linspace(0, 1, count), np.linspace(0, 1, 5), nodes)
    heading = rng.uniform(0, 2 * math.pi) + np.cumsum(bend) * (length / count)
    points = np.cumsum(np.stack([np.cos(heading), np.sin(heading)], axis=1), axis=0) * (length / count)
    return np.asarray(points - points.mean(axis=0), np.float32)


def _ribbon(surface: Surface, window: Window, path: FloatArray, width_mm: FloatArray) -> FloatArray:
    """How much of each sample a ribbon along `path` covers, (h, w) 0..1; drawn 4 times finer than the samples."""
    fine, scale = 4, 4 / surface.pitch_mm
    origin = np.asarray((window.x[0, 0], window.y[0, 0]), np.float32) - np.float32(surface.pitch_mm / 2)
    points = np.rint((path - origin) * np.float32(scale * 16) - 8).astype(np.int32)
    canvas = np.zeros((window.x.shape[0] * fine, window.x.shape[1] * fine), np.uint8)
    for start, end, width in zip(points[:-1], points[1:], width_mm[1:], strict=True):
        cv2.line(canvas, start.tolist(), end.tolist(), (255,), max(1, round(float(width) * scale)), cv2.LINE_AA, 4)
    size = (window.x.shape[1], window.x.shape[0])
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), np.float32) / np.float32(255)


def _softened(surface: Surface, plane: FloatArray, reach_mm: float) -> FloatArray:
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), max(reach_mm / surface.pitch_mm, 0.3)), np.float32)


def _shade_under(surface: Surface, window: Window, cover: FloatArray, lift_mm: float, strength: float) -> None:
    """The shadow of something thin held `lift_mm` above, thrown down and to the left, away from the usual lamp."""
    shift = lift_mm / surface.pitch_mm
    move = np.asarray([[1, 0, -0.45 * shift], [0, 1, 0.85 * shift]], np.float32)
    thrown = cv2.warpAffine(_softened(surface, cover, 0.12), move, (cover.shape[1], cover.shape[0]))
    surface.exposure[window.at] *= 1 - np.float32(strength) * np.asarray(thrown, np.float32)
