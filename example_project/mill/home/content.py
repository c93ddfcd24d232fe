"""The words of the example: what ``load_example_data`` puts into the database."""

from decimal import Decimal


STRAPLINE = "Twelve rooms, one wheel, and a river that has run past since 1741."
INTRODUCTION = (
    "<p>The Old Mill stands where the Wend runs slow. Come for an afternoon of scones "
    "on the terrace, stay for a night with the window open, or send somebody you love "
    "in your place.</p>"
)

#: Blocks of the home page: kinds of block and what is in them.
VOUCHERS = [
    (
        "grid",
        {
            "heading": "Days to give away",
            "show": "on_sale",
            "products": [],
            "type": "experience",
            "limit": 3,
        },
    ),
    (
        "balance",
        {
            "heading": "Have you got a voucher?",
            "text": "<p>Type its number to see what is left on it.</p>",
        },
    ),
]

PICTURES = {
    "mill": "The mill at dusk, its wheel turning and every window lit",
    "river": "A rowing boat on the misty river below the hills",
    "room": "A river room with its bed made and both lamps lit",
    "tea": "Afternoon tea on a three-tiered stand by the window",
    "hamper": "An open wicker hamper on a gingham cloth in the meadow",
    "voucher": "A gift voucher with a ribbon and a wax seal",
    "dinner": "A candlelit table for two at dusk",
}

#: slug, name, summary, description, price, unit, picture
PRODUCTS = (
    (
        "afternoon-tea",
        "Afternoon tea on the terrace",
        "Finger sandwiches, warm scones and a pot for each of you.",
        "Served daily from two until five, on the terrace when the sun is out and by "
        "the fire when it is not.\n\nScones come warm from our own oven, the jam from "
        "the orchard, and the cream from the farm across the water. Tell us when you "
        "arrive if somebody eats no gluten or no meat: we bake for that every day.",
        Decimal("59.00"),
        "for two",
        "tea",
    ),
    (
        "mill-hamper",
        "The miller's hamper",
        "Bread, cheese, jam and two bottles, packed for the meadow.",
        "A willow hamper to keep, filled on the morning you collect it: two loaves "
        "from the bakehouse, a cheddar, damson jam and honey, grapes, a bottle of "
        "elderflower and a bottle of red.\n\nTake it to the meadow behind the weir; "
        "we lend you a blanket.",
        Decimal("80.00"),
        "for four",
        "hamper",
    ),
    (
        "river-room",
        "A night in a river room",
        "Breakfast until eleven, and the sound of the wheel.",
        "The river rooms are in the old grain loft: oak beams, a bed you climb into, "
        "and a window over the water. Breakfast is served until eleven.\n\nWrite to us "
        "after booking to choose your night; it is kept for you for a year.",
        Decimal("140.00"),
        "a night for two",
        "room",
    ),
)

STORY_TITLE = "Our story"
STORY_STRAPLINE = "Three centuries of flour, and thirty years of guests."
STORY = (
    "<p>There has been a wheel here since 1741. It ground barley for the valley until "
    "1962, stood still for three decades, and turned again in the spring of 1994, on "
    "the day we opened the first four rooms.</p>"
    "<p>Today it lights the cellar and wakes nobody. The bakehouse is a bakehouse "
    "again, the grain loft has become the river rooms, and the miller's parlour is "
    "where you have your tea.</p>"
    "<h3>Finding us</h3>"
    "<p>Forty minutes from Bath by car, or take the train to Wendford: we meet you at "
    "the station with the old van.</p>"
)

VOUCHERS_TITLE = "Gift vouchers"
VOUCHERS_INTRODUCTION = (
    "<p>For somebody who has everything but an afternoon. We send it by e-mail "
    "within minutes, or by post in an envelope with a seal.</p>"
)

#: How the first product of each kind is dressed, whatever Smart Gift calls it.
MONETARY = {
    "picture": "voucher",
    "introduction": (
        "<p>Let them choose: a night, a table, or a hamper for the meadow. You say how "
        "much, we print your words on it.</p>"
    ),
    "body": [
        ("heading", "How it works"),
        (
            "text",
            "<p>Choose an amount and write a line or two. The voucher has a number, "
            "which is typed in at our checkout or read out at the desk.</p>"
            "<p>What is not spent stays on it for the next time.</p>",
        ),
        (
            "quote",
            {
                "text": "We came for a cup of tea and stayed the weekend.",
                "source": "Maud and Ellis, Bristol",
            },
        ),
    ],
}
EXPERIENCE = {
    "introduction": (
        "<p>One of our favourite ways to spend a day here, for them to enjoy whenever "
        "they like.</p>"
    ),
    "body": [
        ("heading", "Good to know"),
        (
            "text",
            "<ul><li>Booked by telephone or at the desk</li><li>We mind the dog</li>"
            "<li>Every diet is welcome</li></ul>",
        ),
    ],
}
#: A picture for an experience by a word in its title; the last one fits anything.
EXPERIENCE_PICTURES = (
    ("tea", "tea"),
    ("bed", "room"),
    ("night", "room"),
    ("stay", "room"),
    ("room", "room"),
    ("picnic", "hamper"),
    ("din", "dinner"),
    ("tast", "dinner"),
    ("table", "dinner"),
    ("", "river"),
)
