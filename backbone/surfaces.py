"""Industrial surfaces, sound and damaged, drawn for the training crops: what photographs of everyday things lack.

A surface is a colour and a height per pixel under one lamp, so that grain, edges and damage catch the light alike.
"""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
_FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_DUPLEX, cv2.FONT_HERSHEY_COMPLEX_SMALL, cv2.FONT_HERSHEY_PLAIN)
_LETTERS = np.array(list("ABCDEFGHKLMNPRSTUVXYZ0123456789-./"))


@dataclass(slots=True, kw_only=True, eq=False)
class Surface:
    """Drawn in place; `size` px square."""

    colour: FloatArray  # (S, S, 3) 0..1
    height: FloatArray  # (S, S) px
    gloss: float  # of the highlight, 0 matt .. 1

    @property
    def size(self) -> int:
        return len(self.height)


Look = Callable[[np.random.Generator, int], Surface]
Damage = Callable[[np.random.Generator, Surface], None]


def draw_surface(rng: np.random.Generator, size: int) -> NDArray[np.uint8]:
    """(size, size, 3) uint8 RGB; about six in ten carry one to three defects."""
    surface = LOOKS[rng.integers(len(LOOKS))](rng, size)
    for _ in range(rng.integers(1, 4) if rng.random() < 0.6 else 0):
        DAMAGE[rng.integers(len(DAMAGE))](rng, surface)
    lit = _lit(rng, surface)
    return np.rint(np.clip(lit, 0, 1) * 255).astype(np.uint8)


def _lit(rng: np.random.Generator, surface: Surface) -> FloatArray:
    """Lambert and Blinn-Phong under one distant lamp, seen from above, with a fall of light across the picture."""
    azimuth, elevation = rng.uniform(0, 2 * np.pi), rng.uniform(0.5, 1.3)
    lamp = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    half = lamp + np.array([0, 0, 1])
    half /= np.linalg.norm(half)
    slope_y, slope_x = np.gradient(surface.height)
    length = np.sqrt(slope_x**2 + slope_y**2 + 1)
    diffuse = np.maximum(lamp[2] - slope_x * lamp[0] - slope_y * lamp[1], 0) / length / lamp[2]
    facing = np.maximum(half[2] - slope_x * half[0] - slope_y * half[1], 0) / length
    highlight = surface.gloss * (facing ** rng.uniform(10, 60) - half[2] ** 30)
    axis = np.linspace(-1, 1, surface.size)
    fall = 1 + rng.uniform(-0.25, 0.25) * axis[:, None] + rng.uniform(-0.25, 0.25) * axis
    lit = surface.colour * (0.35 + 0.65 * diffuse)[..., None] + 0.6 * np.clip(highlight, 0, 1)[..., None]
    return np.asarray(lit * fall[..., None], np.float32)


# Looks.


def brushed(rng: np.random.Generator, size: int) -> Surface:
    """Ground or brushed metal: grain along one direction, of one or two scales."""
    wide = 2 * size
    grain = _noise(rng, wide, rng.uniform(12, 60), rng.uniform(0.4, 1.2))
    grain += rng.uniform(0, 1) * _noise(rng, wide, rng.uniform(20, 90), rng.uniform(1.5, 4))
    turned = _turned(grain, rng.uniform(0, 180), size)
    grey = rng.uniform(0.35, 0.75) + rng.uniform(0.01, 0.06) * turned
    return Surface(colour=_tinted(rng, grey, 0.05), height=turned * rng.uniform(0, 0.15), gloss=rng.uniform(0, 0.6))


