"""A river room, and a table laid for two at dusk."""

from pathlib import Path

from canvas import Canvas, arc, smooth
from props import curtain, panes, sprig, table, view


OAK = ["#a67c52", "#86603d", "#5f4229"]


def room(path: Path) -> None:
    c = Canvas(1600, 1000, seed=11)
    c.image.paste(c.gradient(["#48635a", "#3b544b", "#2c4139"], 0, 760), (0, 0))
    for x in range(40, 1600, 80):  # a quiet stripe in the paper
        c.box(x, 0, x + 36, 700, "#587468", opacity=0.16)
    view(
        c,
        590,
        110,
        1010,
        520,
        sky=["#41567a", "#8d7f95", "#e6a77e", "#f6cd94"],
        hills=("#6c6a80", "#33483f"),
        sun=(870, 400),
    )
    panes(c, 590, 110, 1010, 520, 3, 3)
    c.line([(430, 78), (1170, 78)], "#b08a4e", 12)
    for x in (430, 1170):
        c.ellipse(x, 78, 15, 15, ["#d8b573", "#8a6733"])
    curtain(c, 460, 590, 84, 640, ["#ead9b8", "#d3bd95", "#a88f68"])
    curtain(c, 1010, 1140, 84, 640, ["#ead9b8", "#d3bd95", "#a88f68"])
    c.box(0, 640, 1600, 1000, ["#8c6a48", "#6b4d32", "#4a3422"])
    for i in range(-6, 17):
        c.line(
            [(800 + (i - 5) * 90, 640), (800 + (i - 5) * 260, 1000)], "#3d2a1a", 2, 0.4
        )
    c.box(0, 626, 1600, 644, "#efe4cf")
    c.ellipse(800, 930, 720, 92, ["#b6543f", "#8c3b2d"])
    c.ellipse(800, 930, 672, 78, "#d9b383")
    c.ellipse(800, 930, 652, 73, ["#a94a38", "#8a3a2c"])
    # The bed.
    c.shadow([(380, 870), (1220, 870), (1250, 930), (350, 930)], blur=26, opacity=0.55)
    head = [
        (430, 700),
        (430, 420),
        *smooth([(430, 420), (560, 384), (800, 350), (1040, 384), (1170, 420)]),
        (1170, 700),
    ]
    c.shape(head, ["#c79a66", "#8b6239", "#6b4728"])
    inset = [
        (468, 700),
        (468, 452),
        *smooth([(468, 452), (590, 420), (800, 392), (1010, 420), (1132, 452)]),
        (1132, 700),
    ]
    c.shape(inset, ["#e6d3ae", "#c7ad7f"])
    for row in range(5):
        for k in range(9):
            x, y = 520 + k * 70 + (row % 2) * 35, 448 + row * 46
            if x < 1110:
                c.ellipse(x, y, 5, 5, "#a58a5c")
                c.glow(x - 2, y - 2, 8, "#fff2d0", 0.4)
    c.shape(
        [(392, 640), (1208, 640), (1262, 900), (338, 900)],
        ["#fffaf0", "#e5dccb", "#c9bea9"],
    )
    for x, y, w, h, tone in [
        (560, 576, 118, 66, 0),
        (1040, 576, 118, 66, 0),
        (640, 604, 108, 58, 1),
        (960, 604, 108, 58, 1),
        (800, 626, 96, 50, 2),
    ]:
        colours = [
            ["#ffffff", "#ddd3c0"],
            ["#f3ead8", "#cdbf9f"],
            ["#c1664a", "#8c3f2c"],
        ][tone]
        pillow = smooth(
            [
                (x - w, y - h),
                (x, y - h * 0.88),
                (x + w, y - h),
                (x + w * 0.95, y),
                (x + w, y + h),
                (x, y + h * 0.92),
                (x - w, y + h),
                (x - w * 0.95, y),
            ],
            closed=True,
            steps=12,
        )
        c.shadow(pillow, blur=14, opacity=0.34, dy=10)
        c.shape(pillow, colours)
        c.shape(
            arc(x - w * 0.2, y - h * 0.35, w * 0.6, h * 0.3, 0, 360),
            "#ffffff",
            blur=18,
            opacity=0.35,
        )
    quilt = [
        *smooth([(378, 706), (560, 690), (800, 684), (1040, 690), (1222, 706)]),
        (1276, 912),
        *smooth([(1276, 912), (1000, 930), (800, 936), (600, 930), (324, 912)]),
    ]
    c.shape(quilt, ["#5d8375", "#3d6355", "#2a493f"])

    def stitches() -> None:
        for i in range(-14, 30):
            c.line([(240 + i * 66, 670), (40 + i * 66, 950)], "#a8c0ab", 2, 0.35)
            c.line([(240 + i * 66, 670), (440 + i * 66, 950)], "#a8c0ab", 2, 0.35)

    c.clip(quilt, stitches)
    c.shape(
        [
            *smooth([(378, 706), (560, 690), (800, 684), (1040, 690), (1222, 706)]),
            (1232, 744),
            *smooth([(1232, 744), (1040, 730), (800, 724), (560, 730), (368, 744)]),
        ],
        ["#fffdf6", "#e9dfcc"],
    )
    # Bedside tables, lamps and a tray.
    for x, flip in [(250, 1), (1350, -1)]:
        c.shadow(
            [(x - 110, 850), (x + 110, 850), (x + 120, 884), (x - 120, 884)],
            blur=20,
            opacity=0.5,
        )
        c.box(x - 104, 640, x + 104, 860, OAK)
        c.box(x - 118, 622, x + 118, 644, ["#c79a66", "#8b6239"])
        for y in (668, 760):
            c.box(x - 88, y, x + 88, y + 76, "#93693f")
            c.line(
                [
                    (x - 88, y),
                    (x + 88, y),
                    (x + 88, y + 76),
                    (x - 88, y + 76),
                    (x - 88, y),
                ],
                "#5b3d22",
                3,
                0.8,
            )
            c.ellipse(x, y + 38, 9, 9, ["#ecd08c", "#9b7638"])
        c.shape(
            smooth(
                [
                    (x - 16, 540),
                    (x + 16, 540),
                    (x + 40, 590),
                    (x + 22, 624),
                    (x - 22, 624),
                    (x - 40, 590),
                ],
                closed=True,
            ),
            ["#f3efe4", "#9fb0a2", "#6b8275"],
        )
        c.glow(x, 500, 430, "#ffc978", 0.6)
        shade = [(x - 52, 420), (x + 52, 420), (x + 96, 540), (x - 96, 540)]
        c.shape(shade, ["#fff3d0", "#ffdc9a", "#f4bd6e"])
        c.glow(x, 500, 120, "#fff0c0", 0.5)
        c.box(x + flip * 62 - 34, 606, x + flip * 62 + 34, 622, ["#b6543f", "#8c3b2d"])
        c.box(x + flip * 58 - 30, 592, x + flip * 58 + 30, 606, ["#e8dcc0", "#c3b18b"])
    for x in (120, 1480):  # pictures on the wall
        c.box(x - 66, 190, x + 66, 360, ["#c9a25e", "#8f6b34"])
        c.box(x - 52, 204, x + 52, 346, "#f4ecda")
        sprig(c, x, 332, 106, -90, leaf=17)
    c.save(path)


