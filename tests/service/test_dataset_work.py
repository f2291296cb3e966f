"""Data sets brought in, looked at, divided and labelled, over the API and by the jobs that it starts."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.assets.conftest import NOW_S, inspected, png
from tests.line.deadline import until
from tests.service.conftest import Server
from tests.test_teaching import CONFIG, write_picture

from sightline.datasets.labelled import open_classes
from sightline.errors import DatasetError, OptionError
from sightline.feedback.reviews import Decision, decide
from sightline.records import Verdict
from sightline.service.job_data import UPLOADS
from sightline.service.job_kinds import KINDS
from sightline.service.job_pictures import dataset_of
from sightline.service.job_task import Task, checked
from sightline.service.rights import Role
from sightline.store.models import Upload, add
from sightline.store.pictures import ViewOf
from sightline.store.shelf import digest_of
from sightline.supervised import train_classifier

DATASETS = "/api/v1/datasets"


@pytest.fixture
def engineer(server: Server) -> TestClient:
    return server.person(server.add(Role.QUALITY_ENGINEER))


@pytest.fixture
def operator(server: Server) -> TestClient:
    return server.person(server.add(Role.OPERATOR))


def archive(**files: bytes) -> bytes:
    """Named `split__label__name`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name, content in files.items():
            packed.writestr(f"cap/{name.replace('__', '/')}.png", content)
    return buffer.getvalue()


def made(server: Server, name: str = "cap") -> dict[str, Any]:
    """Six pictures, of which two in different splits are one, and one is tiny."""
    content = archive(
        train__good__a=png(1),
        train__good__b=png(2),
        train__good__c=png(3),
        test__good__d=png(1),
        test__dent__e=png(4),
        test__dent__f=png(5, 80, 96),
    )
    results = server.app.state.plant.jobs.site.results
    (results / UPLOADS).mkdir(exist_ok=True)
    (results / UPLOADS / f"{'a' * 32}.zip").write_bytes(content)
    return run(server, "import", results / "imported", dataset=name, upload="a" * 32, product="cap")


def run(server: Server, kind: str, folder: Path, **params: object) -> dict[str, Any]:
    """A job in this process."""
    folder.mkdir(exist_ok=True)
    site = server.app.state.plant.jobs.site
    found, options = checked(KINDS, kind, params)
    task = Task(site=site, folder=folder, author="ada", progress=lambda *_: None, say=print)
    result: dict[str, Any] = json.loads(json.dumps(found.run(options, task), allow_nan=False))
    return result


def items(client: TestClient, name: str = "cap", version: int = 1, **query: object) -> list[dict[str, Any]]:
    answer = client.get(f"{DATASETS}/{name}/versions/{version}/items", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json())


def test_an_archive_is_stored_and_imported_by_a_job(server: Server, engineer: TestClient) -> None:
    sent = archive(train__good__a=png(1), test__dent__b=png(2))
    begun = engineer.post(f"{DATASETS}/cap/imports?note=night", content=sent)
    assert begun.status_code == 202, begun.text

    def ended() -> dict[str, Any]:
        found: dict[str, Any] = engineer.get(f"/api/v1/jobs/{begun.json()['job']}").json()
        return found if found["state"] in ("done", "failed") else {}

    until(lambda: bool(ended()))
    assert ended()["result"] == {"dataset": "cap", "version": 1, "pictures": 2}, ended()
    uploads = server.app.state.plant.jobs.site.results / "uploads"
    assert list(uploads.iterdir()) == []
    assert engineer.post(f"{DATASETS}/a%20b/imports", content=sent).status_code == 422
    assert list(uploads.iterdir()) == []


def test_an_archive_of_no_use_is_refused_and_gone(server: Server, tmp_path: Path) -> None:
    folder = server.app.state.plant.jobs.site.results / "uploads"
    folder.mkdir()
    (folder / f"{'a' * 32}.zip").write_bytes(b"no archive")
    with pytest.raises(DatasetError, match="the archive: is no ZIP file"):
        run(server, "import", tmp_path / "job", dataset="cap", upload="a" * 32)
    with pytest.raises(DatasetError, match="not on this server any more"):
        run(server, "import", tmp_path / "job", dataset="cap", upload="a" * 32)
    with pytest.raises(OptionError, match="is none"):
        run(server, "import", tmp_path / "job", dataset="cap", upload="../plant.db")


def test_pictures_are_brought_and_added_to_what_a_version_has(server: Server, engineer: TestClient) -> None:
    made(server)
    brought = engineer.post(f"{DATASETS}/pictures", content=png(9)).json()["digest"]
    for damaged in (b"none", png(9)[:-40]):
        assert engineer.post(f"{DATASETS}/pictures", content=damaged).status_code == 422
    new = {"base": 1, "items": [{"picture": brought, "name": "train/good/a.png", "split": "train", "label": "good"}]}
    assert engineer.post(f"{DATASETS}/cap/versions", json=new).json()["items"] == 6
    told = engineer.get(f"{DATASETS}/cap/versions/1/compared-with/2").json()["counts"]
    assert told == {"added": 1, "removed": 1}
    assert engineer.get(f"{DATASETS}/reviewed").json() == []


