"""From a model to a file for another runtime: made, judged beside the model, and only then written."""

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

from sightline.bundle import Bundle
from sightline.datasets.dataset import Dataset
from sightline.errors import OptionError
from sightline.export import edge_tpu, litert, onnx_graph, openvino_ir, region_names, tensorrt
from sightline.export.artifact import Artifact
from sightline.export.judgement import FLOAT_TOLERANCE, INTEGER_TOLERANCE, Judgement, judge
from sightline.export.pictures import Pictures, made_up, of_dataset
from sightline.files import refuse_unwritable, write_bytes
from sightline.inspector import Inspector
from sightline.models.integers import Ranges
from sightline.products import limits_of
from sightline.records import Frame

Format = Literal["onnx", "openvino", "litert", "edgetpu", "tensorrt"]
Progress = Callable[[str, int, int], None]  # stage, done, total
FORMATS: tuple[Format, ...] = ("onnx", "openvino", "litert", "edgetpu", "tensorrt")
INTEGER_FORMATS: tuple[Format, ...] = ("onnx", "openvino", "litert", "edgetpu")
_MOST_FOR_PERCENTILES = 16  # pictures: the runtime holds all their activations at once


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportConfig:
    """What is made, and how much it may differ from the model."""

    format: Format
    int8: bool = False  # float convolutions in 8-bit integers
    ranges: Ranges = "minmax"  # of activations, for ONNX
    calibrating: int = 64  # good pictures that ranges come from, at most
    max_loss: float = 0.01  # share of verdicts that int8 may change; without it none may
    product: str | None = None  # which of several, where the model has a bank for each
    max_megapixels: float = 50.0

    def __post_init__(self) -> None:
        if not 0 <= self.max_loss < 1:
            raise OptionError(f"max_loss must be from 0 to below 1, got {self.max_loss}.")
        if self.calibrating < 1:
            raise OptionError(f"calibrating must be at least 1, got {self.calibrating}.")
        if self.int8 and self.format not in INTEGER_FORMATS:
            raise OptionError(
                f"8 bits are made for {' and '.join(INTEGER_FORMATS)}, not for {self.format}; leave --int8 out."
            )

    @property
    def integers(self) -> bool:
        """Whether the export computes in 8 bits where the model does not."""
        return self.int8 or self.format == "edgetpu"

    @property
    def pictures_for_ranges(self) -> int:
        """How many pictures ranges come from, at most."""
        return min(self.calibrating, _MOST_FOR_PERCENTILES) if self.ranges == "percentile" else self.calibrating


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """What was written, and what it was judged by."""

    path: Path
    artifact: Artifact
    judgement: Judgement
    document: dict[str, Any]  # what FILE.json holds


def export(
    bundle: Bundle, output: Path, config: ExportConfig, dataset: Dataset | None, progress: Progress | None = None
) -> Exported:
    """Make the export, judge it and write it, with `output`.json beside it.

    Args:
        output: for OpenVINO its name ends in .xml, and the weights are written beside it as .bin.
        dataset: the user's pictures; None: made-up ones, which int8 cannot be judged on.

    Raises:
        OptionError: an option cannot work here, or the export differs from the model by more than it may; nothing is
            written.
        DatasetError: the data set has no good picture. FrameError: a picture cannot be judged.
        StoreError: a file cannot be written.
    """
    places = _places(output, config.format, names=bundle.names is not None)
    for place in places.values():
        refuse_unwritable(place)
    draws = bundle.manifest.segments is not None or bundle.manifest.locating is not None
    if draws and (config.integers or config.format != "onnx"):
        raise OptionError(
            f"{bundle.path}: outlines defects or finds them as boxes, and exports are judged by their verdicts alone; "
            "take --to onnx in float."
        )
    if config.integers and dataset is None:
        raise OptionError("8-bit ranges come from your pictures, and the loss is judged on them; give --images.")
    manifest = bundle.manifest
    pictures = (
        of_dataset(dataset, manifest, config.pictures_for_ranges, config.max_megapixels)
        if dataset
        else made_up(manifest)
    )
    artifact = make(bundle, config, pictures, progress)
    judgement = judged(bundle, artifact, config, pictures, progress)
    if judgement.refusal:
        cure = "Raise --max-loss, or calibrate on other pictures" if config.integers else "Export it to onnx"
        raise OptionError(f"{output}: not written: {judgement.refusal}. {cure}.")
    document = _document(bundle, artifact, config, pictures, judgement)
    for suffix, content in sorted(artifact.contents.items(), reverse=True):  # the file asked for last
        write_bytes(places[suffix], content)
    write_bytes(places[".json"], (json.dumps(document, indent=2, allow_nan=False) + "\n").encode())
    return Exported(path=output, artifact=artifact, judgement=judgement, document=document)


