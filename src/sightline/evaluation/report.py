"""An evaluation as one self-contained page: nothing is fetched, everything from outside is escaped."""

import base64
import math
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import cv2
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sightline.evaluation.axes import clean
from sightline.evaluation.curves import Costs, cost_per_part, precision_recall, roc
from sightline.evaluation.plots import class_confusion, confusion_matrix, recall_by_type, score_histogram
from sightline.evaluation.results import Evaluation, Exhibit, Rate
from sightline.files import write_bytes
from sightline.imaging.banner import figure, scale_bar
from sightline.imaging.heat import Rgb, heat_scale
from sightline.imaging.overlay import heat_picture, original

MAX_EXHIBITS = 12  # of each kind
MAX_SIDE = 640  # px of a picture in the report
_MAX_UNJUDGED = 100
_MANY = 150  # pictures of one kind from which the histogram counts in powers of ten
_FEW = 30  # pictures of one kind below which a share says little
_PARTS = ("sightline", "numpy", "opencv-python-headless", "onnxruntime")
_JPEG_QUALITY = 86
_NOTHING = "\u2013"  # where a figure was not measured
_PERCENT = "\u00a0%"  # not torn from its number at the end of a line


@dataclass(frozen=True, slots=True, kw_only=True)
class _Tile:
    name: str
    value: str
    detail: str
    kind: str = ""  # good or defect where the figure is about one of them


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """An exhibit as the page shows it."""

    name: str
    source: str
    label: str
    verdict: str
    score: str
    share: str
    original: str  # data URIs
    heat: str
    width: int
    height: int


def write_report(
    path: Path,
    evaluation: Evaluation,
    exhibits_escapes: Sequence[Exhibit],
    exhibits_overkills: Sequence[Exhibit],
    *,
    title: str,
    cost_escape: float = 50.0,
    cost_overkill: float = 1.0,
    defect_rate: float = 0.01,
    notes: Sequence[str] = (),
) -> None:
    """Write an evaluation as one HTML file that opens, prints and travels on its own.

    Args:
        path: the file; replaced as a whole or not at all.
        evaluation: what is reported.
        exhibits_escapes: defects, the worst first; at most `MAX_EXHIBITS` are shown.
        exhibits_overkills: good parts, likewise.
        title: of the page.
        cost_escape, cost_overkill: in one unit, for the cost curve.
        defect_rate: share of the parts on the line that are defective, for the cost curve.
        notes: sentences for the box about the evaluation, such as how its threshold was set.

    Raises:
        OptionError: a cost is not above 0, the defect rate is not between 0 and 1, or the threshold is not finite.
        StoreError: the file could not be written.
    """
    costs = Costs(escape=cost_escape, overkill=cost_overkill, defect_rate=defect_rate)
    page = _environment().get_template("report.html")
    html = page.render(
        title=title,
        evaluation=evaluation,
        sentences=_sentences(evaluation),
        tiles=_tiles(evaluation),
        plots=_plots(evaluation, costs),
        costs=costs,
        rates=_rows(evaluation),
        naming=_class_rows(evaluation),
        outlines=_outline_rows(evaluation),
        sizes=_size_rows(evaluation),
        boxes=_box_rows(evaluation),
        escapes=[_picture(exhibit, evaluation) for exhibit in exhibits_escapes[:MAX_EXHIBITS]],
        overkills=[_picture(exhibit, evaluation) for exhibit in exhibits_overkills[:MAX_EXHIBITS]],
        scale=_uri(scale_bar(480, heat_scale(evaluation.threshold, evaluation.review_threshold))),
        unjudged=evaluation.unjudged[:_MAX_UNJUDGED],
        limits=_limits(evaluation),
        notes=notes,
        versions=_versions(),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
    )
    write_bytes(path, html.encode("utf-8", "replace"))


def _environment() -> Environment:
    templates = FileSystemLoader(Path(__file__).parent / "templates")
    environment = Environment(
        loader=templates, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"clean": clean, "figure": figure, "file_name": _file_name}
    return environment


def _sentences(evaluation: Evaluation) -> list[str]:
    """What the figures say in plain words, the verdict first."""
    escape, overkill, review = evaluation.escape, evaluation.overkill, evaluation.review
    said = [_caught(escape), _rejected(overkill)]
    if review.count:
        subject = _of(review.count, review.total, "picture")
        said.append(f"{subject} {_is(review.count)} left to a person; a defect among them counts as caught.")
    if evaluation.unjudged:
        faults = len(evaluation.unjudged)
        said.append(f"{_plural(faults, 'picture')} could not be judged; on the line such a part is rejected.")
    return said


