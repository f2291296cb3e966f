"""The parts of the benchmark programs that could be wrong without anybody noticing."""

import csv
from pathlib import Path

import numpy as np
import pytest

from calibration import inside
from sightline.evaluation.thresholds import for_overkill
from tables import Cell, write_table


def test_a_table_is_written_to_read_and_to_compute_with(tmp_path: Path) -> None:
    rows: list[dict[str, Cell]] = [
        {"what": "ours", "ratio": 0.25, "note": None},
        {"what": "theirs", "ratio": 1.0, "note": "slow"},
    ]
    page = write_table(tmp_path / "new", "speed", rows, title="Speed", command="python speed.py", notes=["Why."])
    text = page.read_text(encoding="utf-8")
    assert "| ours | 0.2500 | - |" in text
    assert "    python speed.py" in text
    assert text.endswith("Why.\n")
    with page.with_suffix(".csv").open(encoding="utf-8") as file:
        assert [row["ratio"] for row in csv.DictReader(file)] == ["0.25", "1.0"]


@pytest.mark.parametrize(
    ("rejected", "kept"), [(0, False), (1, True), (8, True), (17, True), (18, False), (150, False)]
)
def test_a_count_is_held_against_the_beta_binomial_distribution(rejected: int, kept: bool) -> None:
    # scipy.stats.betabinom(150, 5, 95): cdf 0.0093 at 0, 0.0380 at 1, 0.9673 at 16, 0.9771 at 17
    threshold = for_overkill(np.arange(99.0), 0.05)
    assert inside(rejected, 150, threshold) is kept
