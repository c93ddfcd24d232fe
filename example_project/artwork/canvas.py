"""A small painter's box over Pillow: smooth shapes, gradients, glows and mist.

Everything is drawn at twice the size and scaled down at the end, which is what
makes the edges soft. Coordinates are those of the finished picture.
"""

import math
import random
from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, ImageFilter


Point = tuple[float, float]
Colour = str | tuple[int, int, int]
SCALE = 2


def rgb(colour: Colour) -> tuple[int, int, int]:
    if isinstance(colour, tuple):
        return colour
    value = colour.lstrip("#")
    return int(value[0:2], 16), int(value[2:4], 16), int(value[4:6], 16)


def mix(one: Colour, other: Colour, share: float) -> tuple[int, int, int]:
    """Return the colour that is ``share`` of the way from one to the other."""
    a, b = rgb(one), rgb(other)
    return tuple(round(x + (y - x) * share) for x, y in zip(a, b, strict=True))


def smooth(
    points: Sequence[Point], *, closed: bool = False, steps: int = 14
) -> list[Point]:
    """Return a curve through all points (Catmull-Rom)."""
    first, last = points[0], points[-1]
    ring = [last, *points, first, points[1]] if closed else [first, *points, last]
    curve = []
    for a, b, c, d in zip(ring, ring[1:], ring[2:], ring[3:], strict=False):
        for step in range(steps):
            t = step / steps
            curve.append(
                tuple(
                    0.5
                    * (
                        2 * b[i]
                        + (c[i] - a[i]) * t
                        + (2 * a[i] - 5 * b[i] + 4 * c[i] - d[i]) * t**2
                        + (3 * b[i] - a[i] - 3 * c[i] + d[i]) * t**3
                    )
                    for i in (0, 1)
                )
            )
    if not closed:
        curve.append(tuple(points[-1]))
    return curve


def arc(
    x: float, y: float, rx: float, ry: float, start: float, end: float
) -> list[Point]:
    """Return points on an ellipse; angles in degrees, 0 is to the right, 90 is down."""
    count = max(8, int(abs(end - start) / 4))
    return [
        (
            x + rx * math.cos(math.radians(start + (end - start) * i / count)),
            y + ry * math.sin(math.radians(start + (end - start) * i / count)),
        )
        for i in range(count + 1)
    ]


def _ramp(
    colours: Sequence[Colour], first: float, last: float, start: int, end: int
) -> Image.Image:
    """Return a column of pixels ``start`` to ``end``, coloured from first to last."""
    column = Image.new("RGB", (1, max(1, end - start)))
    for i in range(column.height):
        share = min(1.0, max(0.0, (start + i - first) / max(1, last - first)))
        place = share * (len(colours) - 1)
        low = min(int(place), len(colours) - 2)
        column.putpixel((0, i), mix(colours[low], colours[low + 1], place - low))
    return column


