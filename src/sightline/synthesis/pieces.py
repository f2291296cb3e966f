"""Missing and shifted pieces on a real good picture.

A piece is what stands out of its surroundings and is small against the part: a screw, a plug, a hole, a print. It goes
missing by a sound patch of the same surface cloned over it, and is shifted by being cloned in again beside its place.
Where nothing stands out, a missing piece is one that broke off the part's edge.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from sightline.records import BoolArray, FloatArray
from sightline.synthesis.composing import Change, Spoilt, compose
from sightline.synthesis.places import edge_place
from sightline.synthesis.poisson import clone
from sightline.synthesis.scene import Scene, closed, grey
from sightline.synthesis.surface import clouds, smoothstep, window_at

_LEAST_SHARE, _MOST_SHARE = 0.025, 0.2  # of the picture's shorter side, that a piece measures
_STANDS_OUT = 4.0  # times the usual deviation from the surroundings
_LEAST_CONTRAST, _USUAL_CONTRAST = (
    0.07,
    0.14,
)  # of a piece's outline, and over half of it, in values: more than blotches
_PLACES = 300  # tried for a sound patch


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Piece:
    """Something that stands out, in a window with room around it."""

    top: int
    left: int
    mask: BoolArray  # (h, w) within the window, a little larger than what stands out

    @property
    def at(self) -> tuple[slice, slice]:
        return slice(self.top, self.top + self.mask.shape[0]), slice(self.left, self.left + self.mask.shape[1])


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pieces:
    """What a picture shows on its part."""

    found: tuple[Piece, ...]  # largest first
    sound: BoolArray  # (H, W) surface on which nothing stands out


def find_pieces(scene: Scene) -> Pieces:
    """What stands out of the part's surface, and is compact and clear of the picture's border."""
    side = min(scene.shape)
    plain = grey(scene.smooth)
    reach = round(side * _MOST_SHARE / 2)
    off = np.abs(plain - _surroundings(plain, reach))
    part = closed(scene.region, reach)
    usual = float(np.median(off[part])) / 0.6745
    apart = np.asarray((off > max(_STANDS_OUT * usual, _LEAST_CONTRAST)) & part, np.uint8)
    joined = cv2.morphologyEx(apart, cv2.MORPH_CLOSE, _disk(2))
    count, regions, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    order = sorted(range(1, count), key=lambda i: -int(stats[i, cv2.CC_STAT_AREA]))[:40]
    plain_ones = (i for i in order if float(np.median(off[regions == i])) >= _USUAL_CONTRAST)
    pieces = (_piece(regions == i, [int(number) for number in stats[i]], part) for i in plain_ones)
    rough = cv2.dilate(apart, _disk(max(2, side // 80))).astype(np.bool_)
    return Pieces(found=tuple(piece for piece in pieces if piece), sound=scene.region & ~rough)


def _surroundings(plain: FloatArray, reach: int) -> FloatArray:
    """(H, W) median within `reach` px, found at a size at which that is quick."""
    shrink = max(1.0, reach / 12)
    levels = np.rint(np.clip(plain, 0, 1) * 255).astype(np.uint8)
    small = cv2.resize(levels, None, fx=1 / shrink, fy=1 / shrink, interpolation=cv2.INTER_AREA)
    median = cv2.medianBlur(small, 2 * max(1, round(reach / shrink)) + 1)
    back = cv2.resize(median, (plain.shape[1], plain.shape[0]), interpolation=cv2.INTER_LINEAR)
    return np.asarray(back / np.float32(255), np.float32)


def _piece(here: BoolArray, stats: list[int], part: BoolArray) -> Piece | None:
    left, top, width, height, area = stats
    side = min(part.shape)
    if not (_LEAST_SHARE * side <= min(width, height) and max(width, height) <= _MOST_SHARE * side):
        return None
    if area < 0.35 * width * height:  # a ring, an arc, a line: no piece that could be gone
        return None
    grow = max(3, round(0.28 * max(width, height)))  # its shadow and its seat go with it
    room = 2 * grow + 6
    if top < room or left < room or top + height + room > part.shape[0] or left + width + room > part.shape[1]:
        return None
    at = slice(top - room, top + height + room), slice(left - room, left + width + room)
    mask = cv2.dilate(here[at].astype(np.uint8), _disk(grow)).astype(np.bool_)
    return Piece(top=top - room, left=left - room, mask=mask) if part[at][mask].mean() > 0.98 else None


def remove_piece(scene: Scene, rng: np.random.Generator, severity: float) -> Spoilt | None:
    """A piece is gone, or the part's edge is broken off where nothing stands out; None if there is no such place."""
    pieces = find_pieces(scene)
    if not pieces.found:
        return break_off(scene, rng, severity)
    piece = pieces.found[int(rng.integers(len(pieces.found)))]
    values = _without(scene, piece, pieces.sound, rng)
    return None if values is None else _told(scene, values, piece.at, piece.mask, severity)


