"""Pictures for the catalogue: a mill pond at different hours, drawn row by row.

A PNG needs little more than ``zlib``; every row is a few runs of one colour.
"""

import math
import struct
import zlib
from functools import lru_cache


WIDTH, HEIGHT = 640, 400

#: Sky above, sky at the horizon, hill behind, hill in front, sun.
_HOURS = (
    ("2f4858", "f6ae2d", "33658a", "1f3b4d", "fff3d6"),
    ("86bbd8", "f3f9fb", "5b8e7d", "3b6b5c", "ffe9a8"),
    ("c9ada7", "f2e9e4", "9a8c98", "4a4e69", "fff8ef"),
    ("22223b", "9a8c98", "3d405b", "191b2f", "f4f1de"),
    ("f4a261", "fdf0d5", "a98467", "6c584c", "fffaf0"),
)

_HORIZON = 250


@lru_cache(maxsize=64)
def picture(number: int) -> bytes:
    """Return a PNG; the same for the same number."""
    top, low, back, front, sun = (
        bytes.fromhex(h) for h in _HOURS[number % len(_HOURS)]
    )
    sun_x, sun_y, radius = 140 + number * 83 % 360, 130, 44
    rows = bytearray()
    for y in range(HEIGHT):
        sky = _between(top, low, min(1.0, y / _HORIZON))
        row = bytearray(sky * WIDTH)
        _run(row, sun, sun_x, _half_chord(radius, y - sun_y))
        _run(row, back, 180, _slope(y, 170))
        _run(row, back, 520, _slope(y, 200))
        _run(row, front, 360, _slope(y, 250))
        if y > _HORIZON + 70:
            _run(row, _between(low, top, (y - _HORIZON) / 160), WIDTH // 2, WIDTH)
        # Filter type 0: the row as it is.
        rows += b"\0" + row
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(bytes(rows), 9))
        + _chunk(b"IEND", b"")
    )


def _between(first: bytes, second: bytes, share: float) -> bytes:
    share = max(0.0, min(1.0, share))
    return bytes(round(a + (b - a) * share) for a, b in zip(first, second, strict=True))


def _run(row: bytearray, colour: bytes, middle: int, half: int) -> None:
    left, right = max(0, middle - half), min(WIDTH, middle + half)
    if left < right:
        row[left * 3 : right * 3] = colour * (right - left)


def _half_chord(radius: int, distance: int) -> int:
    return math.isqrt(max(0, radius**2 - distance**2))


def _slope(y: int, peak: int) -> int:
    """Return half the width of a hill at height ``y``."""
    return round(26 * math.sqrt(y - peak) + (y - peak) * 0.9) if y > peak else 0


def _chunk(kind: bytes, body: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + check
