"""The control API, the page and the command."""

import http.client
import os
import signal
import subprocess
import sys
import urllib.parse
from html.parser import HTMLParser

import pytest

from tests.sandbox.conftest import Caller
from wagtail_smartgift.sandbox import Fault, Sandbox, SandboxServer
from wagtail_smartgift.sandbox.api import Request
from wagtail_smartgift.sandbox.control import Control


GOOD = "GOOD-0050-0001"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def press(api, path, **fields):
    return api.send("POST", path, raw=urllib.parse.urlencode(fields), headers=FORM)


def test_the_clock_moves_stops_and_runs(api, sandbox):
    api.hold(GOOD)

    got = api.post("/_sandbox/clock", advance=301)

    assert got.json["frozen"] is True
    assert sandbox.voucher(GOOD).hold is None
    assert api.post("/_sandbox/clock", freeze=False).json["frozen"] is False
    assert api.get("/_sandbox/clock").json["offset"] > 300


def test_faults_are_added_listed_and_removed(api, sandbox):
    added = api.post(
        "/_sandbox/faults", operation="redeem", mode="lost_after", times=None
    ).json
    assert added[0]["mode"] == "lost_after"
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        api.redeem(GOOD, 10)
    assert api.get("/_sandbox/faults").json[0]["times"] is None

    fault_id = added[0]["id"]
    assert api.send("DELETE", f"/_sandbox/faults/{fault_id}").json == []
    assert api.send("DELETE", f"/_sandbox/faults/{fault_id}").status == 404
    api.post("/_sandbox/faults", mode="html")
    assert api.send("DELETE", "/_sandbox/faults").json == []
    assert api.redeem(GOOD, 10).status == 200


def test_vouchers_are_added_and_changed(api):
    got = api.post("/_sandbox/vouchers", number="NEW", balance="12.50")
    assert (got.json["balance"], got.json["hold"]) == ("12.50", None)
    ends = "2030-01-01T00:00:00Z"
    got = api.post("/_sandbox/vouchers", number="OLD", balance=1, expires_at=ends)
    assert got.json["expires_at"] == "2030-01-01T00:00:00+00:00"
    naive = {"number": "BAD", "balance": 1, "expires_at": "2030-01-01T00:00:00"}
    assert api.send("POST", "/_sandbox/vouchers", naive).status == 400
    tea = {"bit_value": 2, "name": "Tea", "worth": "29.50"}
    got = api.post("/_sandbox/vouchers", number="TEA", experiences=[tea])
    assert got.json["experiences"][0]["worth"] == "29.50"

    def act(action, **more):
        body = {"number": "NEW", "action": action, **more}
        return api.send("POST", "/_sandbox/vouchers", body)

    assert act("top_up", amount="1.50").json["balance"] == "14.00"
    assert act("spend", amount=4).json["balance"] == "10.00"
    assert act("cancel").json["cancelled"] is True
    assert act("expire").json["expires_at"] is not None
    assert act("burn").status == 400
    assert api.get("/_sandbox/vouchers/NEW").json["balance"] == "10.00"
    assert api.get("/_sandbox/vouchers/NONE").status == 404


def test_another_till_holds_and_releases(api):
    got = api.post("/_sandbox/holds", voucher_no=GOOD)
    assert got.json["hold"]["by"] == "till"
    assert api.hold(GOOD).status == 422
    assert api.post("/_sandbox/holds", voucher_no=GOOD).status == 409
    api.post("/_sandbox/holds", voucher_no=GOOD, action="release")
    assert api.hold(GOOD).status == 200


def test_behaviour_and_products_change(api):
    assert api.post("/_sandbox/behaviour", own_codes="ignore").json["own_codes"] == (
        "ignore"
    )
    assert api.post("/_sandbox/behaviour", own_codes="lose").status == 400
    api.post("/_sandbox/products", id=37, min="5.00", title="Renamed")
    api.post(
        "/_sandbox/products",
        id=99,
        title="New",
        type="experience",
        description="",
        value="12.00",
        experiences=[{"bit_value": 1, "name": "x", "worth": "12.00"}],
    )
    api.post("/_sandbox/products", id=45, remove=True)

    rows = {row["id"]: row for row in api.get("/vouchers").json["data"]}

    assert (rows[37]["title"], rows[37]["min"]) == ("Renamed", "5.00")
    assert rows[99]["value"] == "12.00"
    assert 45 not in rows


