"""Threads of a process that runs for months share few heaps."""

import platform
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import ctypes, sys, threading
from sightline.cli.heap import keep_together
if sys.argv[2] == "together":
    keep_together()
libc = ctypes.CDLL(None)
libc.malloc.restype = libc.fopen.restype = ctypes.c_void_p
libc.fclose.argtypes = [ctypes.c_void_p]
libc.malloc_info.argtypes = [ctypes.c_int, ctypes.c_void_p]
held = threading.Barrier(9)

def use() -> None:
    libc.malloc(1000)
    held.wait()

threads = [threading.Thread(target=use) for _ in range(8)]
for thread in threads:
    thread.start()
held.wait()
file = libc.fopen(sys.argv[1].encode(), b"w")
libc.malloc_info(0, file)
libc.fclose(file)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
@pytest.mark.parametrize(("how", "few"), [("together", True), ("as ever", False)])
def test_all_threads_share_two_heaps(how: str, few: bool, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path / "heaps.xml"), how], check=True)
    heaps = (tmp_path / "heaps.xml").read_text().count("<heap nr=")
    assert (heaps <= 2) == few
