"""The example shop as a process of its own, and a visitor who has no JavaScript."""

import base64
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import urljoin

import requests
from bs4 import BeautifulSoup


REPOSITORY = Path(__file__).resolve().parents[2]
MANAGE = REPOSITORY / "example_project" / "manage.py"
#: Seconds that a command may take on a busy machine.
PATIENCE = 180

CUSTOMER = {
    "customer-first_name": "Jane",
    "customer-last_name": "Miller",
    "customer-email": "jane@example.org",
    "customer-address1": "1 Weir Cottages",
    "customer-city": "Wendford",
    "customer-postcode": "BA1 1AA",
}
SERVER_KEY = "server-key-of-the-example"
WEBHOOK_SECRET = (
    "whsec_" + base64.b64encode(b"a secret of the example, 32 bytes").decode()
)
GOOD_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
UNPAID_CARD = "4000 0000 0000 0341"


class Shop:
    """One database, one set of environment variables."""

    def __init__(self, folder, base_url, **variables):
        self.folder = folder
        self.database = folder / "mill.sqlite3"
        self.url = ""
        ours = ("SMARTGIFT_", "DJANGO_", "DATABASE_URL", "REDIS_URL", "PORT")
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(ours)},
            "PYTHONPATH": str(REPOSITORY),
            "DATABASE_URL": f"sqlite:///{self.database}",
            "MILL_VAR_DIR": str(folder / "var"),
            "SMARTGIFT_BASE_URL": base_url,
            "SMARTGIFT_API_KEY": "sk_sandbox",
            "SMARTGIFT_SERVER_KEY": SERVER_KEY,
            "SMARTGIFT_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "SMARTGIFT_RATE_LIMIT": "100000",
            "SMARTGIFT_TIMEOUT": "3",
            "SMARTGIFT_SETTLE": "1",
            "SMARTGIFT_LATE": "1",
            **variables,
        }

    def manage(self, *arguments, fails=False):
        """Run a command and return what it printed, errors included."""
        done = subprocess.run(
            [sys.executable, MANAGE, *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert bool(done.returncode) == fails, done.stdout
        return done.stdout

    def start_from(self, other):
        """Take over the database of a shop that nothing is running on."""
        shutil.copy(other.database, self.database)

    def execute(self, sql):
        """Change the shop's database behind its back."""
        with closing(sqlite3.connect(self.database, timeout=60)) as file:
            file.execute(sql)
            file.commit()

    @contextmanager
    def serving(self):
        """Serve it by ``wsgi.py`` and sweep it; ``url`` is where."""
        with (
            self._running(Path(__file__).with_name("serve.py")) as server,
            self._running(MANAGE, "smartgift_reconcile", "--watch", "1"),
        ):
            port = server.stdout.readline().strip()
            assert port, (self.folder / "serve.log").read_text()
            self.url = f"http://127.0.0.1:{port}"
            yield self

    @contextmanager
    def _running(self, program, *arguments):
        with (
            (self.folder / f"{program.stem}.log").open("w") as log,
            subprocess.Popen(
                [sys.executable, program, *arguments],
                env=self.environment,
                stdout=subprocess.PIPE if program != MANAGE else log,
                stderr=log,
                text=True,
            ) as process,
        ):
            try:
                yield process
            finally:
                process.terminate()
                process.wait(30)


class Visitor:
    """Goes through the shop as a browser without JavaScript does."""

    def __init__(self, shop):
        self.shop = shop
        self.http = requests.Session()
        self.http.trust_env = False
        self.page = BeautifulSoup()
        self.address = ""

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        self.http.close()

    def open(self, path, *, status=200):
        return self._take(self.http.get(self.shop.url + path, timeout=60), status)

    def form(self, button):
        """Return address and values of the form with a button of that name."""
        for form in self.page.find_all("form"):
            if any(button in one.get_text(" ", strip=True) for one in form("button")):
                values = {}
                for field in form.find_all(["input", "select", "textarea"]):
                    kind = field.get("type")
                    if kind in {"radio", "checkbox"} and not field.has_attr("checked"):
                        continue
                    if field.name == "select":
                        chosen = field.find("option", selected=True) or field.option
                        value = chosen.get("value", chosen.get_text(strip=True))
                    else:
                        value = field.get("value", "on" if kind == "checkbox" else "")
                    values[field["name"]] = value
                return urljoin(self.address, form.get("action") or ""), values
        raise AssertionError(f"No button {button!r} on {self.address}:\n{self.text}")

    def press(self, button, *, status=200, **values):
        action, fields = self.form(button)
        answer = self.http.post(action, data={**fields, **values}, timeout=60)
        return self._take(answer, status)

    def _take(self, answer, status):
        assert answer.status_code == status, answer.text[:3000]
        self.page = BeautifulSoup(answer.text, "html.parser")
        self.address = answer.url.partition("#")[0]
        return self

    def reload_until(self, text):
        """Look again until the page says so, for a minute at most."""
        path, deadline = self.address.removeprefix(self.shop.url), time.monotonic() + 60
        while text not in self.open(path).text and time.monotonic() < deadline:
            time.sleep(0.5)
        assert text in self.text
        return self

    @property
    def text(self):
        return " ".join(self.page.main.get_text(" ", strip=True).split())

    @property
    def reference(self):
        return next(part for part in self.address.split("/") if part.startswith("OM-"))

    @property
    def bought_number(self):
        """The number of the gift voucher that the page shows, as it was issued."""
        shown = self.page.select_one(".smartgift-order__number code")
        assert shown is not None, self.text
        return "".join(shown.text.split())

    def field(self, name):
        found = self.page.find(attrs={"name": name})
        assert found is not None, self.text
        return found.get("value", "")

    # What visitors of this shop do

    def put_hamper_in_basket(self, quantity=1):
        """The miller's hamper is £80.00."""
        self.open("/shop/mill-hamper/").press("Add to basket", quantity=str(quantity))
        return self

    def order(self, **details):
        """Go from the basket to the payment page."""
        self.open("/checkout/")
        return self.press("On to the payment", **{**CUSTOMER, **details})

    def order_hamper(self):
        return self.put_hamper_in_basket().order()

    def add_voucher(self, number):
        return self.press("Add voucher", voucher_no=number)

    def pay(self, card=GOOD_CARD):
        if self.page.find(attrs={"name": "card_number"}):
            return self.press("Pay", card_name="Jane Miller", card_number=card)
        return self.press("Pay with your vouchers")
