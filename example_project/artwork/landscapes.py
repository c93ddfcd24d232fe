"""The mill by the river, and the river on a misty morning."""

import math
from pathlib import Path

from canvas import Canvas, arc, mix, smooth


LEAVES = ["#1f332b", "#2b4534", "#3d5a3a", "#5c7440", "#8b9150", "#bda85d"]


def mill(path: Path) -> None:
    c = Canvas(2000, 1200, seed=7)
    horizon = 800
    c.sky(["#6f8f9f", "#a9b9b4", "#e6cfa5", "#f3c58c", "#efae76"], horizon)
    c.glow(1480, 640, 900, "#ffcf8a", 0.85)
    c.ellipse(1480, 640, 62, 62, "#fff2cf", blur=3)
    for y, x, w in [
        (170, 420, 330),
        (215, 980, 420),
        (300, 240, 240),
        (345, 1520, 360),
        (120, 1700, 260),
    ]:
        for _puff in range(5):
            c.ellipse(
                x + c.random.uniform(-w, w) * 0.5,
                y + c.random.uniform(-14, 14),
                w * c.random.uniform(0.3, 0.7),
                c.random.uniform(6, 16),
                "#fbe6c6",
                blur=12,
                opacity=0.34,
            )
    for share, base, height, waves in [
        (0.0, 690, 260, 2),
        (0.3, 740, 210, 3),
        (0.58, 790, 150, 2.4),
        (0.8, 815, 95, 4),
    ]:
        top, foot = mix("#a9a79a", "#3f5c44", share), mix("#e3c79c", "#6d7f50", share)
        ridge = c.ridge(base, height, waves=waves)
        c.paint(c.mask(ridge), c.gradient([top, foot], base - height, base + 20))
        c.mist(base + 10, 60, "#f7dcb0", 0.32 * (1 - share))
    _poplars(c)
    for x, y, rx, ry in [
        (90, 640, 150, 190),
        (240, 720, 130, 120),
        (-20, 760, 150, 150),
        (1840, 690, 150, 150),
        (1960, 650, 130, 190),
        (1700, 760, 110, 70),
    ]:
        c.foliage(x, y, rx, ry, LEAVES, leaves=520, size=10)
    c.shape(
        [(-20, 770), (620, 778), (1250, 790), (2020, 774), (2020, 830), (-20, 830)],
        ["#6f7c48", "#46583a"],
    )
    _house(c)
    for x in range(0, 2000, 46):
        if not 560 < x < 1330:
            c.foliage(x, 800, 44, 20, LEAVES[:4], leaves=46, size=6)
    c.water(812, ["#b99a70", "#4f6862", "#1f3a3b"], opacity=0.5)
    c.glints(812, 150, "#ffe3b0", x=1480, spread=190, opacity=0.55)
    c.glints(812, 80, "#dfe4d6", opacity=0.22)
    _splash(c)
    _reeds(
        c,
        [
            (60, 1200),
            (180, 1215),
            (330, 1225),
            (1760, 1220),
            (1880, 1205),
            (1960, 1210),
        ],
    )
    c.save(path)


def _poplars(c: Canvas) -> None:
    for x, height in [
        (1390, 150),
        (1440, 190),
        (1492, 165),
        (1560, 130),
        (420, 170),
        (470, 210),
    ]:
        c.foliage(
            x,
            790 - height / 2,
            17,
            height / 2,
            ["#3c4f3c", "#556448", "#7c7f52", "#b09a60"],
            leaves=210,
            size=6,
        )