def test_pictures_are_found_by_split_label_and_whether_they_are_labelled(server: Server, engineer: TestClient) -> None:
    made(server)
    assert [one["name"] for one in items(engineer, label="dent")] == ["test/dent/e.png", "test/dent/f.png"]
    assert [one["name"] for one in items(engineer, split="train", limit=1)] == ["train/good/a.png"]
    assert items(engineer, split="none") == []
    last = items(engineer)[-1]
    assert items(engineer, picture=last["picture"])[0]["name"] == last["name"]
    assert [one["place"] for one in items(engineer, before=last["place"], limit=2)] == [4, 3]
    bare = {"items": [{"picture": one["picture"], "name": one["name"]} for one in items(engineer)[:2]]}
    assert engineer.post(f"{DATASETS}/bare/versions", json=bare).status_code == 201
    first, second = items(engineer, "bare", labelled=False)
    engineer.post(f"/api/v1/pictures/{first['picture']}/labels", json={"label": "dent"})
    assert items(engineer, "bare", labelled=False) == [second]
    assert items(engineer, "bare", labelled=True) == [first]


def test_what_people_drew_becomes_the_next_version(server: Server, engineer: TestClient, operator: TestClient) -> None:
    made(server)
    dent = items(engineer, label="dent")[0]
    path, place = f"/api/v1/pictures/{dent['picture']}/labels", dent["place"]
    over = f"{DATASETS}/cap/versions/1/items/{place}/take-over"
    assert operator.post(over).json() == {"labels": 1}
    assert operator.post(over).json() == {"labels": 0}
    assert operator.post(f"{DATASETS}/cap/versions/1/items/99/take-over").json() == {"labels": 0}
    stroke = {"stroke": [[4, 4], [12, 4]], "width": 3}
    drawn = operator.post(path, json={"label": "scratch", "geometry": stroke}).json()
    assert (drawn["kind"], sum(drawn["geometry"]["runs"][1::2])) == ("mask", 11 * 3)
    for wrong in ({"stroke": [], "width": 3}, {"stroke": [[1, 2]]}, {"stroke": [["a", 1]], "width": 1}):
        assert operator.post(path, json={"label": "scratch", "geometry": wrong}).status_code == 422
    assert operator.post(f"{DATASETS}/cap/versions/1/from-labels", json={}).status_code == 403
    assert engineer.post(f"{DATASETS}/cap/versions/1/from-labels", json={"note": "drawn"}).json()["version"] == 2
    assert engineer.get(f"{DATASETS}/cap/versions/1/compared-with/2").json()["counts"] == {"drawing": 1}
    (now,) = items(engineer, version=2, picture=dent["picture"])
    assert (now["label"], now["annotations"]["labels"]) == ("dent", ["dent"])
    assert [one["label"] for one in now["annotations"]["annotations"]] == ["scratch"]
    for label in operator.get(path).json():
        operator.delete(f"/api/v1/labels/{label['id']}")
    engineer.post(f"{DATASETS}/cap/versions/2/from-labels", json={})
    (bare,) = items(engineer, version=3, picture=dent["picture"])
    assert (bare["label"], bare["annotations"]["annotated"]) == ("", False)
    out = engineer.get(f"{DATASETS}/cap/versions/2/export?format=coco&lossy=true")
    assert out.content.startswith(b"PK")
    assert "coco" in [one["name"] for one in operator.get(f"{DATASETS}/formats").json()]


def reviewed(server: Server, number: int, verdict: Verdict, *, product: str = "cap", at_s: float = NOW_S) -> str:
    """A part that Ada has decided; its picture."""
    inspection = inspected(server.database, number, verdict="REVIEW", product=product, at_s=at_s)
    pictures = server.app.state.plant.pictures
    view = ViewOf(inspection_id=inspection, view="top")
    digest: str = pictures.link(png(number), view, digest="", media_type="", now_s=NOW_S)
    label = "scratch" if verdict is Verdict.REJECT else ""
    decide(pictures, Decision(inspection_id=inspection, verdict=verdict, label=label), reviewer="ada", now_s=NOW_S)
    return digest


def test_what_people_decided_becomes_the_next_version(
    server: Server, engineer: TestClient, operator: TestClient
) -> None:
    made(server)
    good, bad = reviewed(server, 21, Verdict.PASS), reviewed(server, 22, Verdict.REJECT, at_s=NOW_S + 100)
    reviewed(server, 23, Verdict.PASS, product="lid")
    over = f"{DATASETS}/cap/versions/from-reviews"
    assert operator.post(over, json={}).status_code == 403
    made_anew = engineer.post(over, json={"product": "cap", "base": 1, "note": "decided"})
    assert made_anew.status_code == 201, made_anew.text
    told = made_anew.json()
    assert (told["version"], told["items"], told["note"], told["author"]) == (2, 8, "decided", "quality engineer")
    assert engineer.get(f"{DATASETS}/cap/versions/1/compared-with/2").json()["counts"] == {"added": 2}
    for digest, label in ((good, "good"), (bad, "scratch")):
        assert [one["label"] for one in items(engineer, version=2, picture=digest)] == [label]
    late = engineer.post(f"{DATASETS}/late/versions/from-reviews", json={"product": "cap", "since_s": NOW_S + 50})
    assert [one["picture"] for one in items(engineer, "late", late.json()["version"])] == [bad]
    assert engineer.post(f"{DATASETS}/any/versions/from-reviews", json={}).json()["items"] == 3
    for wrong in ({"needed": 2}, {"product": "nothing"}, {"needed": 0}, {"sinse_s": 1.0}):
        assert engineer.post(f"{DATASETS}/none/versions/from-reviews", json=wrong).status_code == 422, wrong
    assert engineer.post(over, json={"base": 99}).status_code == 404


