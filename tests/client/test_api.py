import datetime as dt
import logging
import signal
from decimal import Decimal

import pytest

from tests.client.conftest import API_KEY, answering, http, sample
from tests.client.test_schemas import CUSTOMER
from wagtail_smartgift.client import (
    ApiCall,
    CallNotAllowed,
    Filters,
    OutcomeUnknown,
    RefusalReason,
    Refused,
    SaleDelivery,
    SaleItem,
    SaleRequest,
    SmartGiftError,
)


NUMBER = "V1234567"
TOKEN = "hold_token_jY0VMM8zd5GLkk3jDpEjTOLr"
SALE = SaleRequest(
    reference="r-1",
    items=(SaleItem(id=37, price=Decimal("25.00"), code="OWNC0DE9"),),
    customer=CUSTOMER,
    delivery=SaleDelivery(method=1, price=Decimal("0.00")),
    payment_method_id=12,
)
FILTERS = Filters(classifications=("spa",))

#: operation, call, documented (or inferred) answer, method, path, lane, body
ENDPOINTS = [
    ("vouchers", lambda c: c.catalogue(known={}), sample("catalogue_v1"),
     "GET", "/vouchers", 3, None),
    ("payment_methods", lambda c: c.payment_methods(), {"data": [{"id": 12}]},
     "GET", "/payment-methods", 3, None),
    ("check", lambda c: c.check(voucher_no=NUMBER, site_id="7"),
     sample("check_monetary"), "POST", "/redeem/check", 1,
     b'{"voucher_no": "V1234567", "site_id": "7"}'),
    ("check", lambda c: c.check(voucher_no=NUMBER, site_id="7", filters=FILTERS),
     sample("check_monetary"), "POST", "/redeem/check", 1,
     b'{"voucher_no": "V1234567", "site_id": "7",'
     b' "filters": {"classifications": ["spa"]}}'),
    ("hold", lambda c: c.hold(voucher_no=NUMBER), sample("hold"),
     "POST", "/redeem/hold", 1, b'{"voucher_no": "V1234567"}'),
    ("release", lambda c: c.release(voucher_no=NUMBER, hold_token=TOKEN),
     sample("release"), "POST", "/redeem/release", 0,
     b'{"voucher_no": "V1234567",'
     b' "hold_token": "hold_token_jY0VMM8zd5GLkk3jDpEjTOLr"}'),
    ("redeem", lambda c: c.redeem(voucher_no=NUMBER, site_id="7", value=Decimal("10")),
     sample("redeem"), "POST", "/redeem", 0,
     b'{"voucher_no": "V1234567", "site_id": "7", "value": 10}'),
    ("redeem",
     lambda c: c.redeem(
         voucher_no=NUMBER, site_id="7", value=Decimal("10.50"), hold_token=TOKEN
     ),
     sample("redeem"), "POST", "/redeem", 0,
     b'{"voucher_no": "V1234567", "site_id": "7", "value": 10.5,'
     b' "hold_token": "hold_token_jY0VMM8zd5GLkk3jDpEjTOLr"}'),
    ("redeem_unified",
     lambda c: c.redeem_unified(
         voucher_no=NUMBER, site_id="7", value=Decimal("0.30"), filters=FILTERS
     ),
     sample("redeem"), "POST", "/redeem-unified", 0,
     b'{"voucher_no": "V1234567", "site_id": "7", "value": 0.3,'
     b' "filters": {"classifications": ["spa"]}}'),
    ("reverse",
     lambda c: c.reverse(voucher_no=NUMBER, site_id="7", redemptions=(21, "22")),
     sample("reverse"), "POST", "/redeem/reverse", 0,
     b'{"voucher_no": "V1234567", "site_id": "7", "redemptions": [21, "22"]}'),
    ("pos_sale", lambda c: c.pos_sale(SALE), {"order_id": 1},
     "POST", "/pos-sale", 1, None),
]  # fmt: skip
ONE_EACH = list({item[0]: item for item in ENDPOINTS}.values())


