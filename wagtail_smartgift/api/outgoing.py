"""The webhooks that are sent, in the OpenAPI document: what a receiver gets."""

import re
from typing import Any

from ninja import Schema
from ninja.openapi.schema import REF_TEMPLATE
from ninja.schema import NinjaGenerateJsonSchema

from wagtail_smartgift.api.schemas import OrderOut, SessionOut
from wagtail_smartgift.signals import SIGNALS


#: event -> when it is sent.
WHEN = {
    "voucher.held": "A voucher was held and looked at for the first time.",
    "voucher.released": "A voucher was given back: removed, cancelled or not needed.",
    "voucher.redeemed": "A voucher was redeemed; the payment may still be undone.",
    "voucher.reversed": "A redemption was given back.",
    "session.confirmed": "Everything is redeemed.",
    "session.reopened": "A confirmation was undone; the payment is open again.",
    "session.cancelled": "Everything is given back.",
    "session.refunded": "A refund is done.",
    "session.needs_attention": "Only a person can decide about a payment.",
    "voucher_order.placed": "Vouchers were sold.",
    "voucher_order.failed": "Smart Gift refused the order; nothing was sold.",
    "voucher_order.needs_attention": "Nobody knows whether vouchers were sold.",
    "catalogue.synced": "A sync found something new in an account's catalogue.",
}

_HEADERS = {
    "webhook-id": "The event's id: the same for every repeat.",
    "webhook-timestamp": "When this attempt was made, in seconds since 1970.",
    "webhook-signature": "`v1,…`, by the Standard Webhooks specification.",
}

_COUNT = {"type": "integer"}
_CATALOGUE = {
    "type": "object",
    "title": "CatalogueNews",
    "description": "What a sync found, in products.",
    "properties": {
        "account": {"type": "string", "examples": ["default"]},
        "synced_at": {
            "type": "string",
            "format": "date-time",
            "examples": ["2026-03-01T14:32:00Z"],
        },
        "added": _COUNT,
        "changed": _COUNT,
        "gone": _COUNT,
        "returned": _COUNT,
    },
    "required": ["account", "synced_at", "added", "changed", "gone", "returned"],
}


def document(described: Any) -> None:
    """Add the ``webhooks`` of OpenAPI 3.1 to a description of the API."""
    schemas = described["components"]["schemas"]
    schemas["CatalogueNews"] = _CATALOGUE
    for model in (SessionOut, OrderOut):
        # Not there yet where the router whose calls answer with it is not mounted.
        for name, schema in _schemas(model).items():
            schemas.setdefault(name, schema)
    described["webhooks"] = {event: {"post": _operation(event)} for event in SIGNALS}


def _schemas(model: type[Schema]) -> dict[str, Any]:
    """Return a model and what it refers to, in the words that ninja has for answers."""
    schema = model.model_json_schema(
        ref_template=REF_TEMPLATE,
        schema_generator=NinjaGenerateJsonSchema,
        mode="serialization",
        by_alias=True,
    )
    return {**schema.pop("$defs", {}), model.__name__: schema}


def _operation(event: str) -> dict[str, Any]:
    return {
        "operationId": "on" + "".join(map(str.title, re.split(r"[._]", event))),
        "summary": WHEN[event],
        "parameters": [
            {
                "name": name,
                "in": "header",
                "required": True,
                "description": text,
                "schema": {"type": "string"},
            }
            for name, text in _HEADERS.items()
        ],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _body(event)}},
        },
        "responses": {
            "2XX": {"description": "It has arrived; the body is not read."},
            "410": {"description": "Never send anything to this endpoint again."},
            "default": {"description": "It is sent again, for about three days."},
        },
    }


def _body(event: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "type": {"type": "string", "const": event},
            "timestamp": {
                "type": "string",
                "format": "date-time",
                "description": "When it happened.",
            },
            "data": {"$ref": f"#/components/schemas/{_schema(event)}"},
        },
        "required": ["type", "timestamp", "data"],
    }


def _schema(event: str) -> str:
    about = event.partition(".")[0]
    return {"voucher_order": "OrderOut", "catalogue": "CatalogueNews"}.get(
        about, "SessionOut"
    )