def test_a_picture_that_was_cut_short_when_its_job_ended_is_fetched_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(server)
    task = Task(
        site=server.app.state.plant.jobs.site,
        folder=tmp_path,
        author="ada",
        progress=lambda *_: None,
        say=print,
    )
    whole = Path.write_bytes

    def ended(path: Path, content: bytes) -> int:
        whole(path, content[: len(content) // 2])
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", ended)
        with pytest.raises(SystemExit):
            dataset_of(task, "cap/1")
    samples = dataset_of(task, "cap/1").samples
    assert [digest_of(sample.path.read_bytes()) for sample in samples] == [sample.path.stem for sample in samples]


def test_a_check_finds_leaks_and_odd_pictures_and_dividing_mends_the_leaks(
    server: Server, engineer: TestClient, tmp_path: Path
) -> None:
    made(server)
    found = run(server, "check", tmp_path / "job", dataset="cap", version=1)
    assert found["counts"] == {"groups": 1, "unreadable": 0, "tiny": 5, "odd": 1, "leaks": 1}
    assert [one["name"] for one in found["groups"][0]["members"]] == ["test/good/d.png", "train/good/a.png"]
    assert found["odd"][0]["size"] == "96 x 80"
    assert (tmp_path / "job" / "check.json").is_file()
    divided = run(server, "divide", tmp_path / "job", dataset="cap", version=1, train=0.5, validation=0.0, test=0.5)
    assert (divided["version"], divided["kept_together"]) == (2, 1)
    again = run(server, "check", tmp_path / "job", dataset="cap", version=2)
    assert again["counts"]["leaks"] == 0
    assert list((tmp_path / "job").iterdir()) == [tmp_path / "job" / "check.json"]
    with pytest.raises(OptionError, match="sum to 1"):
        checked(KINDS, "divide", {"dataset": "cap", "version": 1, "train": 0.9})


@pytest.fixture
def rings(tmp_path: Path) -> list[bytes]:
    for number in range(5):
        write_picture(tmp_path / "ring" / f"{number}.png", "ring", 300 + number)
    return [path.read_bytes() for path in sorted((tmp_path / "ring").iterdir())]


def test_a_model_is_taught_a_class_and_becomes_a_candidate(
    server: Server, engineer: TestClient, tmp_path: Path, rings: list[bytes]
) -> None:
    for place, label in enumerate(("good", "spot")):
        for number in range(8):
            write_picture(tmp_path / "classes" / label / f"{number}.png", label, 100 * place + number)
    bundle = train_classifier(open_classes(tmp_path / "classes"), tmp_path / "names.sight", CONFIG).bundle
    plant = server.app.state.plant
    add(plant.database, plant.models, bundle.path, Upload(name="names", author="ada"), now_s=1.0)
    digests = [engineer.post(f"{DATASETS}/pictures", content=ring).json()["digest"] for ring in rings]
    taught = run(server, "teach", tmp_path / "job", model="names/1", label="ring", pictures=digests)
    assert (taught["model"], taught["class"], taught["examples"]) == ("names/2", "ring", 5)
    assert engineer.get("/api/v1/models/names/versions/2").json()["status"] == "candidate"
    with pytest.raises(OptionError, match=r"^picture 2: is the same picture as picture 1"):
        run(server, "teach", tmp_path / "job", model="names/1", label="ring", pictures=[digests[0]] * 3)
    with pytest.raises(OptionError, match="3 to 50"):
        checked(KINDS, "teach", {"model": "names", "label": "ring", "pictures": digests[:2]})


def test_a_stroke_outside_the_picture_marks_nothing_and_is_refused(engineer: TestClient) -> None:
    digest = engineer.post(f"{DATASETS}/pictures", content=png(1)).json()["digest"]
    far = {"label": "dent", "geometry": {"stroke": [[500, 500], [600, 500]], "width": 2}}
    assert engineer.post(f"/api/v1/pictures/{digest}/labels", json=far).status_code == 422
    dot = {"label": "dent", "geometry": {"stroke": [[5.5, 5.5]], "width": 1}}
    answer = engineer.post(f"/api/v1/pictures/{digest}/labels", json=dot).json()
    assert sum(answer["geometry"]["runs"][1::2]) == 1
    assert answer["geometry"]["runs"][0] == 5 * 24 + 5