def _caught(escape: Rate) -> str:
    if escape.value is None or escape.low is None or escape.high is None:
        return "No defect was judged, so nothing is known about escapes."
    caught = escape.total - escape.count
    interval = _interval(1 - escape.high, 1 - escape.low)
    return f"{_of(caught, escape.total, 'defect')} {_is(caught)} caught ({percent(1 - escape.value)}, {interval})."


def _rejected(overkill: Rate) -> str:
    if overkill.value is None or overkill.low is None or overkill.high is None:
        return "No good part was judged, so nothing is known about overkill."
    interval = _interval(overkill.low, overkill.high)
    subject = _of(overkill.count, overkill.total, "good part")
    return f"{subject} {_is(overkill.count)} rejected ({percent(overkill.value)}, {interval})."


def _tiles(evaluation: Evaluation) -> list[_Tile]:
    image, pixel = evaluation.image, evaluation.pixel
    at_1pct = None if image.recall_at_1pct_overkill is None else percent(image.recall_at_1pct_overkill)
    mask = f"over {_plural(pixel.pictures, 'picture')}" if pixel else "no masks"
    return [
        _rate_tile("Escapes", evaluation.escape, "defects passed", "defect"),
        _rate_tile("Overkill", evaluation.overkill, "good parts rejected", "good"),
        _rate_tile("Review", evaluation.review, "pictures left to a person", ""),
        _Tile(name="Image AUROC", value=_number(image.auroc), detail="1 is perfect, 0.5 is chance"),
        _Tile(name="Average precision", value=_number(image.average_precision), detail=_best_f1(evaluation)),
        _Tile(name="Recall at 1 % overkill", value=at_1pct or _NOTHING, detail="at the best threshold for it"),
        _Tile(name="Pixel AUROC", value=_number(pixel.auroc if pixel else None), detail=mask),
        _Tile(
            name="AUPRO",
            value=_number(pixel.aupro if pixel else None),
            detail="regions found, at up to 0.3 false positives",
        ),
    ]


def _rate_tile(name: str, rate: Rate, what: str, kind: str) -> _Tile:
    if rate.value is None or rate.low is None or rate.high is None:
        return _Tile(name=name, value=_NOTHING, detail="not measured: none were judged", kind=kind)
    detail = f"{rate.count} of {rate.total} {what}; {_interval(rate.low, rate.high)}"
    return _Tile(name=name, value=percent(rate.value), detail=detail, kind=kind)


def _best_f1(evaluation: Evaluation) -> str:
    image = evaluation.image
    if image.best_f1 is None or image.best_f1_threshold is None:
        return "needs good pictures and defects"
    return f"best F1 {image.best_f1:.3f}, at threshold {figure(image.best_f1_threshold)}"


def _plots(evaluation: Evaluation, costs: Costs) -> dict[str, str]:
    crowded = max(evaluation.escape.total, evaluation.overkill.total) >= _MANY
    return {
        "histogram": score_histogram(evaluation, log=crowded),
        "roc": roc(evaluation),
        "precision_recall": precision_recall(evaluation),
        "cost": cost_per_part(evaluation, costs),
        "recall": recall_by_type(evaluation.recall_by_type),
        "confusion": confusion_matrix(evaluation.confusion),
        "classes": class_confusion(evaluation.naming.confusion if evaluation.naming else {}),
    }


def _rows(evaluation: Evaluation) -> list[tuple[str, Rate, str, str]]:
    """Defect type, its recall, the share and its interval in words."""
    rows = []
    for label, rate in sorted(evaluation.recall_by_type.items()):
        if rate.value is None or rate.low is None or rate.high is None:
            rows.append((label, rate, _NOTHING, _NOTHING))
        else:
            rows.append((label, rate, percent(rate.value), _span(rate.low, rate.high)))
    return rows


def _class_rows(evaluation: Evaluation) -> list[tuple[str, int, list[str]]]:
    """Class, its pictures, and its precision, recall and F1, each with its interval."""
    rows = []
    for one in evaluation.naming.classes if evaluation.naming else ():
        cells: list[str] = []
        for found in (one.precision, one.recall, one.f1):
            if found.value is None or found.low is None or found.high is None:
                cells += [_NOTHING, _NOTHING]
            else:
                cells += [percent(found.value), _span(found.low, found.high)]
        rows.append((one.name, one.pictures, cells))
    return rows


def _box_rows(evaluation: Evaluation) -> list[tuple[str, int, list[str]]]:
    """Class, its boxes, both average precisions, and precision and recall, each with its interval."""
    rows = []
    for one in evaluation.boxes.classes if evaluation.boxes else ():
        cells = [_number(one.ap50), _number(one.ap50_95)]
        for found in (one.precision, one.recall):
            if found.value is None or found.low is None or found.high is None:
                cells += [_NOTHING, _NOTHING]
            else:
                cells += [percent(found.value), _span(found.low, found.high)]
        rows.append((one.name, one.boxes, cells))
    return rows


