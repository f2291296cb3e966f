"""The table of the accuracy bench: what is kept, what is measured again, and what it says in sum."""

from pathlib import Path

import pytest

from runs import (
    COLUMNS,
    DONE,
    KEY,
    Row,
    Run,
    append_row,
    code,
    decoded,
    encoded,
    key_of,
    read_rows,
    still_valid,
    write_rows,
)
from summary import lead_over_peers, summarise

RUN = Run(name="tile", root="data/tile", method="patchcore", seed=0)


def row(run: Run = RUN, cells: dict[str, str] | None = None) -> Row:
    keys = dict(zip(KEY, run.key, strict=True))
    return dict.fromkeys(COLUMNS, "") | keys | {"outcome": DONE, "content": "c0", "code": "p0"} | (cells or {})


def test_a_run_travels_to_its_process_unchanged() -> None:
    run = Run(name="tile", root="data/tile", method="patchcore", seed=3, size=(128, 256), bank=1000)
    assert decoded(encoded(run)) == run


@pytest.mark.parametrize(
    ("run", "setting"),
    [
        (RUN, "default"),
        (Run(name="a", root="a", method="peer resnet18", seed=0, coreset=0.1), "coreset 0.1"),
        (Run(name="a", root="a", method="patchcore", seed=0, coreset=0.1), "default"),
        (Run(name="a", root="a", method="patchcore", seed=0, size=(128, 256), bank=10), "256 x 128 px, bank 10"),
    ],
)
def test_a_setting_says_what_is_not_default(run: Run, setting: str) -> None:
    assert run.setting == setting


def test_rows_are_read_as_they_were_appended(tmp_path: Path) -> None:
    table = tmp_path / "new" / "accuracy.csv"
    write_rows(table, [row()])
    append_row(table, {"data set": "tile", "method": "padim", "seed": 1, "setting": "default", "AP": 0.5})
    first, second = read_rows(table)
    assert first == row()
    assert (second["method"], second["seed"], second["AP"], second["AUPRO"]) == ("padim", "1", "0.5", "")


def test_a_table_with_other_columns_is_refused(tmp_path: Path) -> None:
    table = tmp_path / "accuracy.csv"
    table.write_text("data set,method\ntile,padim\n", encoding="utf-8")
    with pytest.raises(ValueError, match="other columns"):
        read_rows(table)


@pytest.mark.parametrize(
    ("cells", "kept"),
    [
        pytest.param({}, True, id="finished"),
        pytest.param({"outcome": "failed: out of memory"}, False, id="failed"),
        pytest.param({"outcome": "not run: torch is not installed"}, False, id="not run"),
        pytest.param({"content": "c1"}, False, id="another data set of that name"),
        pytest.param({"code": "p1"}, False, id="made by other code"),
    ],
)
def test_only_finished_rows_of_the_same_data_and_code_are_kept(cells: dict[str, str], kept: bool) -> None:
    assert bool(still_valid([row(cells=cells)], {RUN.key: ("c0", "p0")})) == kept


def test_rows_that_are_not_asked_for_stay() -> None:
    other = row(Run(name="other", root="data/other", method="padim", seed=0), {"outcome": "failed: full disk"})
    assert [key_of(kept) for kept in still_valid([other], {RUN.key: ("c0", "p0")})] == [key_of(other)]


def test_a_peer_does_not_change_with_our_code() -> None:
    peer = Run(name="tile", root="data/tile", method="peer resnet18", seed=0, teacher="nowhere.onnx")
    assert code(peer) == code(peer)
    assert code(peer) != code(RUN)


def test_a_summary_has_mean_and_sample_deviation() -> None:
    values = {"0": "0.90", "1": "0.92", "2": "0.94"}
    rows = [row(cells={"image AUROC": value, "seed": seed, "fit s": "2"}) for seed, value in values.items()]
    (summary,) = summarise(rows)
    assert summary["seeds"] == 3
    assert summary["image AUROC"] == pytest.approx(0.92)
    assert summary["image AUROC sd"] == pytest.approx(0.02)
    assert summary["fit s"] == 2
    assert summary["AUPRO"] is None


def test_a_summary_does_not_hide_what_failed() -> None:
    (summary,) = summarise(
        [row(cells={"image AUROC": "0.9"}), row(cells={"seed": "1", "outcome": "failed: out of memory"})]
    )
    assert (summary["seeds"], summary["image AUROC sd"]) == (1, None)
    assert summary["without figures"] == "failed: out of memory"


def test_the_lead_is_over_the_best_peer_on_the_same_data() -> None:
    peers = [
        row(Run(name=name, root="", method=f"peer {teacher}", seed=0), {"image AUROC": value})
        for name, teacher, value in (
            ("tile", "resnet18", "0.91"),
            ("tile", "resnet50", "0.95"),
            ("nut", "resnet18", "0.99"),
        )
    ]
    (line,) = lead_over_peers(summarise([row(cells={"image AUROC": "0.97"}), *peers]))
    assert line == "- tile, patchcore: image AUROC 0.9700; peer resnet50 (default) 0.9500; lead +0.0200"
