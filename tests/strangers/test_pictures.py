"""Picture files of strangers: each is denoised, or refused in one line, and no half result is left."""

import io
import pickle
import random
import shlex
import struct
import zipfile
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.strangers.attempts import MARKER, Case, commands, make_attempts, regular
from tests.strangers.damages import cuts, flips, no_files, writing
from tests.strangers.test_checkpoints import Call

RGB = np.random.default_rng(0).integers(40, 200, (32, 40, 3), dtype=np.uint8)
GREY = RGB[..., 0].copy()
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def pixels(path):
    """Return what a result holds, read by the libraries alone."""
    if path.suffix == ".tif":
        return tifffile.imread(path)
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return np.concatenate([each.ravel() for each in arrays.values()])
    if path.suffix == ".npy":
        return np.load(path)
    with Image.open(path) as image:
        return np.asarray(image)


def words(name):
    return shlex.split(f"denoise {name} -o out --recipe tv --device cpu --threads 1")


def pillow(kind, array=RGB, **options):
    file = io.BytesIO()
    Image.fromarray(array).save(file, kind, **options)
    return file.getvalue()


def tiff(array=RGB, **options):
    file = io.BytesIO()
    tifffile.imwrite(file, array, metadata=None, **options)
    return file.getvalue()


def npy(array, **options):
    file = io.BytesIO()
    np.save(file, array, **options)
    return file.getvalue()


def npz(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


GOOD = {
    "a.png": pillow("PNG"),
    "a.jpg": pillow("JPEG", quality=90),
    "a.tif": tiff(photometric="rgb"),
    "b.tif": tiff(photometric="rgb", compression="zlib"),
    "a.npy": npy(GREY),
    "a.npz": npz(a=GREY),
    "a.bmp": pillow("BMP"),
    "a.gif": pillow("GIF", GREY),
    "a.webp": pillow("WEBP", lossless=True),
    "a.ppm": pillow("PPM"),
    "a.jp2": pillow("JPEG2000"),
}


# -- PNG ---------------------------------------------------------------------------------------------------------------


def chunk(name, data=b"", length=None, check=None):
    check = zlib.crc32(name + data) if check is None else check
    return struct.pack(">I", len(data) if length is None else length) + name + data + struct.pack(">I", check)


def head(width=40, height=32, depth=8, kind=2, packing=0, filtering=0, lace=0):
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, packing, filtering, lace))


def lines(array):
    return b"".join(b"\0" + row.tobytes() for row in array)


def png(*chunks, first=None, pixels=None):
    pixels = chunk(b"IDAT", zlib.compress(lines(RGB))) if pixels is None else pixels
    return SIGNATURE + (head() if first is None else first) + b"".join(chunks) + pixels + chunk(b"IEND")


def zeros(count):
    """Return many packed zeros."""
    packer, block = zlib.compressobj(1), bytes(1 << 20)
    return b"".join([*(packer.compress(block) for _ in range(count >> 20)), packer.flush()])


