"""Bodies of requests, read no further than they may be long."""

import base64
import binascii
import json
import math
from collections.abc import AsyncGenerator
from typing import Any, NoReturn

from fastapi import HTTPException, Request
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from sightline.errors import OptionError

MOST_BYTES = 64 << 20  # of a request; 50 megapixels as JPEG or PNG take less, and a batch must be divided
MOST_FILES = 64  # in one request


async def chunks(request: Request, most: int = MOST_BYTES) -> AsyncGenerator[bytes, None]:
    """The body as it comes.

    Raises:
        HTTPException: 413, it is longer than `most` bytes; nothing more of it is read.
    """
    declared = request.headers.get("content-length", "")
    left = most if int(declared if declared.isdecimal() else "0") <= most else -1  # refused before anything is read
    async for chunk in request.stream():
        left -= len(chunk)
        if left < 0:
            raise HTTPException(413, f"body: is longer than {most:,} bytes; send less at once.")
        yield chunk


async def body_of(request: Request, most: int = MOST_BYTES) -> bytes:
    """The whole body; raises HTTPException as `chunks`."""
    return b"".join([chunk async for chunk in chunks(request, most)])


async def json_of(request: Request, most: int = MOST_BYTES) -> dict[str, Any]:
    """The JSON object in the body; raises OptionError where there is none, HTTPException as `chunks`."""
    return json_object(await body_of(request, most))


def json_object(text: bytes) -> dict[str, Any]:
    """Strict JSON: no NaN; raises OptionError."""
    try:
        document = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise OptionError(f"the body is not JSON ({str(error)[:80]}). Send a JSON object.") from error
    if not isinstance(document, dict):
        raise OptionError("the body is not a JSON object. Send one, such as {...}.")
    return document


def decoded(text: object, where: str) -> bytes:
    """What was written in base64 under the key `where`; raises OptionError."""
    if not isinstance(text, str):
        raise OptionError(f"{where}: is missing or is no text. Give the picture in base64.")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise OptionError(
            f"{where}: is not base64 ({error}). Give the picture in base64, without line breaks."
        ) from error


def number(value: object, where: str, default: float) -> float:
    """A finite number, `default` where there is none; raises OptionError."""
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise OptionError(f"{where}: is not a number.")
    try:
        given = float(value)
    except OverflowError:  # JSON's whole numbers have as many digits as one likes
        given = math.inf
    if not math.isfinite(given):
        raise OptionError(f"{where}: is too large a number.")
    return given


async def files_of(request: Request, most: int = MOST_BYTES) -> list[tuple[str, bytes]]:
    """(name, content) of each file in a form; raises OptionError where it is none, HTTPException as `chunks`."""
    try:
        form = await MultiPartParser(request.headers, chunks(request, most), max_files=MOST_FILES).parse()
    except (MultiPartException, KeyError, ValueError) as error:  # ValueError: a charset that decodes nothing
        said = getattr(error, "message", "no boundary" if isinstance(error, KeyError) else "its charset is none")
        raise OptionError(f"the body is not a form with files ({said}). Send multipart/form-data.") from error
    try:
        parts = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        found = [(part.filename or "", await part.read()) for part in parts]
    finally:
        await form.close()
    if not found:
        raise OptionError("the form holds no file. Give the picture a file name.")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
