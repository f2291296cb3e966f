"""The graph that names what a hybrid finds, beside the export that finds it: the very graph, for ONNX Runtime.

A few small pieces of a defective part are shown to it, of any size; so it needs no format of a fixed size. Whoever
deploys both cuts the pieces out as `regions.cut_out` does, by the numbers in the export's document.
"""

from dataclasses import asdict, replace
from typing import Any

from sightline.bundle import Bundle
from sightline.datasets.dataset import GOOD
from sightline.export.artifact import Artifact
from sightline.export.judgement import Name
from sightline.inspector import find_defects
from sightline.manifest import Thresholds
from sightline.records import AnomalyMap, Frame
from sightline.regions import MOST_NAMED, RegionNamer

SUFFIX = ".names.onnx"
NOTE = f"names its regions by the graph in FILE{SUFFIX}, which runs in ONNX Runtime; `names` says what it is shown"


def with_names(bundle: Bundle, artifact: Artifact) -> Artifact:
    """The export with the graph that names its regions; as it is where the model has none."""
    if bundle.names is None:
        return artifact
    contents = {**artifact.contents, SUFFIX: bundle.names.graph}
    return replace(artifact, contents=contents, notes=(*artifact.notes, NOTE))


def namer(bundle: Bundle, thresholds: Thresholds) -> Name | None:
    """What a part is called by a map, as `Inspector.inspect` does it; None where the model has no names."""
    if bundle.names is None:
        return None
    regions = RegionNamer(bundle)
    marked = thresholds.reject if thresholds.review is None else thresholds.review

    def named(frame: Frame, found: AnomalyMap) -> str:
        defects = find_defects(found.values, marked, frame.height, frame.width)
        return regions.named(frame, defects[:1], found.values)[0].label if defects else GOOD

    return named


def document(bundle: Bundle) -> dict[str, Any] | None:
    """What the names' graph is shown and how its answer is read; None where the model has none."""
    rule = bundle.manifest.regions
    if bundle.names is None or bundle.names.manifest.naming is None or rule is None:
        return None
    spec, thresholds = bundle.manifest.input, bundle.names.manifest.thresholds
    return {
        "takes": (
            f"image (height, width, 1 or 3) {spec.dtype} of {spec.bit_depth} bits, the piece; weights (height, width) "
            "uint8, the map there: 0 its median over the picture, 255 its maximum in the piece"
        ),
        "side_share": rule.side_share,
        "least_px": rule.least_px,
        "most_named": MOST_NAMED,
        "thresholds": {"reject": thresholds.reject, "review": thresholds.review},
        "naming": asdict(bundle.names.manifest.naming),
    }
