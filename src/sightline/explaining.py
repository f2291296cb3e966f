"""What the unusual places of a part looked most like: the nearest good patches of the model, as pictures.

This is no part of judging. The features are computed once more by the very nodes of the model's graph, for one place
after the other the nearest of the bank is found, and the piece of the good picture that it is from is put beside the
part. Where the limits of `models.exemplars` left pieces out, the nearest of those kept is shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import numpy_helper

from sightline.bundle import Bundle
from sightline.errors import BundleError, OptionError
from sightline.imaging.heat import Rgb
from sightline.models.exemplars import Span, cut, from_bytes, picture
from sightline.models.features import FeatureConfig, run_image
from sightline.models.graph import open_session
from sightline.models.patchcore import BANK
from sightline.models.stored import stored_features
from sightline.records import Box, FloatArray, Frame

MOST_EXPLAINED = 3  # places of a part
SHOWN_PX = 192  # side of the two pieces
_ANOTHER_METHOD = "this model compares with no good pictures; only patchcore and hybrid models do."
_SEPARATE = "a model with a bank for each product keeps no good pictures; train a model for each product."
_WITH_DEPTH = "a model that learned from depth maps keeps no good pictures."
_OLD = "this model does not keep its good pictures; train again."
WHY_NOT = (_ANOTHER_METHOD, _SEPARATE, _WITH_DEPTH, _OLD)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Resemblance:
    """A place of a part, and the good place that it looked most like."""

    region: Box  # that it is the most anomalous place of, px of the frame
    peak: float  # the region's highest value, in units of the score
    part: Rgb  # (SHOWN_PX, SHOWN_PX, 3) uint8, the place and its surroundings
    part_place: Box  # the place within it, px
    good: Rgb  # (SHOWN_PX, SHOWN_PX, 3) uint8, as much of the good picture
    good_place: Box
    distance: float  # between the two, as the model sees them; 0: the same
    source: str  # name of the good picture's file


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a part is unusual."""

    region: Box  # px of the frame
    row: float  # of the most anomalous point, as shares of the frame's height and width, 0..1
    column: float
    peak: float


class Explainer:
    """Finds the nearest good patches; safe to use from several threads at once."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        """
        Raises:
            OptionError: the model keeps no good pictures. BundleError: what it keeps is damaged.
        """
        if bundle.exemplars is None:
            raise OptionError(f"{bundle.path}: {why_not(bundle)}")
        try:
            exemplars = from_bytes(bundle.exemplars)
            bank = _bank(bundle.graph)
            kept = np.flatnonzero(exemplars.places[: len(bank)] >= 0)
            if len(exemplars.cells) < len(bank) or not kept.size:
                raise BundleError("has no pieces of good pictures for its bank; train again")
            manifest = bundle.manifest
            config = FeatureConfig(
                height=manifest.working_size[0],
                width=manifest.working_size[1],
                dimensions=bank.shape[1],
                bit_depth=manifest.input.bit_depth,
            )
            features = stored_features(bundle.graph, config, exemplars.grid)
        except BundleError as error:
            raise BundleError(f"{bundle.path}: {error}.") from error
        self._path, self._exemplars, self._config = bundle.path, exemplars, config
        self._kept, self._bank = kept, bank[kept]
        self._session = open_session(features.model, threads=threads)

    def explain(self, frame: Frame, places: Sequence[Place]) -> tuple[Resemblance, ...]:
        """What the first MOST_EXPLAINED of these places looked most like, in their order.

        Raises:
            FrameError: the graph fails on the frame. BundleError: a piece of a good picture is damaged.
        """
        if not places:
            return ()
        patches = run_image(self._session, frame, self._config)[0]
        return tuple(self._resemblance(frame, patches, place) for place in places[:MOST_EXPLAINED])

    def nearest(self, patch: FloatArray) -> tuple[int, float]:
        """Which of the bank's patches that have a picture is nearest to a (D,) feature vector, and how far it is."""
        distances = np.linalg.norm(self._bank.astype(np.float64) - patch, axis=1)
        best = int(distances.argmin())
        return int(self._kept[best]), float(distances[best])

    def _resemblance(self, frame: Frame, patches: FloatArray, place: Place) -> Resemblance:
        grid, exemplars = self._exemplars.grid, self._exemplars
        row, column = min(int(place.row * grid[0]), grid[0] - 1), min(int(place.column * grid[1]), grid[1] - 1)
        entry, distance = self.nearest(patches[row * grid[1] + column])
        like_row, like_column = divmod(int(exemplars.cells[entry]), grid[1])
        there = Span.around(like_row, like_column, grid)
        # the place lies in both pieces where it lies in the good one, unless the frame ends there
        here = Span.at(row - (like_row - there.top), column - (like_column - there.left), grid)
        excerpt = exemplars.excerpts[exemplars.places[entry]]
        try:
            good = picture(excerpt, SHOWN_PX)
        except BundleError as error:
            raise BundleError(f"{self._path}: {error}.") from error
        return Resemblance(
            region=place.region,
            peak=place.peak,
            part=cut(frame, here, grid, SHOWN_PX),
            part_place=_place(row - here.top, column - here.left, here),
            good=good,
            good_place=_place(like_row - there.top, like_column - there.left, there),
            distance=distance,
            source=excerpt.name,
        )


def why_not(bundle: Bundle) -> str:
    """Which of WHY_NOT a model without exemplars has; one line without the path."""
    manifest = bundle.manifest
    if manifest.method != "patchcore":
        return _ANOTHER_METHOD
    if manifest.separate:
        return _SEPARATE
    return _WITH_DEPTH if manifest.input.depth else _OLD


def _bank(graph: bytes) -> FloatArray:
    """(M, D) the patches that a graph compares with, in the order picked.

    Raises:
        BundleError: it has none; without the path.
    """
    constants = onnx.load_model_from_string(graph).graph.initializer
    found = next((tensor for tensor in constants if tensor.name == BANK), None)
    if found is None or len(found.dims) != 2:
        raise BundleError("has a graph without a bank of patches; train again")
    bank: FloatArray = np.asarray(numpy_helper.to_array(found).T / np.float32(-2), np.float32)
    return bank


def _place(row: int, column: int, span: Span) -> Box:
    """A cell in a piece of SHOWN_PX."""
    left, right = (SHOWN_PX * side // span.columns for side in (column, column + 1))
    top, bottom = (SHOWN_PX * side // span.rows for side in (row, row + 1))
    return Box(x=left, y=top, width=right - left, height=bottom - top)