def _house(c: Canvas) -> None:
    stone = ["#e9d3ae", "#cfae83", "#9d8465"]
    # The long wing, behind.
    c.shape([(860, 560), (1270, 560), (1270, 812), (860, 812)], stone)
    _courses(c, 860, 560, 1270, 812)
    c.shape([(838, 566), (900, 440), (1236, 440), (1294, 566)], ["#5f6660", "#464f4c"])
    _slates(c, 838, 440, 1294, 566)
    # The mill itself, gable to the river.
    c.shape([(640, 480), (900, 480), (900, 812), (640, 812)], stone)
    c.shape([(640, 482), (770, 330), (900, 482)], ["#ead6b4", "#dcc094"])
    _courses(c, 640, 400, 900, 812, gable=(770, 330, 482))
    c.line([(624, 500), (770, 326), (916, 500)], "#4a524f", 17)
    c.line([(626, 492), (770, 320), (914, 492)], "#737a72", 4, 0.7)
    c.shape(
        [(900, 480), (948, 500), (948, 812), (900, 812)],
        "#8b7558",
        opacity=0.55,
        blur=8,
    )
    for x, top in [(1010, 388), (1190, 392), (846, 342)]:
        c.box(x, top, x + 36, top + 74, ["#b58f6a", "#8d6f54"])
        c.box(x - 4, top - 8, x + 40, top + 4, "#7c6350")
        for i in range(9):
            c.ellipse(
                x + 18 + i * 11 + c.random.uniform(-5, 5),
                top - 24 - i * 21,
                9 + i * 4.2,
                8 + i * 2.4,
                "#fff1dc",
                blur=9,
                opacity=0.2 - i * 0.016,
            )
    for x, y, w, h in [
        (744, 412, 52, 58),
        (676, 540, 46, 66),
        (752, 540, 46, 66),
        (828, 540, 46, 66),
        (752, 662, 46, 66),
        (828, 662, 46, 66),
        (930, 606, 44, 62),
        (1010, 606, 44, 62),
        (1090, 606, 44, 62),
        (1170, 606, 44, 62),
        (930, 710, 44, 58),
        (1090, 710, 44, 58),
        (1170, 710, 44, 58),
    ]:
        _window(c, x, y, w, h)
    for x in (960, 1060, 1160):
        c.shape([(x - 4, 542), (x + 26, 492), (x + 56, 542)], ["#55605b", "#3f4946"])
        _window(c, x + 10, 512, 32, 36)
    # Door with a lantern.
    c.shape(
        [(1006, 812), (1006, 728), *arc(1032, 728, 26, 26, 180, 360), (1058, 812)],
        ["#2f4a40", "#22382f"],
    )
    c.glow(1074, 724, 80, "#ffd58a", 0.7)
    c.ellipse(1074, 726, 5, 8, "#fff0c4")
    # Climbing roses.
    c.foliage(1140, 690, 26, 110, ["#2b4534", "#42603c", "#71803f"], leaves=190, size=6)
    c.foliage(898, 720, 24, 90, ["#2b4534", "#42603c", "#71803f"], leaves=150, size=6)
    for _ in range(34):
        x, y = c.random.choice([(1140, 690), (898, 720)])
        c.ellipse(
            x + c.random.gauss(0, 14),
            y + max(-100, min(95, c.random.gauss(0, 46))),
            4,
            4,
            c.random.choice(["#e8b7a6", "#f4dcc9", "#cf7f70"]),
        )
    _wheel(c, 612, 726, 132)


def _courses(c: Canvas, left, top, right, bottom, gable=None) -> None:
    """Stones: short strokes, lighter and darker than the wall."""
    light, dark = [], []
    y = top
    while y < bottom:
        x = left + c.random.uniform(0, 16)
        while x < right - 8:
            w = c.random.uniform(14, 34)
            inside = (
                gable is None
                or y > gable[2]
                or abs(x + w / 2 - gable[0]) < (y - gable[1]) * 0.8 - w
            )
            if inside and c.random.random() < 0.6:
                x2, y2 = min(x + w, right - 3), y + c.random.uniform(7, 10)
                (light if c.random.random() < 0.5 else dark).append(
                    [(x, y), (x2, y), (x2, y2), (x, y2)]
                )
            x += w + 3
        y += 12
    c.paint(c.mask(*light, blur=0.7), "#f7e6c8", 0.36)
    c.paint(c.mask(*dark, blur=0.7), "#7d664c", 0.24)


