"""How the shop's messages are described: their headers, their shapes, an example each.

Ninja describes what it reads itself. Here the body is read by hand, since it is the very
bytes that were signed.
"""

from collections.abc import Mapping
from typing import Any

from wagtail_smartgift.api.events import DATA, Envelope
from wagtail_smartgift.api.signature import ID, SIGNATURE, TIMESTAMP
from wagtail_smartgift.choices import ShopEvent


_EXAMPLES: Mapping[ShopEvent, tuple[str, dict[str, Any]]] = {
    ShopEvent.ORDER_CONFIRMED: (
        "Redeem every voucher, all or none",
        {"reference": "order-1042", "amount": "30.00"},
    ),
    ShopEvent.ORDER_CANCELLED: ("Give everything back", {"reference": "order-1042"}),
    ShopEvent.ORDER_REFUNDED: (
        "Give an amount back; all that is left without one",
        {"reference": "order-1042", "amount": "20.00"},
    ),
    ShopEvent.ORDER_PAID: (
        "Sell vouchers, once for each reference",
        {
            "reference": "order-1043",
            "items": [{"product": 37, "price": "50.00", "to": "Jane", "from": "John"}],
            "customer": {
                "first_name": "John",
                "last_name": "Smith",
                "email": "john@example.org",
                "address1": "1 Mill Lane",
                "city": "Bath",
                "postcode": "BA1 1AA",
            },
            "delivery": {"method": 1, "price": "0.00"},
        },
    ),
    ShopEvent.CATALOGUE_CHANGED: ("Read Smart Gift's products anew", {}),
}


def _header(name: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "in": "header",
        "name": name,
        "required": True,
        "schema": schema,
        "description": description,
    }


def _inlined(schema: Any, definitions: Mapping[str, Any]) -> Any:
    """Put what a schema refers to in its place: the router may be mounted alone."""
    if isinstance(schema, list):
        return [_inlined(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return _inlined(definitions[name], definitions)
    return {
        key: _inlined(value, definitions)
        for key, value in schema.items()
        if key != "$defs"
    }


def _body() -> dict[str, Any]:
    shapes = [model.model_json_schema(by_alias=True) for model in DATA.values()]
    described: dict[str, Any] = Envelope.model_json_schema()
    described["properties"]["type"]["examples"] = list(DATA)
    described["properties"]["data"] = {
        "title": "Data",
        "description": "By type, in the order of the examples; of other types anything.",
        "anyOf": [
            *(_inlined(shape, shape.get("$defs", {})) for shape in shapes),
            {"type": "object"},
        ],
    }
    return described


OPERATION: dict[str, Any] = {
    "parameters": [
        _header(
            ID,
            "The message's own word, the same each time it is sent. It is its "
            "idempotency key: what has this id is done once.",
            {"type": "string", "minLength": 1, "maxLength": 64},
        ),
        _header(
            TIMESTAMP,
            "When it was signed, in seconds since 1970; five minutes either way.",
            {"type": "string", "pattern": "^[1-9][0-9]{0,11}$"},
        ),
        _header(
            SIGNATURE,
            "One signature or several, separated by spaces: `v1,` and the base64 of the "
            "HMAC-SHA256 of `{webhook-id}.{webhook-timestamp}.{body}`. One that matches "
            "is enough.",
            {
                "type": "string",
                "examples": ["v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="],
            },
        ),
    ],
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": _body(),
                "examples": {
                    str(kind): {
                        "summary": summary,
                        "value": {
                            "type": str(kind),
                            "timestamp": "2026-03-01T14:32:00Z",
                            "data": data,
                        },
                    }
                    for kind, (summary, data) in _EXAMPLES.items()
                },
            }
        },
    },
}
