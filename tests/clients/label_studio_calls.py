"""The real Label Studio with the plant server at argv[1] as its backend: from pictures to trained models, as JSON.

python label_studio_calls.py URL KEY PICTURES FOLDER

PICTURES holds good-N.png and bad-N.png. Label Studio keeps its data in FOLDER, the server reads FOLDER/media/upload.
"""

import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import requests

url, key = sys.argv[1:3]
pictures, folder = map(Path, sys.argv[3:5])
USER, PASSWORD = "ada@example.com", "a-long-password-1"
START_S, WITHIN_S = 600, 300
CHOICES = '<Choices name="choice" toName="image"><Choice value="good"/><Choice value="dent"/></Choices>'
REGIONS = (
    '<RectangleLabels name="box" toName="image"><Label value="anomaly"/></RectangleLabels>'
    '<BrushLabels name="brush" toName="image"><Label value="anomaly"/></BrushLabels>'
)
ALL = {"selectedItems": {"all": True, "excluded": []}}
plant = requests.Session()
plant.headers["Authorization"] = f"Bearer {key}"


@contextmanager
def label_studio():
    """A session that is logged in."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "ML_BLOCK_LOCAL_IP": "false",  # the server is on this machine
        "SSRF_PROTECTION_ENABLED": "false",  # likewise, for its webhook
        "LABEL_STUDIO_DISABLE_ANALYTICS": "true",
        "COLLECT_ANALYTICS": "false",
    }
    program = Path(sys.executable).with_name("label-studio")
    account = ["--username", USER, "--password", PASSWORD]
    place = ["--port", str(port), "--internal-host", "127.0.0.1", "--data-dir", str(folder), "--no-browser"]
    with (folder.parent / "label-studio.log").open("wb") as log:
        process = subprocess.Popen([program, "start", *place, *account], env=environment, stdout=log, stderr=log)
        try:
            yield logged_in(f"http://127.0.0.1:{port}", process)
        finally:
            process.terminate()
            process.wait(60)


def logged_in(address, process):
    studio = requests.Session()
    until(lambda: is_up(address, process), START_S)
    studio.get(f"{address}/user/login/", timeout=60)
    form = {"email": USER, "password": PASSWORD, "csrfmiddlewaretoken": studio.cookies["csrftoken"]}
    studio.post(f"{address}/user/login/", data=form, timeout=60)
    studio.headers["X-CSRFToken"] = studio.cookies["csrftoken"]

    def call(method, path, **what):
        answer = studio.request(method, f"{address}{path}", timeout=120, **what)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text[:500]}"
        return answer.json() if answer.content else None

    return call


def is_up(address, process):
    assert process.poll() is None, "Label Studio ended"
    try:
        return requests.get(f"{address}/health", timeout=10).ok
    except requests.ConnectionError:
        return False


def until(ask, seconds=WITHIN_S):
    end = time.monotonic() + seconds
    while not (found := ask()):
        assert time.monotonic() < end, "did not come about in time"
        time.sleep(0.5)
    return found


def project(call, title, controls, kinds):
    """A project with pictures, and its tasks."""
    config = f'<View><Image name="image" value="$image"/>{controls}</View>'
    number = call("POST", "/api/projects/", json={"title": title, "label_config": config})["id"]
    for path in sorted(path for kind in kinds for path in pictures.glob(kind)):
        call("POST", f"/api/projects/{number}/import", files={"file": (path.name, path.read_bytes(), "image/png")})
    return number, call("GET", f"/api/tasks/?project={number}&fields=all&page_size=100")["tasks"]


def connect(call, number, secret):
    """Connect the backend as its page of the settings does; the answer, whatever it is."""
    backend = {"url": f"{url}/label-studio/cap", "project": number, "title": "sightline", "auth_method": "BASIC_AUTH"}
    return call("POST", "/api/ml/", json=backend | {"basic_auth_user": "any", "basic_auth_pass": secret})


def refused(call, number):
    try:
        return connect(call, number, "sk_not_a_key")["state"]
    except AssertionError as error:
        return str(error)


def trainings():
    found = plant.get(f"{url}/api/v1/jobs", params={"kind": "train"}, timeout=60).json()["jobs"]
    return [(job["id"], job["state"], job["message"], job["result"]) for job in found]


def trained(which):
    """The state and the model of the n-th training, the oldest first, when it has ended."""
    ended = until(lambda: [job for job in trainings()[::-1][which:] if job[1] in ("done", "failed", "cancelled")])
    return [ended[0][1], ended[0][2] if ended[0][3] is None else ended[0][3]["model"]]


def predicted(call):
    """What the pictures of a project with every kind of control are shown with beforehand."""
    number, tasks = project(call, "regions", REGIONS + CHOICES, ("good-0.png", "bad-0.png"))
    state = connect(call, number, key)["state"]
    call("POST", f"/api/dm/actions?id=retrieve_tasks_predictions&project={number}", json=ALL)
    shown = {}
    for task in tasks:
        found = until(lambda task=task: call("GET", f"/api/tasks/{task['id']}/")["predictions"])[0]
        kind = "good" if "good" in task["data"]["image"] else "bad"
        shown[kind] = {"model": found["model_version"], "score": found["score"], "result": found["result"]}
    return state, shown


def learnt(call):
    """Annotate every picture of a project; the trainings that this, and its button, start."""
    number, tasks = project(call, "classes", CHOICES, ("*.png",))
    backend = connect(call, number, key)
    hook = next(hook for hook in call("GET", f"/api/webhooks/?project={number}") if "/label-studio/" in hook["url"])
    header = {"Authorization": f"Bearer {key}"}  # which it does not take over from the backend
    call("PATCH", f"/api/webhooks/{hook['id']}/", json={"headers": header})
    for task in tasks:
        chosen = "good" if "good" in task["data"]["image"] else "dent"
        value = {"from_name": "choice", "to_name": "image", "type": "choices", "value": {"choices": [chosen]}}
        call("POST", f"/api/tasks/{task['id']}/annotations/", json={"result": [value]})
    first = trained(0)
    call("POST", f"/api/ml/{backend['id']}/train", json={})
    return first, trained(1)


with label_studio() as call:
    empty = call("POST", "/api/projects/", json={"title": "no key"})["id"]
    unknown = refused(call, empty)
    state, shown = predicted(call)
    first, again = learnt(call)
print(
    json.dumps(
        {
            "unknown": unknown,
            "state": state,
            "shown": shown,
            "first": first,
            "again": again,
            "versions": {"label-studio": version("label-studio")},
        }
    )
)