@pytest.mark.parametrize(
    ("operation", "call", "answer", "method", "path", "lane", "body"), ENDPOINTS
)
def test_each_method_is_one_documented_request(
    serve, make_client, operation, call, answer, method, path, lane, body
):
    # given
    asked: list[tuple[str, int]] = []
    told: list[ApiCall] = []
    server = serve(answering(200, answer))
    client = make_client(
        server, gate=lambda *what: asked.append(what), observe=told.append
    )
    # when
    call(client)
    # then
    (request,) = server.requests
    assert (request.method, request.path) == (method, path)
    assert request.headers["Smart-Auth"] == API_KEY
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers["Accept"] == "application/json"
    if body is not None:
        assert request.body == body
    elif method == "GET":
        assert request.body == b""
    assert asked == [(operation, lane)]
    assert [(item.operation, item.lane, item.status) for item in told] == [
        (operation, lane, 200)
    ]


def test_a_path_before_the_endpoints_is_kept(serve, make_client):
    server = serve(answering(200, sample("hold")))
    client = make_client(f"{server.url}/smart/gift/")
    client.hold(voucher_no=NUMBER)
    assert server.requests[0].path == "/smart/gift/redeem/hold"


def test_the_caller_chooses_the_lane(serve, make_client):
    asked: list[tuple[str, int]] = []
    server = serve(answering(200, sample("check_monetary")))
    client = make_client(server, gate=lambda *what: asked.append(what))
    client.check(voucher_no=NUMBER, site_id="7", lane=2)
    assert asked == [("check", 2)]


@pytest.mark.parametrize(
    "value",
    [
        Decimal(0),
        Decimal("-1"),
        Decimal("0.001"),
        Decimal("10.005"),
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("100000000.50"),
        Decimal(2**53),
        Decimal("1E+400"),
        10.5,
        True,
    ],
)
def test_a_value_that_nobody_can_redeem_is_never_sent(serve, make_client, value):
    asked: list[tuple[str, int]] = []
    server = serve(answering(200, sample("redeem")))
    client = make_client(server, gate=lambda *what: asked.append(what))
    with pytest.raises(ValueError, match="value to redeem"):
        client.redeem(voucher_no=NUMBER, site_id="7", value=value)
    with pytest.raises(ValueError, match="value to redeem"):
        client.redeem_unified(voucher_no=NUMBER, site_id="7", value=value)
    assert server.requests == []
    assert asked == []


def test_the_largest_sum_of_bits_is_sent_whole(serve, make_client):
    server = serve(answering(200, sample("redeem")))
    make_client(server).redeem(voucher_no=NUMBER, site_id="7", value=Decimal(2**53 - 1))
    assert server.requests[0].json["value"] == 2**53 - 1


def test_nothing_is_reversed_by_an_empty_list(serve, make_client):
    server = serve(answering(200, sample("reverse")))
    with pytest.raises(ValueError, match="no redemptions"):
        make_client(server).reverse(voucher_no=NUMBER, site_id="7", redemptions=())
    assert server.requests == []


# --- The gate and the observer ----------------------------------------------------------


def test_a_gate_that_says_no_keeps_the_call_back(serve, make_client):
    told: list[ApiCall] = []

    def gate(operation, lane):
        raise CallNotAllowed(retry_after=12.5)

    server = serve(answering(200, sample("redeem")))
    client = make_client(server, gate=gate, observe=told.append)
    with pytest.raises(CallNotAllowed) as caught:
        client.hold(voucher_no=NUMBER)
    assert caught.value.retry_after == 12.5
    assert caught.value.operation == "hold"
    assert server.connections == 0
    assert told == []


def test_the_observer_learns_what_the_server_says_of_the_quota(serve, make_client):
    told: list[ApiCall] = []
    headers = {
        "X-RateLimit-Limit": "60",
        "X-RateLimit-Remaining": "25",
        "X-RateLimit-Reset": "1611079679",
        "Retry-After": "30",
        "Date": "Mon, 23 Nov 2026 12:00:00 GMT",
    }
    server = serve(answering(429, {"message": "Too Many Attempts."}, headers=headers))
    client = make_client(server, observe=told.append)
    with pytest.raises(SmartGiftError):
        client.hold(voucher_no=NUMBER)
    (call,) = told
    assert call.elapsed > 0
    assert (call.rate_limit, call.rate_remaining) == (60, 25)
    assert (call.rate_reset, call.retry_after) == (1611079679, 30)
    assert call.server_date == dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone.utc)
    assert NUMBER not in repr(call)


