"""What The Old Mill, a country hotel, sells; and how a catalogue is printed."""

from datetime import datetime, timezone
from typing import Any

from .answers import Answer
from .call import Call, print_time
from .pence import as_string
from .records import EXPERIENCE, MONETARY, Company, Experience, Product


DEFAULT_KEY = "sk_sandbox"
#: Opens the second company, whose vouchers are foreign to the first.
OTHER_KEY = "sk_sandbox_quay"

PAYMENT_METHODS: tuple[tuple[int, str], ...] = (
    (12, "Credit/Debit Card"),
    (13, "Cash"),
    (14, "Online Shop"),
)

#: Id to (name, posted). No endpoint lists them, as in the documentation.
DELIVERY_METHODS: dict[int, tuple[str, bool]] = {
    1: ("E-mail", False),
    2: ("First class post", True),
    3: ("Gift box by courier", True),
}

_MADE = datetime(2026, 3, 2, 9, 30, tzinfo=timezone.utc).timestamp()
_CHANGED = datetime(2026, 9, 14, 16, 5, 21, tzinfo=timezone.utc).timestamp()


def companies(keys: tuple[str, ...]) -> list[Company]:
    mill = Company(1, "The Old Mill", keys, {"1": "The Old Mill", "2": "The Boathouse"})
    quay = Company(2, "The Quay House", (OTHER_KEY,), {"9": "The Quay House"})
    return [mill, quay]


def products() -> list[Product]:
    """Return the catalogue as it is seeded, in the order of its ids."""
    return [
        _money(
            37,
            "The Old Mill gift voucher",
            "Any amount towards a stay, a table or a treatment.\r\n\r\n"
            "<p>Use it at <strong>The Old Mill</strong> and at the Boathouse.</p>\r\n\r\n"
            "This voucher is valid for 24 months after purchase.",
            (1000, 100_000, 500),
        ),
        _money(
            38,
            "A round at the Miller's Arms",
            "A small thank-you, to be used in our bar.\r\n\r\n"
            "Not for use in the restaurant.",
            (500, 4000, 500),
        ),
        _experience(
            39,
            "Afternoon tea",
            "<p>Finger sandwiches, scones from our own oven and a pot of tea each.</p>"
            "\r\n<ul><li>Daily from two to five</li><li>Booking needed</li></ul>",
            2950,
            persons=(2, 6),
            parts=[("Afternoon tea", "food_and_beverage", 2950)],
        ),
        _experience(
            40,
            "Spa day",
            "Pool, sauna and fifty minutes of massage.\r\n\r\n"
            "Robes and slippers are waiting for you.",
            10_500,
            persons=(1, 2),
            parts=[
                ("Use of the pool and sauna", "spa", 4000),
                ("Fifty minutes of massage", "spa", 6500),
            ],
            sites=["2"],
        ),
        _experience(
            41,
            "Dinner, bed & breakfast",
            "<p>A night in a river room, three courses in the Mill Room, and "
            "breakfast <em>until eleven</em>.</p>",
            21_500,
            persons=(2, 2),
            parts=[
                ("A night in a river room", "accommodation", 12_500),
                ("Three courses for dinner", "food_and_beverage", 6500),
                ("Breakfast", "food_and_beverage", 2500),
            ],
            meta={"used_in": "hotel", "areas": ["restaurant", "rooms"]},
        ),
        _experience(
            42,
            "Cookery class: bread",
            "A morning in the old bakehouse with our baker.\r\n"
            "You take home two loaves and the starter.",
            8500,
            persons=(1, 4),
            parts=[("Cookery class", "events", 8500)],
            available_count=3,
        ),
        _experience(
            43,
            "New Year's Eve dinner",
            "Seven courses and dancing. Sold out for this year.",
            14_000,
            persons=(1, 8),
            parts=[("New Year's Eve dinner", "food_and_beverage", 14_000)],
            available_count=0,
        ),
        _experience(
            44,
            "Friends of the mill: punt and picnic",
            "For our newsletter's readers only.",
            6000,
            persons=(2, 4),
            parts=[("Punt and picnic", "events", 6000)],
            status="hidden",
        ),
        _experience(
            45,
            "Wine tasting in the cellar",
            "Not offered at the moment.",
            4500,
            persons=(1, 10),
            parts=[("Wine tasting", "events", 4500)],
            status="disabled",
        ),
        _money(
            46,
            "Counter voucher",
            "Sold at reception only.",
            (100, 50_000, 100),
            status="at_counter_only",
        ),
        _money(
            71,
            "The Quay House gift voucher",
            "For our rooms over the harbour.",
            (1000, 50_000, 1000),
            company_id=2,
        ),
    ]


def vouchers(call: Call) -> Answer:
    """GET /vouchers"""
    mine = [p for p in call.store.products.values() if p.company_id == call.company.id]
    mine.sort(key=lambda product: product.id)
    return Answer(200, {"data": [_printed(call, product) for product in mine]})


def payment_methods(call: Call) -> Answer:
    """GET /payment-methods"""
    rows = [
        {"id": number, "name": name, "mapping_code": None}
        for number, name in PAYMENT_METHODS
    ]
    return Answer(200, {"data": rows})


def _printed(call: Call, product: Product) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": product.id,
        "title": product.title,
        "selling_description": product.description,
        "type": product.type,
        "status": product.status,
        "value": _pounds(product.value),
        "min": _pounds(product.min),
        "max": _pounds(product.max),
        "increments": _pounds(product.increments),
        "persons_min": product.persons_min,
        "persons_max": product.persons_max,
        "available_count": product.available_count,
        "image": f"{call.base_url}/_sandbox/images/{product.id}.png",
        "created_at": print_time(product.created_at, "utc"),
        "updated_at": print_time(product.updated_at, "utc"),
    }
    if call.behaviour.docs_version == "V1":
        for name in ("status", "persons_min", "persons_max", "available_count"):
            del row[name]
        row["expiry"] = product.expiry_years
    return row


def _pounds(pence: int | None) -> str | None:
    return None if pence is None else as_string(pence)


def _money(
    product_id: int,
    title: str,
    description: str,
    steps: tuple[int, int, int],
    *,
    status: str = "active",
    company_id: int = 1,
) -> Product:
    lowest, highest, increments = steps
    return Product(
        product_id,
        company_id,
        title,
        description,
        MONETARY,
        status,
        min=lowest,
        max=highest,
        increments=increments,
        created_at=_MADE,
        updated_at=_CHANGED,
    )


def _experience(
    product_id: int,
    title: str,
    description: str,
    value: int,
    *,
    persons: tuple[int, int],
    parts: list[tuple[str, str, int]],
    sites: list[str] | None = None,
    status: str = "active",
    available_count: int | None = None,
    meta: dict[str, Any] | None = None,
) -> Product:
    return Product(
        product_id,
        1,
        title,
        description,
        EXPERIENCE,
        status,
        value=value,
        persons_min=persons[0],
        persons_max=persons[1],
        available_count=available_count,
        experiences=[
            Experience(2**place, name, "", classification, worth, sites)
            for place, (name, classification, worth) in enumerate(parts, start=1)
        ],
        meta=meta or {},
        created_at=_MADE,
        updated_at=_CHANGED,
    )
