"""The webhooks that are sent are what the OpenAPI document says of them."""

import json
from typing import Any

import jsonschema_rs
import pytest

from wagtail_smartgift import payments, representations, sales
from wagtail_smartgift.api import schemas
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.services import catalogue, reconciliation
from wagtail_smartgift.signals import SIGNALS


@pytest.fixture
def described(anonymous):
    return anonymous.get("openapi.json").json()


def test_each_event_is_described(described):
    assert set(described["webhooks"]) == set(SIGNALS)
    assert described["openapi"].startswith("3.1")
    for path in described["webhooks"].values():
        assert path["post"]["summary"].endswith(".")


def validator(described: Any, event: str) -> Any:
    operation = described["webhooks"][event]["post"]
    schema = operation["requestBody"]["content"]["application/json"]["schema"]
    return jsonschema_rs.validator_for(
        {**schema, "components": described["components"]}
    )


def test_what_is_sent_is_as_described(described, configure, receiver, sandbox):
    configure(WEBHOOK_ENDPOINTS=[receiver.as_endpoint()])
    catalogue.sync(get_conf().account("default"))
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    payments.confirm(reference="order-1")
    sales.place_order(reference="order-2", **ORDER)

    reconciliation.reconcile()

    assert set(receiver.types) == {
        "catalogue.synced",
        "voucher.held",
        "voucher.redeemed",
        "session.confirmed",
        "voucher_order.placed",
    }
    for message in receiver.messages:
        validator(described, message.said["type"]).validate(message.said)
        wrong = {**message.said, "data": {}}
        with pytest.raises(jsonschema_rs.ValidationError):
            validator(described, message.said["type"]).validate(wrong)


ORDER = {
    "items": [{"product": 37, "price": "50.00"}],
    "customer": {
        "first_name": "John",
        "last_name": "Smith",
        "email": "john@example.org",
        "address1": "1 Mill Lane",
        "city": "Bath",
        "postcode": "BA1 1AA",
    },
    "delivery": {"method": "1", "price": "0.00"},
}


def test_the_api_writes_the_same_bytes(sandbox, db):
    """Money, times and nulls of every kind, through the API's own schemas."""
    catalogue.sync(get_conf().account("default"))
    payments.open_session(reference="order-1", amount_due="80.00")
    payments.add_voucher(reference="order-1", voucher_no="GOOD-0050-0001")
    session = payments.get_session(reference="order-1")
    order = sales.place_order(reference="order-2", **ORDER)

    for schema, thing in ((schemas.SessionOut, session), (schemas.OrderOut, order)):
        through_the_api = schema.of(thing).model_dump(mode="json", by_alias=True)
        assert json.dumps(representations.of(thing)) == json.dumps(through_the_api)
