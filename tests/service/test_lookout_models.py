"""What Lookout's clients start and stop is the plant's current version, with its trail, wherever else that is told."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.testclient import TestClient
from tests.line.deadline import until
from tests.service.server import PATIENCE_S, application, picture, plant_in, running, sight

from sightline.service.app import create_app
from sightline.service.hosting import Hosting
from sightline.service.opening import open_plant
from sightline.service.plant import Plant
from sightline.service.protocols.buckets import Buckets
from sightline.service.protocols.lookout_projects import Progress
from sightline.service.serving import Serving
from sightline.service.settings import JobSettings, ServingSettings, Settings, StoreSettings
from sightline.store import audit, models
from sightline.store import jobs as queue
from sightline.store.audit import Wanted
from sightline.store.models import Change, ModelFiles, Upload
from sightline.store.shelf import Shelf
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig

WHY = Change(by="ada", reason="the first")
CAP = "/2020-11-20/projects/cap"
MIDDLE = picture(150)  # a defect for version 1 only


class Trained:
    """Says of every job that it is done."""

    def start(self, kind: str, params: dict[str, str]) -> str:
        sight(Path(params["output"]), reject=200.0)
        return f"{kind} {params['version']}"

    def progress(self, job: str) -> Progress:
        return Progress(state="done", message=job)


@contextmanager
def plant_with_two(folder: Path, *, signed: bool = False) -> Iterator[tuple[Plant, httpx.Client]]:
    """Version 1 of `cap` is current, with a threshold of 100; Lookout has trained version 2, with one of 200."""
    bucket = folder / "bucket"
    bucket.mkdir()
    (bucket / "a.png").write_bytes(picture(60))
    told = {"class-name": "normal", "type": "groundtruth/image-classification"}
    line = {"source-ref": "s3://parts/a.png", "anomaly-label": 0, "anomaly-label-metadata": told}
    (bucket / "train.manifest").write_text(json.dumps(line) + "\n")
    buckets = Buckets(folders={"parts": bucket})
    with plant_in(folder, trainer=Trained(), buckets=buckets, signed=signed) as plant:
        bring(plant, folder, 100.0)
        models.promote(plant.database, "cap", 1, WHY, now_s=2.0)
        plant.hosting.follow()
        with running(application(plant)) as url, httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
            place = {"GroundTruthManifest": {"S3Object": {"Bucket": "parts", "Key": "train.manifest"}}}
            made = client.post(f"{CAP}/datasets", json={"DatasetType": "train", "DatasetSource": place})
            assert made.status_code == 202, made.text
            output = {"OutputConfig": {"S3Location": {"Bucket": "parts"}}}
            begun = client.post(f"{CAP}/models", json=output).json()
            assert begun["ModelMetadata"]["ModelVersion"] == "2"
            yield plant, client


def files_in(folder: Path) -> ModelFiles:
    return ModelFiles(Shelf(str(folder / "models")), folder / "cache")


def bring(plant: Plant, folder: Path, reject: float) -> int:
    path, upload = sight(folder / f"{reject}.sight", reject=reject), Upload(name="cap", author="ada")
    return models.add(plant.database, files_in(folder), path, upload, now_s=1.0).version


def is_anomalous(client: httpx.Client, version: int) -> bool:
    found = client.post(f"{CAP}/models/{version}/detect", content=MIDDLE)
    assert found.status_code == 200, found.text
    return bool(found.json()["DetectAnomalyResult"]["IsAnomalous"])


def status(client: httpx.Client, version: int) -> str:
    told: str = client.get(f"{CAP}/models/{version}").json()["ModelDescription"]["Status"]
    return told


def trail(plant: Plant) -> list[tuple[str, str]]:
    wanted = Wanted(before=10**6, limit=99, subject="model:cap")
    return [(row["who"], row["action"]) for row in audit.changes(plant.database, wanted)]


def test_what_is_started_is_promoted_and_outlives_the_server(tmp_path: Path) -> None:
    with plant_with_two(tmp_path) as (plant, client):
        assert is_anomalous(client, 1)
        assert client.post(f"{CAP}/models/2/start").status_code == 202
        assert not is_anomalous(client, 2)
        assert status(client, 2) == "HOSTED"
        plant.hosting.follow()
        assert not is_anomalous(client, 2), "the plant's table names what was started"
        assert models.one(plant.database, "cap").version == 2
        assert ("tester", "promote") in trail(plant)
        with Serving(workers=1) as later:
            Hosting(plant.database, files_in(tmp_path), later).follow()
            assert later.has("cap", "2")


def test_what_is_stopped_is_current_no_more_and_can_be_started_again(tmp_path: Path) -> None:
    with plant_with_two(tmp_path) as (plant, client):
        assert client.delete(f"{CAP}/models/1").json()["Message"].endswith("Stop it first.")
        assert client.post(f"{CAP}/models/1/stop").status_code == 202
        plant.hosting.follow()
        assert plant.hosting.known("cap") is None
        refused = client.post(f"{CAP}/models/1/detect", content=MIDDLE)
        assert (refused.status_code, refused.headers["x-amzn-ErrorType"]) == (409, "ConflictException")
        assert (status(client, 1), status(client, 2)) == ("TRAINED", "TRAINED")
        assert client.post(f"{CAP}/models/1/start").status_code == 202
        assert is_anomalous(client, 1)
        for change in ("start", "stop", "start"):
            assert client.post(f"{CAP}/models/2/{change}").status_code == 202
        assert models.roll_back(plant.database, "cap", WHY, now_s=3.0).version == 1, "not what was stopped and started"
        assert {("tester", "retire"), ("tester", "promote")} <= set(trail(plant))


def test_where_people_sign_only_the_current_version_is_started_and_none_is_stopped(tmp_path: Path) -> None:
    with plant_with_two(tmp_path, signed=True) as (plant, client):
        for refused in (client.post(f"{CAP}/models/2/start"), client.post(f"{CAP}/models/1/stop")):
            assert (refused.status_code, refused.headers["x-amzn-ErrorType"]) == (403, "AccessDeniedException")
            assert "signed by people here. Promote it in the console." in refused.json()["Message"]
        assert (models.one(plant.database, "cap").version, plant.serving.model("cap").version) == (1, 1)
        plant.serving.stop("cap")
        assert client.post(f"{CAP}/models/1/start").status_code == 202
        assert is_anomalous(client, 1)
        assert [action for _, action in trail(plant)].count("promote") == 1


def test_a_number_that_somebody_elses_file_has_is_not_started(tmp_path: Path) -> None:
    with plant_with_two(tmp_path) as (plant, client):
        assert bring(plant, tmp_path, 120.0) == 2
        refused = client.post(f"{CAP}/models/2/start")
        assert (refused.status_code, refused.json()["Message"]) == (
            409,
            "model cap 2: is another file by now; train or upload again.",
        )
        assert models.one(plant.database, "cap").version == 1


def line(path: Path, bucket: Path, name: str) -> str:
    """As Ground Truth writes it."""
    told = {"class-name": name, "type": "groundtruth/image-classification"}
    source = f"s3://parts/{path.relative_to(bucket)}"
    return json.dumps({"source-ref": source, "anomaly-label": 0, "anomaly-label-metadata": told})


def lists_in(bucket: Path) -> None:
    write_dataset(bucket / "parts", PartConfig(size=96), Counts(good_train=6, good_test=2, per_defect=1))
    for kind in ("train", "test"):
        found = sorted((bucket / "parts" / kind).glob("*/*.png"))
        lines = [line(path, bucket, "normal" if path.parent.name == "good" else "anomaly") for path in found]
        (bucket / f"{kind}.manifest").write_text("\n".join(lines) + "\n")


def test_a_training_by_a_real_job_has_figures_and_outlives_the_job(tmp_path: Path) -> None:
    lists_in(tmp_path / "bucket")
    tested = tmp_path / "bucket" / "parts" / "test"
    settings = Settings(
        store=StoreSettings(folder=tmp_path / "plant"),
        serving=ServingSettings(apart=False, workers=1, buckets=(f"parts={tmp_path / 'bucket'}",)),
        jobs=JobSettings(workers=1),
    )
    app = create_app(settings, partial(open_plant, models={}), open_to_all=True)
    with TestClient(app, base_url="http://localhost") as client:
        client.post("/2020-11-20/projects", json={"ProjectName": "cap"})
        for kind in ("train", "test"):
            place = {"GroundTruthManifest": {"S3Object": {"Bucket": "parts", "Key": f"{kind}.manifest"}}}
            made = client.post(f"{CAP}/datasets", json={"DatasetType": kind, "DatasetSource": place})
            assert made.status_code == 202, made.text
        assert client.post(f"{CAP}/models", json={"OutputConfig": {"S3Location": {"Bucket": "x"}}}).status_code == 202

        def told() -> dict[str, Any]:
            described: dict[str, Any] = client.get(f"{CAP}/models/1").json()["ModelDescription"]
            return described

        until(lambda: told()["Status"] != "TRAINING", 300)
        before = told()
        assert before["Status"] == "TRAINED", before
        figures = before["Performance"]
        assert set(figures) == {"F1Score", "Recall", "Precision"}
        assert figures["F1Score"] == pytest.approx(2 / (1 / figures["Recall"] + 1 / figures["Precision"]))
        kept = models.one(app.state.plant.database, "cap", 1).figures
        assert (kept["recall"], kept["pictures"]) == (figures["Recall"], len(list(tested.glob("*/*.png"))))
        with app.state.plant.database.writing() as session:
            queue.forget(session, ended_before_s=1e12)
        assert (told()["Status"], told()["Performance"]) == ("TRAINED", figures)
        assert client.get(f"{CAP}/models").json()["Models"][0]["Status"] == "TRAINED"
        assert client.post(f"{CAP}/models/1/start").status_code == 202
        judged = client.post(f"{CAP}/models/1/detect", content=next((tmp_path / "bucket").rglob("*.png")).read_bytes())
        assert judged.status_code == 200, judged.text
        assert client.post(f"{CAP}/models/1/stop").status_code == 202
        assert client.delete(f"{CAP}/models/1").status_code == 202
