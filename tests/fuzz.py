"""Send what nobody foresaw to the running example: ``python -m tests.fuzz --help``.

schemathesis makes requests from the API's own description, some that fit it and some
that do not; they go to the example shop as a process of its own, with the sandbox as
its Smart Gift. Every answer must be one that the description has: its status, its
headers, its content type, its schema with the codes of that very operation, and never
a server error. Bodies that are no JSON, and methods that an address does not have, are
sent besides.

What the shop tells (``webhooks/shop``) is signed as its description says, whatever is
in it, so that the reader and the inbox behind the signature get it.

Chance alone finds no payment and no voucher, so ``World`` keeps some of each at hand,
in every status that can be had quickly, and puts them in place of made-up ones.
"""

import argparse
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timezone
from itertools import count
from pathlib import Path
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

# Importing them is what makes them known.
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from standardwebhooks import Webhook

from tests.example.shop import SERVER_KEY, WEBHOOK_SECRET, Shop
from wagtail_smartgift.sandbox import Behaviour, Sandbox, SandboxServer


CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PROBLEM = "application/problem+json"
PREFIX = "/smartgift/api/"
#: The one call that is opened by a signature over its body.
SIGNED = "receiveShopEvent"
#: Headers that servers and Django's own middleware decide about before any call does.
WIRE = {"connection", "content-length", "expect", "host", "te", "transfer-encoding"}
#: What a payment may be brought to without waiting for a sweep.
STATUSES = ("open", "confirmed", "cancelled")
EVENTS = (
    "order.confirmed",
    "order.cancelled",
    "order.refunded",
    "order.paid",
    "catalogue.changed",
)
ORDER: dict[str, Any] = {
    "customer": {
        "first_name": "Jane",
        "last_name": "Miller",
        "email": "jane@example.org",
        "address1": "1 Mill Lane",
        "city": "Bath",
        "postcode": "BA1 1AA",
    },
    "delivery": {"method": 1, "price": "0.00"},
}

_numbers = count(1)
#: What comes first is what Hypothesis likes best.
MOSTLY = st.sampled_from([True, True, True, False])
ALMOST_ALWAYS = st.sampled_from([*[True] * 15, False])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


class World:
    """A shop, and things in it that requests can be about."""

    def __init__(self, shop: Shop, sandbox: Sandbox) -> None:
        self.shop, self.sandbox = shop, sandbox
        self.http = requests.Session()
        self.http.trust_env = False
        self._references: dict[str, str] = {}
        self._secret = self._placed = ""
        listed = self.http.get(self.url("vouchers"), timeout=60).json()["items"]
        self.products = [item["id"] for item in listed] or [1]
        self.monetary = next(item for item in listed if item["type"] == "monetary")

    def url(self, path: str) -> str:
        return f"{self.shop.url}{PREFIX}{path}"

    def server(self, path: str, body: object = None, method: str = "POST") -> Any:
        return self.http.request(
            method,
            self.url(f"server/{path}"),
            json=body,
            headers={"Authorization": f"Bearer {SERVER_KEY}"},
            timeout=60,
        )

    def reference(self, status: str) -> str:
        """Return a payment in a status, a fresh one if the last has left it."""
        known = self._references.get(status)
        if known is not None:
            seen = self.server(f"payment-sessions/{known}", method="GET").json()
            if seen.get("status") == status:
                return known
        reference = f"fuzz-{next(_numbers)}"
        # So much that any number of vouchers has something to pay.
        body = {"reference": reference, "amount_due": "80000.00"}
        opened = self.server("payment-sessions", body).json()
        if status == "open":
            self._secret = opened["client_secret"]
        added = self.http.post(
            self.url("payment-session/redemptions"),
            json={"voucher_no": self.voucher()},
            headers={"Authorization": f"Bearer {opened['client_secret']}"},
            timeout=60,
        )
        assert added.status_code == 201, added.text
        verb = {"confirmed": "confirm", "cancelled": "cancel"}.get(status)
        if verb is not None:
            assert self.server(f"payment-sessions/{reference}/{verb}").ok
        self._references[status] = reference
        return reference

    def secret(self) -> str:
        """Return the secret of a payment that is open."""
        self.reference("open")
        return self._secret

    def redemption(self) -> str:
        reference = self.reference("open")
        seen = self.server(f"payment-sessions/{reference}", method="GET").json()
        rows = seen["redemptions"]
        return str(rows[0]["id"]) if rows else "00000000-0000-4000-8000-000000000000"

    def voucher(self) -> str:
        number = f"FUZZ-{next(_numbers):06}"
        self.sandbox.add_voucher(number, balance="50.00")
        return number

    def order(self) -> dict[str, Any]:
        item = {"product": self.monetary["id"], "price": self.monetary["min"]}
        return {"reference": f"fuzz-{next(_numbers)}", "items": [item], **ORDER}

    def placed(self) -> str:
        """Return an order that is sold."""
        if not self._placed:
            order = self.order()
            assert self.server("voucher-orders", order).status_code == 201
            self._placed = order["reference"]
        return self._placed

    def event(self, data: st.DataObject) -> dict[str, Any]:
        """Return something that a shop may tell."""
        told = data.draw(st.sampled_from([*EVENTS, "order.shipped"]))
        about: dict[str, Any] = {}
        if told == "order.paid":
            about = self.order()
        elif told in EVENTS and told != "catalogue.changed":
            about = {"reference": self.reference(data.draw(st.sampled_from(STATUSES)))}
            if data.draw(MOSTLY):
                about["amount"] = data.draw(
                    st.sampled_from(["50.00", "1.00", 50, "9e9"])
                )
        return {"type": told, "timestamp": "2026-03-01T14:32:00Z", "data": about}

    def forget_guesses(self) -> None:
        """Let the guesses of this run be nobody's, or all would be told to wait."""
        self.shop.execute("DELETE FROM wagtail_smartgift_guesscounter")
        self.shop.execute(
            "UPDATE wagtail_smartgift_paymentsession SET failed_lookups=0"
        )


