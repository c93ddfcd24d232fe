"""The client: one method per endpoint of Smart Gift that sells or redeems.

A method makes one attempt and returns what Smart Gift said, or raises a
``SmartGiftError`` that tells who must act and whether the request can have been
applied. It never tries again: only the caller knows whether that is safe.
"""

import datetime as dt
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeVar

from pydantic import ValidationError

from wagtail_smartgift import wire
from wagtail_smartgift.client import _classify
from wagtail_smartgift.client._transport import Answer, Failure, Transport
from wagtail_smartgift.client.errors import (
    CallNotAllowed,
    OutcomeUnknown,
    Refused,
    SmartGiftError,
)
from wagtail_smartgift.client.schemas import answers, reading, writing
from wagtail_smartgift.redaction import Secret, SecretBytes, hidden


logger = logging.getLogger("wagtail_smartgift.client")

_T = TypeVar("_T")

_MEGABYTE = 1_000_000


@dataclass(frozen=True)
class _Endpoint:
    operation: str
    method: str
    path: str
    #: A connection of its own: an idle one that the server closed leaves us not knowing.
    moves_money: bool = False
    max_bytes: int = _MEGABYTE


_VOUCHERS = _Endpoint("vouchers", "GET", "/vouchers", max_bytes=20 * _MEGABYTE)
_PAYMENT_METHODS = _Endpoint("payment_methods", "GET", "/payment-methods")
_CHECK = _Endpoint("check", "POST", "/redeem/check")
_HOLD = _Endpoint("hold", "POST", "/redeem/hold")
_RELEASE = _Endpoint("release", "POST", "/redeem/release")
_REDEEM = _Endpoint("redeem", "POST", "/redeem", moves_money=True)
_REVERSE = _Endpoint("reverse", "POST", "/redeem/reverse", moves_money=True)
_REDEEM_UNIFIED = _Endpoint(
    "redeem_unified", "POST", "/redeem-unified", moves_money=True
)
_POS_SALE = _Endpoint("pos_sale", "POST", "/pos-sale", moves_money=True)


@dataclass(frozen=True)
class ApiCall:
    """What one call was and what the server said about our quota; nothing secret."""

    operation: str
    lane: int
    #: None: no answer came.
    status: int | None
    rate_limit: int | None
    rate_remaining: int | None
    #: Unix time, on the server's clock.
    rate_reset: int | None
    #: Seconds to wait; always known after a 429.
    retry_after: float | None
    #: Seconds from the first step to the last byte.
    elapsed: float
    #: The server's clock (aware, UTC).
    server_date: dt.datetime | None


