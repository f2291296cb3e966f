"""By hand: the real Label Studio (1 GB to install, a minute to start) with our backend, from picture to training.

python tests/clients/label_studio.py --environment FOLDER    FOLDER: of a virtual environment, made where it is missing
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.service.operations.conftest import application  # noqa: E402
from tests.service.operations.test_label_studio import CONFIG, FOUND, PICTURE  # noqa: E402
from tests.service.plants import plant_with  # noqa: E402

from sightline.records import Inspection  # noqa: E402
from sightline.service.job_task import Site  # noqa: E402
from sightline.service.jobs import Jobs  # noqa: E402
from sightline.service.outbound import Reach  # noqa: E402
from sightline.service.plant import Plant  # noqa: E402
from sightline.service.protocols.label_studio import router  # noqa: E402
from sightline.service.protocols.label_tasks import LabelStudio  # noqa: E402
from sightline.service.webhooks import Sender  # noqa: E402
from sightline.store import jobs as queue  # noqa: E402
from sightline.store.database import Database  # noqa: E402
from sightline.store.schema import Base  # noqa: E402

VERSION = "1.23.2"
USER, PASSWORD = "ada@example.com", "a-long-password-1"
WITHIN_S = 600


def main() -> None:
    """Raises AssertionError or HTTPStatusError where the loop breaks."""
    options = argparse.ArgumentParser()
    options.add_argument("--environment", type=Path, required=True)
    program = installed(options.parse_args().environment)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        database = Database(f"sqlite:///{folder / 'plant.db'}")
        Base.metadata.create_all(database.engine)
        with application(plant(database, folder), router) as backend, started(program, folder / "ls") as studio:
            loop(studio, str(backend.base_url), database)
        database.close()
    print("Label Studio", VERSION, "connected, got a prediction, and started trainings")


def installed(environment: Path) -> Path:
    program = environment / "bin" / "label-studio"
    if not program.exists():
        venv.create(environment, with_pip=True)
        pip = [str(environment / "bin" / "python"), "-m", "pip", "install", "-q", f"label-studio=={VERSION}"]
        subprocess.run(pip, check=True)
    return program


def plant(database: Database, folder: Path) -> Plant:
    for name in ("data", "ls/media/upload"):
        (folder / name).mkdir(parents=True)
    jobs = Jobs(database, Site(database="", data=folder / "data", models=folder, results=folder))

    def judge(_: str, picture: bytes) -> Inspection:
        assert picture == PICTURE
        return FOUND

    studio = LabelStudio(
        judge=judge,
        classes=lambda _: ("good", "scratch"),
        database=database,
        jobs=jobs,
        reach=Reach(),
        uploads=folder / "ls" / "media" / "upload",
        train_every=1,
    )
    return plant_with(database=database, jobs=jobs, sender=Sender(database, Reach()), label_studio=studio)


class started:  # noqa: N801 - reads as a verb in `with`
    """The real server, and a client that is logged in."""

    def __init__(self, program: Path, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = os.environ | {
            "ML_BLOCK_LOCAL_IP": "false",
            "SSRF_PROTECTION_ENABLED": "false",
            "LABEL_STUDIO_DISABLE_ANALYTICS": "true",
            "COLLECT_ANALYTICS": "false",
            "PYTHONPATH": "",
        }
        account = ["--username", USER, "--password", PASSWORD]
        place = ["--port", str(port), "--internal-host", "127.0.0.1", "--data-dir", str(folder), "--no-browser"]
        self._log = (folder.parent / "ls.log").open("wb")
        self._process = subprocess.Popen(
            [str(program), "start", *place, *account], env=environment, stdout=self._log, stderr=self._log
        )
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=120, follow_redirects=True)

    def __enter__(self) -> httpx.Client:
        deadline = time.monotonic() + WITHIN_S
        while True:
            try:
                if self._client.get("/health").status_code == 200:
                    break
            except httpx.HTTPError:
                pass
            assert self._process.poll() is None, "Label Studio ended"
            assert time.monotonic() < deadline, "Label Studio did not start"
            time.sleep(0.5)
        self._client.get("/user/login/")
        token = self._client.cookies["csrftoken"]
        self._client.post("/user/login/", data={"email": USER, "password": PASSWORD, "csrfmiddlewaretoken": token})
        self._client.headers["X-CSRFToken"] = self._client.cookies["csrftoken"]
        return self._client

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self._process.terminate()
        self._process.wait(60)
        self._log.close()


def loop(studio: httpx.Client, backend: str, database: Database) -> None:
    def call(method: str, path: str, **what: Any) -> Any:
        answer = studio.request(method, path, **what)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    project = call("POST", "/api/projects/", json={"title": "caps", "label_config": CONFIG})["id"]
    call("POST", f"/api/projects/{project}/import", files={"file": ("a.png", PICTURE, "image/png")})
    url = f"{backend.rstrip('/')}/label-studio/cap"
    connected = call("POST", "/api/ml/", json={"url": url, "project": project, "title": "sightline"})
    print("connected:", connected["state"])
    task = call("GET", f"/api/tasks/?project={project}&fields=all")["tasks"][0]["id"]
    chosen = {"selectedItems": {"all": True, "excluded": []}}
    call("POST", f"/api/dm/actions?id=retrieve_tasks_predictions&project={project}", json=chosen)
    found = until(lambda: call("GET", f"/api/tasks/{task}/")["predictions"])
    assert [one["type"] for one in found[0]["result"]] == ["rectanglelabels", "brushlabels", "choices"]
    print("prediction:", found[0]["model_version"], found[0]["score"])
    call("POST", f"/api/tasks/{task}/annotations/", json={"result": found[0]["result"]})
    until(lambda: trainings(database))
    print("annotation: started a training")
    call("POST", f"/api/ml/{connected['id']}/train", json={})


def trainings(database: Database) -> list[queue.Told]:
    with database.reading() as session:
        return queue.jobs(session, kind="train")


def until(ask: Any) -> Any:
    deadline = time.monotonic() + 120
    while not (found := ask()):
        assert time.monotonic() < deadline, "did not come about in time"
        time.sleep(0.5)
    return found


if __name__ == "__main__":
    main()