def pngs():
    """Yield (what, bytes, codes)."""
    packed, bomb = zlib.compress(lines(RGB)), zeros(1 << 30)
    largest = 2**31 - 1
    for what, first in {
        "no width": head(width=0),
        "no height": head(height=0),
        "largest width": head(width=largest, height=1),
        "largest": head(largest, largest),
        "negative": head(2**32 - 40, 2**32 - 32),
        "wider": head(width=80),
        "higher": head(height=64),
        "3 bits": head(depth=3),
        "0 bits": head(depth=0),
        "255 bits": head(depth=255),
        "16 bits": head(depth=16),
        "kind 1": head(kind=1),
        "kind 7": head(kind=7),
        "no palette": head(kind=3),
        "alpha": head(kind=6),
        "packing 1": head(packing=1),
        "filtering 1": head(filtering=1),
        "lace 2": head(lace=2),
        "10^10 pixels": head(10**5, 10**5),
        "484 million pixels": head(22_000, 22_000, 16, 6),
        "a line of 400 million": head(1, 400_000_000),
        "a short head": chunk(b"IHDR", b"\0\0\0\x28"),
        "a long head": chunk(b"IHDR", struct.pack(">IIBBBBB", 40, 32, 8, 2, 0, 0, 0) + b"more"),
        "no head": b"",
        "a head of 4 GB": chunk(b"IHDR", b"x" * 13, length=2**32 - 1),
        "a head twice": head() + head(4, 4),
        "a wrong sum": head()[:-4] + b"\0\0\0\1",
    }.items():
        yield f"head: {what}", png(first=first), (2,)
    for what, pixels in {
        "none": b"",
        "empty": chunk(b"IDAT"),
        "noise": chunk(b"IDAT", random.Random(0).randbytes(300)),
        "too few": chunk(b"IDAT", zlib.compress(lines(RGB)[:1000])),
        "a wrong sum": chunk(b"IDAT", packed, check=7),
        "a wrong byte": chunk(b"IDAT", packed[:500] + bytes([packed[500] ^ 255]) + packed[501:]),
        "filter 9": chunk(b"IDAT", zlib.compress(b"\x09" + lines(RGB)[1:])),
        "4 GB": chunk(b"IDAT", packed, length=2**32 - 1),
    }.items():
        yield f"pixels: {what}", png(pixels=pixels), (2,)
    yield "pixels: too many", png(pixels=chunk(b"IDAT", zlib.compress(lines(RGB) + bytes(9999)))), (0, 2)
    yield "pixels: a bomb", png(pixels=chunk(b"IDAT", bomb)), (0, 2)
    yield (
        "pixels: a byte a chunk",
        png(pixels=b"".join(chunk(b"IDAT", packed[at : at + 1]) for at in range(len(packed)))),
        (0, 2),
    )
    for name in (
        "pHYs",
        "gAMA",
        "cHRM",
        "eXIf",
        "iCCP",
        "tEXt",
        "zTXt",
        "iTXt",
        "sRGB",
        "cICP",
        "tIME",
        "abCd",
        "bKGD",
        "sBIT",
    ):
        for what, data in {
            "empty": b"",
            "short": b"a",
            "zeros": bytes(9),
            "noise": random.Random(1).randbytes(99),
        }.items():
            yield f"{name}: {what}", png(chunk(name.encode(), data)), (0, 2)
    for name in ("iCCP", "zTXt"):
        yield f"{name}: a bomb", png(chunk(name.encode(), b"x\0\0" + bomb)), (0, 2)
    yield "iTXt: a bomb", png(chunk(b"iTXt", b"x\0\1\0\0\0" + bomb)), (0, 2)
    yield "tEXt: escape sequences and HTML", png(chunk(b"tEXt", b"Comment\0\x1b[2J<script>alert(1)</script>")), (0,)
    yield "an unknown critical chunk", png(chunk(b"ABCD", b"x")), (0, 2)
    yield "a million chunks", png(chunk(b"abCd") * 1_000_000), (0, 2)
    yield "animated", png(chunk(b"acTL", struct.pack(">II", 5, 0))), (2,)
    yield "a palette of 257", png(chunk(b"PLTE", bytes(771)), first=head(kind=3)), (2,)
    yield "much behind its end", png() + bytes(10**6), (0,)


# -- TIFF --------------------------------------------------------------------------------------------------------------

TYPES = {2: "s", 3: "H", 4: "I", 5: "II", 7: "s", 11: "f", 12: "d"}
OME_BOMB = (
    b'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><OME>&c;&c;</OME>\0'
)
OME = b'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a SYSTEM "file:///etc/passwd">]><OME>&a;</OME>\0'
TAGS = {
    256: (4, 40),
    257: (4, 32),
    258: (3, 8),
    259: (3, 1),
    262: (3, 1),
    273: (4, 8),
    277: (3, 1),
    278: (4, 32),
    279: (4, 1280),
}


