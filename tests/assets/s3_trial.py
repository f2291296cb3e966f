"""Shelves in S3, against moto's server in this process; run by test_s3 with a Python that has moto and s3fs."""

import os
import sys
import tempfile
from pathlib import Path

import boto3  # type: ignore[import-not-found]
from moto.server import ThreadedMotoServer  # type: ignore[import-not-found]

from sightline.errors import NotFoundError, StoreAway, StoreError
from sightline.store.lifecycle import s3_lifecycle
from sightline.store.retention import Retention, Tier
from sightline.store.shelf import Shelf, digest_of


def main() -> None:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    try:
        trial(boto3.client("s3"))
    finally:
        server.stop()
    print("done")


def trial(client: object) -> None:
    client.create_bucket(Bucket="plant")  # type: ignore[attr-defined]
    addresses = {Tier.HOT: "s3://plant/hot", Tier.NEARLINE: "s3://plant/nearline"}
    shelf = Shelf(addresses[Tier.HOT])
    content = os.urandom(200_000)
    digest = digest_of(content)
    shelf.put(digest, content)
    shelf.put(digest, content)
    assert shelf.get(digest, 1 << 20) == content
    assert shelf.has(digest)
    assert shelf.names(digest[:2]) == [digest]
    assert not Shelf(addresses[Tier.NEARLINE]).has(digest)
    client.put_object(Bucket="plant", Key=f"hot/{digest[:2]}/{digest}", Body=b"damaged")  # type: ignore[attr-defined]
    refused(StoreError, lambda: shelf.get(digest, 1 << 20))
    shelf.remove(digest)
    shelf.remove(digest)
    refused(NotFoundError, lambda: shelf.get(digest, 1 << 20))
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder, "large")
        large.write_bytes(os.urandom(60 << 20))  # in several parts
        name = digest_of(large.read_bytes())
        shelf.put_file(name, large)
        shelf.fetch(name, Path(folder, "back"))
        assert Path(folder, "back").read_bytes() == large.read_bytes()
    refused((StoreAway, NotFoundError), lambda: Shelf("s3://missing/hot").put(digest, content))
    rules = s3_lifecycle(Retention(), addresses, "plant")
    client.put_bucket_lifecycle_configuration(Bucket="plant", LifecycleConfiguration=rules)  # type: ignore[attr-defined]
    kept = client.get_bucket_lifecycle_configuration(Bucket="plant")["Rules"]  # type: ignore[attr-defined]
    assert [rule["ID"] for rule in kept] == ["sightline-hot", "sightline-nearline"]


def refused(kind: object, action: object) -> None:
    try:
        action()  # type: ignore[operator]
    except kind:  # type: ignore[misc]
        return
    sys.exit(f"{kind} was not raised")


if __name__ == "__main__":
    main()
