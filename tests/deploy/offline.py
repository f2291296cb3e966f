"""By hand, as it takes minutes: fill a wheelhouse, install from it alone into a fresh environment, and run it.

python tests/deploy/offline.py
"""

import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    """Raises CalledProcessError where a step fails."""
    with tempfile.TemporaryDirectory() as folder:
        wheels, environment = Path(folder) / "wheels", Path(folder) / "environment"
        run(str(ROOT / "scripts" / "wheelhouse"), str(wheels), PYTHON=sys.executable)
        venv.create(environment, with_pip=True)
        python = str(environment / "bin" / "python")
        # no index, and a proxy that is not there: nothing can come from elsewhere
        nowhere = {"PIP_CONFIG_FILE": os.devnull, "HTTPS_PROXY": "http://127.0.0.1:9", "PYTHONPATH": ""}
        run(
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "--no-index",
            "--find-links",
            str(wheels),
            "sightline[server]",
            **nowhere,
        )
        run(python, "-m", "pip", "check", **nowhere)
        run(str(environment / "bin" / "sightline"), "--version", **nowhere)
        run(python, "-c", "import fastapi, sqlalchemy, sightline.service.routes.jobs", **nowhere)
    print("installed from the wheelhouse alone")


def run(*command: str, **environment: str) -> None:
    subprocess.run(command, check=True, cwd=ROOT, env=os.environ | environment)


if __name__ == "__main__":
    main()
