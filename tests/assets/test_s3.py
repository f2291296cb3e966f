"""Shelves in a bucket, against moto: the API alone, as it accepts any key and cannot show what a real outage does."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_a_bucket_keeps_what_a_folder_keeps() -> None:
    python = os.environ.get("SIGHTLINE_S3_PYTHON", "")
    if not python:
        pytest.skip("set SIGHTLINE_S3_PYTHON to a Python with moto[server], s3fs, sqlalchemy and sightline's own needs")
    done = subprocess.run(
        [python, str(Path(__file__).with_name("s3_trial.py"))],
        env=os.environ | {"PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.endswith("done\n"), done.stderr[-3000:]
