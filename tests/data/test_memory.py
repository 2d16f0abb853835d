"""Pictures that do not fit into memory are refused by their header."""

import gc
import os
import platform
import struct
import weakref
import zlib

import psutil
import pytest
import tifffile
from helpers import random_pixels, save_picture

from torchdenoise.data import memory, read_picture
from torchdenoise.data.formats.base import silent_codecs
from torchdenoise.data.headers import check_fits
from torchdenoise.errors import PictureError


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width, height, depth=8, kind=2, extra=b""):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + extra + chunk(b"IDAT", zlib.compress(bytes(5000))) + chunk(b"IEND", b"")


def test_what_is_needed_is_compared_with_what_is_free(monkeypatch):
    monkeypatch.setattr(memory, "free_memory", lambda: 10 * 10**9)
    memory.check_memory(15_000, 15_000, 3)
    with pytest.raises(PictureError, match="15000 x 15000 pixels need about 22 GB of memory, 10 GB are free: crop"):
        memory.check_fit_memory(15_000, 15_000, 3)
    memory.check_fit_memory(6000, 4000, 3, 3)
    with pytest.raises(PictureError, match=r"6000 x 4000 pixels, 4 at a time, need about 10 GB .*: fewer at a time"):
        memory.check_fit_memory(6000, 4000, 3, 4)
    monkeypatch.setattr(memory, "free_memory", lambda: 0)
    memory.check_memory(1000, 1000, 3)  # small ones are not worth a question
    memory.check_fit_memory(1000, 1000, 3)


def test_a_picture_too_large_to_denoise_is_not_decoded(tmp_path, monkeypatch):
    (tmp_path / "a.png").write_bytes(png(15_000, 15_000))
    monkeypatch.setattr(memory, "free_memory", lambda: 10**9)
    with pytest.raises(PictureError, match=r"a\.png: 15000 x 15000 pixels need about 22 GB of memory, 1 GB are free"):
        check_fits(tmp_path / "a.png")
    check_fits(save_picture(tmp_path / "b.png", random_pixels()))
    tifffile.imwrite(tmp_path / "c.tif", shape=(15_000, 15_000), dtype="uint16")  # sparse
    with pytest.raises(PictureError, match=r"c\.tif: 15000 x 15000 pixels need about 7.5 GB"):
        check_fits(tmp_path / "c.tif")
    check_fits(tmp_path / "missing.png")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (png(10_000, 10_000), "bytes cannot hold the size in its header"),
        (png(40, 32, depth=3), "kind 2 with 3 bits in its header"),
        (png(40, 32, kind=5), "kind 5 with 8 bits in its header"),
        (png(40, 32, extra=chunk(b"abCd", b"") * 11_000), "holds more than 10000 tiny chunks"),
    ],
)
def test_a_png_that_lies_is_refused_silently(tmp_path, capfd, data, message):
    (tmp_path / "a.png").write_bytes(data)
    with pytest.raises(PictureError, match=message):
        read_picture(tmp_path / "a.png")
    assert capfd.readouterr().err == ""


def test_standard_error_comes_back_after_overlapping_blocks(capfd):
    first, second = silent_codecs(), silent_codecs()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    os.write(2, b"lost")
    second.__exit__(None, None, None)
    os.write(2, b"seen")
    assert capfd.readouterr().err == "seen"


def test_libpng_talks_to_nobody(tmp_path, capfd):
    good = png(40, 32)
    (tmp_path / "a.png").write_bytes(good)  # more data than pixels, of which libpng warns
    assert read_picture(tmp_path / "a.png").shape == (32, 40, 3)
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries keep nothing")
def test_freed_memory_goes_back_to_the_system():
    process, kept = psutil.Process(), []
    with memory.freed_afterwards():
        blocks = [bytes(60_000) for _ in range(1000)]
        kept.append(blocks[-1])  # holds the end of the heap, so that the rest stays with the process
        before = process.memory_info().rss
        del blocks
    assert process.memory_info().rss < before - 40 * 2**20


def test_cycles_that_the_work_leaves_behind_are_collected():
    class Node:
        def __init__(self):
            self.itself = self

    older = Node()
    seen_older = weakref.ref(older)
    del older
    with memory.freed_afterwards():
        seen = weakref.ref(Node())
        assert seen() is not None
    assert seen() is None
    gc.collect()
    assert seen_older() is None  # nothing stays frozen
