"""Afternoon tea by the window."""

from pathlib import Path

from canvas import Canvas, arc, mix, smooth
from props import curtain, panes, sprig, steam, table, view


def _stand(c: Canvas, x, foot) -> None:
    """Three plates, one above the other, and what is on them."""
    c.line([(x, foot - 510), (x, foot)], "#b98f4a", 9)
    ring = arc(x, foot - 540, 24, 28, 0, 360)
    c.line([*ring, ring[1]], "#b98f4a", 8)
    for y, r in [(foot, 270), (foot - 190, 212), (foot - 350, 156)]:
        c.ellipse(x, y + 16, r * 0.9, r * 0.16, "#2a2018", blur=14, opacity=0.32)
        c.ellipse(x, y, r, r * 0.2, ["#fffdf6", "#d9d0be"])
        edge = arc(x, y, r - 4, r * 0.2 - 3, 0, 360)
        c.line([*edge, edge[1]], "#c8a15a", 3)
        c.ellipse(x, y - 4, r * 0.8, r * 0.14, ["#efe7d7", "#fffdf8"])
    # Top: little cakes and berries.
    for k, dx in enumerate((-96, -48, 0, 48, 96)):
        top = foot - 366 - (8 if k % 2 else 0)
        colours = [
            ["#e9a9a0", "#cf7f78"],
            ["#f3dca0", "#dcb76a"],
            ["#b9cda4", "#8fab78"],
            ["#f5e3d0", "#dcbd9c"],
            ["#d7a7b5", "#b57a8c"],
        ][k]
        c.shape(
            [
                *arc(x + dx, top - 20, 23, 16, 180, 360),
                (x + dx + 23, top - 12),
                (x + dx - 23, top - 12),
            ],
            colours,
        )
        c.box(x + dx - 22, top - 13, x + dx + 22, top - 5, "#fff6e6")
        c.shape(
            [
                (x + dx - 23, top - 6),
                (x + dx + 23, top - 6),
                *arc(x + dx, top, 23, 12, 0, 180),
            ],
            list(reversed(colours)),
        )
    for dx, dy in [(-70, -34), (72, -36), (24, -44), (-22, -46)]:
        c.ellipse(x + dx, foot - 372 + dy, 12, 14, ["#d94f45", "#9c2b2a"])
        c.shape(
            [
                (x + dx - 9, foot - 384 + dy),
                (x + dx, foot - 394 + dy),
                (x + dx + 9, foot - 384 + dy),
            ],
            "#5d7f45",
        )
    # Middle: scones.
    for dx in (-128, -44, 44, 128):
        y = foot - 204
        c.shape(
            [
                *arc(x + dx, y - 36, 40, 24, 180, 360),
                (x + dx + 42, y - 10),
                *arc(x + dx, y - 10, 42, 12, 0, 180),
                (x + dx - 42, y - 10),
            ],
            ["#d79a4e", "#efcf98", "#c98f4c"],
        )
        c.ellipse(x + dx - 10, y - 48, 18, 7, "#f4cf8b", blur=4, opacity=0.8)
        for _ in range(5):
            c.ellipse(
                x + dx + c.random.uniform(-26, 26),
                y - c.random.uniform(10, 34),
                3.4,
                2.8,
                "#59361f",
            )
    # Below: finger sandwiches.
    for k in range(8):
        left, y = x - 214 + k * 54, foot - 14
        filling = ["#8fae6b", "#e39a83", "#e9c85f", "#9dbb7d"][k % 4]
        c.box(left, y - 62, left + 46, y, ["#fff6e2", "#eadbbd"])
        c.box(left, y - 40, left + 46, y - 24, filling)
        c.line([(left, y - 41), (left + 46, y - 41)], "#d8b67f", 2)
        c.line([(left, y - 23), (left + 46, y - 23)], "#d8b67f", 2)
        c.shape(
            [
                (left + 46, y - 62),
                (left + 52, y - 67),
                (left + 52, y - 6),
                (left + 46, y),
            ],
            "#d9c6a0",
        )


def _cup(c: Canvas, x, y, s=1.0) -> None:
    c.ellipse(x, y + 14 * s, 122 * s, 26 * s, "#2a2018", blur=10, opacity=0.35)
    c.ellipse(x, y, 118 * s, 26 * s, ["#fffdf6", "#d2c8b4"])
    edge = arc(x, y, 114 * s, 24 * s, 0, 360)
    c.line([*edge, edge[1]], "#c8a15a", 3)
    handle = smooth(
        [
            (x + 64 * s, y - 74 * s),
            (x + 112 * s, y - 78 * s),
            (x + 104 * s, y - 36 * s),
            (x + 54 * s, y - 30 * s),
        ]
    )
    c.line(handle, "#e6dece", 12 * s)
    body = smooth(
        [
            (x - 74 * s, y - 96 * s),
            (x - 66 * s, y - 44 * s),
            (x - 32 * s, y - 6 * s),
            (x + 32 * s, y - 6 * s),
            (x + 66 * s, y - 44 * s),
            (x + 74 * s, y - 96 * s),
        ]
    )
    c.shape(body, ["#fffefa", "#f0e8d8", "#c6baa3"], across=True)
    c.ellipse(x, y - 96 * s, 74 * s, 16 * s, "#fffdf6")
    c.ellipse(x, y - 94 * s, 66 * s, 12 * s, ["#8a4a22", "#b8713a"])
    c.line(
        smooth([(x - 71 * s, y - 70 * s), (x, y - 52 * s), (x + 71 * s, y - 70 * s)]),
        "#c8a15a",
        3,
    )
    steam(c, x, y - 110 * s, 150 * s)


