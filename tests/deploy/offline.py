"""By hand, as it takes minutes: fill a wheelhouse, install from it with no network at all, run the server, inspect.

python tests/deploy/offline.py [--wheels FOLDER]    FOLDER: where the wheelhouse is made, or is already

The second half runs in a network namespace of its own, which has a loopback interface and nothing else.
"""

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
START_S = 300
PICTURE = "good/000.png"


def main() -> None:
    """Raises CalledProcessError or AssertionError where a step fails."""
    options = argparse.ArgumentParser()
    options.add_argument("--wheels", type=Path)
    options.add_argument("--inside", type=Path)
    given = options.parse_args()
    if given.inside:
        install(given.inside, given.wheels)
        return
    with tempfile.TemporaryDirectory() as folder:
        wheels, site = given.wheels or Path(folder) / "wheels", Path(folder) / "site"
        if not (wheels / "SHA256SUMS").is_file():
            run("scripts/wheelhouse", str(wheels), PYTHON=sys.executable)
        site.mkdir()
        render(site / "parts")
        program = [sys.executable, __file__, "--inside", str(site), "--wheels", str(wheels.absolute())]
        run("unshare", "-rn", "sh", "-c", 'ip link set lo up && exec "$@"', "sh", *program)


def render(folder: Path) -> None:
    """Pictures to learn from; the machine without a network gets its own from its cameras."""
    script = (
        "from pathlib import Path; import sys, cv2, numpy as np\n"
        "folder = Path(sys.argv[1]) / 'good'; folder.mkdir(parents=True); chance = np.random.default_rng(0)\n"
        "for number in range(12):\n"
        "    grey = chance.normal(120, 6, (128, 128)).clip(0, 255).astype(np.uint8)\n"
        "    cv2.imwrite(str(folder / f'{number:03}.png'), cv2.circle(grey, (64, 64), 40, 200, -1))\n"
    )
    run(sys.executable, "-c", script, str(folder))


def install(site: Path, wheels: Path) -> None:
    """What docs/deploy.md tells, then a model, the server, and one picture judged by it."""
    names = [name for _, name in socket.if_nameindex()]
    assert names == ["lo"], f"there is a network here: {names}"
    begun = time.monotonic()
    environment = site / "sightline"
    run(sys.executable, "-m", "venv", str(environment))
    run("sh", "-c", f"cd '{wheels}' && sha256sum --quiet -c SHA256SUMS")
    pip = [str(environment / "bin" / "pip"), "install", "--quiet", "--no-index", "--find-links", str(wheels)]
    run(*pip, "sightline[server]")
    run(str(environment / "bin" / "pip"), "check")
    seconds = time.monotonic() - begun
    program = str(environment / "bin" / "sightline")
    model = site / "cap.sight"
    run(program, "train", str(site / "parts"), "-o", str(model), "--size", "128x128")
    with serving(program, model) as url:
        assert json.load(urllib.request.urlopen(f"{url}/healthz", timeout=60)), "says nothing"
        picture = (site / "parts" / PICTURE).read_bytes()
        found = json.load(urllib.request.urlopen(f"{url}/api/v1/inspect", picture, timeout=60))
        assert found["verdict"] in ("PASS", "REJECT"), found
        assert found["fault"] is None, found
        page = urllib.request.urlopen(f"{url}/docs", timeout=60).read()
        assert b"<html" in page, "the page of the API is missing"
    count = len(list(wheels.glob("*.whl")))
    print(f"installed {count} wheels without a network in {seconds:.0f} s; served, and judged {found['verdict']}")


@contextmanager
def serving(program: str, model: Path) -> Iterator[str]:
    """The address of the installed server."""
    words = [program, "serve", "--dev", "--port", "0", "--model", f"cap={model}"]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True, env=clean()) as process:
        assert process.stderr is not None
        try:
            said = ""
            for line in process.stderr:
                said += line
                if found := re.search(r"serving at (http://[0-9.:]+)", line):
                    break
            else:
                raise AssertionError(f"the server ended: {said}")
            yield found[1]
        finally:
            process.terminate()
            process.wait(START_S)


def clean() -> dict[str, str]:
    """The environment without what tells pip or Python of other places."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON"))}


def run(*command: str, **more: str) -> None:
    environment = os.environ | more if more else clean() | {"PIP_CONFIG_FILE": os.devnull}
    subprocess.run(command, check=True, cwd=ROOT, env=environment)


if __name__ == "__main__":
    main()
