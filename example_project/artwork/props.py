"""What more than one picture shows: windows, curtains, leaves, a table, steam."""

import math

from canvas import Canvas, mix, smooth


LEAVES = ["#2b4534", "#45603f", "#6d7f4a", "#a3a460"]


def view(c: Canvas, left, top, right, bottom, *, sky, hills, sun=None) -> None:
    """A window with the valley behind it."""
    frame = [(left, top), (right, top), (right, bottom), (left, bottom)]

    def valley() -> None:
        c.shape(frame, sky)
        if sun:
            c.glow(*sun, (right - left) * 0.7, "#ffdf9e", 0.8)
            c.ellipse(*sun, 26, 26, "#fff3d2", blur=2)
        depth = bottom - top
        for share, lift in [(0.0, 0.5), (0.45, 0.36), (1.0, 0.2)]:
            base = bottom - depth * lift * 0.55
            ridge = c.ridge(base, depth * lift * 0.8, waves=3 + 2 * share)
            c.paint(
                c.mask(ridge),
                c.gradient(
                    [mix(*hills, share), mix(hills[1], sky[-1], 0.55 - share * 0.3)],
                    base - depth * lift,
                    bottom,
                ),
            )

    c.clip(frame, valley)


def panes(c: Canvas, left, top, right, bottom, columns, rows, colour="#f6efe0") -> None:
    for i in range(columns + 1):
        x = left + (right - left) * i / columns
        c.line([(x, top), (x, bottom)], colour, 16 if i in (0, columns) else 7)
    for i in range(rows + 1):
        y = top + (bottom - top) * i / rows
        c.line([(left - 7, y), (right + 7, y)], colour, 16 if i in (0, rows) else 7)
    c.box(left - 34, bottom, right + 34, bottom + 22, [colour, "#cdbfa4"])


def curtain(c: Canvas, left, right, top, bottom, colours) -> None:
    """A curtain in folds."""
    folds, width = 6, right - left
    c.shape([(left, top), (right, top), (right, bottom), (left, bottom)], colours[1])
    for i in range(folds):
        x = left + width * i / folds
        c.shape(
            [
                (x, top),
                (x + width / folds * 0.55, top),
                (x + width / folds * 0.5, bottom),
                (x + 2, bottom),
            ],
            [colours[0], colours[1]],
            blur=6,
            opacity=0.8,
        )
        c.shape(
            [
                (x + width / folds * 0.7, top),
                (x + width / folds, top),
                (x + width / folds, bottom),
                (x + width / folds * 0.66, bottom),
            ],
            colours[2],
            blur=6,
            opacity=0.6,
        )


def sprig(c: Canvas, x, y, length, angle, *, leaf=26, colours=LEAVES) -> None:
    """A stem with paired leaves."""
    a = math.radians(angle)
    dx, dy = math.cos(a), math.sin(a)
    c.line(
        smooth(
            [
                (x, y),
                (x + dx * length / 2 - dy * 10, y + dy * length / 2 + dx * 10),
                (x + dx * length, y + dy * length),
            ]
        ),
        "#5a6344",
        3,
    )
    count = int(length / (leaf * 0.62))
    for i in range(1, count + 1):
        t = i / count
        px, py = (
            x + dx * length * t - dy * 10 * math.sin(math.pi * t),
            y + dy * length * t + dx * 10 * math.sin(math.pi * t),
        )
        for side in (-1, 1):
            b = a + side * (0.85 - 0.3 * t)
            size = leaf * (1.1 - 0.5 * t)
            tip = (px + math.cos(b) * size * 1.9, py + math.sin(b) * size * 1.9)
            mid = (px + math.cos(b) * size, py + math.sin(b) * size)
            nx, ny = -math.sin(b) * size * 0.42, math.cos(b) * size * 0.42
            tint = c.random.randrange(len(colours) - 1)
            c.shape(
                smooth(
                    [
                        (px, py),
                        (mid[0] + nx, mid[1] + ny),
                        tip,
                        (mid[0] - nx, mid[1] - ny),
                    ],
                    closed=True,
                    steps=8,
                ),
                [colours[tint + 1], colours[tint]],
            )
            c.line([(px, py), tip], "#f0ecd0", 1, 0.3)


def table(c: Canvas, y, colours, *, edge="#cbb894") -> None:
    c.box(-10, y, c.width + 10, c.height + 10, colours)
    c.box(-10, y, c.width + 10, y + 5, edge, opacity=0.8)


def steam(c: Canvas, x, y, height) -> None:
    for offset, phase in [(-14, 0), (10, 1.6)]:
        line = [
            (x + offset + math.sin(phase + i / 3.2) * 14, y - height * i / 16)
            for i in range(17)
        ]
        for i, (px, py) in enumerate(line):
            c.ellipse(
                px, py, 6 + i * 0.9, 12, "#fffaf0", blur=8, opacity=0.22 * (1 - i / 17)
            )