def tea(path: Path) -> None:
    c = Canvas(1600, 1000, seed=5)
    c.image.paste(c.gradient(["#d9d6c6", "#e7e0cd", "#efe6d2"], 0, 700), (0, 0))
    view(
        c,
        420,
        60,
        1180,
        600,
        sky=["#a9c6cf", "#d6e2da", "#f5ecd2"],
        hills=("#a9bcae", "#5f8262"),
        sun=(520, 160),
    )
    for x, y, r in [(450, 560, 120), (1150, 540, 130), (1040, 590, 70)]:
        c.clip(
            [(420, 60), (1180, 60), (1180, 600), (420, 600)],
            lambda x=x, y=y, r=r: c.foliage(
                x,
                y,
                r,
                r,
                ["#4a6a4a", "#688557", "#94a86a", "#c2c68a"],
                leaves=330,
                size=9,
            ),
        )
    panes(c, 420, 60, 1180, 600, 4, 3, "#fffaf0")
    curtain(c, 250, 420, 0, 720, ["#f8efe0", "#e8dac2", "#c9b797"])
    curtain(c, 1180, 1350, 0, 720, ["#f8efe0", "#e8dac2", "#c9b797"])
    c.glow(560, 220, 900, "#fff4d2", 0.34)
    table(c, 690, ["#fdf8ee", "#eee3cf", "#d8c8aa"], edge="#ffffff")
    for i in range(26):  # the cloth's folds at the front
        x = -20 + i * 66
        c.shape(
            [(x, 880), (x + 26, 880), (x + 34, 1000), (x - 6, 1000)],
            "#bba988",
            blur=12,
            opacity=0.3,
        )
    c.box(-10, 868, 1610, 884, "#ffffff", opacity=0.55, blur=5)
    _stand(c, 800, 800)
    # The teapot.
    x, y = 1270, 800
    c.ellipse(x, y + 4, 190, 26, "#2a2018", blur=12, opacity=0.38)
    c.line(
        smooth(
            [
                (x + 120, y - 160),
                (x + 226, y - 172),
                (x + 222, y - 60),
                (x + 112, y - 50),
            ]
        ),
        "#33584b",
        22,
    )
    c.shape(
        [
            *smooth([(x - 116, y - 92), (x - 190, y - 130), (x - 214, y - 206)]),
            (x - 186, y - 212),
            *smooth([(x - 186, y - 212), (x - 150, y - 160), (x - 100, y - 140)]),
        ],
        ["#4f7a69", "#2b4a3f"],
    )
    c.shape(
        smooth(
            [
                (x - 66, y - 204),
                (x - 136, y - 126),
                (x - 112, y - 30),
                (x, y - 4),
                (x + 112, y - 30),
                (x + 136, y - 126),
                (x + 66, y - 204),
            ],
            closed=True,
        ),
        ["#6d9a87", "#3c6555", "#24423a"],
        across=True,
    )
    c.ellipse(x - 56, y - 140, 26, 44, "#dcefe2", blur=14, opacity=0.55)
    c.ellipse(x, y - 200, 78, 16, "#2b4a3f")
    c.shape([*arc(x, y - 204, 72, 40, 180, 360)], ["#5f8c79", "#33584b"])
    c.ellipse(x, y - 250, 15, 15, ["#e4c27c", "#9f7834"])
    band = smooth([(x - 132, y - 108), (x, y - 84), (x + 132, y - 108)])
    c.line(band, "#d9b467", 6)
    _cup(c, 330, 830)
    _cup(c, 1150, 930, 0.86)
    # Roses in a jug.
    x, y = 140, 800
    c.ellipse(x, y, 92, 14, "#2a2018", blur=10, opacity=0.35)
    for angle in (-128, -106, -84, -62, -46):
        sprig(c, x, y - 150, 150, angle, leaf=22)
    for dx, dy, r, tone in [
        (-62, -262, 44, 0),
        (36, -290, 48, 1),
        (88, -214, 38, 0),
        (-4, -214, 46, 2),
    ]:
        light, dark = [
            ("#f4c9bd", "#d68d80"),
            ("#fbe9d7", "#e0bd9a"),
            ("#e7a498", "#b9625a"),
        ][tone]
        c.ellipse(x + dx, y + dy, r, r, [light, dark])
        for k in range(5):
            petal = arc(
                x + dx,
                y + dy,
                r * (0.82 - k * 0.15),
                r * (0.76 - k * 0.14),
                200 + k * 70,
                400 + k * 70,
            )
            c.line(petal, mix(dark, "#8c3b35", 0.25), 3, 0.6)
    c.shape(
        smooth(
            [
                (x - 56, y - 176),
                (x - 80, y - 80),
                (x - 58, y - 4),
                (x + 58, y - 4),
                (x + 80, y - 80),
                (x + 56, y - 176),
            ]
        ),
        ["#fffdf6", "#e9dfcc", "#b9ab90"],
        across=True,
    )
    c.save(path, vignette=0.2)