def make(bundle: Bundle, config: ExportConfig, pictures: Pictures, progress: Progress | None = None) -> Artifact:
    """The export, neither judged nor written, with what names its regions; raises as `export`."""
    return region_names.with_names(bundle, _made(bundle, config, pictures, progress))


def _made(bundle: Bundle, config: ExportConfig, pictures: Pictures, progress: Progress | None) -> Artifact:
    if config.format == "tensorrt":
        return tensorrt.engine(bundle, config.product)
    calibration = _told(pictures, progress)
    if config.format == "edgetpu":
        return edge_tpu.checked(litert.flat(bundle, config.product, calibration))
    if config.format == "litert":
        return litert.flat(bundle, config.product, calibration if config.int8 else None)
    if config.format == "openvino":
        return openvino_ir.representation(bundle, config.product, calibration if config.int8 else None)
    if config.int8:
        return onnx_graph.integer(bundle, config.product, calibration, config.ranges)
    return onnx_graph.bare(bundle, config.product)


def judged(
    bundle: Bundle, artifact: Artifact, config: ExportConfig, pictures: Pictures, progress: Progress | None = None
) -> Judgement:
    """The export beside its model on the same pictures; raises FrameError where one cannot be judged."""
    inspector = Inspector(bundle)
    thresholds = inspector.limits(config.product).thresholds
    tolerance = INTEGER_TOLERANCE if b"QuantizeLinear" in bundle.graph else FLOAT_TOLERANCE

    def counted() -> Iterator[tuple[Frame, str | None]]:
        for done, pair in enumerate(pictures):
            yield pair
            if progress:
                progress("judging", done + 1, len(pictures.labels))

    return judge(
        counted(),
        lambda frame: inspector.score(frame, product=config.product),
        artifact.score,
        thresholds,
        tolerance=None if config.integers else tolerance,
        max_loss=config.max_loss if config.integers else 0.0,
        naming=bundle.manifest.naming,
        named=region_names.namer(bundle, thresholds),
    )


def _places(output: Path, kind: Format, *, names: bool) -> dict[str, Path]:
    """Suffix -> where that content goes."""
    places = {"": output, ".json": output.with_name(f"{output.name}.json")}
    if names:
        places[region_names.SUFFIX] = output.with_name(f"{output.stem}{region_names.SUFFIX}")
    if kind == "openvino":
        if output.suffix != ".xml":
            raise OptionError(f"{output}: OpenVINO looks for the weights beside FILE.xml; end the name in .xml.")
        places[".bin"] = output.with_suffix(".bin")
    return places


def _told(pictures: Pictures, progress: Progress | None) -> Iterator[Frame]:
    for index in range(len(pictures.calibration)):
        if progress:
            progress("calibration", index + 1, len(pictures.calibration))
        yield pictures.calibration[index]


def _document(
    bundle: Bundle, artifact: Artifact, config: ExportConfig, pictures: Pictures, judgement: Judgement
) -> dict[str, Any]:
    thresholds = limits_of(bundle, config.product).thresholds
    return {
        "format": config.format,
        "int8": config.integers,
        "model_id": bundle.model_id,
        "graph_sha256": bundle.manifest.graph_sha256,
        "product": config.product,
        "takes": artifact.takes,
        "notes": list(artifact.notes),
        "names": region_names.document(bundle),
        "thresholds": {"reject": thresholds.reject, "review": thresholds.review},
        "files": {
            suffix: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for suffix, content in artifact.contents.items()
        },
        "judged_on": pictures.source,
        "calibrated_on": len(pictures.calibration) if config.integers else 0,
        "judgement": {**asdict(judgement), "loss": judgement.loss},
        "versions": {"sightline": version("sightline"), **artifact.versions},
    }
