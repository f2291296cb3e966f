"""The manifest: what is written is what is read, and everything else is refused by the name of its key."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from sightline.errors import BundleError
from sightline.manifest import (
    Calibration,
    InputSpec,
    Manifest,
    Provenance,
    Thresholds,
    digest,
    from_json,
    model_id,
    to_json,
)

JsonObject = dict[str, Any]


def small_manifest() -> Manifest:
    return Manifest(
        sightline_version="0.1.0",
        method="patchcore",
        graph_sha256="0" * 64,
        input=InputSpec(dtype="uint8", bit_depth=8),
        working_size=(256, 320),
        tile=None,
        labels=("anomaly", "傷\u3000表面"),
        thresholds=Thresholds(reject=3.0, review=2.5, rule="conformal", promise="1 % overkill", max_overkill=0.01),
        calibration=Calibration(good_scores=(0.10000000149011612, 0.5, 0.5, 2.0), source="leave one image out"),
        provenance=Provenance(
            dataset="tiles",
            images=4,
            dataset_sha256="0" * 64,
            seed=7,
            config={"kept": 0.1, "neighbours": 3, "whiten": False, "limit": None, "layer": "8+16"},
            backbone="shipped",
            backbone_sha256="a" * 64,
        ),
    )


def sealed(content: JsonObject) -> bytes:
    """JSON with a digest that fits, as an attacker would make it."""
    content = {key: value for key, value in content.items() if key != "digest"}
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({**content, "digest": hashlib.sha256(canonical).hexdigest()}).encode()


def test_what_is_written_is_what_is_read() -> None:
    assert from_json(to_json(small_manifest())) == small_manifest()


def test_the_digest_is_that_of_the_canonical_json_of_everything_else() -> None:
    document = json.loads(to_json(small_manifest()))
    stated = document.pop("digest")
    assert stated == digest(small_manifest()) == json.loads(sealed(document))["digest"]


def test_whole_numbers_and_their_floats_make_one_model() -> None:
    whole = replace(small_manifest(), thresholds=replace(small_manifest().thresholds, reject=3))
    assert to_json(whole) == to_json(small_manifest())
    assert model_id(whole) == model_id(small_manifest())


def test_scores_keep_every_bit() -> None:
    scores = np.sort(np.random.default_rng(0).normal(size=200).astype(np.float32))
    calibration = Calibration(good_scores=tuple(scores.tolist()), source="")
    loaded = from_json(to_json(replace(small_manifest(), calibration=calibration)))
    assert np.array_equal(np.array(loaded.calibration.good_scores, np.float32), scores)
    assert loaded.calibration == calibration


def edited(*keys: str, to: object) -> Callable[[], bytes]:
    """A manifest with one value changed, and a digest that fits again."""

    def make() -> bytes:
        document = json.loads(to_json(small_manifest()))
        inner = document
        for key in keys[:-1]:
            inner = inner[key]
        inner[keys[-1]] = to
        return sealed(document)

    return make


def without(*keys: str) -> Callable[[], bytes]:
    def make() -> bytes:
        document = json.loads(to_json(small_manifest()))
        inner = document
        for key in keys[:-1]:
            inner = inner[key]
        del inner[keys[-1]]
        return json.dumps(document).encode() if keys == ("digest",) else sealed(document)

    return make


def rewritten(old: bytes, new: bytes) -> Callable[[], bytes]:
    def make() -> bytes:
        text = to_json(small_manifest())
        assert old in text
        return text.replace(old, new, 1)

    return make


MANIFESTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "not-utf8": (lambda: b'{"a": "\xff"}', "is not JSON in UTF-8"),
    "not-json": (lambda: b"{'a': 1}", "is not JSON in UTF-8"),
    "empty": (lambda: b"", "is not JSON in UTF-8"),
    "not-an-object": (lambda: b"[1]", "it must be a JSON object"),
    "nested": (lambda: b"[" * 1_000_000, "nested too deeply"),
    "nested-objects": (lambda: b'{"a":' * 1_000_000, "nested too deeply"),
    "long-number": (lambda: b'{"format_version":' + b"9" * 5000 + b"}", "too long"),
    "64-bits": (edited("provenance", "seed", to=2**63), "'provenance.seed' is a whole number of more than 64 bits"),
    "duplicate-key": (rewritten(b'{"calib', b'{"tile":null,"calib'), "'tile' occurs twice"),
    "nan": (rewritten(b'"reject":3.0', b'"reject":NaN'), "the number NaN"),
    "infinity": (rewritten(b'"reject":3.0', b'"reject":-Infinity'), "the number -Infinity"),
    "overflow": (rewritten(b'"reject":3.0', b'"reject":1e999'), "'thresholds.reject' is inf; it must be finite"),
    "overflow-in-scores": (rewritten(b"[0.1", b"[-1e999,0.1"), "'calibration.good_scores' is -inf"),
    "overflow-in-config": (rewritten(b'"kept":0.1', b'"kept":1e999'), "'provenance.config.kept' is inf"),
    "newer": (edited("format_version", to=5), "made by a newer Sightline ('0.1.0', format 5; this one reads"),
    "newer-and-larger": (lambda: b'{"format_version": 9, "new": 1}', "upgrade Sightline"),
    "older": (edited("format_version", to=0), "made by an older Sightline"),
    "version-is-true": (edited("format_version", to=True), "'format_version' is true or false; it must be a whole"),
    "version-is-1.0": (edited("format_version", to=1.0), "'format_version' is a number; it must be a whole number"),
    "no-version": (without("format_version"), "'format_version' is missing"),
    "no-digest": (without("digest"), "'digest' is missing"),
    "edited-threshold": (rewritten(b'"reject":3.0', b'"reject":9.0'), "'digest' does not fit the rest"),
    "digest-of-another-type": (rewritten(b'"digest":"', b'"digest":["'), "is not JSON"),
    "unknown-key": (edited("extra", to=1), "'extra' is unknown"),
    "unknown-inner-key": (edited("thresholds", "rejekt", to=1), "'thresholds.rejekt' is unknown"),
    "terminal-codes-in-key": (edited("\x1b[2J\n", to=1), r"'\x1b[2J\n' is unknown"),
    "long-key": (edited("k" * 5000, to=1), "kkk... is unknown"),
    "missing-key": (without("tile"), "'tile' is missing"),
    "missing-inner-key": (without("thresholds", "review"), "'thresholds.review' is missing"),
    "record-is-a-list": (edited("input", to=[]), "'input' is a list; it must be an object"),
    "text-for-number": (edited("thresholds", "reject", to="3"), "'thresholds.reject' is text; it must be a number"),
    "null-for-number": (edited("thresholds", "reject", to=None), "'thresholds.reject' is null"),
    "true-for-number": (edited("thresholds", "reject", to=True), "'thresholds.reject' is true or false"),
    "number-for-text": (edited("method", to=1), "'method' is a whole number; it must be text"),
    "text-for-list": (edited("labels", to="anomaly"), "'labels' is text; it must be a list"),
    "list-in-scores": (edited("calibration", "good_scores", to=[[1.0]]), "'calibration.good_scores' is a list"),
    "list-for-config": (edited("provenance", "config", to=[]), "'provenance.config' is a list; it must be an object"),
    "object-in-config": (edited("provenance", "config", "kept", to={}), "'provenance.config.kept' is an object"),
    "three-sides": (edited("working_size", to=[1, 2, 3]), "'working_size' has 3 values; it must have 2"),
    "no-side": (edited("working_size", to=[256, 0]), "'working_size' is 256, 0; it must be from 1 to 65536 px"),
    "huge-tile": (edited("tile", to=10**6), "'tile' is 1000000; it must be from 1"),
    "dtype": (edited("input", "dtype", to="float32"), "'input.dtype' is 'float32'"),
    "bit-depth": (edited("input", "bit_depth", to=12), "'input.bit_depth' is 12; it must be 8 for uint8"),
    "review-above-reject": (edited("thresholds", "review", to=3.5), "'thresholds.review' is 3.5; it must not be above"),
    "overkill-of-two": (edited("thresholds", "max_overkill", to=2), "'thresholds.max_overkill' is 2.0"),
    "unsorted-scores": (edited("calibration", "good_scores", to=[2.0, 1.0]), "is not sorted ascending"),
    "method": (edited("method", to="Patch Core"), "'method' is 'Patch Core'; it must be one lower-case word"),
    "graph-hash": (edited("graph_sha256", to="A" * 64), "it must be 64 lower-case hex digits"),
    "data-hash": (edited("provenance", "dataset_sha256", to=""), "'provenance.dataset_sha256' is ''"),
    "negative-images": (edited("provenance", "images", to=-1), "'provenance.images' is -1"),
    "repeated-label": (edited("labels", to=["a", "a"]), "'labels' has an empty or a repeated label"),
    "control-character": (edited("labels", to=["a\x1b[2J"]), r"'labels' is 'a\x1b[2J'; text must be free of"),
    "line-break": (edited("thresholds", "rule", to="a\nb"), "'thresholds.rule' is"),
    "lone-surrogate": (edited("method", to="\ud800"), r"'method' is '\ud800'"),
}


@pytest.mark.parametrize(("text", "expected"), MANIFESTS.values(), ids=MANIFESTS)
def test_a_wrong_manifest_is_refused_in_one_line(text: Callable[[], bytes], expected: str) -> None:
    with pytest.raises(BundleError) as caught:
        from_json(text())
    message = str(caught.value)
    assert expected in message
    assert message.isprintable()
    assert len(message) < 500


def test_a_number_that_json_cannot_hold_is_refused_when_saved() -> None:
    scalar: Any = np.float32(3)
    thresholds = Thresholds(reject=scalar, review=None, rule="", promise="", max_overkill=None)
    with pytest.raises(BundleError, match=r"'thresholds.reject' is float32; it must be a number"):
        to_json(replace(small_manifest(), thresholds=thresholds))


@pytest.mark.parametrize("value", [float("nan"), float("inf")], ids=str)
def test_a_threshold_that_is_not_finite_cannot_be_made(value: float) -> None:
    with pytest.raises(BundleError, match=r"'thresholds.reject' is .*; it must be finite"):
        Thresholds(reject=value, review=None, rule="", promise="", max_overkill=None)


def test_a_file_of_format_1_is_read_and_keeps_its_digest_and_id() -> None:
    older = replace(small_manifest(), format_version=1)
    document = json.loads(to_json(older))
    assert "depth" not in document["input"]
    # as the Sightline that knew only format 1 computed them
    assert document["digest"] == "9a4d48b8cb3b43e65254256f0da48c6db85efa975c098ac2f03ddc4305f80278"
    assert model_id(older) == "fd42960db073"
    assert from_json(to_json(older)) == older
    assert not from_json(to_json(older)).input.depth


def test_format_1_with_a_key_of_format_2_is_refused() -> None:
    document = json.loads(to_json(replace(small_manifest(), format_version=1)))
    document["input"]["depth"] = False
    with pytest.raises(BundleError, match=r"'input\.depth' is unknown"):
        from_json(sealed(document))
    with pytest.raises(BundleError, match=r"'input\.depth' is not known to format 1"):
        replace(small_manifest(), format_version=1, input=InputSpec(dtype="uint8", bit_depth=8, depth=True))
