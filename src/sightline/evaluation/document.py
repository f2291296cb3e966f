"""An evaluation as a JSON document, for programs."""

from dataclasses import asdict
from typing import Any

from sightline.evaluation.results import Evaluation

SCHEMA = "sightline.evaluation/1"  # the number changes when a key goes or changes its meaning, not when one is added


def to_json(evaluation: Evaluation) -> dict[str, Any]:
    """The evaluation as JSON types: the keys are the fields of `Evaluation` and what it holds.

    Verdicts are their names, rates have count, total, value, low and high (95 % interval); null is "not measured".
    """
    document = asdict(evaluation)
    for key in ("judged", "unjudged"):
        document[key] = list(document[key])
    for picture in document["judged"]:
        picture["verdict"] = picture["verdict"].value
    if evaluation.naming is not None:
        document["naming"]["classes"] = list(document["naming"]["classes"])
    if evaluation.overlap is not None:
        document["overlap"] |= {key: list(document["overlap"][key]) for key in ("classes", "instances")}
    if evaluation.boxes is not None:
        document["boxes"]["classes"] = list(document["boxes"]["classes"])
    return {"schema": SCHEMA, **document}
