"""What the server adds to the model, with the clients that people have, and what judging together brings.

    python benchmarks/serving.py [--rounds 40] [--clients 16] [--pictures 64] [--turns 5]

Overhead: a client's time for one picture less the time that the model itself took for that very picture, decoding
included, and less what the client's library takes by itself, found with a server that answers at once; one client at a
time. Throughput: two servers at once, one that judges pictures one by one with all cores and
one that judges as many together as there are cores; they take turns in one run.
"""

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import onnx
from numpy.typing import NDArray

from replay import replayed
from sightline.datasets.opening import open_dataset
from sightline.imaging.decode import read_frame
from sightline.models.backbone import load_backbone
from sightline.models.graph import open_session
from sightline.synthesis.collection import Counts, write_dataset
from sightline.synthesis.parts import PartConfig
from sightline.training import TrainConfig, train
from tables import RESULTS, Cell, write_table

ROOT = Path(__file__).resolve().parent.parent
PICTURE_BYTES = 500_000
START_S = 120.0
_BATCHES = (1, 2, 4, 8)


def make(folder: Path) -> tuple[Path, Path]:
    """A model of rendered parts, and a photograph of 1600 x 1200 pixels and some 500 KB of one of them."""
    write_dataset(folder / "parts", PartConfig(), Counts(good_train=16, good_test=1, per_defect=1))
    train(open_dataset(folder / "parts"), folder / "cap.sight", TrainConfig())
    part = read_frame(next((folder / "parts" / "test" / "good").glob("*.png"))).pixels
    large = cv2.resize(part, (1600, 1200), interpolation=cv2.INTER_CUBIC).reshape(1200, 1600, -1)
    noise = np.random.default_rng(0).normal(0, 9, large.shape)
    noisy = np.clip(large + noise, 0, 255).astype(np.uint8)
    files = (cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, quality])[1] for quality in range(95, 40, -1))
    picture = folder / "part.jpg"
    picture.write_bytes(next(file.tobytes() for file in files if file.size <= PICTURE_BYTES))
    return folder / "cap.sight", picture


@contextmanager
def server(model: Path, workers: int, port: int) -> Iterator[str]:
    """Its address; a process of its own."""
    program = "from sightline.cli.main import main; main()"
    command = [sys.executable, "-c", program, "serve", "--dev", "--model", f"cap={model}", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, "SIGHTLINE_SERVING_WORKERS": str(workers)})
    url = f"http://127.0.0.1:{port}"
    try:
        end = time.monotonic() + START_S
        while not _answers(url) and process.poll() is None and time.monotonic() < end:
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait()


def _answers(url: str) -> bool:
    try:
        return _connection(url).status_of("/v2/health/ready") == 200
    except OSError:
        return False


class _Connection(http.client.HTTPConnection):
    def status_of(self, path: str, body: bytes | None = None) -> int:
        self.request("GET" if body is None else "POST", path, body)
        reply = self.getresponse()
        reply.read()
        return reply.status


def _connection(url: str) -> _Connection:
    return _Connection(urlsplit(url).netloc, timeout=START_S)


