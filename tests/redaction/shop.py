"""A shop whose every secret is known, and its people: a browser, a server, an admin."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from html import unescape
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.test import Client

from wagtail_smartgift import codes, payments
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.exceptions import SmartGiftPluginError
from wagtail_smartgift.models import VoucherOrderItem
from wagtail_smartgift.sandbox import Sandbox

from .watch import Output, Watch


API = "/smartgift/api"
#: What is shown of a voucher number is its end, so the rest is what must not be.
NUMBERS = {
    "the number": "ZEBRA-7Q4X-9281-AAAA",
    "another number": "OKAPI-3M8K-5507-BBBB",
    "a number for nothing": "TAPIR-6W2N-1194-CCCC",
    "a number of an experience": "CIVET-9H5D-3360-DDDD",
}
KEYS = {
    "the API key": "sk_sandbox_6f1c9a77quokka",
    "the server key": "server-key-numbat-4e8d2b91-of-this-test",
    "the encryption key": "encryption-wombat-77ab31c0-long-enough-to-be",
    "the old encryption key": "encryption-bilby-19ff03de-long-enough-to-be",
    "the fingerprint key": "fingerprint-possum-5d20c6aa-long-enough",
    "the webhook secret": "whsec_cXVva2thLXdlYmhvb2stc2VjcmV0LW9mLXRoaXMtdGVzdA==",
}
NUMBER, OTHER, WRONG, TEA = NUMBERS.values()
SERVER_KEY = KEYS["the server key"]
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


def worth(session: Any, voucher: Any, bits: list[int]) -> int:
    """EXPERIENCE_VALUE of these tests."""
    return 15 * len(bits)


def hidden_part(number: str) -> str:
    return number[:-4]


def secrets() -> dict[str, str]:
    found = {name: hidden_part(number) for name, number in NUMBERS.items()} | KEYS
    for number, key in enumerate(get_conf().encryption_keys):
        found[f"derived key {number}"] = key.decode()
    return found


@dataclass
class Shop:
    """What a flow has to play with. Every answer is looked at as it comes."""

    sandbox: Sandbox
    watch: Watch
    #: Move both clocks.
    pass_time: Callable[[float], None]
    #: Change settings of WAGTAIL_SMARTGIFT.
    configure: Callable[..., None]

    # -- the Python API ----------------------------------------------------------------

    def verb(self, verb: Callable[..., Any], **values: Any) -> Any:
        """Call a verb; an error is looked at, and its code returned."""
        try:
            result = verb(**values)
        except SmartGiftPluginError as error:
            self.watch.exception(error, verb.__name__)
            return error.code
        self.watch.look(f"repr: {verb.__name__}", repr(result))
        return result

    def open(self, reference: str = "order-1", due: str = "80.00") -> Any:
        return self.verb(payments.open_session, reference=reference, amount_due=due)

    def add(self, number: str = NUMBER, reference: str = "order-1", **more: Any) -> Any:
        return self.verb(
            payments.add_voucher, reference=reference, voucher_no=number, **more
        )

    # -- HTTP --------------------------------------------------------------------------

    def api(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        token: str | None = SERVER_KEY,
        but: tuple[str, ...] = (),
        **headers: str,
    ) -> Any:
        """Call the JSON API; ``but`` are secrets that the contract gives to the caller."""
        if token:
            headers["Authorization"] = f"Bearer {token}"
        answer = Client(raise_request_exception=False).generic(
            method,
            f"{API}/{path}",
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers=headers,
        )
        self.answered(f"{method} {path}", answer, but=but)
        return answer

    def answered(self, what: str, answer: Any, *, but: tuple[str, ...] = ()) -> None:
        text = answer.content.decode(errors="replace")
        if answer.get("Content-Type", "").startswith("text/html"):
            text = unescape(text)
        self.watch.look(f"answer: {what}", text, but=but)
        self.watch.look(f"answer: {what}", repr(dict(answer.items())))

    # -- staff -------------------------------------------------------------------------

    def admin(self) -> Client:
        user, _made = get_user_model().objects.get_or_create(
            username="root", is_superuser=True, is_staff=True
        )
        client = Client()
        client.force_login(user)
        return client

    def walk_the_admin(self) -> set[str]:
        """Follow every link of ours in the admin, and look at each page."""
        client, seen, ahead = self.admin(), set(), ["/admin/", "/admin/reports/"]
        while ahead:
            address = ahead.pop()
            if address in seen:
                continue
            seen.add(address)
            answer = client.get(address, follow=True)
            self.answered(f"admin {address}", answer)
            if not answer.get("Content-Type", "").startswith("text/html"):
                continue
            # Links, and what the menu's script is given.
            for path in re.findall(r'"(/admin/[\w/.-]*)', unescape(answer.text)):
                if "smartgift" in path or "/reports/" in path:
                    ahead.append(path)
        return seen

    def run(self, command: str, *arguments: str, **options: Any) -> str:
        """Run a command as an operator would, and look at what it prints."""
        out, err = Output(), Output()
        try:
            call_command(command, *arguments, stdout=out, stderr=err, **options)
        except BaseException as error:
            self.watch.exception(error, command)
            err.write(str(error))
            if not isinstance(error, (Exception, SystemExit)):
                raise
        printed = out.getvalue() + err.getvalue()
        self.watch.look(f"output: {command}", printed)
        return printed

    # -- at the end --------------------------------------------------------------------

    def know_own_numbers(self) -> None:
        """Learn the numbers that the shop has chosen itself."""
        conf = get_conf()
        for item in VoucherOrderItem.objects.exclude(number_encrypted=""):
            number = codes.decrypt(item.number_encrypted, keys=conf.encryption_keys)
            name = f"the number of item {item.position}"
            self.watch.secrets[name] = hidden_part(number)
            # As it stands on a card.
            self.watch.secrets[f"{name} in groups"] = hidden_part(codes.grouped(number))