def shift_piece(scene: Scene, rng: np.random.Generator, severity: float) -> Spoilt | None:
    """A piece sits beside its place, and turned; None if the picture shows no piece or there is no room beside it."""
    pieces = find_pieces(scene)
    if not pieces.found:
        return None
    piece = pieces.found[int(rng.integers(len(pieces.found)))]
    values = _without(scene, piece, pieces.sound, rng)
    if values is None:
        return None
    height, width = piece.mask.shape
    reach, toward = (0.10 + 0.35 * severity) * min(height, width), rng.uniform(0, 2 * math.pi)
    down, right = round(reach * math.sin(toward)), round(reach * math.cos(toward))
    top, left = piece.top + down, piece.left + right
    if not (0 <= top <= scene.shape[0] - height and 0 <= left <= scene.shape[1] - width):
        return None
    turn = float(rng.choice((-1, 1))) * (2 + 18 * severity * rng.uniform())
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), turn, 1.0)
    patch = cv2.warpAffine(
        scene.values[piece.at], matrix, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    ).reshape(height, width, -1)
    turned = cv2.warpAffine(piece.mask.astype(np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST)
    at = slice(top, top + height), slice(left, left + width)
    laid = clone(values[at], np.asarray(patch, np.float32), turned.astype(np.bool_))
    if laid is None:
        return None
    values[at] = laid
    both = np.zeros(scene.shape, np.bool_)
    both[piece.at] |= piece.mask
    both[at] |= turned.astype(np.bool_)
    return _told(scene, values, (slice(0, scene.shape[0]), slice(0, scene.shape[1])), both, severity)


def _without(scene: Scene, piece: Piece, sound: BoolArray, rng: np.random.Generator) -> FloatArray | None:
    """The picture with a sound patch of its own surface in the piece's place; the likest of many is taken."""
    height, width = piece.mask.shape
    ring = ~piece.mask
    best, least = None, math.inf
    for _ in range(_PLACES):
        top, left = int(rng.integers(scene.shape[0] - height + 1)), int(rng.integers(scene.shape[1] - width + 1))
        at = slice(top, top + height), slice(left, left + width)
        if sound[at][piece.mask].mean() < 0.999:
            continue
        patch = scene.values[at]
        unlike = float(np.abs(patch[ring] - scene.values[piece.at][ring]).mean()) + float(patch[piece.mask].std())
        if unlike < least:
            best, least = patch, unlike
    laid = None if best is None else clone(scene.values[piece.at], best, piece.mask)
    if laid is None:
        return None
    values = scene.values.copy()
    values[piece.at] = laid
    return values


def _told(scene: Scene, values: FloatArray, at: tuple[slice, slice], mask: BoolArray, severity: float) -> Spoilt | None:
    """What was changed, and where it shows: within `mask`, closed to one region."""
    change = np.abs(values[at] - scene.values[at]).max(axis=2)
    peak = float(np.quantile(change[mask], 0.95))
    if peak < max(3 * scene.noise, 4 / 255):
        return None
    softened = cv2.GaussianBlur(change, (0, 0), 1.0)
    seen = ((softened > 0.2 * peak) & mask).astype(np.uint8)
    whole = np.zeros(scene.shape, np.bool_)
    whole[at] = cv2.morphologyEx(seen, cv2.MORPH_CLOSE, _disk(3)).astype(np.bool_)
    return Spoilt(values=values, mask=whole, severity=severity) if whole.any() else None


def break_off(scene: Scene, rng: np.random.Generator, severity: float) -> Spoilt | None:
    """A chip is gone from the part's edge: background shows, or the rough dark fracture where there is none."""
    x, y, inwards = edge_place(scene, rng)
    radius = rng.uniform(1.5, 3.0) + severity * rng.uniform(1.0, 5.0)
    window = window_at(scene.shape, scene.pitch_mm, (x, y), radius * 2.5)
    shape = (window.x.shape[0], window.x.shape[1])
    cos, sin = np.float32(math.cos(inwards)), np.float32(math.sin(inwards))
    deep, along = window.x * cos + window.y * sin, window.y * cos - window.x * sin
    distance = np.hypot(deep * np.float32(rng.uniform(1.0, 1.8)), along) / np.float32(radius)
    distance += np.float32(0.13) * clouds(rng, shape, 4, 4)
    gone = 1 - smoothstep(np.asarray(distance, np.float32), 0.97, 1.03)
    dark = (0.75 - 0.45 * severity) * (1 + 0.18 * clouds(rng, shape, 7, 3))
    face = np.clip(dark + np.float32(0.25) * clouds(rng, shape, 3, 1), 0.08, 1.1)  # facets of the fracture
    rim = cv2.exp(-np.square((distance - 1.0) / np.float32(0.06)))
    change = Change(gain=np.ones_like(scene.values), wipe=np.zeros(scene.shape, np.float32), broad=True)
    factor = (1 - gone + gone * face) * (1 - np.float32(0.35) * rim)
    if scene.has_background:
        behind = _background(scene) / np.maximum(scene.smooth[window.at], np.float32(1 / 255))
        thickness = smoothstep(np.asarray(distance, np.float32), 0.72, 0.95)[..., None]
        seen = behind * (1 - thickness) + face[..., None] * thickness
        change.gain[window.at] = 1 - gone[..., None] + gone[..., None] * seen
    else:
        change.gain[window.at] = factor[..., None]
    change.wipe[window.at] = 0.9 * gone
    return compose(scene, change, rng, severity)


def _background(scene: Scene) -> FloatArray:
    """(C,) the usual level of what lies behind the part."""
    outside = cv2.erode((~scene.region).astype(np.uint8), _disk(4)).astype(np.bool_)
    behind = scene.values[outside if outside.any() else ~scene.region]
    return np.asarray(np.median(behind, axis=0), np.float32)


def _disk(reach: int) -> cv2.typing.MatLike:
    return cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
