"""From JSON to a record of options, and a schema that says which there are."""

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from sightline.errors import OptionError

T = TypeVar("T")


def read(options: type[T], params: Mapping[str, Any], what: str) -> T:
    """A record of this dataclass; unknown names, wrong types and what the record itself refuses raise OptionError."""
    assert dataclasses.is_dataclass(options)
    known = [field.name for field in dataclasses.fields(options)]
    if unknown := [name for name in params if name not in known]:
        raise OptionError(f"{what}: has no parameter {unknown[0]!r:.40}; there are {', '.join(known)}.")
    try:
        return TypeAdapter(options).validate_json(json.dumps(params, allow_nan=False), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "parameters"
        raise OptionError(f"{what}: {place}: {first['msg'][:200]}.") from error
    except ValueError as error:
        raise OptionError(f"{what}: {error}; give finite numbers.") from error


def schema(options: type[object]) -> dict[str, Any]:
    """JSON schema of the parameters."""
    return TypeAdapter(options).json_schema() | {"additionalProperties": False}
