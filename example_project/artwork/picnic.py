"""A hamper in the meadow."""

from pathlib import Path

from canvas import Canvas, arc, mix, smooth


def _weave(c: Canvas, left, top, right, bottom, *, slant=0.0) -> None:
    """Basket-work: short bent withies, every other row shifted."""
    c.shape(
        [(left, top), (right, top), (right - slant, bottom), (left + slant, bottom)],
        ["#a97a45", "#7d5730"],
    )
    rows = int((bottom - top) / 15)
    for row in range(rows):
        t = row / rows
        a, b, y = left + slant * t, right - slant * t, top + 15 * row
        x = a + (row % 2) * 19
        while x < b - 8:
            w = min(38, b - x)
            c.shape(
                [*arc(x + w / 2, y + 8, w / 2, 6.4, 0, 360)],
                [c.random.choice(["#e2b878", "#d6a866", "#c8975a"]), "#8c6236"],
            )
            x += 38


def hamper(path: Path) -> None:
    c = Canvas(1600, 1000, seed=3)
    c.sky(["#a8c7d2", "#d9e4da", "#f6ecd0"], 460)
    c.glow(1180, 210, 700, "#fff2cb", 0.7)
    for share, base, height in [(0.0, 380, 130), (0.5, 440, 110), (1.0, 500, 90)]:
        ridge = c.ridge(base, height, waves=3)
        c.paint(
            c.mask(ridge),
            c.gradient(
                [mix("#b5c6b9", "#6f8f5c", share), mix("#dfe0c4", "#a9b573", share)],
                base - height,
                base + 40,
            ),
        )
    for x, y, rx, ry in [
        (110, 400, 190, 170),
        (1500, 390, 200, 190),
        (1290, 450, 90, 70),
    ]:
        c.foliage(
            x,
            y,
            rx,
            ry,
            ["#40603f", "#587a48", "#82995a", "#b6ba74"],
            leaves=round(rx * ry / 36),
            size=11,
        )
    c.box(0, 500, 1600, 1000, ["#a9b86c", "#7f9a52", "#56743c"])
    for _ in range(520):
        x, y = c.random.uniform(0, 1600), 506 + 490 * c.random.random() ** 1.2
        h = 10 + (y - 500) * 0.08
        c.line(
            [(x, y), (x + c.random.uniform(-5, 5), y - h)],
            c.random.choice(["#c3cb7f", "#6b8a48", "#4d6b38"]),
            2,
            0.6,
        )
    for _ in range(90):
        x, y = c.random.uniform(0, 1600), c.random.uniform(520, 990)
        c.ellipse(
            x,
            y,
            4 + (y - 500) * 0.006,
            3 + (y - 500) * 0.004,
            c.random.choice(["#fff8e6", "#f3cf72", "#e4a49a"]),
        )
    # A gingham cloth.
    cloth = [(170, 800), (1430, 780), (1570, 985), (40, 990)]
    c.shadow(cloth, blur=16, opacity=0.35, dy=8)
    c.shape(cloth, ["#fdf7ea", "#e9dcc4"])

    def checks() -> None:
        for i in range(24):
            x = 100 + i * 64
            c.shape(
                [
                    (x * 0.82 + 150, 770),
                    (x * 0.82 + 176, 770),
                    (x * 1.02 + 12, 1000),
                    (x * 1.02 - 22, 1000),
                ],
                "#b6543f",
                opacity=0.42,
            )
        for i in range(6):
            y = 792 + i * 34 + i * i * 2
            c.box(0, y, 1600, y + 15 + i * 2, "#b6543f", opacity=0.42)

    c.clip(cloth, checks)
    c.ellipse(800, 880, 470, 36, "#1d1a12", blur=22, opacity=0.55)
    # Lid, open behind.
    _weave(c, 380, 268, 1220, 560, slant=-16)
    c.line([(380, 268), (1220, 268), (1238, 560)], "#6b4726", 12)
    c.line([(380, 268), (364, 560)], "#6b4726", 12)
    lining = [(408, 296), (1192, 296), (1204, 560), (396, 560)]
    c.shape(lining, ["#efe3c9", "#d8c6a0"])
    for x in (560, 1000):  # leather straps
        c.box(x, 268, x + 40, 560, ["#8a5a34", "#6a4124"])
        c.box(x + 10, 268, x + 13, 560, "#d0a06a", opacity=0.6)
    c.box(366, 552, 1236, 660, ["#6b4a29", "#3f2a15"])
    # What is in it.
    for x, top, colours, label in [
        (500, 300, ["#3c5d49", "#1d3a2c", "#12261d"], "#f3ead6"),
        (1085, 330, ["#7a2f34", "#541a22", "#380f15"], "#ead7b0"),
    ]:
        c.shape(
            [
                *smooth(
                    [
                        (x - 52, 660),
                        (x - 54, top + 150),
                        (x - 46, top + 104),
                        (x - 19, top + 62),
                        (x - 18, top),
                    ]
                ),
                *smooth(
                    [
                        (x + 18, top),
                        (x + 19, top + 62),
                        (x + 46, top + 104),
                        (x + 54, top + 150),
                        (x + 52, 660),
                    ]
                ),
            ],
            colours,
            across=True,
        )
        c.box(x - 20, top - 8, x + 20, top + 44, ["#d6b261", "#a27c35"])
        c.box(x - 54, top + 190, x + 54, top + 290, label)
        c.line([(x - 30, top + 222), (x + 30, top + 222)], "#8a5a34", 5)
        c.line([(x - 20, top + 244), (x + 20, top + 244)], "#8a5a34", 3)
        c.ellipse(x - 30, top + 190, 8, 80, "#ffffff", blur=8, opacity=0.4)
    for x, y, colours in [
        (640, 560, ["#c0392f", "#8d2323"]),
        (960, 566, ["#e2a33c", "#b87420"]),
    ]:
        c.shape(
            [(x - 56, y - 96), (x + 56, y - 96), (x + 60, y + 90), (x - 60, y + 90)],
            colours,
        )
        c.ellipse(x - 34, y - 30, 9, 46, "#ffffff", blur=6, opacity=0.5)
        c.box(x - 44, y - 44, x + 44, y + 14, "#fbf4e4")
        c.line([(x - 26, y - 20), (x + 26, y - 20)], "#8a5a34", 4)
        c.shape(
            [
                (x - 74, y - 92),
                *smooth(
                    [
                        (x - 74, y - 92),
                        (x - 50, y - 132),
                        (x, y - 138),
                        (x + 50, y - 132),
                        (x + 74, y - 92),
                    ]
                ),
                *smooth(
                    [
                        (x + 74, y - 92),
                        (x + 40, y - 82),
                        (x, y - 92),
                        (x - 40, y - 82),
                        (x - 74, y - 92),
                    ]
                ),
            ],
            ["#fdf7ea", "#d9c9a8"],
        )
        c.line([(x - 58, y - 100), (x + 58, y - 100)], "#5d7f45", 5)
    # Bread, cheese, grapes, apples.
    for x, lean in [(730, -0.2), (810, 0.05), (882, 0.28)]:
        tip = (x + lean * 420, 300 + abs(lean) * 60)
        loaf = smooth(
            [
                (x - 40, 700),
                (tip[0] - 34, tip[1] + 60),
                tip,
                (tip[0] + 34, tip[1] + 60),
                (x + 40, 700),
            ],
            steps=16,
        )
        c.shape(loaf, ["#f0cd92", "#d09a52", "#a86f35"])
        for k in range(4):
            y = tip[1] + 70 + k * 66
            px = x + lean * (700 - y)
            c.line(
                smooth([(px - 26, y + 16), (px, y - 4), (px + 24, y - 16)]),
                "#fbe6bd",
                8,
                0.8,
            )
    for _grape in range(26):
        x, y = 1190 + c.random.gauss(0, 34), 610 + c.random.gauss(0, 34)
        c.ellipse(x, y, 20, 20, ["#8d6a94", "#4e3560"])
        c.ellipse(x - 6, y - 7, 5, 4, "#efe0f0", opacity=0.8)
    c.shape(
        [(400, 640), (560, 588), (640, 650), (640, 700), (400, 700)],
        ["#f7dd8e", "#dcb04d"],
    )
    for x, y, r in [(450, 662, 10), (520, 640, 13), (580, 664, 8)]:
        c.ellipse(x, y, r, r * 0.8, "#c08f34")
    # The front of the hamper.
    _weave(c, 350, 640, 1250, 890, slant=24)
    for y in (640, 884):
        inset = 0 if y == 640 else 24
        c.line([(346 + inset, y), (1254 - inset, y)], "#6b4726", 20)
        c.line([(346 + inset, y - 5), (1254 - inset, y - 5)], "#d9ab6c", 5)
    for x in (560, 1000):
        c.box(x, 632, x + 40, 760, ["#8a5a34", "#6a4124"])
        c.line(
            [(x - 6, 720), (x + 46, 720), (x + 46, 752), (x - 6, 752), (x - 6, 720)],
            "#dcb968",
            6,
        )
    for x, y, colours in [
        (250, 892, ["#d9483b", "#93261f"]),
        (336, 914, ["#b9c257", "#7d8c34"]),
    ]:
        c.ellipse(x, y + 40, 54, 12, "#1d1a12", blur=8, opacity=0.45)
        c.shape(
            smooth(
                [
                    (x, y - 40),
                    (x + 36, y - 48),
                    (x + 54, y - 6),
                    (x + 32, y + 44),
                    (x, y + 40),
                    (x - 32, y + 44),
                    (x - 54, y - 6),
                    (x - 36, y - 48),
                ],
                closed=True,
            ),
            colours,
        )
        c.ellipse(x - 20, y - 18, 12, 15, "#fff4e0", blur=7, opacity=0.6)
        c.line(smooth([(x, y - 38), (x + 6, y - 58), (x + 16, y - 66)]), "#5b3d22", 5)
    c.save(path, vignette=0.22)
