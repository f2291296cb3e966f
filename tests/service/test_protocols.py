"""Other systems' calls, byte for byte as their clients send them, where no client can be installed in a moment."""

import base64
import json
import struct
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.service.server import picture

from sightline.errors import DatasetError, OptionError
from sightline.imaging.decode import decode
from sightline.service.protocols.buckets import Buckets
from sightline.service.protocols.vertex import Container, container_of

GOOD, BAD = picture(60), picture(200)
ENDPOINT = "/v1/projects/p/locations/l/endpoints/123"


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def predictions(client: httpx.Client, **parameters: object) -> list[dict[str, Any]]:
    instances = [{"content": b64(GOOD), "mimeType": "image/png"}, {"image_bytes": {"b64": b64(BAD)}, "key": "2"}]
    reply = client.post(
        f"{ENDPOINT}:predict?$alt=json;enum-encoding=int", json={"instances": instances, "parameters": parameters}
    )
    assert reply.status_code == 200, reply.text
    said = reply.json()
    assert (said["deployedModelId"], said["modelDisplayName"], said["modelVersionId"]) == ("1", "cap", "1")
    return list(said["predictions"])


def test_vertex_classifies(client: httpx.Client) -> None:
    good, bad = predictions(client)
    assert good["displayNames"][0] == "good"
    assert bad["displayNames"][0] == "anomaly"
    assert bad["confidences"][0] > 0.9
    assert bad["key"] == "2"
    assert predictions(client, maxPredictions=1, confidenceThreshold=0.5)[1]["displayNames"] == ["anomaly"]


def test_vertex_boxes_are_x_x_y_y_and_relative(client: httpx.Client) -> None:
    good, bad = predictions(client, task="detection")
    assert good["bboxes"] == []
    assert bad["bboxes"] == [[8 / 64, 16 / 64, 16 / 48, 24 / 48]]


def test_vertex_masks_are_of_the_pictures_size(client: httpx.Client) -> None:
    _, bad = predictions(client, task="segmentation")
    places = decode(base64.b64decode(bad["categoryMask"])).pixels
    sure = decode(base64.b64decode(bad["confidenceMask"])).pixels
    assert places.shape[:2] == sure.shape[:2] == (48, 64)
    assert (sure[..., 0] >= 127).sum() == 64


def test_vertex_tells_of_its_endpoint_and_of_errors(client: httpx.Client) -> None:
    assert client.get(ENDPOINT).json()["deployedModels"][0]["displayName"] == "cap"
    reply = client.post(f"{ENDPOINT}:predict", json={"instances": "none"})
    assert reply.status_code == 400
    assert reply.json()["error"]["status"] == "INVALID_ARGUMENT"
    for name in ("confidenceThreshold", "maxPredictions"):
        asked = {"instances": [{"content": b64(GOOD)}], "parameters": {name: 10**400}}
        reply = client.post(f"{ENDPOINT}:predict", json=asked)
        assert (reply.status_code, f"parameters.{name}: is too large" in reply.text) == (400, True)
    assert client.post(f"{ENDPOINT}:rawPredict", json={"instances": [{"content": b64(BAD)}]}).status_code == 200


def test_a_custom_container_listens_where_it_is_told(client: httpx.Client) -> None:
    told = container_of({"AIP_HTTP_PORT": "7080", "AIP_HEALTH_ROUTE": "/up", "AIP_PREDICT_ROUTE": "/judge"})
    assert told == Container(port=7080, health="/up", predict="/judge")
    assert container_of({"PORT": "9000"}) == Container(port=9000)
    for wrong in ({"PORT": "http"}, {"PORT": "0"}, {"AIP_HEALTH_ROUTE": "health"}, {"AIP_PREDICT_ROUTE": "/{a}"}):
        with pytest.raises(OptionError):
            container_of(wrong)
    assert client.get("/health").status_code == 200
    assert client.post("/predict", json={"instances": [{"image_bytes": {"b64": b64(BAD)}}]}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/visualInspection:predict", {"image_bytes": b64(BAD)}),
        ("/v1beta1/visualInspection:predict", {"image_bytes": b64(BAD)}),
        ("/v1/models/visualinspection:predict", {"instances": [{"image_bytes": {"b64": b64(BAD)}}]}),
    ],
)
def test_visual_inspection_answers_as_its_container_did(client: httpx.Client, path: str, body: object) -> None:
    said = client.post(path, json=body).json()
    group = said["predictionResult"]["annotationsGroups"][0]
    assert group["annotationSet"]["displayName"] == "Predicted Classification Labels"
    sure = {one["annotationSpecId"]: one["classificationLabel"]["confidenceScore"] for one in group["annotations"]}
    assert sure["anomaly"] > 0.9 > sure["good"]
    assert said["predictionLatency"].endswith("s")


def test_landing_edge_gets_a_label(client: httpx.Client) -> None:
    said = client.post("/images", files={"file": ("a.png", BAD)}).json()
    assert said["type"] == "ClassificationPrediction"
    assert said["predictions"]["labelName"] == "anomaly"
    assert client.post("/images", content=b"").json()["message"].startswith("the body is not a form")


def infer(client: httpx.Client, document: dict[str, object], tail: bytes = b"") -> httpx.Response:
    text = json.dumps(document).encode()
    headers = {"Inference-Header-Content-Length": str(len(text))} if tail else {}
    return client.post("/v2/models/cap/infer", content=text + tail, headers=headers)