def test_the_observer_is_told_of_calls_without_an_answer(serve, make_client):
    told: list[ApiCall] = []
    server = serve(lambda connection, server: server.read(connection))
    client = make_client(server, observe=told.append)
    with pytest.raises(OutcomeUnknown):
        client.hold(voucher_no=NUMBER)
    assert [(item.status, item.rate_limit) for item in told] == [(None, None)]


def test_the_headers_of_half_an_answer_count(serve, make_client):
    told: list[ApiCall] = []

    def behave(connection, server):
        server.read(connection)
        headers = {"X-RateLimit-Remaining": "3"}
        connection.sendall(http(200, sample("redeem"), headers=headers)[:-5])

    client = make_client(serve(behave), observe=told.append)
    with pytest.raises(OutcomeUnknown):
        client.redeem(voucher_no=NUMBER, site_id="7", value=Decimal(1))
    assert [(item.status, item.rate_remaining) for item in told] == [(200, 3)]


def test_an_observer_that_fails_does_not_undo_what_was_redeemed(
    serve, make_client, caplog
):
    def observe(call):
        raise RuntimeError(f"broken at {NUMBER}")

    client = make_client(serve(answering(200, sample("redeem"))), observe=observe)
    receipt = client.redeem(voucher_no=NUMBER, site_id="7", value=Decimal(1))
    assert receipt.redemptions == (21, 22, 23)
    assert "RuntimeError" in caplog.text
    assert NUMBER not in caplog.text


def test_a_process_that_is_told_to_stop_still_counts_its_call(serve, make_client):
    told: list[ApiCall] = []

    def stop(signum, frame):
        raise SystemExit

    def behave(connection, server):
        server.read(connection)
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        server.closing.wait(5)

    client = make_client(serve(behave), observe=told.append)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        with pytest.raises(SystemExit):
            client.redeem(voucher_no=NUMBER, site_id="7", value=Decimal(1))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert [(item.operation, item.status) for item in told] == [("redeem", None)]


# --- Secrets ----------------------------------------------------------------------------


SECRETS = (API_KEY, NUMBER, TOKEN, "OWNC0DE9", "john@smart-gift.example")


def texts_of(root: object) -> set[str]:
    """Collect every text that hangs on an exception: all that an error tracker sees.

    Follows causes, contexts, arguments and attributes, but not the frames, whose
    variables are the caller's as much as ours.
    """
    found: set[str] = set()
    seen: set[int] = set()
    todo = [root]
    while todo:
        item = todo.pop()
        if id(item) in seen:
            continue
        seen.add(id(item))
        found.update((str(item), repr(item)))
        if isinstance(item, BaseException):
            todo += [item.__cause__, item.__context__, *item.args]
        if isinstance(item, dict):
            todo += [*item, *item.values()]
        elif isinstance(item, (list, tuple, set)):
            todo += item
        elif hasattr(item, "__dict__") and not isinstance(item, type):
            todo += vars(item).values()
    return found


def quote_everything(connection, server):
    request = server.read(connection)
    sent = f"{request.body.decode()} {request.headers['Smart-Auth']}"
    body = {"message": sent, "errors": {sent.lower(): [sent.upper()]}}
    connection.sendall(http(422, body))