def test_state_ledger_and_log_can_be_read(api):
    token = api.token(GOOD)
    api.redeem(GOOD, 10.5, hold_token=token)
    api.sell({"id": 37, "price": 25})

    state = api.get("/_sandbox/state").json
    assert state["redemptions"][0]["amount"] == "10.50"
    assert state["sales"][0]["total"] == "25.00"
    assert state["holds"] == []
    (line,) = api.get(f"/_sandbox/ledger?voucher_no={GOOD}&event=redeem").json
    assert (line["amount"], line["redemptions"]) == ("10.50", [1001])
    assert api.get(f"/_sandbox/ledger?after={line['id'] - 1}").json[0] == line
    log = api.get("/_sandbox/log?limit=2").json
    assert [one["operation"] for one in log] == ["redeem", "pos-sale"]
    assert log[0]["request"]["value"] == 10.5
    assert api.get("/_sandbox/redemptions?voucher_no=NONE").json == []
    assert api.get("/_sandbox/health").json == {"ok": True}


def test_reset_starts_over(api, sandbox):
    api.redeem(GOOD, 10)

    api.post("/_sandbox/reset")

    assert sandbox.voucher(GOOD).balance == 50


@pytest.mark.parametrize(
    ("method", "path", "raw", "status"),
    [
        ("GET", "/_sandbox/nothing", None, 404),
        ("PUT", "/_sandbox/clock", b"{}", 404),
        ("POST", "/_sandbox/clock", b"{", 400),
        ("POST", "/_sandbox/clock", b"[]", 400),
        ("POST", "/_sandbox/clock", b'{"advance": "soon"}', 400),
        ("POST", "/_sandbox/clock", b'{"advance": -1}', 400),
        ("POST", "/_sandbox/clock", b'{"rewind": 1}', 400),
        ("POST", "/_sandbox/faults", b'{"colour": "red"}', 400),
        ("POST", "/_sandbox/vouchers", b'{"balance": "much"}', 400),
        ("POST", "/_sandbox/products", b'{"id": 37, "colour": "red"}', 400),
        ("GET", "/_sandbox/images/x.png", None, 404),
    ],
)
def test_what_makes_no_sense_is_named(api, method, path, raw, status):
    got = api.send(method, path, raw=raw)

    assert got.status == status
    assert got.json["error"]


def test_what_a_product_does_not_have_is_named_beside_what_it_has(api):
    got = api.send("POST", "/_sandbox/products", raw=b'{"id": 42, "price": "95.00"}')
    assert got.json["error"].startswith("unknown: price; known: remove, id, ")
    assert "value" in got.json["error"]

    got = api.send("POST", "/_sandbox/products", raw=b'{"value": "95.00"}')
    assert got.json["error"] == "which product: its id is missing"


def test_control_neither_counts_nor_is_logged(api, sandbox):
    sandbox.behaviour.rate_limit = 1
    for _ in range(3):
        assert api.get("/_sandbox/state").status == 200

    assert api.get("/vouchers").status == 200
    assert len(sandbox.log()) == 1


@pytest.mark.parametrize(
    ("headers", "client"),
    [
        ({"host": "127.0.0.1:1"}, "192.168.1.20"),
        ({"host": "shop.example:1"}, "127.0.0.1"),
        ({"host": "127.0.0.1:1", "origin": "https://evil.example"}, "127.0.0.1"),
        ({"host": "127.0.0.1:1", "origin": "null"}, "127.0.0.1"),
        ({}, "127.0.0.1"),
    ],
)
def test_only_this_machine_and_its_own_page_may_control(sandbox, headers, client):
    request = Request("POST", "/_sandbox/reset", headers, b"", client=client)
    sandbox.add_voucher("STAYS", balance=1)

    assert Control(sandbox).handle(request).status == 403

    assert sandbox.voucher("STAYS").balance == 1
    page = Control(sandbox).handle(Request("GET", "/", headers, client=client))
    assert b"<form" not in page.body