def directory(changed=None, dropped=(), following=0, start=None, entries=None, pixels=None):
    """Return a grey TIFF with changed tags: code -> (type, value), a value (count, offset) is written as it is."""
    pixels = GREY.tobytes() if pixels is None else pixels
    tags = {code: tag for code, tag in (TAGS | (changed or {})).items() if code not in dropped}
    place = 8 + len(pixels) + len(pixels) % 2
    behind = place + 2 + 12 * len(tags) + 4
    body = more = b""
    for code, (kind, value) in sorted(tags.items()):
        if isinstance(value, tuple):
            body += struct.pack("<HHII", code, kind, *value)
            continue
        count = len(value) if isinstance(value, bytes) else 1
        data = value if isinstance(value, bytes) else struct.pack(f"<{TYPES[kind]}", value)
        if len(data) > 4:
            body += struct.pack("<HHII", code, kind, count, behind + len(more))
            more += data + bytes(len(data) % 2)
        else:
            body += struct.pack("<HHI", code, kind, count) + data.ljust(4, b"\0")
    first = b"II" + struct.pack("<HI", 42, place if start is None else start)
    count = struct.pack("<H", len(tags) if entries is None else entries)
    return (
        first
        + pixels.ljust(place - 8, b"\0")
        + count
        + body
        + struct.pack("<I", place if following == "itself" else following)
        + more
    )


