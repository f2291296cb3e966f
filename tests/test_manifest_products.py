"""The manifest of several products: format version 2; without products nothing changes, byte for byte."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from sightline.errors import BundleError
from sightline.manifest import (
    Calibration,
    InputSpec,
    Manifest,
    Product,
    Provenance,
    Thresholds,
    from_json,
    model_id,
    to_json,
)


def thresholds(reject: float) -> Thresholds:
    return Thresholds(reject=reject, review=None, rule="by hand", promise="none", max_overkill=None)


def plain() -> Manifest:
    """As every Sightline wrote it before there were products."""
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


def product(name: str, reject: float | None) -> Product:
    return Product(
        name=name,
        images=3,
        thresholds=None if reject is None else thresholds(reject),
        calibration=Calibration(good_scores=(0.5, 1.0, 2.0), source="by hand"),
        config={"bank": 40},
    )


def separate() -> Manifest:
    products = (product("Kachel 傷", 3.0), product("cap", 4.0))
    return replace(plain(), format_version=2, products=products, thresholds=thresholds(3.0))


def unified() -> Manifest:
    return replace(plain(), format_version=2, products=(product("tile", None), product("cap", None)))


def test_a_manifest_of_the_first_format_is_the_bytes_that_it_was() -> None:
    old = replace(plain(), format_version=1)
    content = to_json(old)
    assert hashlib.sha256(content).hexdigest() == "73b1d4e61594591e1ae5ce2d9307ada6b4dd60ac6687c7a0f224100c82919b6b"
    assert model_id(old) == "fd42960db073"
    assert "products" not in json.loads(content)
    assert from_json(content) == old


@pytest.mark.parametrize("make", [separate, unified])
def test_what_is_written_with_products_is_what_is_read(make: Callable[[], Manifest]) -> None:
    read = from_json(to_json(make()))
    assert read == make()
    assert read.format_version == 2


def test_only_separate_banks_are_chosen_among() -> None:
    assert separate().separate == ("Kachel 傷", "cap")
    assert unified().separate == plain().separate == ()


def test_the_threshold_of_one_product_changes_the_model_id() -> None:
    products = (separate().products[0], product("cap", 5.0))
    assert model_id(replace(separate(), products=products)) != model_id(separate())


def edited(change: Callable[[dict[str, Any]], None], make: Callable[[], Manifest] = separate) -> bytes:
    document = json.loads(to_json(make()))
    del document["digest"]
    change(document)
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    return json.dumps({**document, "digest": hashlib.sha256(canonical).hexdigest()}).encode()


def first(**changes: object) -> Callable[[dict[str, Any]], None]:
    return lambda document: document["products"][0].update(changes)


def as_version_1(document: dict[str, Any]) -> None:
    document["format_version"] = 1
    del document["input"]["depth"]


WRONG: dict[str, tuple[bytes, str]] = {
    "products-in-version-1": (edited(as_version_1), "'products' is unknown"),
    "no-products-in-version-2": (edited(lambda d: d.pop("products")), "'products' is missing"),
    "one": (edited(lambda d: d["products"].pop()), "'products' must have from 2 to 100 different names"),
    "too-many": (
        edited(lambda d: d.update(products=[{**d["products"][0], "name": str(n)} for n in range(101)])),
        "'products' must have from 2 to 100",
    ),
    "twice": (edited(first(name="cap")), "'products' must have from 2 to 100 different names"),
    "no-name": (edited(first(name="")), "'products.name' is ''"),
    "spaces": (edited(first(name=" a")), "'products.name' is ' a'"),
    "terminal-codes": (edited(first(name="a\x1b[2J")), r"'products.name' is 'a\x1b[2J'"),
    "not-a-list": (edited(lambda d: d.update(products={})), "'products' is an object; it must be a list"),
    "not-an-object": (edited(lambda d: d.update(products=["a", "b"])), "'products' is text; it must be an object"),
    "unknown-key": (edited(first(bank=1)), "'products.bank' is unknown"),
    "missing-key": (edited(lambda d: d["products"][0].pop("images")), "'products.images' is missing"),
    "negative-images": (edited(first(images=-1)), "'products.images' is -1"),
    "some-thresholds": (edited(first(thresholds=None)), "'products.thresholds' is null for some"),
    "thresholds-of-text": (edited(first(thresholds="3")), "'products.thresholds' is text; it must be an object"),
    "not-the-lowest": (edited(lambda d: d["thresholds"].update(reject=3.5)), "it must be the products' lowest, 3.0"),
    "unsorted-scores": (
        edited(first(calibration={"good_scores": [2.0, 1.0], "source": ""})),
        "'calibration.good_scores' is not sorted",
    ),
    "damaged": (to_json(separate()).replace(b'"reject":4.0', b'"reject":9.0'), "'digest' does not fit"),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG)
def test_a_wrong_manifest_of_products_is_refused_in_one_line(text: bytes, expected: str) -> None:
    with pytest.raises(BundleError) as caught:
        from_json(text)
    assert expected in str(caught.value)
    assert str(caught.value).isprintable()
