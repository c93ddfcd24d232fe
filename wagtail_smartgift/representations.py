"""SESSION, ORDER and the news of a catalogue as JSON, the same members everywhere.

The JSON API answers with them and webhooks carry them. Only plain JSON types come out:
money as a string with two decimals, times as RFC 3339 in UTC. What the API promises of
each field is described in its schemas.
"""

from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

from wagtail_smartgift import ledger
from wagtail_smartgift.money import format_money


def of(thing: ledger.Session | ledger.Order | ledger.CatalogueNews) -> dict[str, Any]:
    """Return whichever it is as the JSON that stands for it."""
    if isinstance(thing, ledger.Session):
        return of_session(thing)
    if isinstance(thing, ledger.Order):
        return of_order(thing)
    return of_catalogue(thing)


def of_session(session: ledger.Session) -> dict[str, Any]:
    """Return a SESSION; its ``client_secret`` is no part of it."""
    return {
        "reference": session.reference,
        "currency": session.currency,
        "amount_due": format_money(session.amount_due),
        "amount_eligible": format_money(session.amount_eligible),
        "amount_covered": format_money(session.amount_covered),
        "amount_remaining": format_money(session.amount_remaining),
        "amount_redeemed": format_money(session.amount_redeemed),
        "amount_refunded": format_money(session.amount_refunded),
        "status": str(session.status),
        "now": zulu(session.now),
        "redemptions": [of_redemption(state) for state in session.redemptions],
    }


def of_redemption(state: ledger.RedemptionState) -> dict[str, Any]:
    return {
        "id": str(state.id),
        "display_code": state.display_code,
        "type": str(state.type),
        "status": str(state.status),
        "amount": format_money(state.amount),
        "balance": _money_or_null(state.balance),
        "experiences": [
            {"bit_value": bit, "name": name, "chosen": bit in state.experiences}
            for bit, name in state.experiences_available
        ],
        "held_until": None if state.held_until is None else zulu(state.held_until),
    }


def of_order(order: ledger.Order) -> dict[str, Any]:
    """Return an ORDER. It holds voucher numbers in clear once it is placed."""
    return {
        "reference": order.reference,
        "status": str(order.status),
        "order_id": order.order_id,
        "items": [
            {
                "product": item.product,
                "price": format_money(item.price),
                "persons": item.persons,
                "voucher_no": item.voucher_no,
            }
            for item in order.items
        ],
        "code": order.code,
    }


def of_catalogue(news: ledger.CatalogueNews) -> dict[str, Any]:
    return {
        "account": news.account,
        "synced_at": zulu(news.synced_at),
        "added": news.added,
        "changed": news.changed,
        "gone": news.gone,
        "returned": news.returned,
    }


def zulu(moment: datetime) -> str:
    """Write a moment as ``2026-03-01T14:32:00Z``."""
    utc = moment.astimezone(timezone.utc).replace(microsecond=0, tzinfo=None)
    return f"{utc.isoformat()}Z"


def _money_or_null(amount: Decimal | None) -> str | None:
    return None if amount is None else format_money(amount)