def _glass(c: Canvas, x, foot, s=1.0) -> None:
    c.ellipse(x, foot, 62 * s, 12 * s, "#fff4d8", opacity=0.35)
    c.line([(x, foot), (x, foot - 150 * s)], "#fff4d8", 7 * s, 0.6)
    bowl = smooth(
        [
            (x - 52 * s, foot - 330 * s),
            (x - 72 * s, foot - 250 * s),
            (x - 44 * s, foot - 168 * s),
            (x, foot - 146 * s),
            (x + 44 * s, foot - 168 * s),
            (x + 72 * s, foot - 250 * s),
            (x + 52 * s, foot - 330 * s),
        ]
    )
    c.shape(bowl, "#fff6e2", opacity=0.16)
    wine = smooth(
        [
            (x - 70 * s, foot - 246 * s),
            (x - 44 * s, foot - 170 * s),
            (x, foot - 150 * s),
            (x + 44 * s, foot - 170 * s),
            (x + 70 * s, foot - 246 * s),
        ]
    )
    c.shape(wine, ["#8e2a38", "#54121e"])
    c.ellipse(x, foot - 247 * s, 70 * s, 11 * s, "#b04553")
    c.line(bowl, "#fff6e2", 3 * s, 0.6)
    c.line(
        smooth(
            [
                (x - 42 * s, foot - 318 * s),
                (x - 58 * s, foot - 256 * s),
                (x - 44 * s, foot - 200 * s),
            ]
        ),
        "#ffffff",
        6 * s,
        0.55,
    )