def test_the_inference_protocol_in_json(client: httpx.Client) -> None:
    one = {"name": "image", "shape": [2], "datatype": "BYTES", "data": [b64(GOOD), b64(BAD)]}
    said = infer(client, {"id": "7", "inputs": [one]}).json()
    outputs = {output["name"]: output["data"] for output in said["outputs"]}
    assert said["id"] == "7"
    assert outputs["verdict"] == ["PASS", "REJECT"]
    assert outputs["anomalous"] == [False, True]
    assert outputs["score"] == [60, 200]
    pixels = decode(BAD).pixels
    tensor = {"name": "pixels", "shape": list(pixels.shape), "datatype": "UINT8", "data": pixels.tolist()}
    said = infer(client, {"inputs": [tensor], "outputs": [{"name": "map"}, {"name": "score"}]}).json()
    assert [output["shape"] for output in said["outputs"]] == [[1, 48, 64], [1]]


BYTES = {"name": "image", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 12}}
PIXELS = {"name": "image", "shape": [1, 2, 2, 1], "datatype": "UINT8"}
WRONG: list[tuple[str, dict[str, Any], bytes, str]] = [
    ("no inputs", {}, b"", "is not a list of tensors"),
    ("two inputs", {"inputs": [PIXELS | {"data": [0] * 4}] * 2}, b"", "give one"),
    ("short", {"inputs": [BYTES]}, b"abc", "3 bytes follow"),
    ("torn", {"inputs": [BYTES]}, struct.pack("<I", 99) + bytes(8), "cut short"),
    ("too long", {"inputs": [BYTES]}, struct.pack("<I", 8) + bytes(9), "bytes follow the last tensor"),
    ("no picture", {"inputs": [BYTES]}, struct.pack("<I", 8) + bytes(8), "is not a PNG"),
    ("shape", {"inputs": [PIXELS | {"data": [0] * 5}]}, b"", "shape says 4"),
    ("huge", {"inputs": [PIXELS | {"shape": [2**30, 2**30, 2**30, 3], "data": []}]}, b"", "shape says"),
    ("range", {"inputs": [PIXELS | {"data": [0, 0, 0, 256]}]}, b"", "does not fit UINT8"),
    ("type", {"inputs": [PIXELS | {"datatype": "FP64"}]}, b"", "is none of BYTES"),
    ("channels", {"inputs": [PIXELS | {"shape": [1, 2, 1, 2], "data": [0] * 4}]}, b"", "1 \\(grey\\) or 3"),
    ("output", {"inputs": [PIXELS | {"data": [0] * 4}], "outputs": [{"name": "x"}]}, b"", "'x' is none of"),
]


@pytest.mark.parametrize(("document", "tail", "said"), [pytest.param(*case, id=name) for name, *case in WRONG])
def test_the_inference_protocol_refuses(
    client: httpx.Client, document: dict[str, object], tail: bytes, said: str
) -> None:
    reply = infer(client, document, tail)
    assert reply.status_code == 400
    assert said.replace("\\", "") in reply.json()["error"]


def test_the_inference_protocol_is_ready_and_knows_versions(client: httpx.Client) -> None:
    for path in ("/v2/health/live", "/v2/health/ready", "/v2/models/cap/ready", "/v2/models/cap/versions/1/ready"):
        assert client.get(path).status_code == 200
    assert client.get("/v2/models/cap/versions/2").status_code == 404
    assert client.get("/v2/models/cap").json()["inputs"] == [{"name": "image", "datatype": "BYTES", "shape": [-1]}]
    header = {"Inference-Header-Content-Length": "9999"}
    assert client.post("/v2/models/cap/infer", content=b"{}", headers=header).status_code == 400
    assert client.post("/v2/models/cap/infer", content=b"{}", headers={"Content-Encoding": "gzip"}).status_code == 400


@pytest.fixture
def bucket(tmp_path: Path) -> Path:
    folder = tmp_path / "bucket"
    folder.mkdir()
    (folder / "a.png").write_bytes(GOOD)
    (tmp_path / "secret").write_bytes(b"secret")
    (folder / "link").symlink_to(tmp_path / "secret")
    return folder


def test_a_bucket_is_a_folder_and_nothing_outside_it(bucket: Path) -> None:
    buckets = Buckets(folders={"parts": bucket})
    assert buckets.file("s3://parts/a.png") == bucket / "a.png"
    for wrong in ("../secret", "/etc/passwd", "link", "a/../../secret", "", ".", "nul\0l", "b.png"):
        with pytest.raises(DatasetError):
            buckets.file(f"s3://parts/{wrong}")
    for wrong in ("s3://others/a.png", "file:///etc/passwd", "a.png"):
        with pytest.raises(DatasetError):
            buckets.file(wrong)


def test_pixels_are_little_endian_behind_the_json(client: httpx.Client) -> None:
    pixels = decode(BAD).pixels
    size = {"binary_data_size": pixels.nbytes}
    tensor = {"name": "image", "shape": list(pixels.shape), "datatype": "UINT8", "parameters": size}
    reply = infer(
        client,
        {"inputs": [tensor], "outputs": [{"name": "score", "parameters": {"binary_data": True}}]},
        pixels.tobytes(),
    )
    length = int(reply.headers["inference-header-content-length"])
    assert np.frombuffer(reply.content[length:], "<f4").tolist() == [200]
