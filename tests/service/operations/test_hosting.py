"""What is promoted is judged by, on this server and on others; what a plant does by itself is done once an hour."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.service.plants import plant_with
from tests.service.server import picture, sight

from sightline.errors import BusyError, FrameError, NotFoundError, StoreAway
from sightline.records import Verdict
from sightline.service.answer import Answer
from sightline.service.hosting import Hosting
from sightline.service.job_kinds import KINDS
from sightline.service.job_task import Site, Task, model_file
from sightline.service.jobs import Jobs
from sightline.service.readiness import readiness
from sightline.service.serving import Serving, State
from sightline.service.settings import Settings
from sightline.service.training import JobTrainer
from sightline.service.upkeep import EVERY_S, Upkeep
from sightline.store import jobs as queue
from sightline.store import models, tiering
from sightline.store.database import Database
from sightline.store.models import Change, Upload
from sightline.store.retention import Kept, Tier
from sightline.store.schema import Picture

DAY_S = 86_400.0
WHY = Change(by="ada", reason="better")


@pytest.fixture
def site(sqlite: Database, tmp_path: Path) -> Site:
    (tmp_path / "data").mkdir()
    address = sqlite.engine.url.render_as_string(hide_password=False)
    return Site(
        database=address,
        data=tmp_path / "data",
        results=tmp_path / "jobs",
        models=str(tmp_path / "models"),
        pictures={"hot": str(tmp_path / "pictures"), "nearline": str(tmp_path / "nearline")},
    )


@pytest.fixture
def serving() -> Iterator[Serving]:
    with Serving(workers=1) as serving:
        yield serving


def bring(database: Database, site: Site, folder: Path, reject: float) -> int:
    """The version that a model with this threshold becomes, promoted."""
    path = sight(folder / f"{reject}.sight", reject=reject)
    version = models.add(database, site.model_files(), path, Upload(name="cap", author="ada"), now_s=1.0).version
    models.promote(database, "cap", version, WHY, now_s=2.0)
    return version


def test_the_current_version_judges_and_a_damaged_one_does_not_take_its_place(
    sqlite: Database, site: Site, serving: Serving, tmp_path: Path
) -> None:
    hosting = Hosting(sqlite, site.model_files(), serving)
    hosting.follow()
    assert serving.models() == ()
    assert bring(sqlite, site, tmp_path, 100.0) == 1
    hosting.follow()
    assert serving.judge("cap", picture(120)).verdict is Verdict.REJECT
    assert bring(sqlite, site, tmp_path, 200.0) == 2
    hosting.follow()
    assert serving.judge("cap", picture(120)).verdict is Verdict.PASS
    assert bring(sqlite, site, tmp_path, 150.0) == 3
    model_file(site, "cap/3").write_bytes(b"damaged")
    hosting.follow()
    assert "cap" in hosting.failed
    assert serving.model("cap").version == 2
    models.roll_back(sqlite, "cap", WHY, now_s=3.0)
    hosting.follow()
    assert (dict(hosting.failed), serving.model("cap").version) == ({}, 2)


def test_a_model_that_was_stuck_is_told_and_loaded_again_later(
    sqlite: Database, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go = threading.Event()

    def hang(*_: object) -> Answer:
        let_go.wait(60)
        raise FrameError("too late")

    bring(sqlite, site, tmp_path, 100.0)
    with Serving(workers=1, hang_s=0.3) as serving:
        hosting = Hosting(sqlite, site.model_files(), serving)
        hosting.follow()
        monkeypatch.setattr("sightline.service.serving.answered", hang)
        try:
            while serving.model("cap").state is State.READY:
                with suppress(BusyError):
                    serving.judge("cap", picture(60), timeout_s=0.5)
        finally:
            let_go.set()
        monkeypatch.undo()
        hosting.follow()
        assert "was stuck 3 times" in hosting.failed["cap"]
        told = readiness(plant_with(database=sqlite, disks={"store": tmp_path}, hosting=hosting), Settings())
        assert told["model"] == "does not judge: cap"
        assert serving.model("cap").state is State.FAILED, "it would be stuck again at once"
        monkeypatch.setattr("sightline.service.hosting.time", SimpleNamespace(time=lambda: time.time() + 61))
        hosting.follow()
        assert (dict(hosting.failed), serving.judge("cap", picture(120)).verdict) == ({}, Verdict.REJECT)


def test_what_else_was_loaded_or_stopped_behind_its_back_is_put_right(
    sqlite: Database, site: Site, serving: Serving, tmp_path: Path
) -> None:
    hosting = Hosting(sqlite, site.model_files(), serving)
    assert bring(sqlite, site, tmp_path, 100.0) == 1
    hosting.follow()
    serving.load("cap", sight(tmp_path / "other.sight", reject=200.0), version=7)
    hosting.follow()
    assert serving.has("cap", "1")
    serving.stop("cap")
    hosting.follow()
    assert "is stopped" in hosting.failed["cap"]


def test_another_server_follows_by_itself(sqlite: Database, site: Site, serving: Serving, tmp_path: Path) -> None:
    hosting = Hosting(sqlite, site.model_files(), serving, every_s=0.02).start()
    try:
        bring(sqlite, site, tmp_path, 100.0)
        end = time.monotonic() + 60
        while not serving.has("cap", "1"):
            assert time.monotonic() < end, "the model was not loaded"
            time.sleep(0.01)
    finally:
        hosting.close()


def test_upkeep_starts_one_job_an_hour(sqlite: Database, site: Site) -> None:
    now_s = [1_000_000.0]
    upkeep = Upkeep(sqlite, Jobs(sqlite, site, workers=0), clock=lambda: now_s[0])
    assert (upkeep.look(), upkeep.look()) == (True, False)
    now_s[0] += EVERY_S + 1
    assert upkeep.look() is False, "the first one waits still"
    with sqlite.writing() as session:
        queue.cancel(session, queue.jobs(session)[0].id, by="ada", now_s=now_s[0])
    assert (upkeep.look(), upkeep.look()) == (True, False)
    with sqlite.reading() as session:
        assert [job.kind for job in queue.jobs(session)] == ["tiering", "tiering"]


def test_the_tiering_job_removes_what_is_over_its_time_and_nothing_else(sqlite: Database, site: Site) -> None:
    kept = site.kept_pictures(sqlite)
    now_s = time.time()
    old = kept.keep(picture(60), kept=Kept.PASS, now_s=now_s - 40 * DAY_S)
    rejected = kept.keep(picture(200), kept=Kept.REJECT, now_s=now_s - 40 * DAY_S)
    task = Task(site=site, folder=site.results, author="upkeep", progress=lambda *_: None, say=print)
    kind = KINDS["tiering"]
    tried = kind.run(kind.options(dry_run=True), task)
    assert (tried["removed"], kept.known(old).tier) == (1, "hot")
    done = kind.run(kind.options(), task)
    assert (done["removed"], done["failed"], done["more"]) == (1, 0, False)
    with pytest.raises(NotFoundError, match="removed when its time was over"):
        kept.known(old)
    assert kept.known(rejected).tier == "nearline"
    assert kept.read(rejected) == picture(200)


def test_the_tiering_job_goes_on_behind_what_is_damaged_and_tells_of_it(
    sqlite: Database, site: Site, tmp_path: Path
) -> None:
    kept, now_s = site.kept_pictures(sqlite), time.time()
    damaged = kept.keep(picture(200), kept=Kept.REJECT, now_s=now_s - 60 * DAY_S)
    (tmp_path / "pictures" / damaged[:2] / damaged).write_bytes(b"damaged")
    rows = [
        Picture(
            digest=f"{number:064x}",
            media_type="image/png",
            size_bytes=1,
            tier="hot",
            kept_as=Kept.PASS,
            stored_s=now_s - 50 * DAY_S,
            keep_until_s=now_s - DAY_S,
        )
        for number in range(1001)
    ]
    sound = kept.keep(picture(180), kept=Kept.REJECT, now_s=now_s - 40 * DAY_S)
    with sqlite.writing() as session:
        session.add_all(rows)
    said: list[str] = []
    task = Task(site=site, folder=site.results, author="upkeep", progress=lambda *_: None, say=said.append)
    kind = KINDS["tiering"]
    for _ in range(2):
        done = kind.run(kind.options(), task)
        assert (done["failed"], done["more"]) == (1, False)
    assert kept.known(sound).tier == "nearline"
    assert (done["removed"], kept.known(damaged).tier) == (0, "hot")
    assert "is damaged. Bring it back from a backup" in said[0]
    assert list(done["faults"]) == said[:1]


def test_a_run_ends_where_the_shelf_does_not_answer(
    sqlite: Database, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, now_s = site.kept_pictures(sqlite), time.time()
    for brightest in range(60, 64):
        kept.keep(picture(brightest), kept=Kept.REJECT, now_s=now_s - 40 * DAY_S)

    def away(digest: str, most_bytes: int) -> bytes:
        raise StoreAway("bucket: does not answer.")

    monkeypatch.setattr(kept.shelf(Tier.HOT), "get", away)
    monkeypatch.setattr(tiering, "_MOST_AWAY", 3)
    done = tiering.move(kept, now_s=now_s)
    assert (done.failed, done.more) == (3, True)


def test_what_lookouts_clients_train_is_a_job_like_others(sqlite: Database, site: Site) -> None:
    trainer = JobTrainer(sqlite, Jobs(sqlite, site, workers=0))
    folder = site.data / "lookout" / "cap"
    params = {"data": str(folder / "1.csv"), "output": str(folder / "1.sight"), "name": "cap", "version": "1"}
    job = trainer.start("train", params)
    assert trainer.progress(job).state == "waiting"
    with sqlite.reading() as session:
        assert queue.job(session, job).params["output"] == "lookout/cap/1.sight"
