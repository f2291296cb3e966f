"""`sightline calibrate`: each rule, what it promises, and a file that is never half-changed."""

import shutil
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from sightline.bundle import load

Sightline = Callable[..., CompletedProcess[str]]
Document = Callable[..., Any]
Refused = Callable[..., str]


@pytest.fixture
def defects(parts: Path) -> Path:
    return parts / "test"  # its folders are classes


def test_it_says_what_was_asked_what_holds_and_what_was_before(sightline: Sightline, model: Path) -> None:
    before = load(model).manifest.thresholds.reject
    done = sightline("calibrate", model, "--max-overkill", 0.2)
    assert (done.returncode, done.stderr) == (0, "")
    after = load(model).manifest.thresholds
    assert done.stdout.splitlines() == [
        f"{model}: REJECT from {after.reject:.6g} (before from {before:.6g})",
        "  asked    reject at most 20 % of good parts",
        f"  rule     {after.rule}",
        f"  promise  {after.promise}",
    ]
    assert after.reject < before
    assert after.max_overkill == pytest.approx(2 / 13)


def test_too_few_good_pictures_for_the_rate_is_a_warning_with_the_number_needed(
    sightline: Sightline, model: Path
) -> None:
    done = sightline("calibrate", model, "--max-overkill", 0.01)
    assert done.returncode == 0
    assert done.stdout.splitlines()[-1].startswith("warning: 12 good pictures cannot promise 1 % overkill")
    assert done.stdout.endswith("At least 99 good pictures are needed for what was asked.\n")


def test_the_json_has_these_keys(document: Document, model: Path, defects: Path) -> None:
    found = document("calibrate", model, defects, "--min-recall", "hole=0.9", "--max-review", 0.2, "--quiet")
    assert list(found) == ["model", "model_id", "thresholds", "reject", "review"]
    assert list(found["thresholds"]) == ["reject", "review", "rule", "promise", "max_overkill"]
    assert found["model_id"] == load(model).model_id
    for limit in ("reject", "review"):
        assert list(found[limit]) == [
            *("value", "asked", "rule", "promise", "warnings", "guarantee", "overkill", "escape", "recall"),
            "cost_per_part",
        ]
    assert found["thresholds"]["reject"] == found["reject"]["value"]


def test_the_graph_keeps_its_bytes_and_the_scores_of_good_parts_stay(
    sightline: Sightline, model: Path, defects: Path
) -> None:
    before = load(model)
    assert sightline("calibrate", model, defects, "--min-recall", 0.5).returncode == 0
    after = load(model)
    assert after.graph == before.graph
    assert after.manifest.calibration == before.manifest.calibration
    assert after.manifest.provenance == before.manifest.provenance
    assert after.model_id != before.model_id
    assert [path.name for path in model.parent.iterdir()] == [model.name]


def test_another_output_leaves_the_model_as_it_was(sightline: Sightline, model: Path, tmp_path: Path) -> None:
    before = model.read_bytes()
    assert sightline("calibrate", model, "--max-overkill", 0.2, "-o", tmp_path / "new.sight").returncode == 0
    assert model.read_bytes() == before
    assert load(tmp_path / "new.sight").manifest.thresholds != load(model).manifest.thresholds


def test_the_costs_weigh_escapes_against_overkill(document: Document, model: Path, defects: Path) -> None:
    costs = ["--cost-escape", 50, "--cost-overkill", 1]
    found = document("calibrate", model, defects, *costs, "--max-megapixels", 1)["reject"]
    assert (found["escape"]["count"], found["escape"]["total"]) == (0, 5)
    assert found["cost_per_part"] == 0
    assert found["warnings"] == ["no defect rate was given: 1 % of parts are taken to be defective."]
    assert document("calibrate", model, defects, *costs, "--defect-rate", 0.1)["reject"]["warnings"] == []


def test_a_recall_is_of_one_type_or_of_all(document: Document, model: Path, defects: Path) -> None:
    found = document("calibrate", model, defects, "--min-recall", 0.8, "--min-recall", "stain=1")["reject"]
    assert found["asked"] == "recall of at least all 80 %, stain 100 %"
    assert (found["recall"]["stain"]["count"], found["recall"]["all"]["total"]) == (2, 5)
    assert found["recall"]["hole"]["low"] < found["recall"]["hole"]["value"]


def test_a_guarantee_that_the_examples_cannot_give_is_an_error_that_names_the_number_needed(
    refused: Refused, model: Path, defects: Path
) -> None:
    before = model.read_bytes()
    message = refused("calibrate", model, defects, "--min-recall", "hole=0.9", "--guaranteed")
    assert message.startswith("3 examples of hole cannot guarantee a recall of 90 %. At least 29 examples, all caught,")
    assert model.read_bytes() == before


