"""Print the voucher field in every state that it can be in, as pages of the example shop.

A program of its own, run with the shop's environment: each page is made from payments in
the shop's database, with vouchers that Smart Gift knows. What would take a lost answer or
minutes of waiting to get to is written into the rows.

Arguments: the numbers of vouchers over £50 that nobody else uses, as many as ``NEEDED``,
and of one with two experiences. Prints a JSON object: name of the state -> page.
"""

import json
import os
import sys
from datetime import timedelta
from pathlib import Path


PROJECT = Path(__file__).resolve().parents[2] / "example_project"

#: Vouchers over £50 that ``make`` uses up.
NEEDED = 16
PAGE = """{% extends "base.html" %}{% load static smartgift %}
{% block title %}Payment{% endblock %}
{% block extra_css %}<link rel="stylesheet" href="{% static "wagtail_smartgift/voucher-field.css" %}">{% endblock %}
{% block content %}<header class="page-head"><h1>Payment</h1></header>
<div class="split"><div class="stack">{% voucher_field session %}</div></div>{% endblock %}"""


def make(numbers, outing):
    """Return the page of each state."""
    from django.contrib.sessions.backends.db import SessionStore
    from django.template import engines
    from django.test import RequestFactory
    from django.utils import timezone

    from wagtail_smartgift import payments, voucher_field
    from wagtail_smartgift.exceptions import PaymentError
    from wagtail_smartgift.models import CallBudget, PaymentSession, Redemption

    fresh = iter(numbers)
    template = engines["django"].from_string(PAGE)
    pages = {}

    def opened(reference, *vouchers, due="80.00", **more):
        payments.open_session(reference=reference, amount_due=due, **more)
        for number, amount in vouchers:
            payments.add_voucher(reference=reference, voucher_no=number, amount=amount)

    def rows(reference):
        return Redemption.objects.filter(session__reference=reference)

    def show(reference, code=None, *, error=None, wanted=voucher_field.ADDED):
        request = RequestFactory().get("/states/")
        request.session = SessionStore()
        if code:
            voucher_field.leave_notice(request, reference, code)
        if error:
            voucher_field.leave_refusal(request, reference, error, wanted=wanted)
        session = payments.get_session(reference=reference)
        pages[reference] = template.render({"session": session}, request)

    def in_seconds(seconds):
        return timezone.now() + timedelta(seconds=seconds)

    opened("empty")
    show("empty")
    opened("error")
    show("error", error=PaymentError("voucher_not_usable"))
    opened("elsewhere")
    show("elsewhere", error=PaymentError("voucher_held", retry_after=250))
    opened("one", (next(fresh), None))
    show("one", voucher_field.ADDED)
    opened(
        "many",
        (next(fresh), "12.50"),
        (outing, None),
        (next(fresh), None),
        due="300.00",
    )
    show("many", voucher_field.CHANGED)
    opened("covered", (next(fresh), None), (next(fresh), None))
    show("covered")
    opened("not-eligible", (next(fresh), None), amount_eligible="50.00")
    show("not-eligible")
    opened("last-minute", (next(fresh), None))
    rows("last-minute").update(held_until=in_seconds(45))
    show("last-minute")
    opened("lapsed", (next(fresh), None))
    rows("lapsed").update(held_until=in_seconds(-5))
    show("lapsed")
    opened("taken", (next(fresh), None))
    rows("taken").update(held_until=in_seconds(-5))
    held = PaymentError("voucher_held", retry_after=250)
    show("taken", error=held, wanted=voucher_field.RENEWED)
    opened("gone", (next(fresh), None), (next(fresh), None))
    rows("gone").filter(position=1).update(status="refused", amount="0.00")
    show("gone")

    for status in ("confirming", "needs_attention"):
        opened(status, (next(fresh), None))
        PaymentSession.objects.filter(reference=status).update(status=status)
        in_doubt = "redeeming" if status == "confirming" else status
        rows(status).update(status=in_doubt)
        show(status)
    opened("confirmed", (next(fresh), "20.00"))
    payments.confirm(reference="confirmed")
    show("confirmed")
    opened("cancelled", (next(fresh), None))
    payments.confirm(reference="cancelled")
    payments.cancel(reference="cancelled")
    show("cancelled")

    # Last: nothing can be asked of Smart Gift from here on.
    opened("paused-with-one", (next(fresh), None))
    opened("paused")
    CallBudget.objects.update(failures=99, probed_at=timezone.now().timestamp())
    show("paused-with-one")
    show("paused")
    return pages


if __name__ == "__main__":
    sys.path.insert(0, str(PROJECT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mill.settings")
    import django

    django.setup()
    json.dump(make(sys.argv[1:-1], sys.argv[-1]), sys.stdout)
