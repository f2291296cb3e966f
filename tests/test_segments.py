"""Findings from masks: label, area, severity, and regions that doubt enlarges."""

from dataclasses import replace

import numpy as np
import pytest

from sightline.errors import BundleError
from sightline.manifest import (
    Calibration,
    InputSpec,
    Manifest,
    Provenance,
    Thresholds,
    from_json,
    to_json,
)
from sightline.records import AnomalyMap, Defect, Frame
from sightline.segment_rule import SegmentRule, Zone
from sightline.segments import Segments, find_segments, severity

RULE = SegmentRule(
    mark=0.5,
    mm_per_px=0.5,
    area_weight=0.5,
    full_area=0.25,
    contrast_weight=0.25,
    full_contrast=0.5,
    position_weight=0.25,
)


def manifest_with(rule: SegmentRule, labels: tuple[str, ...] = ("good", "crack", "dent")) -> Manifest:
    return Manifest(
        sightline_version="0.1.0",
        method="segmenter",
        graph_sha256="0" * 64,
        input=InputSpec(dtype="uint8", bit_depth=8),
        working_size=(40, 80),
        tile=None,
        labels=labels,
        thresholds=Thresholds(reject=0.5, review=None, rule="even odds", promise="none", max_overkill=None),
        calibration=Calibration(good_scores=(), source="none"),
        provenance=Provenance(
            dataset="tiles",
            images=4,
            dataset_sha256="0" * 64,
            seed=0,
            config={},
            backbone="shipped",
            backbone_sha256="0" * 64,
        ),
        segments=rule,
    )


def looked(
    masks: np.ndarray, rule: SegmentRule = RULE, threshold: float = 0.5, pixels: np.ndarray | None = None
) -> tuple[tuple[Defect, ...], Segments]:
    values = masks.sum(axis=0).astype(np.float32)
    shown = np.full((40, 80, 1), 100, np.uint8) if pixels is None else pixels
    anomaly = AnomalyMap(score=float(values.max()), values=values, masks=masks.astype(np.float32))
    return find_segments(Frame(pixels=shown), anomaly, manifest_with(rule), threshold)


def masks_of(peak: float = 0.9) -> np.ndarray:
    masks = np.zeros((2, 40, 80), np.float32)
    masks[0, 10:20, 10:20] = peak * 0.8
    masks[1, 10:20, 10:20] = peak * 0.2
    return masks


def test_a_region_has_its_class_its_size_and_its_place() -> None:
    masks = masks_of()
    masks[1, 30:34, 60:64] = 0.95
    found, segments = looked(masks)
    assert [one.label for one in found] == ["dent", "crack"]  # the most certain first
    crack = found[1]
    assert (crack.box.x, crack.box.y, crack.box.width, crack.box.height) == (10, 10, 10, 10)
    assert crack.area_px == 100
    assert crack.area_mm2 == pytest.approx(25)
    assert crack.confidence == pytest.approx(0.72, abs=1e-3)
    assert set(np.unique(segments)) == {0, 1, 2}
    assert (segments == 1).sum() == 100


def test_a_region_below_the_mark_is_outlined_where_the_threshold_is_lower() -> None:
    found, _ = looked(masks_of(peak=0.3), threshold=0.2)
    assert [one.area_px for one in found] == [100]


def test_severity_is_the_mean_of_its_parts() -> None:
    pixels = np.full((40, 80, 1), 100, np.uint8)
    pixels[10:20, 10:20] = 151  # a fifth of white above the ring
    (one,), _ = looked(masks_of(), pixels=pixels)
    area, contrast = (100 / 3200 / 0.25) ** 0.5, 0.2 / 0.5
    assert one.severity == pytest.approx((0.5 * area + 0.25 * contrast) / 0.75, abs=1e-3)


@pytest.mark.parametrize(("x", "position"), [pytest.param(0.0, 0.8, id="inside"), pytest.param(0.5, 0.0, id="outside")])
def test_a_critical_zone_makes_a_defect_worse(x: float, position: float) -> None:
    zone = Zone(x=x, y=0.0, width=0.5, height=1.0, weight=0.8)
    rule = replace(RULE, zones=(zone,))
    (one,), _ = looked(masks_of(), rule)
    area = (100 / 3200 / 0.25) ** 0.5
    assert one.severity == pytest.approx(severity(rule, area=area, contrast=0.0, position=position), abs=1e-3)


def test_no_part_counts_more_than_once() -> None:
    assert severity(RULE, area=9.0, contrast=9.0, position=9.0) == 1.0


def test_a_zone_that_leaves_the_picture_is_refused() -> None:
    with pytest.raises(BundleError, match="leaves the picture"):
        Zone(x=0.5, y=0.0, width=0.6, height=1.0, weight=1.0)


def test_the_rule_is_read_as_it_was_written() -> None:
    manifest = manifest_with(replace(RULE, zones=(Zone(x=0.1, y=0.2, width=0.3, height=0.4, weight=0.5),)))
    assert from_json(to_json(manifest)) == manifest


@pytest.mark.parametrize(
    ("key", "value"),
    [
        pytest.param("mark", 1.0, id="mark"),
        pytest.param("mm_per_px", 0.0, id="scale"),
        pytest.param("full_area", 0.0, id="area"),
        pytest.param("position_weight", 1.5, id="weight"),
    ],
)
def test_a_rule_out_of_range_is_refused_by_its_key(key: str, value: float) -> None:
    with pytest.raises(BundleError, match=f"segments.{key}"):
        replace(RULE, **{key: value})  # type: ignore[arg-type]  # the key is one of the fields


def test_a_model_without_a_class_of_defects_outlines_nothing() -> None:
    with pytest.raises(BundleError, match="one class of defects"):
        manifest_with(RULE, labels=("good",))
