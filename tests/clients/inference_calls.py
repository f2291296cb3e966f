"""What people's programs do with tritonclient's HTTP client, against the server at argv[1]; prints one JSON document.

python inference_calls.py URL BAD HEIGHT WIDTH
"""

import base64
import json
import sys
from pathlib import Path

import numpy as np
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

url, bad, height, width = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
client = triton.InferenceServerClient(url.removeprefix("http://"))


def encoded():
    given = triton.InferInput("image", [2], "BYTES")
    given.set_data_from_numpy(np.array([bad.read_bytes()] * 2, dtype=np.object_))
    return given


def written():
    given = triton.InferInput("image", [1], "BYTES")
    text = base64.b64encode(bad.read_bytes()).decode()
    given.set_data_from_numpy(np.array([text], dtype=np.object_), binary_data=False)
    return given


def pixels():
    values = np.full((height, width, 1), 50, np.uint8)
    values[16:24, 8:16] = 200
    given = triton.InferInput("image", list(values.shape), "UINT8")
    given.set_data_from_numpy(values)
    return given


def infer(given, binary=None):
    names = ("score", "verdict", "anomalous")
    outputs = None if binary is None else [triton.InferRequestedOutput(name, binary_data=binary) for name in names]
    result = client.infer("cap", [given], outputs=outputs, request_id="7")
    verdicts = [v.decode() if isinstance(v, bytes) else v for v in result.as_numpy("verdict")]
    return [result.as_numpy("score").tolist(), verdicts, result.as_numpy("anomalous").tolist()]


def refused(call, *arguments):
    try:
        call(*arguments)
    except InferenceServerException as error:
        return str(error)
    return None


metadata = client.get_model_metadata("cap")
print(
    json.dumps(
        {
            "live": client.is_server_live(),
            "ready": client.is_server_ready(),
            "model": client.is_model_ready("cap"),
            "version": client.is_model_ready("cap", "1"),
            "other": client.is_model_ready("lid"),
            "server": client.get_server_metadata()["extensions"],
            "outputs": [output["name"] for output in metadata["outputs"]],
            "jpeg binary": infer(encoded(), True),
            "jpeg json": infer(encoded(), False),
            "jpeg unnamed": infer(encoded()),
            "base64": infer(written(), False),
            "pixels": infer(pixels(), True),
            "no model": refused(client.infer, "lid", [pixels()]),
        }
    )
)
