"""The training crops: seeded, augmented squares cut from photographs, textures, drawn surfaces and rendered parts.

Teacher targets are computed once per crop and cached, so every augmentation happens here, before the teachers.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from sightline.synthesis.assembly import Drive
from sightline.synthesis.defects import DefectType
from sightline.synthesis.parts import PartConfig, render
from surfaces import draw_surface

Image = NDArray[np.uint8]  # (H, W, 3) RGB
FloatImage = NDArray[np.float32]  # the same in 0..1


@dataclass(frozen=True, slots=True, kw_only=True)
class CropConfig:
    """How crops are made; a change here makes a new cache."""

    count: int = 14_000
    side_px: int = 160  # a multiple of 16, so that both strides divide it
    seed: int = 0
    procedural_fraction: float = 0.12
    mosaic_fraction: float = 0.25  # four pictures side by side: detail finer than the small photographs hold
    drawn_fraction: float = 0.12  # industrial surfaces, sound and damaged
    part_fraction: float = 0.05  # rendered parts, good and defective
    texture_fraction: float = 0.35  # of the photographic crops; surfaces matter more here than their share of files
    grey_fraction: float = 0.5  # most inspection cameras are monochrome


def generate(photographs: list[Path], textures: list[Path], config: CropConfig) -> Iterator[Image]:
    """Yield `config.count` crops of (side, side, 3) uint8 RGB; the same config and files give the same crops."""
    rng = np.random.default_rng(config.seed)
    fractions = [config.procedural_fraction, config.mosaic_fraction, config.drawn_fraction, config.part_fraction]
    for _ in range(config.count):
        kind = int(np.searchsorted(np.cumsum(fractions), rng.random(), side="right"))
        if kind == 0:
            picture = _procedural(rng, config.side_px)
        elif kind == 1:
            picture = _mosaic([_pick(rng, photographs, textures, config) for _ in range(4)])
        elif kind == 2:
            picture = draw_surface(rng, round(config.side_px * rng.uniform(0.8, 1.6)))
        elif kind == 3:
            picture = _part(rng)
        else:
            picture = _pick(rng, photographs, textures, config)
        crop = _random_square(rng, picture, config.side_px)
        yield _photometric(rng, crop, config)


def _pick(rng: np.random.Generator, photographs: list[Path], textures: list[Path], config: CropConfig) -> Image:
    paths = textures if rng.random() < config.texture_fraction else photographs
    path = paths[rng.integers(len(paths))]
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise SystemExit(f"{path}: cannot be read as a picture. Remove it or restore it.")
    return np.ascontiguousarray(image[:, :, ::-1])


def _mosaic(pictures: list[Image]) -> Image:
    side = 208
    a, b, c, d = (cv2.resize(picture, (side, side), interpolation=cv2.INTER_AREA) for picture in pictures)
    return np.concatenate([np.concatenate([a, b], axis=1), np.concatenate([c, d], axis=1)], axis=0)


def _random_square(rng: np.random.Generator, picture: Image, side: int) -> Image:
    shortest = min(picture.shape[:2])
    window = round(shortest * rng.uniform(0.45, 1.0))
    y = rng.integers(picture.shape[0] - window + 1)
    x = rng.integers(picture.shape[1] - window + 1)
    window_pixels = picture[y : y + window, x : x + window]
    shrink = cv2.INTER_AREA if window > side else cv2.INTER_CUBIC
    crop = np.rot90(cv2.resize(window_pixels, (side, side), interpolation=shrink), int(rng.integers(4)))
    return np.ascontiguousarray(crop[:, ::-1] if rng.random() < 0.5 else crop, np.uint8)


def _photometric(rng: np.random.Generator, crop: Image, config: CropConfig) -> Image:
    values: FloatImage = crop.astype(np.float32) / np.float32(255)
    if rng.random() < config.grey_fraction:
        values = np.repeat(values @ np.array([[0.299], [0.587], [0.114]], np.float32), 3, axis=2)
    else:
        values *= rng.uniform(0.85, 1.15, 3).astype(np.float32)  # white balance
    values = np.clip(values, 0, 1) ** np.float32(rng.uniform(0.6, 1.6))
    contrast, brightness = rng.uniform(0.5, 1.3), rng.uniform(-0.2, 0.2)
    values = (values - 0.5) * np.float32(contrast) + np.float32(0.5 + brightness)
    if rng.random() < 0.2:
        values = _blurred(values, rng.uniform(0.4, 1.5))
    if rng.random() < 0.3:
        values = values + rng.normal(0, rng.uniform(0.005, 0.04), values.shape).astype(np.float32)
    return np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)


def _part(rng: np.random.Generator) -> Image:
    """A turned part as a station would never show it twice: any angle, light, focus and text."""
    config = PartConfig(
        size=int(rng.integers(200, 420)),
        shift_mm=4,
        turn_deg=180,
        light_turn_deg=180,
        light_change=0.4,
        blur_px=float(rng.uniform(0.3, 1.2)),
        noise=float(rng.uniform(0, 3)),
        drive=Drive.CROSS if rng.random() < 0.5 else Drive.SLOT,
        text="".join(chr(code) for code in rng.integers(ord("0"), ord("Z"), 6)),
    )
    defects = list(DefectType)
    defect = defects[rng.integers(len(defects))] if rng.random() < 0.6 else None
    return np.asarray(render(config, rng, defect=defect).pixels, np.uint8)


def _procedural(rng: np.random.Generator, side: int) -> Image:
    """A machined-looking surface: grain of some scale and direction, uneven light, marks and steps."""
    size = int(side * 1.3)
    fine = rng.normal(0, 1, (size, size)).astype(np.float32)
    stretch = rng.uniform(0.3, 1) if rng.random() < 0.5 else rng.uniform(4, 25)
    grain = _blurred(fine, stretch, rng.uniform(0.3, 1.5))
    grain /= grain.std() + 1e-6
    light = _blurred(rng.normal(0, 1, (size, size)).astype(np.float32), size / 5)
    light /= light.std() + 1e-6
    values = rng.uniform(0.3, 0.7) + rng.uniform(0.01, 0.08) * grain + rng.uniform(0.0, 0.1) * light
    for _ in range(rng.integers(0, 10)):
        _mark(rng, values)
    tint = rng.uniform(0.85, 1.15, 3)
    return np.rint(np.clip(values[:, :, None] * tint, 0, 1) * 255).astype(np.uint8)


def _mark(rng: np.random.Generator, values: FloatImage) -> None:
    size = values.shape[0]
    canvas = np.zeros_like(values)
    first = tuple(int(v) for v in rng.integers(0, size, 2))
    second = tuple(int(v) for v in rng.integers(0, size, 2))
    kind = rng.integers(4)
    if kind == 0:
        cv2.line(canvas, first, second, 1.0, int(rng.integers(1, 4)), cv2.LINE_AA)
    elif kind == 1:
        cv2.circle(canvas, first, int(rng.integers(2, 30)), 1.0, -1, cv2.LINE_AA)
    elif kind == 2:
        cv2.rectangle(canvas, first, second, 1.0, int(rng.choice([-1, 1, 2, 5])))
    else:
        steps = rng.normal(0, 5, (30, 2)).cumsum(axis=0) + np.array(first)
        cv2.polylines(canvas, [steps.astype(np.int32)], False, 1.0, int(rng.integers(1, 3)), cv2.LINE_AA)
    if rng.random() < 0.4:
        canvas = _blurred(canvas, rng.uniform(0.5, 3))
    values += np.float32(rng.uniform(-0.35, 0.35)) * canvas


def _blurred(values: FloatImage, across: float, down: float | None = None) -> FloatImage:
    """Gaussian blur with these standard deviations, px."""
    blurred = cv2.GaussianBlur(values, (0, 0), sigmaX=across, sigmaY=across if down is None else down)
    return blurred.astype(np.float32, copy=False)
