"""Two pieces of pictures beside each other, the place in each marked, and a line that says what they are."""

from collections.abc import Sequence

import cv2
import numpy as np

from sightline.imaging.banner import INK, PAPER, banner, write
from sightline.imaging.heat import Rgb
from sightline.records import Box, Verdict

_MARGIN = 12
_LINE = 26  # px of a line of text
_TEXT = 0.45
_LEAST_WIDTH = 560  # so that captions are not cut


def marked(piece: Rgb, place: Box) -> Rgb:
    """The piece with a frame around the place, seen on dark and on bright parts."""
    shown = piece.copy()
    first = (max(place.x - 1, 0), max(place.y - 1, 0))
    last = (min(place.x + place.width, piece.shape[1] - 1), min(place.y + place.height, piece.shape[0] - 1))
    for colour, thickness in ((INK, 3), (PAPER, 1)):
        cv2.rectangle(shown, first, last, colour, thickness)
    return shown


def side_by_side(left: Rgb, right: Rgb, line: str) -> Rgb:
    """(h, w, 3) two pieces of one height beside each other on dark ground, the line above them."""
    height = left.shape[0]
    width = max(_LEAST_WIDTH, left.shape[1] + right.shape[1] + 3 * _MARGIN)
    canvas: Rgb = np.full((_LINE + height + _MARGIN, width, 3), INK, np.uint8)
    write(canvas, line, (_MARGIN, _LINE - 8), _TEXT)
    for piece, at in ((left, _MARGIN), (right, 2 * _MARGIN + left.shape[1])):
        canvas[_LINE : _LINE + height, at : at + piece.shape[1]] = piece
    return canvas


def sheet(rows: Sequence[Rgb], figures: str, verdict: Verdict, caption: str) -> Rgb:
    """Rows as `side_by_side` makes them below a banner with the verdict; all have one width."""
    width = rows[0].shape[1] if rows else _LEAST_WIDTH
    return np.concatenate([banner(width, figures, verdict, caption), *rows])
