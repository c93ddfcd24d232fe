"""A voucher in its envelope."""

import math
from pathlib import Path

from canvas import Canvas, arc
from props import sprig


def voucher(path: Path) -> None:
    c = Canvas(1600, 1000, seed=17)
    c.image.paste(c.gradient(["#385a4c", "#2c4a3e", "#213a31"], 0, 1000), (0, 0))
    for i in range(0, 1600, 7):  # linen
        c.line([(i, 0), (i, 1000)], "#ffffff" if i % 14 else "#10221b", 1, 0.05)
    for i in range(0, 1000, 7):
        c.line([(0, i), (1600, i)], "#ffffff" if i % 14 else "#10221b", 1, 0.05)
    c.glow(420, 120, 900, "#ffe6b5", 0.32)
    for x, y, length, angle in [
        (70, 930, 420, -62),
        (190, 980, 330, -34),
        (1560, 90, 400, 128),
        (1440, 40, 300, 150),
    ]:
        sprig(c, x, y, length, angle, leaf=40)
    a = math.radians(-7)

    def turn(points, cx=800, cy=520, angle=a):
        return [
            (
                cx + (x - cx) * math.cos(angle) - (y - cy) * math.sin(angle),
                cy + (x - cx) * math.sin(angle) + (y - cy) * math.cos(angle),
            )
            for x, y in points
        ]

    envelope = turn(
        [(330, 330), (1250, 330), (1250, 900), (330, 900)], angle=math.radians(5)
    )
    c.shadow(envelope, blur=26, opacity=0.5, dx=12, dy=22)
    c.shape(envelope, ["#dcc49a", "#c4a676"])
    c.shape(
        turn([(330, 330), (1250, 330), (790, 660)], angle=math.radians(5)),
        ["#ead7b2", "#d3b988"],
    )
    c.line(
        turn([(330, 330), (790, 660), (1250, 330)], angle=math.radians(5)),
        "#a4854f",
        3,
        0.7,
    )
    card = turn([(300, 210), (1290, 210), (1290, 770), (300, 770)])
    c.shadow(card, blur=24, opacity=0.55, dx=10, dy=18)
    c.shape(card, ["#fffaf0", "#f6ecd9", "#ebddc2"])
    for inset, width in [(26, 5), (38, 2)]:
        frame = turn(
            [
                (300 + inset, 210 + inset),
                (1290 - inset, 210 + inset),
                (1290 - inset, 770 - inset),
                (300 + inset, 770 - inset),
            ]
        )
        c.line([*frame, frame[0], frame[1]], "#b98f4a", width)
    # A little mill wheel for a crest.
    wheel = turn([(560, 430)])[0]
    for r, w in [(104, 9), (80, 5)]:
        ring = arc(*wheel, r, r, 0, 360)
        c.line([*ring, ring[1]], "#2c4a3e", w)
    for k in range(8):
        t = math.radians(k * 45 + 10)
        c.line(
            [wheel, (wheel[0] + 102 * math.cos(t), wheel[1] + 102 * math.sin(t))],
            "#2c4a3e",
            7,
        )
    for k in range(16):
        t = math.radians(k * 22.5 + 10)
        c.line(
            [
                (wheel[0] + 98 * math.cos(t), wheel[1] + 98 * math.sin(t)),
                (wheel[0] + 122 * math.cos(t), wheel[1] + 122 * math.sin(t)),
            ],
            "#2c4a3e",
            8,
        )
    c.ellipse(*wheel, 16, 16, "#b98f4a")
    for k in range(3):
        wave = turn(
            [
                (440 + i * 12, 592 + k * 20 + 6 * math.sin(i * 0.9 + k))
                for i in range(21)
            ]
        )
        c.line(wave, "#2c4a3e", 4, 0.8 - k * 0.2)
    # Lines where a name and a message go.
    for y, right, width, colour in [
        (350, 1130, 14, "#2c4a3e"),
        (400, 1010, 8, "#b98f4a"),
        (480, 1180, 3, "#9c8a68"),
        (530, 1180, 3, "#9c8a68"),
        (580, 1090, 3, "#9c8a68"),
    ]:
        c.line(turn([(770, y), (right, y)]), colour, width)
    # Ribbon and seal.
    ribbon = turn([(1120, 196), (1186, 196), (1186, 786), (1120, 786)])
    c.shadow(ribbon, blur=8, opacity=0.3, dx=5, dy=5)
    c.shape(ribbon, ["#c1664a", "#96402c"])
    c.shape(
        turn([(1130, 196), (1136, 196), (1136, 786), (1130, 786)]),
        "#e9a98c",
        opacity=0.7,
    )
    sx, sy = turn([(1153, 650)])[0]
    for flip in (-1, 1):
        tail = [
            (sx, sy),
            (sx + flip * 50, sy + 150),
            (sx + flip * 20, sy + 138),
            (sx + flip * -6, sy + 160),
        ]
        c.shape(tail, ["#b5573d", "#873522"])
    c.ellipse(sx + 6, sy + 10, 84, 84, "#1d1a16", blur=14, opacity=0.5)
    blob = [
        (
            sx + (80 + 7 * math.sin(5 * t) + 4 * math.sin(9 * t)) * math.cos(t),
            sy + (80 + 7 * math.sin(5 * t) + 4 * math.sin(9 * t)) * math.sin(t),
        )
        for t in (math.radians(d) for d in range(0, 360, 4))
    ]
    c.shape(blob, ["#b23a35", "#8a2425", "#6b1719"])
    ring = arc(sx, sy, 56, 56, 0, 360)
    c.line([*ring, ring[1]], "#d8706a", 4, 0.7)
    for k in range(6):
        t = math.radians(k * 60 + 10)
        c.line(
            [(sx, sy), (sx + 46 * math.cos(t), sy + 46 * math.sin(t))],
            "#e08880",
            5,
            0.7,
        )
    c.ellipse(sx - 30, sy - 38, 22, 14, "#ffd9d2", blur=9, opacity=0.6)
    c.save(path)