def throughput(url: str, picture: bytes, clients: int, pictures: int) -> float:
    """Pictures per second of so many clients together."""
    left = threading.Semaphore(pictures)
    statuses: list[int] = []

    def ask() -> None:
        connection = _connection(url)
        while left.acquire(blocking=False):
            statuses.append(connection.status_of("/api/v1/inspect", picture))
        connection.close()

    threads = [threading.Thread(target=ask) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took_s = time.perf_counter() - started
    assert statuses == [200] * pictures, f"not all were judged: {sorted(set(statuses))}"
    return pictures / took_s


def overhead(kind: str, url: str, picture: Path, rounds: int) -> dict[str, Cell]:
    """A row: what the server adds for one client, milliseconds."""
    place = urlsplit(url)
    assert place.hostname is not None
    assert place.port is not None
    with replayed(place.hostname, place.port) as instead:
        client = float(np.median(_asked_by(kind, instead, picture, rounds)[0]))
    whole, model = _asked_by(kind, url, picture, rounds)
    row: dict[str, Cell] = {"client": {"lookout": "boto3", "inference": "tritonclient"}[kind]}
    for name, times in (("whole", whole), ("model", model), ("overhead", whole - model - client)):
        p50, p95 = np.percentile(times, (50, 95))
        row |= {f"{name} p50 ms": float(p50), f"{name} p95 ms": float(p95)}
    return row | {"client alone ms": client}


def _asked_by(kind: str, url: str, picture: Path, rounds: int) -> NDArray[np.float64]:
    """(2, rounds) milliseconds: the whole of each call, and of these the model's."""
    python = subprocess.run([ROOT / "scripts" / "clients", kind], check=True, capture_output=True, text=True).stdout
    program = str(ROOT / "benchmarks" / "serving_client.py")
    command = [python.strip(), program, kind, url, str(picture), str(rounds)]
    told = subprocess.run(command, check=True, capture_output=True, text=True, env={"PATH": os.environ["PATH"]})
    return np.array(json.loads(told.stdout), np.float64).T


def batches() -> list[dict[str, Cell]]:
    """Rows: the backbone's time for a picture with one core, by how many are in one graph run."""
    model: onnx.ModelProto = load_backbone().model
    session = open_session(model, threads=1)
    port = session.get_inputs()[0].name
    rows: list[dict[str, Cell]] = []
    for count in _BATCHES:
        pictures = np.random.default_rng(0).random((count, 3, 256, 256), np.float32)
        session.run(None, {port: pictures})
        started = time.perf_counter()
        for _ in range(5):
            session.run(None, {port: pictures})
        each_ms = (time.perf_counter() - started) / 5 / count * 1e3
        rows.append({"pictures in one graph run": count, "backbone ms each": each_ms})
    return rows


def rates(model: Path, picture: bytes, options: argparse.Namespace) -> list[dict[str, Cell]]:
    """Rows: pictures per second one by one and together, turn by turn."""
    kinds = {"one by one, all cores": 1, f"{os.cpu_count()} together, a core each": os.cpu_count() or 1}
    found: dict[str, list[float]] = {kind: [] for kind in kinds}
    with ExitStack() as stack:
        urls = {
            kind: stack.enter_context(server(model, workers, options.port + 1 + place))
            for place, (kind, workers) in enumerate(kinds.items())
        }
        for turn in range(options.turns + 1):
            for kind, url in urls.items():
                rate = throughput(url, picture, options.clients, options.pictures)
                if turn:  # the first warms up
                    found[kind].append(rate)
    first = float(np.median(next(iter(found.values()))))
    medians = {kind: float(np.median(each)) for kind, each in found.items()}
    return [
        {"judged": kind, "pictures per second": rate, "times one by one": rate / first}
        for kind, rate in medians.items()
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--pictures", type=int, default=64, help="of a turn")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--port", type=int, default=18650)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--note", default="", help="what else ran on the machine")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        model, picture = make(Path(folder))
        size = picture.stat().st_size
        with server(model, os.cpu_count() or 1, options.port) as url:
            rows = [overhead(kind, url, picture, options.rounds) for kind in ("lookout", "inference")]
        rows += rates(model, picture.read_bytes(), options) + batches()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    notes = [
        f"A JPEG of 1600 x 1200 pixels and {size // 1000} KB. Goals: an overhead of at most 5 ms at p95, and 1.5 times "
        f"as many pictures per second with {options.clients} clients. {options.note}".strip()
    ]
    command = " ".join(["python benchmarks/serving.py", *sys.argv[1:]])
    filled = [{name: row.get(name) for name in columns} for row in rows]
    page = write_table(
        options.out, "serving", filled, title="The server beside the model", command=command, notes=notes
    )
    print(page.read_text(encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
