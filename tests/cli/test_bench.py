"""`sightline bench`: which figures it gives, and of what."""

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from sightline.cli.main import run

Sightline = Callable[..., CompletedProcess[str]]
Document = Callable[..., Any]
Refused = Callable[..., str]
QUICK = ("--runs", 10, "--size", 64)


def test_the_figures_stand_in_columns(sightline: Sightline, trained: Path) -> None:
    done = sightline("bench", trained, *QUICK)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[0] for line in done.stdout.splitlines()] == [
        *("decode", "graph", "total", "throughput", "memory", "file"),
    ]
    assert {line.index(unit) for line, unit in zip(done.stdout.splitlines(), ["ms"] * 3, strict=False)} == {25}


def test_the_json_has_these_keys_and_they_fit_each_other(document: Document, trained: Path) -> None:
    found = document("bench", trained, *QUICK, "--streams", 1, "--threads", 1)
    assert list(found) == [
        *("model", "model_id", "runs", "streams", "decode_ms_p50", "decode_ms_p99", "graph_ms_p50", "graph_ms_p99"),
        *("total_ms_p50", "total_ms_p99", "pictures_per_second", "peak_memory_mb", "file_mb"),
    ]
    assert (found["runs"], found["streams"]) == (10, 1)
    for part in ("decode", "graph", "total"):
        assert 0 < found[f"{part}_ms_p50"] <= found[f"{part}_ms_p99"]
    assert found["file_mb"] == pytest.approx(trained.stat().st_size / 1e6, abs=1e-3)
    assert found["peak_memory_mb"] > 20


def test_a_picture_of_ones_own_is_judged(document: Document, trained: Path, good: Path) -> None:
    assert document("bench", trained, "--image", good / "00.png", "--runs", 10)["runs"] == 10


def test_a_model_of_16_bit_pictures_gets_one(document: Document, picture: Callable[..., None], tmp_path: Path) -> None:
    for seed in range(5):
        picture(tmp_path / f"good/{seed}.png", seed, depth=12)
    assert run(["train", str(tmp_path / "good"), "-o", str(tmp_path / "deep.sight"), "--size", "64"]) == 0
    assert document("bench", tmp_path / "deep.sight", *QUICK)["runs"] == 10


def test_a_picture_that_cannot_be_read_is_told(refused: Refused, trained: Path, good: Path, tmp_path: Path) -> None:
    assert refused("bench", trained, "--image", tmp_path / "no.png").startswith(
        f"{tmp_path / 'no.png'}: cannot be read"
    )
    assert "--max-megapixels" in refused("bench", trained, "--image", good / "00.png", "--max-megapixels", 0.001)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "65535x65535"], "over the limit of --max-megapixels"),
        (["--size", 64, "--image", "a.png"], "give --image or --size"),
        (["--size", "12x"], "is not a size"),
        (["--runs", 9], "Invalid value for '--runs'"),
        (["--streams", 0], "Invalid value for '--streams'"),
        (["--threads", 0], "Invalid value for '--threads'"),
    ],
    ids=str,
)
def test_a_value_that_cannot_be_meant_is_wrong_usage(
    sightline: Sightline, trained: Path, words: list[object], said: str
) -> None:
    done = sightline("bench", trained, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