def test_a_guarantee_that_the_examples_give_is_kept(document: Document, model: Path, defects: Path) -> None:
    found = document("calibrate", model, defects, "--min-recall", 0.5, "--guaranteed")["reject"]
    assert found["warnings"] == []  # 5 of 5 caught prove 0.05 ** (1 / 5) = 54.9 %
    assert found["recall"]["all"]["count"] == 5


def test_a_review_band_lies_below_the_threshold_and_is_replaced_by_the_next(document: Document, model: Path) -> None:
    wide = document("calibrate", model, "--max-review", 0.3)["thresholds"]
    narrow = document("calibrate", model, "--max-review", 0.1)["thresholds"]
    assert wide["review"] < narrow["review"] < narrow["reject"] == wide["reject"]
    assert narrow["rule"].count("REVIEW if") == 1
    assert narrow["promise"].count("is reviewed with a probability") == 1


def test_a_review_band_can_be_set_for_a_recall(document: Document, model: Path, defects: Path) -> None:
    found = document("calibrate", model, defects, "--max-overkill", 0.2, "--review-recall", "hole=1")
    assert found["review"]["asked"] == "recall of at least hole 100 %"
    assert found["review"]["value"] <= found["reject"]["value"]


def test_a_new_threshold_drops_the_band_of_the_old_one(document: Document, model: Path) -> None:
    assert document("calibrate", model, "--max-review", 0.3)["thresholds"]["review"] is not None
    after = document("calibrate", model, "--max-overkill", 0.2)["thresholds"]
    assert after["review"] is None
    assert "REVIEW" not in after["rule"]


def test_data_that_the_rule_does_not_need_is_not_passed_over_in_silence(
    sightline: Sightline, model: Path, defects: Path
) -> None:
    done = sightline("calibrate", model, defects, "--max-overkill", 0.2)
    assert done.returncode == 0
    assert done.stderr == "sightline: note: this rule needs the model alone; DATA is not looked at\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "nothing to calibrate for"),
        (["--max-overkill", 0.01, "--min-recall", 0.9], "give one of --max-overkill"),
        (["--cost-escape", 5], "belong together"),
        (["--cost-overkill", 5], "belong together"),
        (["--max-overkill", 0.01, "--defect-rate", 0.1], "--defect-rate belongs to the costs"),
        (["--max-review", 0.1, "--review-recall", 0.9], "give one of --max-review"),
        (["--max-overkill", 0.1, "--guaranteed"], "--guaranteed is about a recall"),
        (["--min-recall", "hole=0.9", "--min-recall", "hole=0.8"], "names a defect type twice"),
        (["--min-recall", "hole=abc"], "'hole=abc' is not a recall"),
        (["--min-recall", "1.5"], "'1.5' is not a recall"),
        (["--review-recall", "nan"], "'nan' is not a recall"),
        (["--max-overkill", "nan"], "nan"),
        (["--max-review", 0], "Invalid value for '--max-review'"),
        (["--cost-escape", 0, "--cost-overkill", 1], "Invalid value for '--cost-escape'"),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_options_that_cannot_be_meant_are_wrong_usage_and_change_nothing(
    sightline: Sightline, model: Path, defects: Path, words: list[object], said: str
) -> None:
    before = model.read_bytes()
    done = sightline("calibrate", model, defects, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert model.read_bytes() == before


def test_a_rule_about_defects_asks_for_data(sightline: Sightline, model: Path) -> None:
    done = sightline("calibrate", model, "--min-recall", 0.9)
    assert done.returncode == 2
    assert "needs examples of defects; give DATA" in done.stderr


def test_a_type_without_examples_is_refused_and_the_others_named(refused: Refused, model: Path, defects: Path) -> None:
    message = refused("calibrate", model, defects, "--min-recall", "crack=0.9")
    assert message == "there are no examples of a defect type 'crack'. There are: hole, stain, all."


def test_data_without_defects_is_refused(refused: Refused, model: Path, good: Path) -> None:
    assert refused("calibrate", model, good, "--min-recall", 0.9).startswith(f"{good}: no pictures of defects")


def test_a_defect_that_cannot_be_read_stops_it_and_nothing_changes(
    refused: Refused, model: Path, defects: Path, tmp_path: Path
) -> None:
    before = model.read_bytes()
    copied = Path(shutil.copytree(defects, tmp_path / "defects"))
    (copied / "hole/001.png").write_bytes(b"no picture")
    message = refused("calibrate", model, copied, "--min-recall", 0.9)
    assert message.startswith(f"{copied / 'hole/001.png'}: ")
    assert model.read_bytes() == before


def test_an_output_that_cannot_be_written_is_told_before_the_work(refused: Refused, model: Path) -> None:
    place = model / "below.sight"
    message = refused("calibrate", model, "--max-overkill", 0.2, "-o", place)
    assert message.startswith(f"{place}: cannot be written (")