def dinner(path: Path) -> None:
    c = Canvas(1600, 1000, seed=29)
    c.image.paste(c.gradient(["#2b3d3c", "#263634", "#1c2926"], 0, 700), (0, 0))
    view(
        c,
        300,
        50,
        1300,
        610,
        sky=["#1f2f4f", "#4b4d72", "#a86f78", "#e6a06c", "#f6c98a"],
        hills=("#4b4a63", "#1e2c2c"),
        sun=(960, 440),
    )
    for _ in range(46):
        c.ellipse(
            c.random.uniform(310, 1290),
            c.random.uniform(60, 230),
            1.6,
            1.6,
            "#fff6dc",
            opacity=c.random.uniform(0.3, 0.9),
        )
    c.box(300, 560, 1300, 610, ["#b98a6c", "#3a4a50"], opacity=0.7)
    panes(c, 300, 50, 1300, 610, 5, 3, "#d9cbb0")
    curtain(c, 120, 300, 0, 760, ["#8d4236", "#6b2c25", "#3f1815"])
    curtain(c, 1300, 1480, 0, 760, ["#8d4236", "#6b2c25", "#3f1815"])
    table(c, 690, ["#f1e4ca", "#d2bd98", "#8f7a5c"], edge="#fff3d8")
    c.glow(800, 600, 620, "#ffb45e", 0.6)
    for x in (430, 1170):
        c.ellipse(x, 806, 214, 48, "#1d1410", blur=14, opacity=0.45)
        c.ellipse(x, 796, 210, 46, ["#fffaf0", "#cfbf9f"])
        rim = arc(x, 796, 202, 43, 0, 360)
        c.line([*rim, rim[1]], "#c8a15a", 4)
        c.ellipse(x, 792, 150, 29, ["#e6d8bc", "#fdf5e4"])
        fold = [(x - 66, 790), (x, 640), (x + 66, 790), (x, 806)]
        c.shape(fold, ["#fffaf0", "#d9c8a8"])
        c.shape([(x, 640), (x + 66, 790), (x, 806)], "#b8a27c", opacity=0.5)
        c.box(x - 34, 752, x + 34, 768, "#b98f4a")
        for dx, blade in [(-262, False), (-236, False), (248, True)]:
            px = x + dx
            c.line([(px, 760), (px + (dx > 0) * 6, 868)], "#f0e3c4", 7)
            if blade:
                c.shape(
                    smooth(
                        [(px - 5, 690), (px + 8, 720), (px + 6, 776), (px - 5, 776)],
                        closed=True,
                    ),
                    ["#fffaf0", "#c0b290"],
                )
            else:
                for k in (-7, 0, 7):
                    c.line([(px + k, 704), (px + k, 744)], "#f0e3c4", 3)
                c.shape(
                    [(px - 9, 742), (px + 9, 742), (px + 3, 766), (px - 3, 766)],
                    "#f0e3c4",
                )
    _glass(c, 640, 770, 0.95)
    _glass(c, 980, 770, 0.95)
    # Candles between them.
    for x, top, foot in [(740, 470, 786), (800, 410, 800), (868, 500, 788)]:
        c.ellipse(x, foot + 4, 50, 11, "#1d1410", blur=8, opacity=0.5)
        c.shape(
            [
                *smooth(
                    [
                        (x - 46, foot),
                        (x - 14, foot - 18),
                        (x - 9, foot - 70),
                        (x - 20, foot - 92),
                    ]
                ),
                *smooth(
                    [
                        (x + 20, foot - 92),
                        (x + 9, foot - 70),
                        (x + 14, foot - 18),
                        (x + 46, foot),
                    ]
                ),
            ],
            ["#f0cf8a", "#b98f4a", "#7d5a27"],
            across=True,
        )
        c.shape(
            [(x - 14, foot - 90), (x - 14, top), (x + 14, top), (x + 14, foot - 90)],
            ["#fff3d6", "#ecd9b0"],
        )
        c.line([(x, top), (x, top - 14)], "#3a2a1a", 3)
        c.glow(x, top - 36, 210, "#ffc062", 0.85)
        c.shape(
            smooth(
                [
                    (x, top - 78),
                    (x + 13, top - 40),
                    (x + 8, top - 14),
                    (x, top - 8),
                    (x - 8, top - 14),
                    (x - 13, top - 40),
                ],
                closed=True,
            ),
            ["#fff6d8", "#ffd36e", "#f08f2e"],
        )
        c.ellipse(x, top - 24, 5, 12, "#fffdf0", blur=2)
    for x, y, length, angle in [
        (560, 850, 200, -8),
        (1040, 850, 200, 188),
        (700, 862, 120, 4),
        (900, 862, 120, 176),
    ]:
        sprig(c, x, y, length, angle, leaf=20)
    c.save(path, vignette=0.34)