def tiffs():
    """Yield (what, bytes, codes)."""
    far, largest = 2**31, 2**32 - 1
    refused = {
        "no width": {256: (4, 0)},
        "no height": {257: (4, 0)},
        "largest width": {256: (4, largest)},
        "largest": {256: (4, largest), 257: (4, largest)},
        "wider": {256: (4, 4000)},
        "higher": {257: (4, 3200)},
        "0 bits": {258: (3, 0)},
        "17 bits": {258: (3, 17)},
        "64 bits": {258: (3, 64)},
        "65535 bits": {258: (3, 65535)},
        "65535 samples": {277: (3, 65535)},
        "3 samples": {277: (3, 3), 262: (3, 2)},
        "packing 0": {259: (3, 0)},
        "packing 9999": {259: (3, 9999)},
        "old JPEG": {259: (3, 6)},
        "JPEG of noise": {259: (3, 7)},
        "deflate of noise": {259: (3, 8)},
        "LZW of noise": {259: (3, 5)},
        "fax of noise": {259: (3, 4)},
        "WebP of noise": {259: (3, 50001)},
        "zstd of noise": {259: (3, 50000)},
        "LZMA of noise": {259: (3, 34925)},
        "JPEG 2000 of noise": {259: (3, 34712)},
        "JPEG XL of noise": {259: (3, 50002)},
        "pixels far away": {273: (4, far)},
        "far widths": {256: (4, (9, far))},
        "10^6 deep": {32997: (4, 10**6)},
        "16 GB of nothing": {
            256: (4, 22_000),
            257: (4, 22_000),
            258: (3, 64),
            339: (3, 3),
            273: (4, 0),
            279: (4, 0),
            278: (4, 22_000),
        },
        "complex": {339: (3, 6), 258: (3, 64), 256: (4, 5)},
    }
    for what, changed in refused.items():
        yield f"tags: {what}", directory(changed), (0, 2) if what == "fax of noise" else (2,)
    either = {
        "3 bits": {258: (3, 3)},
        "0 samples": {277: (3, 0)},
        "0 rows": {278: (4, 0)},
        "largest rows": {278: (4, largest)},
        "photometric 99": {262: (3, 99)},
        "a palette without one": {262: (3, 3)},
        "a colour filter": {262: (3, 32803)},
        "short strips": {279: (4, 600)},
        "largest strips": {279: (4, largest)},
        "strips of 0": {279: (4, 0), 273: (4, 0)},
        "2^31 offsets": {273: (4, (far, 8))},
        "2^31 counts": {279: (4, (far, 8))},
        "10^6 offsets": {273: (4, (10**6, 8))},
        "predictor 99": {317: (3, 99)},
        "predictor 3": {317: (3, 3)},
        "format 99": {339: (3, 99)},
        "planar 9": {284: (3, 9)},
        "filled 9": {266: (3, 9)},
        "orientation 99": {274: (3, 99)},
        "width as text": {256: (2, b"forty\0")},
        "width as a float": {256: (11, 40.5)},
        "unit 99": {296: (3, 99)},
        "a profile of 10^9": {34675: (7, (10**9, 8))},
        "a far profile": {34675: (7, (500, far))},
        "a profile of noise": {34675: (7, b"no profile")},
        "a broken text": {270: (2, b"a\0b\0c\0")},
        "a text in Latin 1": {270: (2, "Größe µm\0".encode("latin-1"))},
        "escape sequences": {270: (2, b"\x1b[2J\x9b1m\0")},
        "a shape of 0": {270: (2, b'{"shape": [0]}\0')},
        "a shape of text": {270: (2, b'{"shape": "abc"}\0')},
        "a deep shape": {270: (2, b'{"shape": ' + b"[" * 100_000 + b"\0")},
        "a huge shape": {270: (2, b'{"shape": [1000000000, 32, 40]}\0')},
        "ImageJ of text": {270: (2, b"ImageJ=1.53\nimages=abc\n\0")},
        "ImageJ of 10^6": {270: (2, b"ImageJ=1.53\nimages=1000000\n\0")},
        "an OME bomb": {270: (2, OME_BOMB)},
        "OME with a file": {270: (2, OME)},
        "10 MB of text": {270: (2, b"a" * 10**7 + b"\0")},
        "an unknown type": {65001: (99, (5, 8))},
        "its own directory inside": {330: (4, 1288)},
        "far EXIF": {34665: (4, far)},
        "its own EXIF": {34665: (4, 1288)},
        "text of 10^9": {305: (2, (10**9, 8))},
        "tiles": {322: (4, 16), 323: (4, 16), 324: (4, 8), 325: (4, 1280)},
        "huge tiles": {322: (4, 60_000), 323: (4, 60_000), 324: (4, 8), 325: (4, 1280)},
        "largest tiles": {322: (4, largest), 323: (4, largest), 324: (4, 8), 325: (4, 1280)},
        "tiles of 0": {322: (4, 0), 323: (4, 0), 324: (4, 8), 325: (4, 1280)},
    }
    for what, changed in either.items():
        yield f"tags: {what}", directory(changed), (0, 2)
    for code in TAGS:
        yield f"tags: without {code}", directory(dropped=(code,)), (2,) if code in (256, 257, 273) else (0, 2)
    yield "directory: follows itself", directory(following="itself"), (2,)
    yield "directory: the next one is far", directory(following=far), (0, 2)
    for where in (0, 3, far):
        yield f"directory: at {where}", directory(start=where), (2,)
    for entries in (0, 65535):
        yield f"directory: of {entries}", directory(entries=entries), (0, 2)
    bomb = zeros(1 << 30)
    yield "pixels: a bomb", directory({259: (3, 8), 279: (4, len(bomb))}, pixels=bomb), (0, 2)
    yield "pages: three", tiff(np.stack([GREY] * 3), photometric="minisblack"), (0, 2)
    for what, value in {"nan": np.nan, "infinite": np.inf}.items():
        array = GREY / np.float32(255)
        array[3, 3] = value
        yield f"values: {what}", tiff(array, photometric="minisblack"), (0, 2)
    yield "values: all nan", tiff(np.full_like(array, np.nan), photometric="minisblack"), (2,)
    yield "values: 1e38", tiff(GREY.astype(np.float32) * np.float32(1e36), photometric="minisblack"), (0, 2)
    yield "values: 1e-40", tiff(GREY.astype(np.float32) * np.float32(1e-42), photometric="minisblack"), (0, 2)


# -- JPEG --------------------------------------------------------------------------------------------------------------


def segments(data):
    """Yield (marker, place, length) up to the pixels."""
    at = 2
    while data[at + 1] != 0xDA:
        length = 2 + struct.unpack_from(">H", data, at + 2)[0]
        yield data[at + 1], at, length
        at += length
    yield 0xDA, at, 2 + struct.unpack_from(">H", data, at + 2)[0]


