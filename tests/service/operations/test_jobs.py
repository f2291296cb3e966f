"""Jobs in processes of their own: whatever one does, the server goes on and the queue tells the truth."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from tests.line.deadline import until
from tests.service.operations.conftest import application
from tests.service.operations.job_double import KINDS, PROGRAM

from sightline.errors import DatasetError, OptionError
from sightline.search.space import SHIPPED, Space
from sightline.search.study import search
from sightline.service.job_kinds import KINDS as REAL_KINDS
from sightline.service.job_task import SCRATCH, Site, Task, checked, inside
from sightline.service.jobs import Jobs, Pace
from sightline.service.plant import Plant
from sightline.service.rights import Role
from sightline.service.routes.jobs import router
from sightline.store import jobs as queue
from sightline.store.database import Database
from sightline.store.jobs import ENDED, Told
from sightline.store.models import Change, promote

QUICK = Pace(idle_s=0.05, beat_s=0.05)


@pytest.fixture
def site(sqlite: Database, tmp_path: Path) -> Site:
    for name in ("data", "models", "results"):
        (tmp_path / name).mkdir()
    address = sqlite.engine.url.render_as_string(hide_password=False)
    return Site(database=address, data=tmp_path / "data", models=str(tmp_path / "models"), results=tmp_path / "results")


@pytest.fixture
def doubles(sqlite: Database, site: Site) -> Iterator[Jobs]:
    workers = Jobs(sqlite, site, kinds=KINDS, program=PROGRAM, nice=0, pace=QUICK).start()
    yield workers
    workers.close()


def started(workers: Jobs, how: str, lines: int = 0) -> str:
    return workers.submit("act", {"how": how, "lines": lines}, author="ada", now_s=time.time())


def told(database: Database, job_id: str) -> Told:
    with database.reading() as session:
        return queue.job(session, job_id)


def ended(database: Database, job_id: str) -> Told:
    until(lambda: told(database, job_id).state in ENDED)
    return told(database, job_id)


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False


def test_a_job_is_done_with_progress_log_and_result(sqlite: Database, site: Site, doubles: Jobs) -> None:
    job_id = started(doubles, "fine", lines=3)
    done = ended(sqlite, job_id)
    assert (done.state, done.result, done.progress, done.attempts) == ("done", {"attempt": 1}, 1.0, 1)
    with sqlite.reading() as session:
        texts = {line.text for line in queue.lines(session, job_id)}
    assert {"line 0", "line 1", "line 2", "a library prints"} <= texts
    assert [path.name for path in site.folder_of(job_id).iterdir()] == ["attempts"], "what it fetched is gone"


@pytest.mark.parametrize(("how", "message"), [("fail", "pictures: there are none."), ("bug", "status 1; see the log")])
def test_a_job_that_fails_says_why_and_leaves_nothing(
    how: str, message: str, sqlite: Database, site: Site, doubles: Jobs
) -> None:
    job_id = started(doubles, how)
    failed = ended(sqlite, job_id)
    assert (failed.state, failed.attempts) == ("failed", 1)
    assert message in failed.message
    assert not site.folder_of(job_id).exists()
    with sqlite.reading() as session:
        assert (how == "bug") == any("ZeroDivisionError" in line.text for line in queue.lines(session, job_id))


def test_a_job_that_is_killed_begins_again_and_the_worker_goes_on(sqlite: Database, doubles: Jobs) -> None:
    done = ended(sqlite, started(doubles, "killed once"))
    assert (done.result, done.attempts) == ({"attempt": 2}, 2)


def test_a_cancelled_job_ends_with_all_its_processes(
    sqlite: Database, site: Site, doubles: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sightline.service.jobs.GRACE_S", 0.3)
    job_id = started(doubles, "stubborn")
    folder = site.folder_of(job_id)
    until((folder / "waiting").exists)
    names = ["attempts", "child"]
    pids = [int((folder / name).read_text()) for name in names]
    with sqlite.writing() as session:
        queue.cancel(session, job_id, by="bob", now_s=time.time())
    assert ended(sqlite, job_id).state == "cancelled"
    until(lambda: not any(map(is_running, pids)))
    assert not folder.exists()


def test_a_server_that_is_stopped_gives_the_job_to_the_next(sqlite: Database, site: Site, doubles: Jobs) -> None:
    job_id = started(doubles, "wait once")
    until((site.folder_of(job_id) / "waiting").exists)
    doubles.close()
    assert (told(sqlite, job_id).state, told(sqlite, job_id).attempts) == ("waiting", 0)
    fetched = site.folder_of(job_id) / SCRATCH / "picture"
    assert fetched.is_file()
    following = Jobs(sqlite, site, kinds=KINDS, program=PROGRAM, nice=0, pace=QUICK).start()
    try:
        assert ended(sqlite, job_id).result == {"attempt": 2}
        assert not fetched.exists()
    finally:
        following.close()


def test_what_a_job_fetched_that_ended_while_it_waited_is_cleared_away(
    sqlite: Database, site: Site, doubles: Jobs
) -> None:
    job_id = started(doubles, "wait once")
    fetched = site.folder_of(job_id) / SCRATCH / "picture"
    until((site.folder_of(job_id) / "waiting").exists)
    doubles.close()
    with sqlite.writing() as session:
        queue.cancel(session, job_id, by="bob", now_s=time.time())
    Jobs(sqlite, site, kinds=KINDS, program=PROGRAM, nice=0, pace=QUICK).start().close()
    assert not fetched.exists()


def test_the_job_of_a_server_that_is_killed_ends_with_it_and_begins_again(sqlite: Database, site: Site) -> None:
    script = (
        "import sys, time, pathlib\n"
        "from sightline.service.jobs import Jobs, Pace\nfrom sightline.service.job_task import Site\n"
        "from sightline.store.database import Database\n"
        "from tests.service.operations.job_double import KINDS, PROGRAM\n"
        "places = [pathlib.Path(place) for place in sys.argv[2:]]\n"
        "site = Site(database=sys.argv[1], data=places[0], models=sys.argv[3], results=places[2])\n"
        "Jobs(Database(sys.argv[1]), site, kinds=KINDS, program=PROGRAM, nice=0, pace=Pace(idle_s=0.05)).start()\n"
        "time.sleep(600)\n"
    )
    with sqlite.writing() as session:
        job_id = queue.submit(session, kind="act", params={"how": "wait once"}, author="ada", now_s=time.time())
    root = Path(__file__).resolve().parents[3]
    environment = {**os.environ, "PYTHONPATH": f"{root / 'src'}:{root}"}
    places = [site.database, str(site.data), site.models, str(site.results)]
    server = subprocess.Popen([sys.executable, "-c", script, *places], env=environment)
    try:
        folder = site.folder_of(job_id)
        until((folder / "waiting").exists)
        worker = int((folder / "attempts").read_text())
    finally:
        server.send_signal(signal.SIGKILL)
        server.wait()
    until(lambda: not is_running(worker))
    assert told(sqlite, job_id).state == "running"
    later = Jobs(
        sqlite, site, kinds=KINDS, program=PROGRAM, nice=0, pace=QUICK, clock=lambda: time.time() + queue.LEASE_S + 1
    ).start()
    try:
        assert ended(sqlite, job_id).result == {"attempt": 2}
    finally:
        later.close()


@pytest.mark.parametrize(
    ("kind", "params", "message"),
    [
        ("steal", {}, "no kind of job"),
        ("train", {}, "give one of data"),
        ("train", {"data": "a", "metod": "padim"}, "no parameter 'metod'"),
        ("train", {"data": "a", "method": "magic"}, "method"),
        ("train", {"data": "a", "max_overkill": "0.1"}, "max_overkill"),
        ("train", {"data": "a", "max_overkill": 2.0}, "overkill"),
        ("train", {"data": "a", "name": "../../etc/x"}, "take letters"),
        ("search", {"data": "a", "minutes": 1e9}, "minutes"),
        ("export", {"model": "m.sight", "to": "onnx", "max_loss": 1.0}, "max_loss"),
        ("reinspect", {"model": "m.sight", "data": ["a"]}, "data"),
    ],
)
def test_parameters_are_checked_before_the_job_is_taken(
    kind: str, params: dict[str, object], message: str, sqlite: Database, site: Site
) -> None:
    workers = Jobs(sqlite, site)
    with pytest.raises(OptionError, match=message):
        workers.submit(kind, params, author="ada", now_s=1.0)
    with sqlite.reading() as session:
        assert queue.jobs(session) == []


def pictures(folder: Path, count: int, seed: int) -> None:
    folder.mkdir(parents=True)
    chance = np.random.default_rng(seed)
    for number in range(count):
        grey = chance.normal(120, 6, (64, 64)).clip(0, 255).astype(np.uint8)
        assert cv2.imwrite(str(folder / f"{number:03}.png"), cv2.circle(grey, (32, 32), 20, 200, -1))


def test_real_jobs_train_validate_reinspect_and_export(sqlite: Database, site: Site) -> None:
    pictures(site.data / "cap" / "good", 10, seed=1)
    pictures(site.data / "shift", 3, seed=2)
    workers = Jobs(sqlite, site, nice=0, pace=QUICK).start()
    try:
        params = {"data": "cap", "name": "cap", "size": [64, 64], "bank": 50}
        trained = ended(sqlite, workers.submit("train", params, author="ada", now_s=time.time()))
    finally:
        workers.close()
    assert trained.state == "done", trained.message
    assert trained.result is not None
    assert trained.result["images"] == 10
    assert trained.result["model"] == "cap/1"
    promote(sqlite, "cap", 1, Change(by="ada", reason="the first"), now_s=time.time())
    task = Task(site=site, folder=site.results, author="ada", progress=lambda *_: None, say=print)

    def run(kind: str, params: dict[str, object]) -> dict[str, object]:
        found, options = checked(REAL_KINDS, kind, params)
        result: dict[str, object] = json.loads(json.dumps(found.run(options, task), allow_nan=False))
        return result

    assert run("validate", {"model": "cap", "data": "cap"})["tested"] is False
    assert (site.results / "report.html").is_file()
    again = run("reinspect", {"model": "cap", "data": "shift", "against": "cap/1"})
    assert (again["pictures"], again["changes"]) == (3, {})
    assert len((site.results / "verdicts.csv").read_text().splitlines()) == 4
    run("export", {"model": "cap/1", "to": "onnx"})
    assert (site.results / "cap-1.onnx").is_file()


def test_a_searchs_leaderboard_is_fetched_by_the_name_in_its_result(
    sqlite: Database, site: Site, plant_of: Callable[..., Plant], monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures(site.data / "cap" / "good", 20, seed=1)
    one = Space(methods=("padim",), short_sides=(64,), backbones=(SHIPPED,))
    monkeypatch.setattr("sightline.search.study.search", partial(search, space=one))
    jobs = Jobs(sqlite, site, workers=0)
    params = {"data": "cap", "task": "anomaly", "minutes": 0.01}
    job_id = jobs.submit("search", params, author="ada", now_s=time.time())
    folder = site.folder_of(job_id)
    folder.mkdir()
    kind, options = checked(REAL_KINDS, "search", params)
    result = kind.run(options, Task(site=site, folder=folder, author="ada", progress=lambda *_: None, say=print))
    with application(plant_of(sqlite, jobs=jobs), router) as client:
        page = client.get(f"/api/v1/jobs/{job_id}/files/{result['page']}")
        assert page.status_code == 200, page.text
        assert "padim" in page.text
        names = [file["name"] for file in client.get(f"/api/v1/jobs/{job_id}/files").json()]
    assert {"leaderboard.csv", "leaderboard.html"} <= set(names)


@pytest.mark.parametrize("name", ["../models", "/etc", "way-out", "way-out/passwd", "nothing", "a\0b"])
def test_no_name_leads_out_of_the_servers_folders(name: str, site: Site) -> None:
    (site.data / "way-out").symlink_to("/etc")
    with pytest.raises(DatasetError, match="server's folder"):
        inside(site.data, name, "data")


def test_the_routes_start_list_follow_and_cancel(
    sqlite: Database, site: Site, doubles: Jobs, plant_of: Callable[..., Plant]
) -> None:
    with application(plant_of(sqlite, jobs=doubles), router) as client:
        assert client.get("/api/v1/jobs/kinds").json()[0]["params"]["properties"]["lines"]["type"] == "integer"
        answer = client.post("/api/v1/jobs", json={"kind": "act", "params": {"lines": 3}})
        assert answer.status_code == 202
        job_id = answer.json()["id"]
        with client.stream("GET", f"/api/v1/jobs/{job_id}/events") as stream:
            told_live = "".join(stream.iter_text())
        assert '"state": "done"' in told_live.rpartition("event: job")[2]
        assert "id: 1\nevent: log" in told_live
        resumed = client.get(f"/api/v1/jobs/{job_id}/events", headers={"Last-Event-ID": "2"}).text
        assert "id: 2\n" not in resumed
        assert "id: 3\n" in resumed
        assert [line["number"] for line in client.get(f"/api/v1/jobs/{job_id}/log?after=1&limit=2").json()] == [2, 3]
        fetched = client.get(f"/api/v1/jobs/{job_id}/files/attempts")
        assert fetched.headers["content-disposition"].startswith("attachment")
        for name in ("nothing", "%2e%2e%2fplant.db", "..%2f..%2fplant.db"):
            assert client.get(f"/api/v1/jobs/{job_id}/files/{name}").status_code in (404, 422), name
        waiting = client.post("/api/v1/jobs", json={"kind": "act", "params": {"how": "wait"}}).json()["id"]
        assert client.post(f"/api/v1/jobs/{waiting}/cancel").status_code == 200
        assert ended(sqlite, waiting).state == "cancelled"
        page = client.get("/api/v1/jobs?limit=1").json()
        assert [job["id"] for job in page["jobs"]] == [waiting]
        rest = client.get("/api/v1/jobs", params={"before": page["next"], "limit": 5}).json()
        assert [job["id"] for job in rest["jobs"]] == [job_id]
        assert rest["next"] is None
        assert client.get("/api/v1/jobs?before=x").status_code == 422
        assert client.get("/api/v1/jobs/nothing").status_code == 404
        assert client.post("/api/v1/jobs", json={"kind": "act", "params": {"x": 1}}).status_code == 422
    with application(plant_of(sqlite, jobs=doubles), router, role=Role.OPERATOR) as operator:
        assert operator.post("/api/v1/jobs", json={"kind": "act"}).status_code == 403
        assert operator.get("/api/v1/jobs").status_code == 200
