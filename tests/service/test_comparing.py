"""Which two the job that compares models takes."""

import pytest

from sightline.errors import OptionError
from sightline.service.job_comparing import CompareOptions


def test_the_same_version_of_two_names_may_be_compared_and_of_one_may_not() -> None:
    assert CompareOptions(name="cap", first=1, second=1, other="lid").versions == (("cap", 1), ("lid", 1))
    assert CompareOptions(name="cap", first=1, second=2).versions == (("cap", 1), ("cap", 2))
    for other in ("", "cap"):
        with pytest.raises(OptionError, match="give two versions"):
            CompareOptions(name="cap", first=1, second=1, other=other)
