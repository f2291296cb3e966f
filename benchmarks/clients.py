"""The larger clients that people already have, unchanged, against a server here: what each one got.

    python benchmarks/clients.py [--clients vertex]

Each client is installed into an environment of its own (scripts/clients, several hundred MB, once) and runs the calls
of tests/clients/NAME_calls.py. The program fails where an answer is not the expected one.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tables import RESULTS, Cell, write_table

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tests' server and models

from tests.service.server import application, picture, plant_in, running, sight  # noqa: E402 - the path comes first


def vertex(said: dict[str, Any]) -> dict[str, bool]:
    """What google-cloud-aiplatform must have got for a part with one defect of 8 x 8 of 64 x 48 pixels."""
    boxes = said["boxes"][0]["bboxes"]
    return {
        "Endpoint(name), display_name": said["name"] == "cap",
        "Endpoint.predict, two instances": [one["displayNames"] for one in said["predictions"]] == [["anomaly"]] * 2,
        "model and version": said["model"].endswith("/models/cap") and said["version"] == "1",
        "boxes as x, x, y, y": [[round(side, 4) for side in box] for box in boxes] == [[0.125, 0.25, 0.3333, 0.5]],
        "PredictionServiceClient over REST": said["low"][0]["displayNames"][0] == "anomaly",
        "a typed error for what is no picture": said["refused"] == ["BadRequest", 400],
    }


CLIENTS: dict[str, Callable[[dict[str, Any]], dict[str, bool]]] = {"vertex": vertex}


def calls(name: str) -> dict[str, Any]:
    """What a client's calls print."""
    python = subprocess.run([ROOT / "scripts" / "clients", name], check=True, capture_output=True, text=True).stdout
    with tempfile.TemporaryDirectory() as folder:
        bad = Path(folder) / "bad.png"
        bad.write_bytes(picture(200))
        with plant_in(Path(folder)) as plant, running(application(plant)) as url:
            plant.serving.load("cap", sight(Path(folder) / "cap.sight"))
            program = ROOT / "tests" / "clients" / f"{name}_calls.py"
            done = subprocess.run([python.strip(), program, url, bad], check=True, capture_output=True, text=True)
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", nargs="+", choices=CLIENTS, default=list(CLIENTS))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    rows: list[dict[str, Cell]] = []
    for name in options.clients:
        said = calls(name)
        library = " ".join(f"{one} {version}" for one, version in said["versions"].items())
        rows += [
            {"client": library, "call": call, "works": "yes" if works else "NO"}
            for call, works in CLIENTS[name](said).items()
        ]
    command = " ".join(["python benchmarks/clients.py", *sys.argv[1:]])
    title = "The larger clients, unchanged"
    page = write_table(options.out, "clients", rows, title=title, command=command)
    print(page.read_text(encoding="utf-8"))
    return 0 if all(row["works"] == "yes" for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