def jpegs():
    """Yield (what, bytes, codes)."""
    data = GOOD["a.jpg"]
    parts = list(segments(data))
    frame = next(at for marker, at, _ in parts if marker == 0xC0)
    start = parts[-1][1] + parts[-1][2]

    def with_bytes(at, new):
        return data[:at] + new + data[at + len(new) :]

    for what, (width, height) in {
        "no width": (0, 32),
        "no height": (40, 0),
        "largest": (65535, 65535),
        "larger": (400, 320),
    }.items():
        yield f"size: {what}", with_bytes(frame + 5, struct.pack(">HH", height, width)), (2,)
    yield "size: smaller", with_bytes(frame + 5, struct.pack(">HH", 16, 20)), (0, 2)
    for value in (0, 12, 255):
        yield f"{value} bits", with_bytes(frame + 4, bytes([value])), (2,)
    for value in (0, 2, 255):
        yield f"{value} components", with_bytes(frame + 9, bytes([value])), (2,)
    for marker in (0xC1, 0xC2, 0xC3, 0xC9, 0xF7):
        yield f"frame {marker:x}", with_bytes(frame + 1, bytes([marker])), (0, 2)
    for marker in (0xDB, 0xC4, 0xC0, 0xDA):
        kept = b"".join(data[at : at + length] for each, at, length in parts if each != marker)
        yield f"without {marker:x}", data[:2] + kept + data[start:], (2,)
    for length in (0, 1, 65535):
        yield f"a segment of {length}", with_bytes(4, struct.pack(">H", length)), (2,)
    yield "no pixels", data[:start] + b"\xff\xd9", (2,)
    yield "zeros as pixels", data[:start] + bytes(len(data) - start - 2) + b"\xff\xd9", (0, 2)
    yield "a hole", data[: start + 100] + data[start + 500 :], (0, 2)
    for number, content in {
        1: b"Exif\0\0II*\0\x08\0\0\0\x01\0",
        2: b"ICC_PROFILE\0\x01\xff",
        13: b"Photoshop 3.0\0",
        14: b"Adobe",
        0: b"JFIF\0",
    }.items():
        extra = content + random.Random(number).randbytes(50)
        segment = bytes([0xFF, 0xE0 + number]) + struct.pack(">H", len(extra) + 2) + extra
        yield f"noise in APP{number}", data[:2] + segment + data[2:], (0, 2)
    cmyk = io.BytesIO()
    Image.fromarray(RGB).convert("CMYK").save(cmyk, "JPEG")
    yield "CMYK", cmyk.getvalue(), (0, 2)


# -- NumPy -------------------------------------------------------------------------------------------------------------


def described(text, version=1, data=None, length=None):
    """Return an NPY file with this description."""
    form = {1: "<H", 2: "<I", 3: "<I"}.get(version, "<H")
    size = struct.pack(form, len(text) if length is None else length)
    return (
        b"\x93NUMPY" + bytes([version, 0]) + size + text.encode("latin-1") + (GREY.tobytes() if data is None else data)
    )


def header(descr="'|u1'", order="False", shape="(32, 40)"):
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}\n"