class SmartGiftClient:
    """Smart Gift's API for one company; safe to share between threads.

    ``timeout`` is for a whole call, in seconds. ``gate(operation, lane)`` is asked
    before each attempt and may raise ``CallNotAllowed``. ``observe`` is told of every
    attempt, answered or not; what it raises is logged and goes no further.

    Raises:
        ValueError: the key cannot be a header, or the base URL is no https address.
    """

    def __init__(
        self,
        *,
        base_url: str,
        api_key: str,
        timeout: float = 25.0,
        gate: Callable[[str, int], None] | None = None,
        observe: Callable[[ApiCall], None] | None = None,
    ) -> None:
        if not api_key or not (api_key.isascii() and api_key.isprintable()):
            raise ValueError("The API key is empty or has characters that no key has.")
        if not timeout > 0:
            raise ValueError("The timeout is a number of seconds above zero.")
        self._api_key = api_key = Secret(api_key)
        self._gate = gate
        self._observe = observe
        self._leave_until: float | None = None
        self._transport = Transport(
            base_url=base_url,
            headers={
                "Smart-Auth": api_key,
                "Content-Type": "application/json",
                "Accept": "application/json",
                "Accept-Encoding": "gzip",
                "User-Agent": "wagtail-smartgift",
            },
            timeout=timeout,
        )

    def __repr__(self) -> str:
        return f"SmartGiftClient(host={self._transport.host!r})"

    def __enter__(self) -> "SmartGiftClient":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept alive; a later call opens new ones."""
        self._transport.close()

    def with_gate(self, gate: Callable[[str, int], None]) -> "SmartGiftClient":
        """Return this client asking another gate; both share their connections."""
        other = copy(self)
        other._gate = gate
        return other

    def leaving_until(self, moment: float) -> "SmartGiftClient":
        """Return this client sending nothing after ``moment`` (``time.monotonic``).

        The gate may keep a call waiting for longer than its caller has the right to
        make it. A call that would leave too late raises ``CallNotAllowed``.
        """
        other = copy(self)
        other._leave_until = moment
        return other

    def with_observer(self, observe: Callable[[ApiCall], None]) -> "SmartGiftClient":
        """Return this client telling ``observe``, too, of every attempt."""
        other, first = copy(self), self._observe

        def tell_both(call: ApiCall) -> None:
            try:
                if first is not None:
                    first(call)
            finally:
                observe(call)

        other._observe = tell_both
        return other

    def catalogue(
        self, *, known: Mapping[str, int], lane: int = 3
    ) -> answers.Catalogue:
        """Return what the whole catalogue lists, and the products not ``known``.

        ``known`` is the id of each known product by its digest, from an earlier
        answer; most of a large catalogue is the same as last time, and need not be
        read again.

        Raises:
            SmartGiftError: also when a single product is not understood.
        """

        def read(body: object) -> answers.Catalogue:
            return reading.read_catalogue_news(body, known)

        return self._call(_VOUCHERS, None, read, lane=lane)

    def payment_methods(self, *, lane: int = 3) -> list[answers.PaymentMethod]:
        """Return the ways of paying that an order may name.

        Raises:
            SmartGiftError: see ``errors``.
        """
        return self._call(
            _PAYMENT_METHODS, None, reading.read_payment_methods, lane=lane
        )

    def check(
        self,
        *,
        voucher_no: str,
        site_id: str,
        filters: writing.Filters | None = None,
        lane: int = 1,
    ) -> answers.VoucherState:
        """Return what a voucher is worth at a site; works while it is held, too.

        Raises:
            Refused: the number is unknown, or nothing of it may be redeemed there.
            SmartGiftError: see ``errors``.
        """
        voucher_no = Secret(voucher_no)
        body = writing.write_check(voucher_no, site_id, filters)
        state, call = self._exchange(_CHECK, body, reading.read_check, lane=lane)
        # What is left of a hold is counted on the clock that it was written by.
        return state.model_copy(update={"answered_at": call.server_date})

    def hold(self, *, voucher_no: str, lane: int = 1) -> answers.HoldReceipt:
        """Claim the whole voucher for five minutes from when this was sent.

        Raises:
            Refused: ``ALREADY_HELD``, ``INVALID_VOUCHER``, or for a reason unknown.
            OutcomeUnknown: it may be held under a token that we do not have.
            SmartGiftError: see ``errors``.
        """
        voucher_no = Secret(voucher_no)
        body = writing.write_hold(voucher_no)
        receipt, call = self._exchange(_HOLD, body, reading.read_hold, lane=lane)
        return receipt.model_copy(update={"answered_at": call.server_date})

    def release(self, *, voucher_no: str, hold_token: str, lane: int = 0) -> None:
        """Give a hold back.

        Raises:
            Refused: ``NOT_HELD`` when it has run out or was used up.
            SmartGiftError: see ``errors``.
        """
        voucher_no, hold_token = Secret(voucher_no), Secret(hold_token)
        body = writing.write_release(voucher_no, hold_token)
        self._call(_RELEASE, body, reading.read_done, lane=lane)

    def redeem(
        self,
        *,
        voucher_no: str,
        site_id: str,
        value: Decimal,
        hold_token: str | None = None,
        lane: int = 0,
    ) -> answers.RedeemReceipt:
        """Spend ``value``: money, or the sum of the chosen experiences' bits.

        There is no idempotency key: after ``OutcomeUnknown`` look before you act.

        Raises:
            Refused: nothing was taken.
            OutcomeUnknown: it may have been taken.
            SmartGiftError: see ``errors``.
            ValueError: the value is nothing that can be redeemed; nothing was sent.
        """
        voucher_no, hold_token = Secret(voucher_no), hidden(hold_token)
        body = writing.write_redeem(voucher_no, site_id, value, hold_token)
        return self._call(_REDEEM, body, reading.read_redeem, lane=lane)

    def redeem_unified(
        self,
        *,
        voucher_no: str,
        site_id: str,
        value: Decimal,
        hold_token: str | None = None,
        filters: writing.Filters | None = None,
        lane: int = 0,
    ) -> answers.UnifiedReceipt:
        """Spend up to ``value`` (money), whatever fits best.

        Never for money at a checkout: sent twice, it always finds something to take.

        Raises:
            OutcomeUnknown: something may have been taken.
            SmartGiftError: see ``errors``.
            ValueError: the value is nothing that can be redeemed; nothing was sent.
        """
        voucher_no, hold_token = Secret(voucher_no), hidden(hold_token)
        body = writing.write_redeem(voucher_no, site_id, value, hold_token, filters)
        return self._call(_REDEEM_UNIFIED, body, reading.read_unified, lane=lane)

    def reverse(
        self,
        *,
        voucher_no: str,
        site_id: str,
        redemptions: Sequence[int | str],
        lane: int = 0,
    ) -> None:
        """Undo redemptions, each in full.

        Raises:
            Refused: ``INVALID_REDEMPTIONS`` also when they had been undone before.
            OutcomeUnknown: they may have been undone.
            SmartGiftError: see ``errors``.
            ValueError: there are none to undo; nothing was sent.
        """
        voucher_no = Secret(voucher_no)
        body = writing.write_reverse(voucher_no, site_id, redemptions)
        self._call(_REVERSE, body, reading.read_done, lane=lane)

    def pos_sale(
        self, request: writing.SaleRequest, *, lane: int = 1
    ) -> answers.SaleReceipt:
        """Place an order of vouchers.

        Smart Gift mails the customer only for an online delivery method. Its
        ``order_id`` may differ from the reference: keep it.

        Raises:
            Refused: nothing was sold.
            OutcomeUnknown: it may have been sold; never send it again unasked.
            SmartGiftError: see ``errors``.
        """
        body = writing.write_sale(request)
        return self._call(_POS_SALE, body, reading.read_sale, lane=lane)

    def _call(
        self,
        endpoint: _Endpoint,
        body: Mapping[str, Any] | None,
        read: Callable[[object], _T],
        *,
        lane: int,
    ) -> _T:
        return self._exchange(endpoint, body, read, lane=lane)[0]

    def _exchange(
        self,
        endpoint: _Endpoint,
        body: Mapping[str, Any] | None,
        read: Callable[[object], _T],
        *,
        lane: int,
    ) -> tuple[_T, ApiCall]:
        content = (
            None
            if body is None
            else SecretBytes(json.dumps(body, allow_nan=False).encode())
        )
        self._ask_gate(endpoint.operation, lane)
        started = time.monotonic()
        if self._leave_until is not None and started > self._leave_until:
            raise CallNotAllowed(
                "kept back for too long", operation=endpoint.operation, retry_after=5.0
            )
        outcome: Answer | Failure | None = None
        try:
            outcome = self._transport.exchange(
                endpoint.method,
                endpoint.path,
                content,
                fresh=endpoint.moves_money,
                max_bytes=endpoint.max_bytes,
            )
        finally:
            # Also when the process is told to stop: the call has cost its quota.
            elapsed = time.monotonic() - started
            call = _api_call(endpoint.operation, lane, outcome, elapsed)
            self._tell(call)
        # Raised here, where no exception is being handled: what the network's own
        # exceptions hold must not hang on ours.
        result = self._judge(endpoint.operation, body, outcome, read)
        _log(endpoint.operation, result, outcome.status, elapsed)
        if isinstance(result, SmartGiftError):
            result.answered_at = call.server_date
            raise result
        return result, call

    def _judge(
        self,
        operation: str,
        body: Mapping[str, Any] | None,
        outcome: Answer | Failure,
        read: Callable[[object], _T],
    ) -> _T | SmartGiftError:
        if isinstance(outcome, Failure):
            return _classify.error_of_failure(outcome, operation=operation)
        secrets = [self._api_key, *writing.confidential(body)]
        error = _classify.error_of_answer(outcome, operation=operation, secrets=secrets)
        if error is not None:
            return error
        try:
            # The catalogue is no secret, and large.
            secret = body is not None
            return read(_classify.parse_json(outcome.body, secret=secret))
        except ValidationError as invalid:
            detail = f"the answer was not understood at {_places(invalid)}"
        except (ValueError, RecursionError):
            detail = "the answer was not understood"
        return OutcomeUnknown(detail, operation=operation, status=outcome.status)

    def _ask_gate(self, operation: str, lane: int) -> None:
        if self._gate is None:
            return
        try:
            self._gate(operation, lane)
        except CallNotAllowed as refusal:
            refusal.operation = refusal.operation or operation
            raise

    def _tell(self, call: ApiCall) -> None:
        if self._observe is None:
            return
        try:
            self._observe(call)
        except Exception as error:  # noqa: BLE001 - a counter that fails must not turn money that moved into an error
            logger.warning(
                "The observer of %s failed: %s", call.operation, type(error).__name__
            )


def _places(invalid: ValidationError) -> str:
    """Name where an answer is wrong, and never what stands there."""
    first = invalid.errors(
        include_url=False, include_context=False, include_input=False
    )
    return ".".join(str(part) for part in first[0]["loc"]) or "its top"


def _api_call(
    operation: str, lane: int, outcome: Answer | Failure | None, elapsed: float
) -> ApiCall:
    headers = {} if outcome is None else outcome.headers
    status = None if outcome is None else outcome.status
    return ApiCall(
        operation=operation,
        lane=lane,
        status=status,
        rate_limit=wire.header_number(headers, "X-RateLimit-Limit"),
        rate_remaining=wire.header_number(headers, "X-RateLimit-Remaining"),
        rate_reset=wire.header_number(headers, "X-RateLimit-Reset"),
        retry_after=_classify.asked_pause(status, headers),
        elapsed=elapsed,
        server_date=wire.server_date(headers),
    )


def _log(operation: str, result: object, status: int | None, elapsed: float) -> None:
    """A refusal is a customer's typing error; anything else deserves an eye."""
    failed = isinstance(result, SmartGiftError)
    quiet = not failed or isinstance(result, Refused)
    logger.log(
        logging.DEBUG if quiet else logging.WARNING,
        "Smart Gift %s: status %s in %.3f s%s",
        operation,
        status,
        elapsed,
        f", {type(result).__name__}" if failed else "",
    )