FAILURES = {
    "refused with all that it was sent": quote_everything,
    "unauthorised": answering(401, {"message": f"{API_KEY} is unknown"}),
    "html": answering(500, f"<html>{API_KEY} {NUMBER} {TOKEN}</html>".encode()),
    "not understood": answering(
        200, [{"redemptions": NUMBER, "order_id": [TOKEN], "type": [API_KEY]}]
    ),
    "closed": lambda connection, server: server.read(connection),
    "garbage": lambda connection, server: connection.sendall(
        f"{API_KEY} {NUMBER}\r\n".encode()
    ),
    "echo": lambda connection, server: connection.sendall(
        connection.recv(65536) + b"\r\n\r\n"
    ),
}


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.parametrize(("operation", "call"), [item[:2] for item in ONE_EACH])
def test_nothing_secret_hangs_on_an_error_or_stands_in_the_log(
    serve, make_client, caplog, failure, operation, call
):
    caplog.set_level(logging.DEBUG)
    client = make_client(serve(FAILURES[failure]))
    with pytest.raises(SmartGiftError) as caught:
        call(client)
    assert caught.value.operation == operation
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    shown = "\n".join(texts_of(caught.value)) + caplog.text + repr(client)
    for secret in SECRETS:
        assert secret.lower() not in shown.lower()


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "https://127.0.0.1:1"])
def test_nothing_secret_hangs_on_a_call_that_was_not_sent(make_client, caplog, url):
    caplog.set_level(logging.DEBUG)
    with pytest.raises(SmartGiftError) as caught:
        make_client(url).release(voucher_no=NUMBER, hold_token=TOKEN)
    shown = "\n".join(texts_of(caught.value)) + caplog.text
    for secret in SECRETS:
        assert secret not in shown


def test_nothing_secret_is_logged_when_all_goes_well(serve, make_client, caplog):
    caplog.set_level(logging.DEBUG)
    client = make_client(serve(answering(200, sample("hold"))))
    receipt = client.hold(voucher_no=NUMBER)
    assert receipt.hold_token == TOKEN
    ours = [item for item in caplog.records if item.name.startswith("wagtail")]
    assert [(item.name, item.levelname) for item in ours] == [
        ("wagtail_smartgift.client", "DEBUG")
    ]
    assert "hold: status 200 in 0." in ours[0].getMessage()
    assert TOKEN not in caplog.text + repr(receipt)
    assert NUMBER not in caplog.text


def test_a_customers_typing_error_is_no_warning(serve, make_client, caplog):
    caplog.set_level(logging.DEBUG, logger="wagtail_smartgift.client")
    client = make_client(serve(answering(422, sample("error_invalid_voucher"))))
    with pytest.raises(Refused) as caught:
        client.hold(voucher_no=NUMBER)
    assert caught.value.reason is RefusalReason.INVALID_VOUCHER
    assert [item.levelname for item in caplog.records] == ["DEBUG"]


def test_an_unknown_outcome_is_a_warning(serve, make_client, caplog):
    client = make_client(serve(answering(500)))
    with pytest.raises(OutcomeUnknown):
        client.hold(voucher_no=NUMBER)
    assert "hold: status 500" in caplog.text
    assert "OutcomeUnknown" in caplog.text


def test_an_answer_that_is_not_understood_says_where_and_not_what(serve, make_client):
    body = sample("catalogue_v1")
    body["data"].append(body["data"][0] | {"id": "s3cret"})
    with pytest.raises(OutcomeUnknown) as caught:
        make_client(serve(answering(200, body))).catalogue(known={})
    assert str(caught.value) == (
        "vouchers: the answer was not understood at 1.id (HTTP 200)"
    )


def test_a_client_with_another_gate_shares_the_connections(serve, make_client):
    asked: list[str] = []
    server = serve(answering(200, sample("check_monetary")))
    first = make_client(server, gate=lambda *what: asked.append("first"))
    second = first.with_gate(lambda *what: asked.append("second"))
    for client in (first, second, first):
        client.check(voucher_no=NUMBER, site_id="7")
    assert asked == ["first", "second", "first"]
    assert server.connections == 1


def test_a_check_knows_smart_gifts_clock(serve, make_client):
    headers = {"Date": "Mon, 23 Nov 2026 12:00:00 GMT"}
    for sent, expected in (
        (headers, dt.datetime(2026, 11, 23, 12, tzinfo=dt.timezone.utc)),
        ({}, None),
    ):
        server = serve(answering(200, sample("check_monetary"), headers=sent))
        state = make_client(server).check(voucher_no=NUMBER, site_id="7")
        assert state.answered_at == expected
