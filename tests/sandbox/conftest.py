"""A sandbox on a real socket, and the smallest client that can talk to it."""

import http.client
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from wagtail_smartgift.sandbox import Behaviour, Clock, Sandbox, SandboxServer


HEADERS = {
    "Smart-Auth": "sk_sandbox",
    "Content-Type": "application/json",
    "Accept": "application/json",
}

CUSTOMER = {
    "first_name": "Ada",
    "last_name": "Byron",
    "email": "ada@example.com",
    "address1": "1 Mill Lane",
    "city": "Millford",
    "postcode": "MF1 2AB",
}


@dataclass
class Got:
    status: int
    headers: dict[str, str]
    text: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def errors(self) -> Any:
        return self.json["errors"]


class Caller:
    """One keep-alive connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def send(self, method, path, body=None, headers=None, raw=None) -> Got:
        data = raw if raw is not None or body is None else json.dumps(body)
        sent = HEADERS if headers is None else headers
        try:
            self._connection.request(method, path, data, sent)
            answer = self._connection.getresponse()
            return Got(answer.status, dict(answer.headers), answer.read())
        except (http.client.HTTPException, OSError):
            # The next call opens a new one.
            self._connection.close()
            raise

    def get(self, path, headers=None) -> Got:
        return self.send("GET", path, headers=headers)

    def post(self, path, /, **body) -> Got:
        return self.send("POST", path, body)

    def check(self, number, site_id="1", **more) -> Got:
        return self.post("/redeem/check", voucher_no=number, site_id=site_id, **more)

    def hold(self, number) -> Got:
        return self.post("/redeem/hold", voucher_no=number)

    def token(self, number) -> str:
        return self.hold(number).json["hold_token"]

    def redeem(self, number, value, site_id="1", **more) -> Got:
        return self.post(
            "/redeem", voucher_no=number, site_id=site_id, value=value, **more
        )

    def ids(self, number, value) -> list[int]:
        return self.redeem(number, value).json["data"]["redemptions"]

    def reverse(self, number, ids, site_id="1") -> Got:
        return self.post(
            "/redeem/reverse", voucher_no=number, site_id=site_id, redemptions=ids
        )

    def release(self, number, token) -> Got:
        return self.post("/redeem/release", voucher_no=number, hold_token=token)

    def sell(self, *items, path="/pos-sale", **more) -> Got:
        body = {
            "reference": "r-1",
            "items": list(items),
            "customer": CUSTOMER,
            "delivery": {"delivery_method": 1, "price": 0},
            "payment_method_id": 12,
        }
        return self.send("POST", path, {**body, **more})

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def sandbox() -> Sandbox:
    """A sandbox whose time stands still and whose limit is off."""
    return Sandbox(behaviour=Behaviour(rate_limit=0), clock=Clock(frozen=True))


@pytest.fixture
def server(sandbox) -> Iterator[SandboxServer]:
    with SandboxServer(sandbox) as running:
        yield running


@pytest.fixture
def api(server) -> Iterator[Caller]:
    caller = Caller(server.port)
    yield caller
    caller.close()