def machined(rng: np.random.Generator, size: int) -> Surface:
    """Turned on a lathe: circles about a centre, in the picture or beside it, that shine in two opposite sectors."""
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    centre = rng.uniform(-0.4, 1.4, 2) * size
    dy, dx = rows - centre[0], columns - centre[1]
    radius = np.hypot(dx, dy)
    profile = _smooth(rng.normal(0, 1, 4 * size), rng.uniform(0.5, 2.5))
    grooves = profile[np.minimum(radius * rng.uniform(0.8, 2), 4 * size - 1).astype(int)]
    shine = np.abs(np.cos(np.arctan2(dy, dx) - rng.uniform(0, np.pi))) ** rng.uniform(2, 8)
    grey = rng.uniform(0.3, 0.6) + rng.uniform(0.03, 0.09) * grooves + rng.uniform(0, 0.3) * shine
    height = np.zeros((size, size), np.float32)
    for edge in rng.uniform(0.1, 1.2, rng.integers(0, 4)) * size:  # steps between diameters
        height += rng.uniform(-3, 3) * _step(radius - edge, rng.uniform(1, 3))
    return Surface(colour=_tinted(rng, grey, 0.06), height=height, gloss=rng.uniform(0, 0.5))


def moulded(rng: np.random.Generator, size: int) -> Surface:
    """Plastic or cast metal: rounded grain of one size, perhaps with ribs."""
    pitch = rng.uniform(0.8, 5)
    grain = _noise(rng, size, pitch, pitch) - 0.7 * _noise(rng, size, 2 * pitch, 2 * pitch)
    height = np.asarray(grain * rng.uniform(0.1, 0.5) * pitch, np.float32)
    if rng.random() < 0.4:
        across = _across(rng, size)
        height += rng.uniform(1, 4) * np.abs(np.sin(across * np.pi / rng.uniform(20, 70))) ** rng.uniform(0.3, 4)
    grey = np.full((size, size), rng.uniform(0.1, 0.8), np.float32)
    return Surface(colour=_tinted(rng, grey, 0.35), height=height, gloss=rng.uniform(0, 0.5))


