"""Which products a model's manifest tells a bank of, and which two models an address compares."""

import json
from dataclasses import replace

from tests.test_manifest_products import separate, unified

from sightline.console.model_file import separate_products
from sightline.console.pages.model_compare import Compared, paired
from sightline.manifest import to_json

ASKED = Compared(name="cap", a=1, b=2, other="", product="")


def test_products_with_a_bank_each_are_offered_and_others_are_not() -> None:
    assert separate_products(json.loads(to_json(separate()))) == separate().separate
    assert separate_products(json.loads(to_json(unified()))) == ()
    assert separate_products({}) == ()


def test_what_is_compared_is_put_right_by_what_there_is() -> None:
    versions = {"cap": [3, 2, 1], "lid": [1]}
    assert paired(ASKED, versions) == ASKED
    assert paired(replace(ASKED, b=9), versions) == replace(ASKED, a=2, b=3)
    assert paired(replace(ASKED, other="lid", b=9), versions) == replace(ASKED, other="lid", b=1)
    alone = replace(ASKED, name="lid", a=1, b=0)
    assert paired(alone, versions) == replace(alone, other="cap", b=3)
    assert paired(alone, {"lid": [1]}) is None
    assert paired(replace(ASKED, name="gone"), versions) is None


def test_the_address_says_all_that_was_chosen() -> None:
    address = replace(ASKED, other="lid", product="blue caps").address(job="7")
    assert address == "/models/cap/compare?a=1&b=2&other=lid&product=blue+caps&job=7"
