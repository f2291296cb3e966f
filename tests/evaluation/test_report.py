import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets.dataset import GOOD
from sightline.errors import OptionError, StoreError
from sightline.evaluation.intervals import rate
from sightline.evaluation.metrics import image_metrics
from sightline.evaluation.report import MAX_EXHIBITS, percent, write_report
from sightline.evaluation.results import Evaluation, Exhibit, Judged, PixelMetrics, Unjudged
from sightline.records import Verdict

NASTY = "/data/\"><img src=x onerror=alert(1)>&amp;'{{ 7 * 7 }}\x07\udcff.png"
VOID = {"meta", "img", "line", "rect", "circle", "polyline"}


class Balanced(HTMLParser):
    """Follows the tags of a page and fails on one that is not closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID or (tag == "rect" and not self.rawdata.startswith("/>", self.getpos()[1])):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        while self.open[-1] != tag and self.open[-1] in VOID:
            self.open.pop()
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def made(good: int = 40, defects: int = 20, *, source: str = "part.png", label: str = "crack") -> Evaluation:
    rng = np.random.default_rng(0)
    pairs = [(GOOD, s) for s in rng.normal(1.4, 0.3, good)] + [(label, s) for s in rng.normal(3, 0.7, defects)]
    judged = tuple(
        Judged(source=source, label=name, score=float(score), verdict=Verdict.REJECT if score >= 2 else Verdict.PASS)
        for name, score in pairs
    )
    missed = sum(one.is_defect and one.verdict is Verdict.PASS for one in judged)
    overkill = sum(not one.is_defect and one.verdict is Verdict.REJECT for one in judged)
    return Evaluation(
        model_id="sha256:12ab",
        method="patchcore",
        dataset="tiles",
        threshold=2.0,
        review_threshold=None,
        judged=judged,
        unjudged=(),
        image=image_metrics([s for n, s in pairs if n == GOOD], [s for n, s in pairs if n != GOOD]),
        pixel=PixelMetrics(auroc=0.9, average_precision=0.5, aupro=0.8, pictures=60),
        escape=rate(missed, defects),
        overkill=rate(overkill, good),
        review=rate(0, good + defects),
        recall_by_type={label: rate(defects - missed, defects)} if defects else {},
        confusion={GOOD: {"PASS": good - overkill, "REJECT": overkill}, label: {"PASS": missed}},
    )


def exhibit(judged: Judged, height: int = 60, width: int = 80) -> Exhibit:
    rng = np.random.default_rng(0)
    return Exhibit(
        judged=judged,
        pixels=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        bit_depth=8,
        map=rng.uniform(0, 3, (8, 8)).astype(np.float32),
        mask=rng.random((height, width)) > 0.5,
    )


def written(path: Path, evaluation: Evaluation, exhibits: int = 1, title: str = "Report") -> tuple[str, Balanced]:
    escapes = [exhibit(one) for one in evaluation.judged if one.is_defect][:exhibits]
    overkills = [exhibit(one) for one in evaluation.judged if not one.is_defect][:exhibits]
    write_report(path / "report.html", evaluation, escapes, overkills, title=title, notes=("A note.",))
    page = (path / "report.html").read_text("utf-8")
    parser = Balanced()
    parser.feed(page)
    parser.close()
    assert not parser.open
    return page, parser


def test_the_page_asks_nothing_of_the_network(tmp_path: Path) -> None:
    page, parser = written(tmp_path, made())
    for tag, attributes in parser.seen:
        assert tag not in {"script", "link", "iframe", "object", "base", "form"}
        for name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            assert (attributes.get(name) or "data:").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
    outside = page.replace('xmlns="http://www.w3.org/2000/svg"', "")
    assert not re.search(r"https?://|@import|url\(", outside)
    assert "default-src 'none'" in page


def test_a_nasty_file_name_is_shown_and_does_nothing(tmp_path: Path) -> None:
    evaluation = replace(
        made(source=NASTY, label=NASTY),
        dataset=NASTY,
        model_id=NASTY,
        method=NASTY,
        unjudged=(Unjudged(source=NASTY, label=NASTY, reason=NASTY),),
    )
    page, parser = written(tmp_path, evaluation, title=NASTY)
    assert "<img src=x" not in page
    assert "49" not in re.findall(r"'([^']*)\ufffd\ufffd\.png", parser.text)
    assert "{{ 7 * 7 }}" in parser.text
    assert {(attributes.get("src") or "")[:5] for tag, attributes in parser.seen if tag == "img"} == {"data:"}


def test_the_page_begins_with_the_verdict_in_plain_words(tmp_path: Path) -> None:
    evaluation = replace(made(), escape=rate(21, 392), overkill=rate(4, 191), review=rate(1, 583))
    _, parser = written(tmp_path, evaluation)
    text = parser.text.replace("\u00a0", " ")
    assert "Of 392 defects 371 are caught (94.6 %, 95 % interval 91.9 to 96.7 %)." in text
    assert "Of 191 good parts 4 are rejected (2.1 %, 95 % interval 0.6 to 5.3 %)." in text
    assert "Of 583 pictures 1 is left to a person" in text
    assert text.index("371 are caught") < text.index("Image AUROC")


@pytest.mark.parametrize(
    ("good", "defects", "said"),
    [
        (5, 0, "No defect was judged"),
        (0, 5, "No good part was judged"),
        (1, 0, "Of 1 good part 0 are rejected"),
        (0, 0, "No picture"),
    ],
    ids=["no defects", "no good", "one picture", "none"],
)
def test_what_was_not_measured_is_said(tmp_path: Path, good: int, defects: int, said: str) -> None:
    evaluation = replace(made(good, defects), pixel=None)
    if not (good or defects):
        evaluation = replace(evaluation, unjudged=(Unjudged(source="a", label=GOOD, reason="empty"),))
    _, parser = written(tmp_path, evaluation)
    assert said in parser.text.replace("No picture has a mask", "No picture")
    assert "No picture has a mask" in parser.text
    assert "None" not in parser.text


def test_few_examples_and_unseen_escapes_are_named_as_limits(tmp_path: Path) -> None:
    evaluation = replace(made(40, 20), escape=rate(0, 20))
    _, parser = written(tmp_path, evaluation)
    text = parser.text.replace("\u00a0", " ")
    assert "Only 20 defects: read the interval" in text
    assert "No escape was seen, but up to 16.8 % cannot be ruled out" in text
    assert "No defect was passed; these came closest" in text


def test_pictures_that_could_not_be_judged_are_listed_with_reasons_and_bounded(tmp_path: Path) -> None:
    unjudged = tuple(Unjudged(source=f"{n}.png", label="crack", reason=f"reason {n}.") for n in range(150))
    _, parser = written(tmp_path, replace(made(), unjudged=unjudged))
    assert "reason 99." in parser.text
    assert "reason 100." not in parser.text
    assert "and 50 more" in parser.text
    assert "150 pictures could not be judged" in parser.text


def test_pictures_are_bounded_in_number_and_size(tmp_path: Path) -> None:
    one = made().judged[0]
    large = [exhibit(one, 700, 2000)] * 2 + [exhibit(one)] * 18
    write_report(tmp_path / "r.html", made(), large, large, title="Many")
    page = (tmp_path / "r.html").read_text("utf-8")
    sizes = [int(size) for size in re.findall(r'(?:width|height)="(\d+)" (?:height|alt)', page)]
    assert page.count("as taken") == 2 * MAX_EXHIBITS + 1  # once more in the words of the key
    assert max(sizes) <= 640
    assert len(page) < 12e6


def test_ten_thousand_pictures_make_a_small_page(tmp_path: Path) -> None:
    page, _ = written(tmp_path, made(9000, 1000), exhibits=0)
    assert len(page) < 200_000


def test_a_map_that_is_not_finite_does_not_stop_the_report(tmp_path: Path) -> None:
    broken = replace(exhibit(made().judged[0]), map=np.full((4, 4), np.nan, np.float32), mask=None)
    write_report(tmp_path / "r.html", made(), [broken], [], title="Broken")
    assert (tmp_path / "r.html").stat().st_size > 10_000


@pytest.mark.parametrize("threshold", [0.0, -1.5])
def test_a_threshold_without_multiples_is_reported_too(tmp_path: Path, threshold: float) -> None:
    written(tmp_path, replace(made(), threshold=threshold, review_threshold=threshold - 1))


def test_costs_that_cannot_be_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="cost of an overkill"):
        write_report(tmp_path / "r.html", made(), [], [], title="t", cost_overkill=-1)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_a_store_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="make it first"):
        write_report(tmp_path / "gone" / "r.html", made(), [], [], title="t")


@pytest.mark.parametrize(
    ("share", "said"),
    [(0, "0.0 %"), (1, "100.0 %"), (0.946, "94.6 %"), (0.0002, "0.02 %"), (0.99996, "99.996 %"), (1e-9, "0.0000 %")],
)
def test_a_share_that_is_not_all_is_not_shown_as_all(share: float, said: str) -> None:
    assert percent(share).replace("\u00a0", " ") == said