def printed(rng: np.random.Generator, size: int) -> Surface:
    """Lines of text, bars and scales printed on another surface."""
    surface = (moulded, brushed)[rng.integers(2)](rng, size)
    surface.height *= np.float32(rng.uniform(0, 0.4))
    stencil = np.zeros((size, size), np.float32)
    scale = rng.uniform(0.5, 2)
    pitch = int(30 * scale)
    for y in range(pitch, size, pitch):
        kind = rng.random()
        if kind < 0.65:
            text = "".join(rng.choice(_LETTERS, int(rng.integers(3, 16))))
            _write(stencil, text, (int(rng.integers(4, size // 3)), y), int(rng.choice(_FONTS)), scale)
        elif kind < 0.85:
            x = int(rng.integers(0, size // 2))
            while x < size - 20:
                width, gap = rng.integers(1, 6, 2)
                cv2.rectangle(stencil, (x, y - pitch + 4), (x + int(width) - 1, y), 1.0, -1)
                x += int(width + gap)
    ink = rng.uniform(0, 1, 3) if rng.random() < 0.3 else np.full(3, rng.choice([0.05, 0.9]))
    _paint(surface, _turned(stencil, rng.choice([0.0, rng.uniform(-8, 8)]), size), ink)
    return surface


def stamped(rng: np.random.Generator, size: int) -> Surface:
    """Sheet metal with punched holes and slots, in a row or anywhere, and a raised or cut edge."""
    surface = (brushed, moulded)[int(rng.random() < 0.25)](rng, size)
    reach, pitch = rng.uniform(5, 26), rng.uniform(45, 110)
    length, turn = rng.choice([0, rng.uniform(10, 50)]), rng.uniform(0, np.pi)
    rows, columns = np.mgrid[:size, :size].astype(np.float32)
    start = rng.uniform(0, pitch, 2)
    for y in np.arange(start[0], size + pitch, pitch):
        for x in np.arange(start[1], size + pitch, pitch):
            along = np.clip((columns - x) * np.cos(turn) + (rows - y) * np.sin(turn), -length / 2, length / 2)
            away = np.hypot(columns - x - along * np.cos(turn), rows - y - along * np.sin(turn)) - reach
            surface.height += rng.uniform(0.8, 1.2) * np.exp(-np.square(away / 3)).astype(np.float32)
            _paint(surface, _step(-away, 0.8), np.full(3, rng.uniform(0, 0.12)))
    if rng.random() < 0.5:
        beyond = _step(_across(rng, size) - rng.uniform(0.2, 0.8) * size, 1)
        surface.height *= 1 - beyond
        surface.height += 2 * _smooth(beyond, 2)
        _paint(surface, beyond, rng.uniform(0, 0.9, 1).repeat(3))
    return surface


def board(rng: np.random.Generator, size: int) -> Surface:
    """A circuit board: tracks with bends of 45 degrees, vias, rows of pads, white print."""
    mask = rng.choice([[0.05, 0.3, 0.14], [0.05, 0.12, 0.35], [0.1, 0.1, 0.1], [0.45, 0.08, 0.08]])
    colour = np.broadcast_to(np.asarray(mask, np.float32), (size, size, 3)).copy()
    surface = Surface(colour=colour, height=np.zeros((size, size), np.float32), gloss=rng.uniform(0, 0.4))
    copper, metal, ink = (np.zeros((size, size), np.float32) for _ in range(3))
    steps = np.array([(1, 0), (1, 1), (0, 1), (-1, 1), (-1, 0), (-1, -1), (0, -1), (1, -1)])
    for _ in range(rng.integers(5, 14)):
        heading, lane, width = int(rng.integers(8)), rng.integers(6, 14), int(rng.integers(1, 6))
        path = [rng.integers(0, size, 2)]
        for _ in range(rng.integers(2, 6)):
            path.append(path[-1] + steps[heading] * rng.integers(15, size // 2))
            heading = (heading + int(rng.choice([-1, 1]))) % 8
        for offset in range(rng.integers(1, 5)):
            shifted = np.array(path) + offset * lane * np.array([1, -1])
            cv2.polylines(copper, [shifted.astype(np.int32)], False, 1.0, width, cv2.LINE_AA)
            cv2.circle(metal, _point(shifted[-1]), width + 3, 1.0, -1, cv2.LINE_AA)
    for _ in range(rng.integers(1, 5)):
        (x, y), count = rng.integers(0, size, 2), int(rng.integers(2, 10))
        wide, high, pitch = (int(v) for v in rng.integers((4, 8, 12), (10, 24, 20)))
        for left in range(int(x), int(x) + count * pitch, pitch):
            cv2.rectangle(metal, (left, int(y)), (left + wide, int(y) + high), 1.0, -1)
        cv2.rectangle(ink, (int(x) - 5, int(y) - 5), (int(x) + count * pitch, int(y) + high + 5), 1.0, 1)
        _write(ink, "".join(rng.choice(_LETTERS, 3)), (int(x), int(y) - 9), _FONTS[0], 0.45)
    surface.height += 0.8 * _smooth(np.maximum(copper, metal), 0.8)
    _paint(surface, 0.5 * copper, np.minimum(np.asarray(mask) * 2 + 0.1, 1))
    _paint(surface, metal, np.array([0.78, 0.72, 0.55]) * rng.uniform(0.8, 1.15))
    _paint(surface, ink, np.full(3, 0.9))
    return surface


def woven(rng: np.random.Generator, size: int) -> Surface:
    """Cloth or wire mesh: warp over weft and back, each yarn a little different."""
    pitch, twill = rng.uniform(4, 16), int(rng.integers(2, 5))
    rows, columns = (_turned(m, turn, size) for turn in [rng.uniform(0, 90)] for m in np.mgrid[: 2 * size, : 2 * size])
    jitter = [_smooth(rng.normal(0, 1, size), 1) for _ in range(2)]
    row, column = (rows / pitch).astype(int) % size, (columns / pitch).astype(int) % size
    over = (row + column) % twill == 0
    warp, weft = (np.abs(np.sin(np.pi * v / pitch)) for v in (columns, rows))
    height = np.where(over, warp, weft) * rng.uniform(0.1, 0.35) * pitch
    yarn = np.where(over, jitter[0][column], jitter[1][row])
    grey = rng.uniform(0.25, 0.7) + rng.uniform(0.01, 0.06) * yarn + np.where(over, rng.uniform(-0.15, 0.15), 0)
    return Surface(colour=_tinted(rng, grey, 0.2), height=_smooth(height, 0.6), gloss=rng.uniform(0, 0.2))


# Damage.


def scratch(rng: np.random.Generator, surface: Surface) -> None:
    """A straight or bowed groove, sometimes with others beside it."""
    centre, turn = rng.uniform(0, surface.size, 2), rng.uniform(0, np.pi)
    along = np.linspace(-0.5, 0.5, 20)[:, None] * rng.uniform(15, 0.7 * surface.size)
    direction, normal = np.array([np.cos(turn), np.sin(turn)]), np.array([-np.sin(turn), np.cos(turn)])
    for _ in range(rng.integers(1, 4)):
        path = centre + along * direction + (along**2 * rng.normal(0, 0.002) + rng.normal(0, 4)) * normal
        line = _line(surface.size, path, int(rng.integers(1, 3)))
        surface.height -= rng.uniform(0.2, 1.2) * _smooth(line, 0.7)
        _paint(surface, line * rng.uniform(0, 0.5), np.full(3, rng.choice([0.1, 0.95])))


def crack(rng: np.random.Generator, surface: Surface) -> None:
    """A dark, jagged, branching line."""
    starts, heading = [rng.uniform(0, surface.size, 2)], rng.uniform(0, 2 * np.pi)
    for _ in range(rng.integers(1, 4)):
        turns = heading + np.cumsum(rng.normal(0, 0.4, int(rng.integers(8, 40))))
        path = starts[-1] + np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1) * rng.uniform(2, 5), axis=0)
        line = _line(surface.size, path, 1)
        _paint(surface, line * rng.uniform(0.4, 1), np.full(3, 0.05))
        surface.height -= 0.6 * _smooth(line, 0.8)
        starts.append(path[rng.integers(len(path))])
        heading += rng.uniform(-1, 1)


def dent(rng: np.random.Generator, surface: Surface) -> None:
    """A hollow or a bump, or several small pits."""
    rows, columns = np.mgrid[: surface.size, : surface.size].astype(np.float32)
    pits = int(rng.choice([1, 1, 1, 8]))
    for _ in range(pits):
        y, x = rng.uniform(0, surface.size, 2)
        reach = rng.uniform(1.5, 4) if pits > 1 else rng.uniform(3, 22)
        away = np.square((columns - x) / reach) + np.square((rows - y) / reach / rng.uniform(0.6, 1.6))
        surface.height += np.float32(rng.choice([-1, -1, 1]) * rng.uniform(0.15, 0.7) * reach) * np.exp(-away)


def stain(rng: np.random.Generator, surface: Surface) -> None:
    """A cloudy patch of another colour: oil, rust, burn marks."""
    rows, columns = np.mgrid[: surface.size, : surface.size].astype(np.float32)
    y, x = rng.uniform(0, surface.size, 2)
    reach = rng.uniform(6, 45)
    away = np.hypot(columns - x, rows - y) / reach + 0.25 * _noise(rng, surface.size, reach / 3, reach / 3)
    colour = rng.choice([[0.4, 0.22, 0.1], [0.1, 0.1, 0.1], [0.9, 0.9, 0.9], [0.3, 0.3, 0.45]])
    _paint(surface, rng.uniform(0.15, 0.8) * _step(1 - away, rng.uniform(0.05, 0.5)), colour)


def debris(rng: np.random.Generator, surface: Surface) -> None:
    """A chip, a fibre or a blob that lies on top."""
    start, kind = rng.uniform(0, surface.size, 2), rng.integers(3)
    cover = np.zeros((surface.size, surface.size), np.float32)
    if kind == 0:
        corners = start + rng.uniform(2, 12) * rng.normal(0, 1, (6, 2))
        cv2.fillConvexPoly(cover, cv2.convexHull(corners.astype(np.int32)), 1.0, cv2.LINE_AA)
    elif kind == 1:
        turns = np.cumsum(rng.normal(0, 0.25, 30))
        cover = _line(surface.size, start + 3 * np.cumsum(np.stack([np.cos(turns), np.sin(turns)], 1), axis=0), 1)
    else:
        cv2.circle(cover, _point(start), int(rng.integers(2, 8)), 1.0, -1, cv2.LINE_AA)
    _paint(surface, cover, rng.uniform(0, 1, 1).repeat(3) * rng.uniform(0.8, 1, 3))
    surface.height += rng.uniform(0.5, 2) * _smooth(cover, 1)


LOOKS: tuple[Look, ...] = (brushed, machined, moulded, printed, stamped, board, woven)
DAMAGE: tuple[Damage, ...] = (scratch, crack, dent, stain, debris)


def _noise(rng: np.random.Generator, size: int, across: float, down: float) -> FloatArray:
    """Blurred white noise, deviation 1."""
    blurred = cv2.GaussianBlur(rng.standard_normal((size, size), np.float32), (0, 0), across, sigmaY=down)
    return np.asarray(blurred / (blurred.std() + 1e-6), np.float32)


def _smooth(values: NDArray[np.floating], deviation: float) -> FloatArray:
    plane = np.atleast_2d(np.asarray(values, np.float32))
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), deviation).reshape(np.shape(values)), np.float32)


def _turned(plane: NDArray[np.floating], degrees: float, size: int) -> FloatArray:
    """The middle `size` px square of the plane turned about its centre."""
    high, wide = plane.shape
    turn = cv2.getRotationMatrix2D((wide / 2, high / 2), degrees, 1)
    turn[:, 2] += (size - wide) / 2, (size - high) / 2
    turned = cv2.warpAffine(np.asarray(plane, np.float32), turn, (size, size), flags=cv2.INTER_LINEAR)
    return np.asarray(turned, np.float32)


def _across(rng: np.random.Generator, size: int) -> FloatArray:
    """A coordinate, px, that runs in a random direction."""
    turn, (rows, columns) = rng.uniform(0, np.pi), np.mgrid[:size, :size]
    return np.asarray(columns * np.cos(turn) + rows * np.sin(turn), np.float32)


def _step(distance: NDArray[np.floating], softness: float) -> FloatArray:
    """0 below zero, 1 above, over about `softness`."""
    return np.asarray(1 / (1 + np.exp(np.clip(-4 * distance / softness, -60, 60))), np.float32)


def _tinted(rng: np.random.Generator, grey: NDArray[np.floating], spread: float) -> FloatArray:
    return np.asarray(np.clip(grey, 0, 1)[..., None] * (1 + rng.uniform(-spread, spread, 3)), np.float32)


def _paint(surface: Surface, cover: NDArray[np.floating], colour: NDArray[np.floating]) -> None:
    surface.colour += np.asarray(cover[..., None] * (np.asarray(colour) - surface.colour), np.float32)


def _line(size: int, path: NDArray[np.floating], width: int) -> FloatArray:
    """(N, 2) x, y drawn as a line with soft edges."""
    canvas = np.zeros((size, size), np.float32)
    cv2.polylines(canvas, [np.rint(path * 16).astype(np.int32)], False, 1.0, width, cv2.LINE_AA, shift=4)
    return canvas


def _write(canvas: FloatArray, text: str, at: tuple[int, int], font: int, scale: float) -> None:
    letters = np.zeros(canvas.shape, np.uint8)  # letters are drawn in 8 bits only
    cv2.putText(letters, text, at, font, scale, 255, 1 + int(scale > 1.2), cv2.LINE_AA)
    np.maximum(canvas, letters.astype(np.float32) / 255, out=canvas)


def _point(xy: NDArray[np.number]) -> tuple[int, int]:
    return int(xy[0]), int(xy[1])