def _slates(c: Canvas, left, top, right, bottom) -> None:
    for i, y in enumerate(range(int(top) + 8, int(bottom), 13)):
        slope = (y - top) / (bottom - top)
        a, b = left + 62 * (1 - slope) + 2, right - 58 * (1 - slope) - 2
        c.line([(a, y), (b, y)], "#2f3836", 1.4, 0.55)
        x = a + (i % 2) * 13
        while x < b:
            c.line(
                [(x, y), (x + 1, y + 12)], "#343d3b", 1, 0.35
            ) if y + 12 < bottom else None
            x += 27
    c.shape(
        [
            (left + 62, top),
            (right - 58, top),
            (right - 50, top + 30),
            (left + 50, top + 30),
        ],
        "#f3c78d",
        opacity=0.2,
        blur=8,
    )


def _window(c: Canvas, x, y, w, h) -> None:
    c.box(x - 5, y - 5, x + w + 5, y + h + 7, "#f3e5c8")
    c.box(x, y, x + w, y + h, ["#ffe3a0", "#f5b860"])
    c.glow(x + w / 2, y + h / 2, w * 1.1, "#ffc66a", 0.5)
    c.line([(x + w / 2, y), (x + w / 2, y + h)], "#7a6046", 2.6)
    for k in (1, 2):
        c.line([(x, y + h * k / 3), (x + w, y + h * k / 3)], "#7a6046", 2)
    c.box(x - 8, y + h + 5, x + w + 8, y + h + 10, "#b99b74")


def _wheel(c: Canvas, x, y, r) -> None:
    c.box(x - 52, y - 10, x + 34, 812, "#4b4338", opacity=0.4, blur=16)
    wood, dark = "#6b4f36", "#3b2c20"
    for radius, width in [(r, 13), (r - 32, 8)]:
        ring = arc(x, y, radius, radius, 0, 360)
        c.line([*ring, ring[1]], dark, width + 3)
        c.line([*ring, ring[1]], wood, width)
    for i in range(8):
        a = math.radians(i * 45 + 12)
        c.line(
            [(x, y), (x + (r - 4) * math.cos(a), y + (r - 4) * math.sin(a))], dark, 11
        )
        c.line(
            [(x, y), (x + (r - 4) * math.cos(a), y + (r - 4) * math.sin(a))], wood, 8
        )
    for i in range(24):
        a = math.radians(i * 15)
        c.line(
            [
                (x + (r - 34) * math.cos(a - 0.05), y + (r - 34) * math.sin(a - 0.05)),
                (x + (r + 13) * math.cos(a), y + (r + 13) * math.sin(a)),
            ],
            "#7c5d40",
            8,
        )
    lit = arc(x, y, r + 3, r + 3, 190, 330)
    c.line(lit, "#e8b878", 3, 0.6)
    c.ellipse(x, y, 17, 17, dark)
    c.ellipse(x - 3, y - 3, 9, 9, "#8e7152")


def _splash(c: Canvas) -> None:
    for _ in range(150):
        x, spread = c.random.gauss(600, 70), c.random.random()
        c.ellipse(
            x,
            816 + c.random.uniform(-10, 26) * spread,
            c.random.uniform(3, 16),
            c.random.uniform(1.5, 4),
            "#fff6e4",
            opacity=0.4,
            blur=0.8,
        )


def _reeds(c: Canvas, clumps) -> None:
    for x, y in clumps:
        for _ in range(34):
            foot, lean = x + c.random.gauss(0, 46), c.random.gauss(0, 46)
            height = c.random.uniform(90, 260)
            blade = smooth(
                [
                    (foot, y),
                    (foot + lean * 0.3, y - height * 0.55),
                    (foot + lean, y - height),
                ],
                steps=10,
            )
            width = c.random.uniform(3, 6)
            back = [
                (px + width * (1 - i / len(blade)), py)
                for i, (px, py) in enumerate(blade)
            ]
            c.shape(
                [*blade, *reversed(back)],
                c.random.choice(
                    [
                        ["#8b8a4a", "#2e4230"],
                        ["#c1a558", "#3b4a30"],
                        ["#56693c", "#1f3327"],
                    ]
                ),
            )
            if c.random.random() < 0.1:
                tip = blade[-1]
                c.shape(arc(tip[0], tip[1] + 16, 6, 24, 0, 360), ["#8c5c38", "#4f3322"])