def test_control_can_be_switched_off():
    with SandboxServer(Sandbox(), control=False) as server:
        caller = Caller(server.port)
        assert caller.get("/_sandbox/state").status == 404
        assert caller.get("/_sandbox/images/37.png").status == 200
        page = caller.get("/")
        caller.close()
    assert page.status == 200
    assert b"<form" not in page.text


class _Outline(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen, self.labels, self.open_label = [], 0, False

    def handle_starttag(self, tag, attrs):
        self.seen.append(tag)
        hidden = dict(attrs).get("type") == "hidden"
        if tag == "label":
            self.open_label = True
        elif tag in ("input", "select") and not hidden:
            assert self.open_label, "a field without a label"

    def handle_endtag(self, tag):
        if tag == "label":
            self.open_label = False


def test_the_page_shows_all_and_escapes_it(api, sandbox):
    sandbox.add_voucher("<script>", balance=3, name="<b>bold</b>")
    token = api.token(GOOD)
    api.redeem(GOOD, 10, hold_token=token)
    api.sell({"id": 37, "price": 25, "code": "SOLD-1"}, reference="<i>ref</i>")
    api.hold("GOOD-0100-0001")
    sandbox.faults.add(Fault(operation="sale", mode="half_body"))

    got = api.get("/")

    page = got.text.decode()
    assert got.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in got.headers["Content-Security-Policy"]
    assert "<code>half_body</code> on <code>sale</code>" in page
    for text in ("SOLD-1", "£40.00", "held by the API", "5 min 00 s", "hold_used"):
        assert text in page
    assert "<script" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    outline = _Outline()
    outline.feed(page)
    assert outline.seen.count("h1") == outline.seen.count("main") == 1


def test_the_buttons_work_without_script(api, sandbox):
    api.hold(GOOD)

    got = press(api, "/_sandbox/clock", advance="301")

    assert (got.status, got.headers["Location"]) == (303, "/")
    assert sandbox.voucher(GOOD).hold is None
    fields = {"operation": "*", "mode": "html", "times": "", "seconds": "5"}
    press(api, "/_sandbox/faults", voucher_no="", **fields)
    (fault,) = sandbox.faults.active()
    assert (fault.mode, fault.times, fault.voucher_no) == ("html", None, None)
    press(api, "/_sandbox/faults", remove=str(fault.id))
    assert sandbox.faults.active() == []
    assert press(api, "/_sandbox/reset").status == 303
    wrong = press(api, "/_sandbox/clock", advance="soon")
    assert wrong.status == 400
    assert b"That did not work" in wrong.text


def command(*arguments, **more):
    return subprocess.Popen(
        [sys.executable, "-m", "wagtail_smartgift.sandbox", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDEVMODE": "1"},
        **more,
    )


def test_the_command_serves_introduces_itself_and_ends_cleanly(tmp_path):
    arguments = (
        "--port=0",
        f"--database={tmp_path / 'db.sqlite3'}",
        "--api-key=sk_one",
        "--api-key=sk_two",
        "--rate-limit=7",
        "--own-codes=ignore",
        "--no-redeem-ends-hold",
    )
    process = command(*arguments)
    try:
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "ready at" in line:
                break
        port = int(lines[-1].rsplit(":", 1)[1])
        caller = Caller(port)
        headers = {"Smart-Auth": "sk_two", "Accept": "application/json"}
        assert caller.get("/vouchers", headers).headers["X-RateLimit-Limit"] == "7"
        behaviour = caller.get("/_sandbox/behaviour").json
        caller.close()
        second = command(*arguments)
        _, complaint = second.communicate(timeout=20)
        assert second.returncode == 2
        assert "another sandbox" in complaint
    finally:
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=20)

    text = "".join(lines)
    assert "sk_one, sk_two" in text
    assert "1 The Old Mill" in text
    assert GOOD in text
    assert behaviour["own_codes"] == "ignore"
    assert behaviour["redeem_ends_hold"] is False
    assert process.returncode == 0
    assert errors == ""


def test_the_command_explains_a_port_in_use(server):
    process = command(f"--port={server.port}")
    out, errors = process.communicate(timeout=20)

    assert process.returncode == 1
    assert "Cannot listen" in errors
    assert out == ""


def test_help_names_every_flag_in_words():
    process = command("--help")
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 0
    for flag in ("--host", "--database", "--no-control", "--duplicate-reference"):
        assert flag in out