class Fuzz:
    """One run over every operation of the description."""

    def __init__(self, world: World, *, examples: int, seed: int) -> None:
        self.world, self.examples, self.seed = world, examples, seed
        #: (operation, status) -> how many answers.
        self.answers: Counter[tuple[str, int]] = Counter()
        self.codes: Counter[str] = Counter()
        self.described = world.http.get(world.url("openapi.json"), timeout=60).json()
        self.schema = schemathesis.openapi.from_dict(self.described)

    @property
    def cases(self) -> int:
        return sum(self.answers.values())

    def run(self, on_operation: Callable[[str], None] = lambda name: None) -> None:
        for result in self.schema.get_all_operations():
            operation = result.ok()
            name = operation.definition.raw["operationId"]
            on_operation(name)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                if mode.is_negative and not _has_parts(operation):
                    continue
                self._made_from_the_description(operation, name, mode)
            if operation.method.upper() == "POST":
                self._no_json(operation, name)
            self._other_methods(operation, name)

    def _settings(self) -> settings:
        return settings(
            max_examples=self.examples,
            deadline=None,
            database=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )

    def _made_from_the_description(
        self, operation: Any, name: str, mode: GenerationMode
    ) -> None:
        @seed(self.seed)
        @self._settings()
        @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
        def send(case: Any, data: st.DataObject) -> None:
            self._at_hand(case, data, mode)
            if name == SIGNED:
                answer = self._tell(case, data, mode)
                headers = {}
            else:
                headers = self._credential(operation, data)
                answer = case.call(
                    base_url=self.world.shop.url,
                    session=self.world.http,
                    headers=headers,
                )
            self._count(name, answer)
            case.validate_response(answer, checks=CHECKS, headers=headers)

        send()

    def _tell(self, case: Any, data: st.DataObject, mode: GenerationMode) -> Any:
        """Send what a shop tells, signed: good messages, and all kinds of others."""
        told = case.body
        if data.draw(MOSTLY):
            good = self.world.event(data)
            if mode.is_positive:
                told = good
            elif isinstance(told, dict):
                # All but a member or two is right.
                wrong = data.draw(st.sampled_from([*good, *good["data"], "other"]))
                value = data.draw(JSON)
                told = {**good, wrong: value}
                if wrong in good["data"]:
                    told = {**good, "data": {**good["data"], wrong: value}}
        body = json.dumps(told, default=str)
        return self.world.http.post(
            self.world.url("webhooks/shop"),
            data=body.encode(),
            headers={"Content-Type": "application/json", **self._signature(body, data)},
            timeout=60,
        )

    def _signature(self, body: str, data: st.DataObject) -> dict[str, str]:
        """Sign a body, nearly always; some of the ids have come before."""
        at = datetime.now(tz=timezone.utc)
        webhook_id = f"fuzz-{next(_numbers) if data.draw(MOSTLY) else 0}"
        signature = Webhook(WEBHOOK_SECRET).sign(webhook_id, at, body)
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": signature if data.draw(ALMOST_ALWAYS) else "v1,none",
        }

    def _at_hand(self, case: Any, data: st.DataObject, mode: GenerationMode) -> None:
        """Put things that there are in place of made-up ones, mostly."""
        world, path = self.world, case.path_parameters or {}
        if self.cases % 8 == 0:
            world.forget_guesses()
        if "reference" in path and data.draw(MOSTLY):
            path["reference"] = (
                world.placed()
                if "/voucher-orders/" in case.operation.path
                else world.reference(data.draw(st.sampled_from(STATUSES)))
            )
        if "redemption_id" in path and data.draw(MOSTLY):
            path["redemption_id"] = world.redemption()
        if "product_id" in path and data.draw(MOSTLY):
            path["product_id"] = data.draw(st.sampled_from(world.products))
        for name in [name for name in case.headers or {} if name.lower() in WIRE]:
            del case.headers[name]
        if "Idempotency-Key" in (case.headers or {}) and data.draw(MOSTLY):
            case.headers["Idempotency-Key"] = f"fuzz-{next(_numbers)}"
        body = case.body
        if not isinstance(body, dict) or not data.draw(MOSTLY):
            return
        if mode.is_positive and "items" in body:
            case.body = {**world.order(), "dry_run": data.draw(st.booleans())}
        elif isinstance(body.get("voucher_no"), str):
            case.body = {**body, "voucher_no": world.voucher()}
            if data.draw(MOSTLY):
                case.body.pop("experiences", None)
            if data.draw(MOSTLY):
                case.body.pop("site", None)
        elif mode.is_positive and "amount_due" in body and data.draw(MOSTLY):
            case.body = {"reference": body["reference"], "amount_due": "9.00"}

    def _credential(self, operation: Any, data: st.DataObject) -> dict[str, str]:
        [needed] = operation.definition.raw.get("security") or [{}]
        if not needed or not data.draw(ALMOST_ALWAYS):
            return {}
        token = SERVER_KEY if "ServerKeyAuth" in needed else self.world.secret()
        return {"Authorization": f"Bearer {token}"}

    def _no_json(self, operation: Any, name: str) -> None:
        """Send bodies that no JSON library would write."""
        known = {int(status) for status in operation.definition.raw["responses"]}
        address = self.world.url(
            operation.path.removeprefix(PREFIX).format(
                reference=self.world.reference("confirmed"),
                redemption_id=self.world.redemption(),
            )
        )
        bodies = st.one_of(
            st.binary(max_size=200),
            st.text(max_size=200).map(lambda text: text.encode(errors="replace")),
            st.sampled_from(
                [b"[" * 50_000, b'{"amount":1e999}', b'{"a":NaN}', b'{"a":1,"a":2}']
            ),
        )

        @seed(self.seed)
        @self._settings()
        @given(body=bodies, data=st.data())
        def send(body: bytes, data: st.DataObject) -> None:
            credential = (
                self._signature(body.decode(errors="replace"), data)
                if name == SIGNED
                else self._credential(operation, data)
            )
            answer = self.world.http.post(
                address,
                data=body,
                headers={"Content-Type": "application/json", **credential},
                timeout=60,
            )
            self._count(name, answer)
            assert answer.status_code in known, (body, answer.status_code)
            assert answer.status_code < 500, (body, answer.text)
            if answer.status_code >= 400:
                assert answer.headers["Content-Type"] == PROBLEM

        send()

    def _other_methods(self, operation: Any, name: str) -> None:
        path = operation.path.removeprefix(PREFIX)
        address = self.world.url(path.replace("{", "").replace("}", ""))
        there_are = {
            method.upper() for method in self.described["paths"][operation.path]
        }
        for method in sorted({"GET", "POST", "PUT", "PATCH", "DELETE"} - there_are):
            answer = self.world.http.request(method, address, timeout=60)
            self._count(name, answer)
            assert answer.status_code == 405, (method, address, answer.text)
            assert answer.headers["Content-Type"] == PROBLEM
            assert there_are <= set(answer.headers["Allow"].split(", "))

    def _count(self, name: str, answer: Any) -> None:
        self.answers[name, answer.status_code] += 1
        kind = answer.headers.get("Content-Type", answer.headers.get("content-type"))
        if kind == PROBLEM or kind == [PROBLEM]:
            self.codes[answer.json()["code"]] += 1

    def report(self) -> str:
        lines = [f"{self.cases} requests, seed {self.seed}"]
        for name in dict.fromkeys(name for name, _status in self.answers):
            by_status = {
                status: number
                for (other, status), number in sorted(self.answers.items())
                if other == name
            }
            lines.append(
                f"  {name:<20}"
                + "  ".join(
                    f"{status}: {number}" for status, number in by_status.items()
                )
            )
        lines.append("  codes: " + ", ".join(sorted(self.codes)))
        return "\n".join(lines)


def _has_parts(operation: Any) -> bool:
    raw = operation.definition.raw
    return bool(raw.get("parameters") or raw.get("requestBody"))


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "--examples", type=int, default=100, help="for each operation and kind"
    )
    options.add_argument("--seed", type=int, default=1)
    chosen = options.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        SandboxServer(Sandbox(behaviour=Behaviour(rate_limit=0))) as smart_gift,
    ):
        shop = Shop(Path(folder), smart_gift.url)
        shop.manage("migrate", "--verbosity=0")
        shop.manage("load_example_data")
        with shop.serving():
            world = World(shop, smart_gift.sandbox)
            fuzz = Fuzz(world, examples=chosen.examples, seed=chosen.seed)
            try:
                fuzz.run(lambda name: print(name, file=sys.stderr))
            finally:
                print(fuzz.report())
                faults = Path(folder, "serve.log").read_text()
                if faults:
                    print(faults, file=sys.stderr)


if __name__ == "__main__":
    main()
