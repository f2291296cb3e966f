"""What an Edge TPU can do, by the rules that its vendor publishes."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from sightline.errors import OptionError
from sightline.export.artifact import Artifact
from sightline.export.edge_tpu import MOST_BYTES, Operator, checked, refusal
from sightline.records import AnomalyMap, Frame

CONV = Operator(
    name="CONV_2D",
    types=("INT8", "INT8", "INT32", "INT8"),
    shape=(1, 8, 8, 16),
    axes=(),
    options=SimpleNamespace(dilationWFactor=1, dilationHFactor=1, fusedActivationFunction=1),
)
PLAIN = SimpleNamespace(fusedActivationFunction=0)


@pytest.mark.parametrize(
    "operator",
    [
        CONV,
        replace(CONV, name="MEAN", axes=(1, 2), options=None),
        replace(CONV, name="MAX_POOL_2D", options=PLAIN),
        replace(CONV, name="SOFTMAX", shape=(1, 6), options=None),
        replace(CONV, name="PAD", axes=(1, 2), options=None),
    ],
    ids=lambda operator: operator.name,
)
def test_what_the_chip_has_is_not_refused(operator: Operator) -> None:
    assert refusal(operator) is None


@pytest.mark.parametrize(
    ("operator", "said"),
    [
        (replace(CONV, types=("FLOAT32",)), "computes in float32"),
        (replace(CONV, name="ARG_MAX"), "is not among its operators"),
        (replace(CONV, options=SimpleNamespace(dilationWFactor=1, dilationHFactor=2)), "different dilations"),
        (replace(CONV, name="MAX_POOL_2D"), "has fusedActivationFunction 1"),
        (replace(CONV, name="MEAN", axes=(0,), options=None), "is over the batch"),
        (replace(CONV, name="MEAN", axes=(3,), shape=(1, 8, 8, 6), options=None), "no multiple of 4"),
        (replace(CONV, name="REDUCE_MAX", axes=(0, 1), options=None), "is over the batch"),
        (replace(CONV, name="SOFTMAX", shape=(1, 8, 6), options=None), "not one row"),
    ],
)
def test_what_the_chip_lacks_is_told_with_its_reason(operator: Operator, said: str) -> None:
    assert said in (refusal(operator) or "")


def test_a_file_beyond_the_chips_memory_is_refused() -> None:
    def score(frame: Frame) -> AnomalyMap:
        raise AssertionError("nothing is judged")

    large = Artifact(contents={"": bytes(MOST_BYTES + 1)}, score=score, takes="", versions={})
    with pytest.raises(OptionError, match=r"has 8\.0 MB, and an Edge TPU holds 8; train with a smaller network"):
        checked(large)
