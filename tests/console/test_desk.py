"""The reviewer's desk, against the API of a server in this process."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from tests.service.conftest import Opening, Server, started

from sightline.console.desk import Desk, Overtaken, Word
from sightline.console.drawing import labelled, painted, runs
from sightline.console.session import Api
from sightline.console.viewer import Shape
