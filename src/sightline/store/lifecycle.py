"""Rules for the buckets themselves, made from the plant's own: what S3 and GCS do with objects that lie in a tier.

The plant moves pictures from tier to tier and removes them, as only it knows what a review, a data set or a hold
needs. The bucket's rules say in which storage class the objects of a tier lie, and clear away what a broken upload
left. They remove a picture only where every class has an end, and then not before the last of them and a month more.
"""

from collections.abc import Mapping
from urllib.parse import urlsplit

from sightline.errors import OptionError
from sightline.store.retention import Kept, Retention, Tier

_S3_CLASSES = {Tier.NEARLINE: "STANDARD_IA", Tier.ARCHIVE: "GLACIER_IR"}  # both are read without waiting
_GCS_CLASSES = {Tier.NEARLINE: "NEARLINE", Tier.ARCHIVE: "ARCHIVE"}
_S3_LEAST_DAYS = {Tier.NEARLINE: 30, Tier.ARCHIVE: 0}  # S3 takes an object into STANDARD_IA after 30 days at the least
_GRACE_DAYS = 30
_SCHEMES = {"s3": ("s3",), "gcs": ("gs", "gcs")}


def s3_lifecycle(retention: Retention, addresses: Mapping[Tier, str], bucket: str) -> dict[str, object]:
    """What `aws s3api put-bucket-lifecycle-configuration --lifecycle-configuration` takes.

    Args:
        addresses: s3://BUCKET/PREFIX of each tier; those in other buckets are left out.

    Raises:
        OptionError: no tier lies in this bucket, or one lies at its root or within another.
    """
    rules: list[dict[str, object]] = []
    for tier, prefix in _prefixes(addresses, bucket, _SCHEMES["s3"]).items():
        rule: dict[str, object] = {
            "ID": f"sightline-{tier}",
            "Status": "Enabled",
            "Filter": {"Prefix": prefix},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
        }
        if tier in _S3_CLASSES:
            rule["Transitions"] = [{"Days": _S3_LEAST_DAYS[tier], "StorageClass": _S3_CLASSES[tier]}]
        if days := _last_day(retention):
            rule["Expiration"] = {"Days": days}
        rules.append(rule)
    return {"Rules": rules}


def gcs_lifecycle(retention: Retention, addresses: Mapping[Tier, str], bucket: str) -> dict[str, object]:
    """What `gcloud storage buckets update gs://BUCKET --lifecycle-file` takes; arguments as `s3_lifecycle`."""
    prefixes = _prefixes(addresses, bucket, _SCHEMES["gcs"])
    rules: list[dict[str, object]] = [{"action": {"type": "AbortIncompleteMultipartUpload"}, "condition": {"age": 1}}]
    for tier, prefix in prefixes.items():
        if tier in _GCS_CLASSES:
            action = {"type": "SetStorageClass", "storageClass": _GCS_CLASSES[tier]}
            rules.append({"action": action, "condition": {"age": 0, "matchesPrefix": [prefix]}})
        if days := _last_day(retention):
            rules.append({"action": {"type": "Delete"}, "condition": {"age": days, "matchesPrefix": [prefix]}})
    return {"rule": rules}


def bucket_of(addresses: Mapping[Tier, str], cloud: str) -> str:
    """The one bucket in which tiers lie.

    Args:
        cloud: s3 or gcs.

    Raises:
        OptionError: there is none, or several.
    """
    parts = [urlsplit(address) for address in addresses.values()]
    names = sorted({part.netloc for part in parts if part.scheme in _SCHEMES[cloud]})
    if len(names) != 1:
        said = f"pictures lie in {', '.join(names)}: say which bucket" if names else f"no pictures lie in {cloud}"
        raise OptionError(f"{said}; the settings' [store] has their places.")
    return names[0]


def _last_day(retention: Retention) -> int | None:
    """When no class keeps an object any more, and a month later; None: some are kept for ever."""
    days = [retention.rule(kept).remove_days for kept in Kept]
    return None if None in days else round(max(day for day in days if day is not None)) + _GRACE_DAYS


def _prefixes(addresses: Mapping[Tier, str], bucket: str, schemes: tuple[str, ...]) -> dict[Tier, str]:
    found: dict[Tier, str] = {}
    for tier, address in addresses.items():
        parts = urlsplit(address)
        if parts.scheme in schemes and parts.netloc == bucket:
            found[tier] = f"{parts.path.strip('/')}/"
    if not found:
        raise OptionError(f"bucket {bucket:.120}: no tier lies there; give one of the tiers' buckets.")
    for tier, prefix in found.items():
        if prefix == "/" or any(prefix.startswith(other) for key, other in found.items() if key is not tier):
            raise OptionError(f'bucket {bucket:.120}: give "{tier}" a folder of its own, such as {tier}/.')
    return found
