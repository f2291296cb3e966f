"""Clients that people already have, unchanged: the real ones, each in an environment of its own."""

import json
import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.service.server import application, picture, plant_in, running

from sightline.datasets.opening import open_dataset
from sightline.errors import InspectionError
from sightline.imaging.decode import decode
from sightline.service.protocols.buckets import Buckets
from sightline.service.protocols.lookout_projects import Progress
from sightline.store.audit import verify
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from sightline.training import TrainConfig, train

ROOT = Path(__file__).resolve().parents[2]
CALLS = ROOT / "tests" / "clients"
INSTALL_S = 900


def run_client(name: str, *arguments: object, timeout_s: float = 300) -> Any:
    """What tests/clients/NAME_calls.py prints; skips where its client cannot be installed."""
    made = subprocess.run(
        [ROOT / "scripts" / "clients", name], capture_output=True, text=True, timeout=INSTALL_S, check=False
    )
    if made.returncode:
        pytest.skip(f"the client cannot be installed here: {made.stderr.strip().splitlines()[-1:]}")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "PYTHON"))}
    environment |= {"AWS_EC2_METADATA_DISABLED": "true"}
    done = subprocess.run(
        [made.stdout.strip(), CALLS / f"{name}_calls.py", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[Path, Path]:
    good, bad = tmp_path / "good.png", tmp_path / "bad.png"
    good.write_bytes(picture(60))
    bad.write_bytes(picture(200))
    return good, bad


def test_boto3_judges_and_starts_and_stops(client: httpx.Client, pictures: tuple[Path, Path]) -> None:
    found = run_client("lookout", client.base_url, *pictures, "judge")
    assert found["projects"] == ["cap"]
    assert found["models"] == ["1"]
    assert (found["good"]["IsAnomalous"], found["bad"]["IsAnomalous"], found["file"]) == (False, True, True)
    assert min(found["good"]["Confidence"], found["bad"]["Confidence"]) > 0.9
    assert found["good"]["Source"] == {"Type": "direct"}
    background, defect = found["bad"]["Anomalies"]
    assert background["Name"] == "background"
    assert background["PixelAnomaly"]["Color"] == "#FFFFFF"
    assert defect["PixelAnomaly"] == {"TotalPercentageArea": pytest.approx(64 / 3072), "Color": "#23A436"}
    mask = decode(bytes.fromhex(found["bad"]["AnomalyMask"])).pixels
    assert mask[20, 10].tolist() == [0x23, 0xA4, 0x36]
    assert mask[0, 0].tolist() == [255, 255, 255]
    assert [a["Name"] for a in found["good"]["Anomalies"]] == ["background"]
    assert found["no project"] == found["no version"] == ["ResourceNotFoundException", 404]
    assert found["no picture"] == found["packaging"] == ["ValidationException", 400]
    assert found["not hosted"] == ["ConflictException", 409]
    assert (found["hosted"], found["stopped"]) == ("HOSTED", "TRAINED")
    assert (found["stop"], found["start"], found["again"]) == ("STOPPING_HOSTING", "STARTING_HOSTING", False)
    assert found["tags"] == []


class ThreadTrainer:
    """Trains a small model in a thread."""

    def __init__(self) -> None:
        self._progress = dict[str, Progress]()

    def start(self, kind: str, params: dict[str, str]) -> str:
        job = f"{kind} {params['name']}/{params['version']}"
        self._progress[job] = Progress(state="running")
        threading.Thread(target=self._train, args=(job, params), daemon=True).start()
        return job

    def progress(self, job: str) -> Progress:
        return self._progress[job]

    def _train(self, job: str, params: dict[str, str]) -> None:
        try:
            train(open_dataset(Path(params["data"])), Path(params["output"]), TrainConfig(size=(64, 64)))
            self._progress[job] = Progress(state="done", figures={"f1": 1.0, "recall": 1.0, "precision": 1.0})
        except InspectionError as error:
            self._progress[job] = Progress(state="failed", message=str(error))


def manifest(bucket: Path) -> None:
    """Parts in a bucket, and the list of them that Ground Truth would have written."""
    write_dataset(bucket / "parts", PartConfig(size=96), Counts(good_train=9, good_test=1, per_defect=1))
    lines = []
    for path in sorted((bucket / "parts" / "train" / "good").glob("*.png")):
        told = {"class-name": "normal", "type": "groundtruth/image-classification", "confidence": 1}
        told |= {"human-annotated": "yes", "creation-date": "2024-05-06T07:08:09.000", "job-name": "x"}
        source = f"s3://plant-parts/{path.relative_to(bucket)}"
        lines.append(json.dumps({"source-ref": source, "anomaly-label": 0, "anomaly-label-metadata": told}))
    (bucket / "train.manifest").write_text("\n".join(lines) + "\n")


def test_boto3_makes_a_project_trains_and_judges(tmp_path: Path) -> None:
    bucket = tmp_path / "bucket"
    manifest(bucket)
    good = next((bucket / "parts" / "test" / "good").glob("*.png"))
    bad = next((bucket / "parts" / "test").glob("scratch/*.png"))
    buckets = Buckets(folders={"plant-parts": bucket})
    with plant_in(tmp_path, trainer=ThreadTrainer(), buckets=buckets) as plant, running(application(plant)) as url:
        found = run_client("lookout", url, good, bad, "project", "plant-parts", "train.manifest")
        assert verify(plant.database).rows >= 8
    assert found["twice"] == ["ConflictException", 409]
    assert found["outside"] == ["ValidationException", 400]
    assert (found["dataset"], found["changed"]) == ("CREATE_COMPLETE", "UPDATE_COMPLETE")
    assert (found["entries"], found["rest"]) == (2, 7)
    assert found["stats"] == {"Total": 9, "Labeled": 9, "Normal": 8, "Anomaly": 1}
    assert found["model"] == ["1", "TRAINING"]
    assert (found["trained"], found["started"]) == ("TRAINED", "HOSTED")
    assert found["bad"]["Confidence"] > 0.4
    assert {anomaly["Name"] for anomaly in found["good"]["Anomalies"]} <= {"background", "anomaly"}
    assert found["in use"] == ["ConflictException", 409]
    assert found["left"] == []


def test_tritonclient_infers_in_all_its_ways(client: httpx.Client, tmp_path: Path) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(picture(200, kind=".png"))
    found = run_client("inference", client.base_url, bad, 48, 64)
    assert [found[key] for key in ("live", "ready", "model", "version", "other")] == [True] * 4 + [False]
    assert found["server"] == ["binary_tensor_data"]
    assert found["outputs"][:2] == ["verdict", "score"]
    two = [[200.0, 200.0], ["REJECT", "REJECT"], [True, True]]
    assert found["jpeg binary"] == found["jpeg json"] == found["jpeg unnamed"] == two
    assert found["base64"] == found["pixels"] == [[200.0], ["REJECT"], [True]]
    assert "is not known; there is cap" in found["no model"]
