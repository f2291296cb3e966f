"""What text in requests may be: bounded, and without characters that no database takes."""

from typing import Annotated

from pydantic import Field, StringConstraints

_PLAIN = r"^[^\x00-\x1f\x7f]*$"
Name = Annotated[str, StringConstraints(max_length=255, pattern=_PLAIN)]
Note = Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")]
Reason = Annotated[str, StringConstraints(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
InspectionId = Annotated[str, StringConstraints(min_length=1, max_length=36, pattern=r"^[0-9A-Za-z-]*$")]
Number = Annotated[int, Field(ge=1, le=2**31 - 1)]
Long = Annotated[int, Field(ge=0, le=2**53)]
Limit = Annotated[int, Field(ge=1, le=1000)]
Moment = Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)]
EXAMPLE_DIGEST = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
EXAMPLE_ID = "01934f6e-8c00-7000-8000-000000000001"