class Canvas:
    """One picture in the making."""

    def __init__(self, width: int, height: int, *, seed: int) -> None:
        self.width, self.height = width, height
        self.size = (width * SCALE, height * SCALE)
        self.image = Image.new("RGB", self.size)
        self.random = random.Random(seed)  # noqa: S311 - leaves and grain, not secrets

    # -- masks -----------------------------------------------------------------

    def mask(self, *shapes: Iterable[Point], blur: float = 0) -> Image.Image:
        """Return a mask as large as the picture, for many shapes painted at once."""
        mask = Image.new("L", self.size, 0)
        draw = ImageDraw.Draw(mask)
        for shape in shapes:
            draw.polygon([(x * SCALE, y * SCALE) for x, y in shape], fill=255)
        if blur:
            mask = mask.filter(ImageFilter.GaussianBlur(blur * SCALE))
        return mask

    def gradient(
        self, colours: Sequence[Colour], first: float, last: float
    ) -> Image.Image:
        """Return a picture that runs through the colours from top to bottom."""
        return _ramp(colours, first * SCALE, last * SCALE, 0, self.size[1]).resize(
            self.size
        )

    # -- paint -----------------------------------------------------------------

    def paint(
        self, mask: Image.Image, fill: Colour | Image.Image, opacity: float = 1
    ) -> None:
        if opacity < 1:
            mask = mask.point(lambda value: round(value * opacity))
        self.image.paste(
            fill if isinstance(fill, Image.Image) else rgb(fill),
            (0, 0, *self.size),
            mask,
        )

    def shape(
        self,
        points: Iterable[Point],
        fill: Colour | list[Colour],
        *,
        blur: float = 0,
        opacity: float = 1,
        across: bool = False,
    ) -> None:
        """Paint a closed shape with a colour, or with a gradient over its extent."""
        points = [(x * SCALE, y * SCALE) for x, y in points]
        box = self._around(points, blur * 3 * SCALE)
        if box is None:
            return
        left, top, right, bottom = box
        mask = Image.new("L", (right - left, bottom - top), 0)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in points], fill=255)
        if blur:
            mask = mask.filter(ImageFilter.GaussianBlur(blur * SCALE))
        if opacity < 1:
            mask = mask.point(lambda value: round(value * opacity))
        if isinstance(fill, list):
            axis, start, end = (0, left, right) if across else (1, top, bottom)
            extent = [point[axis] for point in points]
            ramp = _ramp(fill, min(extent), max(extent), start, end)
            if across:
                ramp = ramp.transpose(Image.Transpose.TRANSPOSE)
            self.image.paste(ramp.resize(mask.size), box, mask)
        else:
            self.image.paste(rgb(fill), box, mask)

    def ellipse(
        self, x: float, y: float, rx: float, ry: float, fill, **options
    ) -> None:
        self.shape(arc(x, y, rx, ry, 0, 360), fill, **options)

    def box(
        self, left: float, top: float, right: float, bottom: float, fill, **options
    ) -> None:
        self.shape(
            [(left, top), (right, top), (right, bottom), (left, bottom)],
            fill,
            **options,
        )

    def line(
        self,
        points: Sequence[Point],
        colour: Colour,
        width: float,
        opacity: float = 1,
    ) -> None:
        points = [(x * SCALE, y * SCALE) for x, y in points]
        box = self._around(points, width * SCALE)
        if box is None:
            return
        left, top, right, bottom = box
        mask = Image.new("L", (right - left, bottom - top), 0)
        ImageDraw.Draw(mask).line(
            [(x - left, y - top) for x, y in points],
            fill=round(255 * opacity),
            width=max(1, round(width * SCALE)),
            joint="curve",
        )
        self.image.paste(rgb(colour), box, mask)

    def glow(
        self,
        x: float,
        y: float,
        radius: float,
        colour: Colour,
        opacity: float = 1,
        squash: float = 1,
    ) -> None:
        """Add light around a point; it brightens what is there."""
        left, top = round((x - radius) * SCALE), round((y - radius * squash) * SCALE)
        size = (round(radius * 2 * SCALE), round(radius * 2 * squash * SCALE))
        falloff = (
            Image.radial_gradient("L")
            .resize(size)
            .point(lambda value: round(max(0, 1 - value / 181) ** 2.2 * 255 * opacity))
        )
        light = Image.composite(
            Image.new("RGB", size, rgb(colour)), Image.new("RGB", size), falloff
        )
        there = self.image.crop((left, top, left + size[0], top + size[1]))
        self.image.paste(ImageChops.screen(there, light), (left, top))

    def _around(
        self, points: Sequence[Point], margin: float
    ) -> tuple[int, int, int, int] | None:
        """Return the part of the picture that a shape touches, if any."""
        xs, ys = [x for x, _ in points], [y for _, y in points]
        left, top = max(0, int(min(xs) - margin)), max(0, int(min(ys) - margin))
        right = min(self.size[0], int(max(xs) + margin) + 2)
        bottom = min(self.size[1], int(max(ys) + margin) + 2)
        return (left, top, right, bottom) if left < right and top < bottom else None

    def shadow(
        self,
        points: Iterable[Point],
        *,
        blur: float,
        opacity: float,
        dx: float = 0,
        dy: float = 0,
        colour: Colour = "#1d1a16",
    ) -> None:
        self.shape(
            [(x + dx, y + dy) for x, y in points], colour, blur=blur, opacity=opacity
        )

    def clip(self, points: Iterable[Point], painter) -> None:
        """Paint inside a shape only."""
        before, mask = self.image.copy(), self.mask(list(points))
        painter()
        self.image = Image.composite(self.image, before, mask)

    # -- nature ----------------------------------------------------------------

    def sky(self, colours: Sequence[Colour], horizon: float) -> None:
        self.image = self.gradient(colours, 0, horizon)

    def ridge(
        self, base: float, height: float, *, waves: int, roughness: float = 0.12
    ) -> list[Point]:
        """Return the outline of a range of hills, closed at the picture's foot."""
        phases = [self.random.uniform(0, math.tau) for _ in range(3)]
        line = []
        for x in range(-20, self.width + 21, 10):
            t = x / self.width * waves * math.pi
            y = (
                math.sin(t + phases[0])
                + 0.5 * math.sin(2.1 * t + phases[1])
                + roughness * math.sin(9 * t + phases[2])
            )
            line.append((x, base - height * (y + 1.5) / 3))
        return [(-20, self.height + 20), *line, (self.width + 20, self.height + 20)]

    def foliage(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        colours: Sequence[Colour],
        *,
        leaves: int = 260,
        size: float = 9,
    ) -> None:
        """Paint a crown of leaves, dark below and light where the sun is (upper left)."""
        layers: list[list[Iterable[Point]]] = [[] for _ in colours]
        for _ in range(leaves):
            angle, reach = self.random.uniform(0, math.tau), self.random.random() ** 0.5
            px, py = x + rx * reach * math.cos(angle), y + ry * reach * math.sin(angle)
            lit = (
                0.5
                - 0.32 * (px - x) / rx
                - 0.45 * (py - y) / ry
                + self.random.uniform(-0.2, 0.2)
            )
            layer = min(len(colours) - 1, max(0, int(lit * len(colours))))
            r = size * self.random.uniform(0.6, 1.4)
            layers[layer].append(
                arc(px, py, r, r * self.random.uniform(0.6, 1), 0, 360)
            )
        for colour, shapes in zip(colours, layers, strict=True):
            if shapes:
                self.paint(self.mask(*shapes), colour)

    def mist(self, y: float, height: float, colour: Colour, opacity: float) -> None:
        mask = self.mask(
            [
                (0, y - height / 2),
                (self.width, y - height / 2),
                (self.width, y + height / 2),
                (0, y + height / 2),
            ],
            blur=height / 2,
        )
        self.paint(mask, colour, opacity)

    def water(
        self,
        line: float,
        tint: Sequence[Colour],
        *,
        opacity: float = 0.45,
        ripple: float = 5,
    ) -> None:
        """Mirror what is above ``line`` into the lower part, broken by ripples."""
        top = round(line * SCALE)
        depth = self.size[1] - top
        mirror = (
            self.image.crop((0, top - depth, self.size[0], top)).transpose(
                Image.Transpose.FLIP_TOP_BOTTOM
            )
            if depth <= top
            else self.image.crop((0, 0, self.size[0], top))
            .transpose(Image.Transpose.FLIP_TOP_BOTTOM)
            .resize((self.size[0], depth))
        )
        rippled = Image.new("RGB", mirror.size)
        for row in range(0, depth, 2):
            near = row / depth
            shift = (
                math.sin(row / (7 + 26 * near)) * ripple * SCALE * (0.2 + near)
                + math.sin(row / 3.1) * near * ripple
            )
            band = mirror.crop((0, row, self.size[0], row + 2))
            rippled.paste(ImageChops.offset(band, round(shift), 0), (0, row))
        rippled = rippled.filter(ImageFilter.GaussianBlur(1.6 * SCALE))
        colour = self.gradient(tint, line, self.height).crop((0, top, *self.size))
        self.image.paste(Image.blend(rippled, colour, opacity), (0, top))

    def glints(
        self,
        line: float,
        count: int,
        colour: Colour,
        *,
        x: float | None = None,
        spread: float = 0,
        opacity: float = 0.5,
    ) -> None:
        """Short bright strokes on the water."""
        shapes = []
        for _ in range(count):
            near = self.random.random() ** 1.4
            y = line + 4 + (self.height - line) * near
            px = (
                self.random.uniform(0, self.width)
                if x is None
                else self.random.gauss(x, spread * (0.4 + near))
            )
            w = self.random.uniform(8, 34) * (0.5 + near * 1.6)
            shapes.append(arc(px, y, w, 0.8 + near * 1.3, 0, 360))
        self.paint(self.mask(*shapes, blur=0.4), colour, opacity)

    # -- the end ---------------------------------------------------------------

    def save(self, path: Path, *, grain: float = 7, vignette: float = 0.28) -> None:
        image = self.image.resize((self.width, self.height), Image.Resampling.LANCZOS)
        if vignette:
            dark = (
                Image.radial_gradient("L")
                .resize(image.size)
                .point(lambda value: round(max(0, value - 105) / 150 * 255 * vignette))
            )
            image.paste(Image.new("RGB", image.size, (20, 16, 14)), (0, 0), dark)
        # Pillow's noise cannot be seeded, so a redrawn picture differs in its grain.
        noise = Image.effect_noise(image.size, grain * 4).filter(
            ImageFilter.GaussianBlur(0.6)
        )
        image = Image.blend(
            image, ImageChops.overlay(image, Image.merge("RGB", (noise,) * 3)), 0.22
        )
        image.save(path, quality=84, optimize=True, progressive=True)
