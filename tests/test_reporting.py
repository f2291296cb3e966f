"""Nothing that judges tells anybody: the runtime's own reports are turned off before it is loaded."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

JUDGES = """
from sightline.models.graph import GraphBuilder, open_session
from onnx import TensorProto
import numpy as np
import os
graph = GraphBuilder()
graph.rename("image", "score")
shape = ["N"]
session = open_session(graph.build([("image", TensorProto.FLOAT, shape)], [("score", shape)]))
session.run(None, {"image": np.ones(3, np.float32)})
print(*(os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd") if one.isdigit()
        and os.path.exists(f"/proc/self/fd/{one}")), sep="\\n")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
def test_judging_leaves_no_database_of_reports_and_no_connection(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    done = subprocess.run(
        [sys.executable, "-c", JUDGES], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout, "it judged, and told what it has open"
    assert not [one for one in done.stdout.splitlines() if "onnxruntime" in one or one.startswith("socket:")]
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]
