"""The larger clients that people already have, unchanged, against a server here: what each one got.

    python benchmarks/clients.py [--clients vertex label_studio]

Each client is installed into an environment of its own (scripts/clients, 300 MB to 1 GB, once) and runs the calls
of tests/clients/NAME_calls.py. The program fails where an answer is not the expected one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tables import RESULTS, Cell, write_table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests' server and models

from tests.service.server import application, picture, plant_in, running, sight  # noqa: E402 - the path comes first
from tests.service.test_serve import running as served  # noqa: E402

from sightline.service.opening import open_plant  # noqa: E402
from sightline.service.rights import Role  # noqa: E402
from sightline.service.settings import JobSettings, Settings, StoreSettings  # noqa: E402
from sightline.store import keys, models  # noqa: E402

Said = dict[str, Any]
MODEL = "cap"
OF_A_KIND = 12  # pictures that are annotated


@contextmanager
def without_login(folder: Path) -> Iterator[list[object]]:
    """A server with one model, and a picture that it rejects."""
    bad = folder / "bad.png"
    bad.write_bytes(picture(200))
    with plant_in(folder) as plant, running(application(plant)) as url:
        plant.serving.load(MODEL, sight(folder / "cap.sight"))
        yield [url, bad]


@contextmanager
def with_login(folder: Path) -> Iterator[list[object]]:
    """`sightline serve` with its jobs, a key, pictures of both kinds, and the client's folder."""
    pictures, studio = folder / "pictures", folder / "studio"
    pictures.mkdir()
    (studio / "media" / "upload").mkdir(parents=True)
    for number in range(OF_A_KIND):
        for kind, brightest in (("good", 60), ("bad", 200)):
            (pictures / f"{kind}-{number}.png").write_bytes(picture(brightest + number))
    settings = folder / "server.toml"
    every = f"uploads = {json.dumps(str(studio / 'media' / 'upload'))}\ntrain_every = {2 * OF_A_KIND}\n"
    settings.write_text(f"[label_studio]\n{every}", encoding="utf-8")
    key = _kept(folder / "plant", sight(folder / "cap.sight"))
    with served(str(settings), "--folder", str(folder / "plant")) as server:
        yield [server.url, key, pictures, studio]


def _kept(folder: Path, file: Path) -> str:
    """A plant whose current model is that file; a key of a quality engineer."""
    settings = Settings(store=StoreSettings(folder=folder), jobs=JobSettings(workers=0))
    with open_plant(settings, {}) as plant:
        known = models.add(
            plant.database, plant.models, file, models.Upload(name=MODEL, author="ada", note=""), now_s=time.time()
        )
        change = models.Change(by="ada", reason="the first one")
        models.promote(plant.database, MODEL, known.version, change, now_s=time.time())
        wanted = keys.Wanted(name="label studio", role=Role.QUALITY_ENGINEER)
        return keys.make(plant.database, wanted, by="ada", now_s=time.time())[1]


def vertex(said: Said) -> dict[str, bool]:
    """What google-cloud-aiplatform must have got for a part with one defect of 8 x 8 of 64 x 48 pixels."""
    boxes = said["boxes"][0]["bboxes"]
    return {
        "Endpoint(name), display_name": said["name"] == MODEL,
        "Endpoint.predict, two instances": [one["displayNames"] for one in said["predictions"]] == [["anomaly"]] * 2,
        "model and version": said["model"].endswith("/models/cap") and said["version"] == "1",
        "boxes as x, x, y, y": [[round(side, 4) for side in box] for box in boxes] == [[0.125, 0.25, 0.3333, 0.5]],
        "PredictionServiceClient over REST": said["low"][0]["displayNames"][0] == "anomaly",
        "a typed error for what is no picture": said["refused"] == ["BadRequest", 400],
    }


def label_studio(said: Said) -> dict[str, bool]:
    """What Label Studio must have got and kept of the same part, and what its annotations must have brought about."""
    bad, good = ({one["type"]: one["value"] for one in said["shown"][kind]["result"]} for kind in ("bad", "good"))
    box = bad.get("rectanglelabels", {})
    sides = [round(box.get(name, 0), 2) for name in ("x", "y", "width", "height")]
    return {
        "connect with a wrong key: refused": said["unknown"] != "CO",
        "connect with basic authentication": said["state"] == "CO",
        "pre-annotation: box": sides == [12.5, 33.33, 12.5, 16.67] and box["rectanglelabels"] == ["anomaly"],
        "pre-annotation: brush": bad.get("brushlabels", {}).get("brushlabels") == ["anomaly"],
        "pre-annotation: choice": bad.get("choices") == {"choices": ["dent"]},
        "pre-annotation: a good part's choice, and nothing else": good == {"choices": {"choices": ["good"]}},
        "annotations submitted: a model was trained": said["first"] == ["done", f"{MODEL}/2"],
        "Start training: a model was trained": said["again"][0] == "done",
    }


@dataclass(frozen=True, kw_only=True)
class Client:
    """One program of other people."""

    server: Callable[[Path], AbstractContextManager[list[object]]]  # yields the arguments of its calls
    judged: Callable[[Said], dict[str, bool]]


CLIENTS = {
    "vertex": Client(server=without_login, judged=vertex),
    "label_studio": Client(server=with_login, judged=label_studio),
}


def calls(name: str) -> Said:
    """What a client's calls print."""
    python = subprocess.run([ROOT / "scripts" / "clients", name], check=True, stdout=subprocess.PIPE, text=True).stdout
    program = ROOT / "tests" / "clients" / f"{name}_calls.py"
    with tempfile.TemporaryDirectory() as folder, CLIENTS[name].server(Path(folder)) as arguments:
        words = [python.strip(), str(program), *map(str, arguments)]
        done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    said: Said = json.loads(done.stdout)
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, default=list(CLIENTS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    worked = [told(name, options.out) for name in options.clients]
    return 0 if all(worked) else 1


def told(name: str, out: Path) -> bool:
    """Run one client and write its table; whether all of its calls work."""
    said = calls(name)
    library = " ".join(f"{one} {version}" for one, version in said["versions"].items())
    judged = CLIENTS[name].judged(said)
    rows: list[dict[str, Cell]] = [
        {"client": library, "call": call, "works": "yes" if works else "NO"} for call, works in judged.items()
    ]
    command = f"python benchmarks/clients.py --clients {name}"
    page = write_table(out, f"clients-{name.replace('_', '-')}", rows, title=f"{library}, unchanged", command=command)
    print(page.read_text(encoding="utf-8"))
    if not all(judged.values()):
        print(json.dumps(said, indent=1), file=sys.stderr)
    return all(judged.values())


if __name__ == "__main__":
    sys.exit(main())