def npys():
    """Yield (what, bytes, codes)."""
    for what, text in {
        "a huge shape": header(shape="(1000000000, 1000000000)"),
        "10^30 pixels": header(shape=f"({10**30}, 2)"),
        "a negative shape": header(shape="(-32, -40)"),
        "a shape of 0": header(shape="(0, 40)"),
        "a shape of text": header(shape="'abc'"),
        "a shape of floats": header(shape="(32.0, 40.0)"),
        "larger": header(shape="(64, 40)"),
        "a shape of true": header(shape="(True, 1280)"),
        "40 dimensions": header(shape=str((1,) * 38 + (32, 40))),
        "100 dimensions": header(shape=str((1,) * 98 + (32, 40))),
        "no dimension": header(shape="()"),
        "objects": header("'|O'"),
        "text": header("'<U4'"),
        "dates": header("'<M8[s]'"),
        "a record": header("[('a', '|u1'), ('b', '|u1')]"),
        "an unknown type": header("'zz'"),
        "no type": header("None"),
        "a type of 10^9 bytes": header("'|V1000000000'"),
        "code": "__import__('os').system('touch ran')\n",
        "a call": header(shape=f"open('{MARKER}', 'w')"),
        "complex": header("'<c8'", shape="(16, 10)"),
        "no mapping": "[]\n",
        "nothing": "\n",
        "deep brackets": "[" * 5000 + "\n",
        "no key": "{'descr': '|u1'}\n",
        "more keys": header()[:-2] + ", 'more': 1}\n",
        "a word as order": header(order="'maybe'"),
        "a null character": header() + "\0",
        "an aligned record": header("[('', '|V40')]", shape="(32,)"),
    }.items():
        yield (
            f"header: {what}",
            described(text),
            (0, 2) if what in ("a shape of true", "40 dimensions", "more keys") else (2,),
        )
    for version in (0, 2, 3, 9, 255):
        yield f"version {version}", described(header(), version), (0, 2)
    yield "a header of 4 GB", described(header(), 2, length=2**32 - 1), (2,)
    yield "a header of 1 MB", described(header().rstrip() + " " * 10**6 + "\n", 2), (0, 2)
    yield "no pixels", described(header(), data=b""), (2,)
    yield "too many pixels", described(header(), data=bytes(10**6)), (0, 2)
    yield "a pickle", pickle.dumps(Call(print, "x")), (2,)
    yield "objects with code", npy(np.array([Call(open, MARKER, "w")], dtype=object), allow_pickle=True), (2,)
    for what, array in {
        "nan": np.full((32, 40), np.nan),
        "infinite": np.full((32, 40), np.inf),
        "boolean": GREY > 99,
        "half": GREY.astype(np.float16),
        "long double": GREY.astype(np.longdouble),
        "64 bits": GREY.astype(np.uint64) << 50,
        "empty": np.zeros((0, 40), np.uint8),
        "one value": np.uint8(7),
        "a line": GREY[0],
    }.items():
        yield (
            f"values: {what}",
            npy(np.asarray(array)),
            (2,) if what in ("nan", "infinite", "empty", "one value") else (0, 2),
        )


def npzs():
    """Yield (what, bytes, codes)."""
    yield "two arrays", npz(a=GREY, b=GREY), (0, 2)
    yield "no array", npz(), (2,)
    yield "a bomb", npz(a=np.zeros((1 << 15, 1 << 16), np.uint8)), (0, 2)
    yield "names that leave the folder", npz(**{f"../../{MARKER}": GREY}), (0, 2)
    for what, content in {
        "no NPY": b"hello",
        "a lying NPY": described(header(shape=f"({10**9}, 40)")),
        "objects": npy(np.array([Call(open, MARKER, "w")], dtype=object)),
    }.items():
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("a.npy", content)
        yield what, file.getvalue(), (2,)


def cases():
    """Yield all cases."""
    for name, data in GOOD.items():
        size = len(data)
        for what, damage in cuts(name, [0, 1, 3, 9, 21, 60, *range(size // 9, size, size // 9), size - 1]):
            early = int(what.split()[-1]) <= size // 2
            yield Case(what, damage, words(name), (2,) if early else (0, 2))
        for what, damage in flips(name, size, 12):
            yield Case(what, damage, words(name))
    for what, damage in no_files("a.png"):
        yield Case(what, damage, words("a.png"), (2,))
    made = {"a.png": pngs(), "a.tif": tiffs(), "a.jpg": jpegs(), "a.npy": npys(), "a.npz": npzs()}
    for name, found in made.items():
        for what, content, codes in found:
            yield Case(f"{name} {what}", writing(name, content), words(name), codes)
    for kind in GOOD:
        for other in ("a.png", "a.tif", "a.npy"):
            if kind.split(".")[1] != other.split(".")[1]:
                yield Case(f"{other} under the name {kind}", writing(kind, GOOD[other]), words(kind), (0,))


def check(folder, ended):
    """Yield what is wrong with the result of an accepted picture."""
    results = list((folder / "out").iterdir())
    if len(results) != 1:
        yield f"results: {results}"
    for path in results:
        if regular(path).stat().st_size < 1 << 24 and not np.isfinite(pixels(path)).any():
            yield "no finite value"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_pictures_of_strangers(tmp_path, record_property):
    base = tmp_path / "base"
    (base / "out").mkdir(parents=True)
    for name, content in GOOD.items():
        (base / name).write_bytes(content)
    with commands(tmp_path) as runner:
        count, wrong = make_attempts("pictures", cases(), base, runner, check)
    record_property("figure", count)
    assert not wrong, "\n".join([count, *wrong])
