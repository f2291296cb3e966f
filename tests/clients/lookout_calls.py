"""What people's programs do with boto3's lookoutvision, against the server at argv[1]; prints one JSON document.

python lookout_calls.py URL GOOD BAD judge|project [BUCKET KEY]
"""

import io
import json
import sys
import time
from pathlib import Path

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

url, good, bad, what = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4]
client = boto3.client(
    "lookoutvision",
    endpoint_url=url,
    region_name="eu-central-1",
    aws_access_key_id="anybody",
    aws_secret_access_key="anything",
    config=Config(retries={"max_attempts": 1}),
)


def detect(project, body, kind="image/png", version="1"):
    found = client.detect_anomalies(ProjectName=project, ModelVersion=version, Body=body, ContentType=kind)
    result = found["DetectAnomalyResult"]
    if "AnomalyMask" in result:
        result["AnomalyMask"] = result["AnomalyMask"].hex()
    return result


def refused(call, **arguments):
    """The typed exception that a call raises, by the client's own attribute."""
    try:
        call(**arguments)
    except ClientError as error:
        known = getattr(client.exceptions, error.response["Error"]["Code"])  # an attribute for what the API declares
        return [known.__name__, error.response["ResponseMetadata"]["HTTPStatusCode"]]
    return None


def status(project, version):
    return client.describe_model(ProjectName=project, ModelVersion=version)["ModelDescription"]["Status"]


def judge():
    found = {"projects": [p["ProjectName"] for p in client.list_projects()["Projects"]]}
    found["good"], found["bad"] = detect("cap", good.read_bytes()), detect("cap", io.BytesIO(bad.read_bytes()))
    with bad.open("rb") as file:
        found["file"] = detect("cap", file, version="latest")["IsAnomalous"]
    picture = {"ContentType": "image/png", "Body": good.read_bytes()}
    found["hosted"] = status("cap", "1")
    found["models"] = [m["ModelVersion"] for m in client.list_models(ProjectName="cap")["Models"]]
    found["no project"] = refused(client.detect_anomalies, ProjectName="lid", ModelVersion="1", **picture)
    found["no version"] = refused(client.detect_anomalies, ProjectName="cap", ModelVersion="9", **picture)
    torn = {"ContentType": "image/png", "Body": good.read_bytes()[:99]}
    found["no picture"] = refused(client.detect_anomalies, ProjectName="cap", ModelVersion="1", **torn)
    found["stop"] = client.stop_model(ProjectName="cap", ModelVersion="1")["Status"]
    found["stopped"] = status("cap", "1")
    found["not hosted"] = refused(client.detect_anomalies, ProjectName="cap", ModelVersion="1", **picture)
    found["start"] = client.start_model(ProjectName="cap", ModelVersion="1", MinInferenceUnits=1)["Status"]
    found["again"] = detect("cap", good.read_bytes())["IsAnomalous"]
    found["packaging"] = refused(client.list_model_packaging_jobs, ProjectName="cap")
    found["tags"] = client.list_tags_for_resource(ResourceArn="arn:aws:lookoutvision:x:000000000000:model/a/1")["Tags"]
    return found


def project():
    bucket, key = sys.argv[5], sys.argv[6]
    client.create_project(ProjectName="disc")
    found = {"twice": refused(client.create_project, ProjectName="disc")}
    source = {"GroundTruthManifest": {"S3Object": {"Bucket": bucket, "Key": key}}}
    made = client.create_dataset(ProjectName="disc", DatasetType="train", DatasetSource=source)
    found["dataset"] = made["DatasetMetadata"]["Status"]
    outside = {"GroundTruthManifest": {"S3Object": {"Bucket": bucket, "Key": "../plant.db"}}}
    found["outside"] = refused(client.create_dataset, ProjectName="disc", DatasetType="test", DatasetSource=outside)
    entries = {"ProjectName": "disc", "DatasetType": "train"}
    listed = client.list_dataset_entries(**entries, MaxResults=2, AnomalyClass="normal", Labeled=True)
    found["entries"] = len(listed["DatasetEntries"])
    rest = client.list_dataset_entries(**entries, NextToken=listed["NextToken"], SourceRefContains=bucket)
    found["rest"] = len(rest["DatasetEntries"])
    line = json.loads(listed["DatasetEntries"][0])
    line["anomaly-label-metadata"]["class-name"] = "anomaly"
    changed = client.update_dataset_entries(**entries, Changes=json.dumps(line).encode())
    found["changed"] = changed["Status"]
    found["stats"] = client.describe_dataset(**entries)["DatasetDescription"]["ImageStats"]
    output = {"S3Location": {"Bucket": bucket, "Prefix": "out"}}
    model = client.create_model(ProjectName="disc", OutputConfig=output, Description="ours")["ModelMetadata"]
    found["model"] = [model["ModelVersion"], model["Status"]]
    end = time.monotonic() + 120
    while status("disc", "1") == "TRAINING" and time.monotonic() < end:
        time.sleep(0.05)
    found["trained"] = status("disc", "1")
    client.start_model(ProjectName="disc", ModelVersion="1", MinInferenceUnits=1)
    found["started"] = status("disc", "1")
    found["good"], found["bad"] = detect("disc", good.read_bytes()), detect("disc", bad.read_bytes())
    found["in use"] = refused(client.delete_model, ProjectName="disc", ModelVersion="1")
    client.stop_model(ProjectName="disc", ModelVersion="1")
    client.delete_model(ProjectName="disc", ModelVersion="1")
    client.delete_dataset(**entries)
    client.delete_project(ProjectName="disc")
    found["left"] = [p["ProjectName"] for p in client.list_projects()["Projects"]]
    return found


print(json.dumps({"judge": judge, "project": project}[what]()))
