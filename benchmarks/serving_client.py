"""One client of the server, in the environment of its library; prints a list of [milliseconds, of them the model's].

python serving_client.py lookout|inference URL PICTURE ROUNDS
"""

import json
import sys
import time
from pathlib import Path

WARM_UP = 5


def lookout(url, picture):
    import boto3

    client = boto3.client(
        "lookoutvision", endpoint_url=url, region_name="x", aws_access_key_id="x", aws_secret_access_key="x"
    )

    def call():
        told = client.detect_anomalies(ProjectName="cap", ModelVersion="1", Body=picture, ContentType="image/jpeg")
        return float(told["ResponseMetadata"]["HTTPHeaders"]["server-timing"].rpartition("model;dur=")[2])

    return call


def inference(url, picture):
    import numpy as np
    import tritonclient.http as triton

    client = triton.InferenceServerClient(url.removeprefix("http://"))

    def call():
        given = triton.InferInput("image", [1], "BYTES")
        given.set_data_from_numpy(np.array([picture], dtype=np.object_))
        return float(client.infer("cap", [given]).get_response()["parameters"]["model_ms"])

    return call


def main(kind, url, path, rounds):
    call = {"lookout": lookout, "inference": inference}[kind](url, Path(path).read_bytes())
    times = []
    for _ in range(WARM_UP + int(rounds)):
        started = time.perf_counter()
        model_ms = call()
        times.append([(time.perf_counter() - started) * 1e3, model_ms])
    print(json.dumps(times[WARM_UP:]))


main(*sys.argv[1:])