def river(path: Path) -> None:
    c = Canvas(1600, 1000, seed=21)
    horizon = 560
    c.sky(["#9db5bd", "#c9d3cd", "#f0e4cf", "#f6dfc0"], horizon)
    c.glow(420, 400, 620, "#fff0cc", 0.8)
    c.ellipse(420, 400, 44, 44, "#fffaf0", blur=4)
    for share, base, height, waves in [
        (0.0, 470, 190, 2),
        (0.25, 510, 150, 3),
        (0.5, 545, 110, 2.6),
        (0.75, 565, 70, 3.4),
    ]:
        ridge = c.ridge(base, height, waves=waves)
        c.paint(
            c.mask(ridge),
            c.gradient(
                [mix("#b9c2bd", "#4a6657", share), mix("#eadfca", "#8ea084", share)],
                base - height,
                base + 10,
            ),
        )
        c.mist(base + 6, 54, "#fbf0dc", 0.5)
    c.line([(1420, 430), (1424, 580)], "#3c362c", 14)
    for x, y, rx, ry in [
        (1420, 430, 190, 190),
        (1580, 470, 150, 160),
        (1260, 520, 110, 70),
        (60, 500, 120, 90),
    ]:
        c.foliage(
            x,
            y,
            rx,
            ry,
            ["#31493d", "#45604a", "#62795a", "#8d9a6c", "#b9b884"],
            leaves=round(rx * ry / 40),
            size=10,
        )
    c.shape(
        [(-20, 556), (700, 566), (1100, 560), (1620, 545), (1620, 590), (-20, 590)],
        ["#8b9a70", "#5e7356"],
    )
    c.mist(570, 46, "#fff5e2", 0.6)
    c.water(580, ["#d8d3bf", "#86a19b", "#3b5f60"], opacity=0.42, ripple=4)
    c.glints(580, 110, "#fff3d8", x=420, spread=130, opacity=0.55)
    c.mist(600, 60, "#fff7ea", 0.5)
    # A rowing boat, moored.
    c.shape(
        smooth(
            [
                (760, 800),
                (900, 842),
                (1080, 842),
                (1210, 796),
                (1160, 862),
                (1060, 884),
                (900, 884),
                (800, 856),
            ],
            closed=True,
        ),
        "#1f3334",
        opacity=0.35,
        blur=14,
    )
    hull = [
        *smooth([(748, 742), (860, 790), (1010, 800), (1150, 780), (1236, 730)]),
        *smooth(
            [(1236, 730), (1180, 824), (1060, 858), (920, 856), (810, 826), (748, 742)]
        ),
    ]
    c.shape(hull, ["#2e5a4d", "#173027"])
    inside = [
        *smooth([(748, 742), (900, 752), (1080, 750), (1236, 730)]),
        *smooth([(1236, 730), (1150, 780), (1010, 800), (860, 790), (748, 742)]),
    ]
    c.shape(inside, ["#8a6644", "#5d432c"])
    for x1, x2, y in [(868, 884, 752), (1004, 1020, 753), (1120, 1134, 748)]:
        c.shape(
            [(x1, y), (x2 + 8, y), (x2 + 18, y + 36), (x1 - 2, y + 38)],
            ["#c49a68", "#94704a"],
        )
    c.line(
        smooth([(748, 742), (860, 790), (1010, 800), (1150, 780), (1236, 730)]),
        "#f0dcb4",
        5,
    )
    c.line([(930, 766), (1330, 690)], "#c9a473", 7)
    c.shape([(1316, 684), (1392, 668), (1398, 684), (1326, 702)], "#d9b583")
    c.line([(748, 742), (560, 706)], "#d8cbb0", 2.4, 0.8)
    _reeds(c, [(40, 1010), (150, 1020), (280, 1030), (1500, 1020), (1590, 1010)])
    c.save(path)