def _picture(exhibit: Exhibit, evaluation: Evaluation) -> _Picture:
    judged, threshold = exhibit.judged, evaluation.threshold
    plain = original(exhibit.pixels, exhibit.bit_depth, max_side=MAX_SIDE)
    heat = heat_picture(
        exhibit.pixels,
        exhibit.bit_depth,
        exhibit.map,
        threshold,
        review_threshold=evaluation.review_threshold,
        mask=exhibit.mask,
        max_side=MAX_SIDE,
    )
    share = f"{judged.score / threshold:.2f} \u00d7 threshold" if threshold > 0 else f"threshold {figure(threshold)}"
    return _Picture(
        name=_file_name(judged.source),
        source=judged.source,
        label=judged.label,
        verdict=judged.verdict.value,
        score=figure(judged.score),
        share=share,
        original=_uri(plain),
        heat=_uri(heat),
        width=plain.shape[1],
        height=plain.shape[0],
    )


def _outline_rows(evaluation: Evaluation) -> list[tuple[str, int, str, str]]:
    """Name, pixels, IoU and Dice of all defects and of each class."""
    overlap = evaluation.overlap
    shown = (overlap.pooled, *overlap.classes) if overlap else ()
    return [(one.name, one.pixels, _decimal(one.iou), _decimal(one.dice)) for one in shown]


def _decimal(value: float | None) -> str:
    return _NOTHING if value is None else f"{value:.3f}"


def _size_rows(evaluation: Evaluation) -> list[tuple[str, int, int, str, str]]:
    """Size, number, found, recall and interval of single defects."""
    rows = []
    for one in evaluation.overlap.instances if evaluation.overlap else ():
        recall = one.recall
        assert recall.value is not None, "a size without a defect has no row"
        assert recall.low is not None, "as above"
        assert recall.high is not None, "as above"
        size = f"{one.from_px} px and more" if one.below_px is None else f"{one.from_px} to {one.below_px} px"
        rows.append((size, recall.total, recall.count, percent(recall.value), _span(recall.low, recall.high)))
    return rows


def _uri(picture: Rgb) -> str:
    options = [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY, cv2.IMWRITE_JPEG_OPTIMIZE, 1]
    made, content = cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), options)
    assert made, "JPEG takes any uint8 picture of this size"
    return f"data:image/jpeg;base64,{base64.b64encode(content.tobytes()).decode('ascii')}"


def _limits(evaluation: Evaluation) -> list[str]:
    """What these figures cannot say, with numbers."""
    found = []
    escape, overkill = evaluation.escape, evaluation.overkill
    for rate, what in ((escape, "defect"), (overkill, "good part")):
        if 0 < rate.total < _FEW:
            found.append(f"Only {_plural(rate.total, what)}: read the interval, not the share.")
    if escape.total and not escape.count and escape.high is not None:
        found.append(f"No escape was seen, but up to {percent(escape.high)} cannot be ruled out with these pictures.")
    if overkill.total and not overkill.count and overkill.high is not None:
        found.append(f"No overkill was seen, but up to {percent(overkill.high)} cannot be ruled out.")
    few = [label for label, rate in sorted(evaluation.recall_by_type.items()) if rate.total < _FEW]
    if few:
        found.append(f"Fewer than {_FEW} examples of: {', '.join(few)}.")
    if evaluation.pixel is None:
        found.append("No picture has a mask, so how well defects are located was not measured.")
    if evaluation.unjudged:
        found.append("Pictures that could not be judged are in the confusion matrix only, as FAULT.")
    return found


def _versions() -> str:
    return ", ".join([f"Python {platform.python_version()}", *(f"{part} {_version(part)}" for part in _PARTS)])


def _version(part: str) -> str:
    try:
        return metadata.version(part)
    except metadata.PackageNotFoundError:  # run from its source, or OpenCV in one of its other packages
        return "(not installed as a package)"


def percent(share: float) -> str:
    """A share for reading: one decimal, or as many more as it takes to tell it from 0 and 100 %."""
    decimals = 1
    while 0 < share < 1 and decimals < 4 and float(f"{100 * share:.{decimals}f}") in (0, 100):
        decimals += 1
    return f"{100 * share:.{decimals}f}{_PERCENT}"


def _interval(low: float, high: float) -> str:
    return f"95{_PERCENT} interval {_span(low, high)}"


def _span(low: float, high: float) -> str:
    return f"{percent(low).removesuffix(_PERCENT)} to {percent(high)}"


def _number(value: float | None) -> str:
    return _NOTHING if value is None or not math.isfinite(value) else f"{value:.3f}"


def _plural(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _of(count: int, total: int, what: str) -> str:
    return f"Of {_plural(total, what)} {count}"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"


def _file_name(source: str) -> str:
    return source.replace("\\", "/").rsplit("/", 1)[-1]
