"""The page of one case: what is known, what to look up, and what can be said of it."""

from dataclasses import dataclass
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_POST
from wagtail.admin.ui.tables import Column, Table
from wagtail.admin.views import generic
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import OrderStatus, SessionStatus, Verdict
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import PaymentSession, Redemption, VoucherOrder
from wagtail_smartgift.services import case_looking, cases, evidence, order_cases
from wagtail_smartgift.services.evidence import Case
from wagtail_smartgift.views.desk import case_words, journals
from wagtail_smartgift.views.desk.timeline import Timeline


policy = ModelPermissionPolicy(PaymentSession)
DETAIL, ORDER_DETAIL = "smartgift_attention:payment", "smartgift_attention:order"
GO_ON, SETTLE, READ = (
    f"smartgift_attention:{name}" for name in ("go_on", "settle", "read")
)
SETTLE_ORDER = "smartgift_attention:settle_order"


@dataclass(frozen=True)
class Choice:
    """A button that leads to the page on which a verdict is confirmed."""

    label: str
    url: str


class CaseView(generic.InspectView):
    """What the pages of payments and of orders share."""

    permission_policy = policy
    any_permission_required: ClassVar[list[str]] = ["settle"]
    header_icon = "warning"

    def get_fields(self) -> list[str]:
        return []

    def get_fields_context(self) -> list[dict[str, Any]]:
        return [
            {"label": label, "value": value, "component": None}
            for label, value in self.facts()
            if value not in {None, ""}
        ]

    def facts(self) -> list[tuple[str, Any]]:
        raise NotImplementedError

    def get_page_subtitle(self) -> str:
        return str(self.object.reference)


class PaymentCaseView(CaseView):
    model = PaymentSession
    page_title = gettext_lazy("Payment that needs attention")
    index_url_name = "smartgift_attention:index"
    template_name = "wagtail_smartgift/desk/case_payment.html"

    def facts(self) -> list[tuple[str, Any]]:
        session = self.object
        state = ledger.describe(session)
        money = session.currency
        return [
            (_("Reference"), session.reference),
            (_("Status"), session.get_status_display()),
            (_("Why"), case_words.why(session.attention_code)),
            (
                _("Interrupted while"),
                session.get_interrupted_display() if session.interrupted else "",
            ),
            (_("Amount due"), format_price(session.amount_due, money)),
            (_("Redeemed"), format_price(state.amount_redeemed, money)),
            (_("Refunded"), format_price(state.amount_refunded, money)),
            (_("Site"), session.site),
            (_("Account"), session.account),
            (_("Created"), session.created_at),
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        session = self.object
        found = evidence.of_session(session)
        context["cases"] = [self._panel(case) for case in found]
        waits = session.status == SessionStatus.NEEDS_ATTENTION
        if waits and not found:
            context["go_on_url"] = reverse(GO_ON, args=[session.pk])
        context["timeline"] = Timeline(
            [
                *journals.of_redemptions(
                    ledger.journal(session.pk), currency=session.currency
                ),
                *journals.of_desk(
                    session.desk_actions.all(), currency=session.currency
                ),
            ]
        )
        return context

    def _panel(self, case: Case) -> dict[str, Any]:
        row = case.row
        return {
            "id": f"voucher-{row.pk}",
            "heading": _("Voucher %(voucher)s: %(amount)s")
            % {
                "voucher": row.display_code,
                "amount": format_price(row.amount, case.session.currency),
            },
            "why": case_words.why(case.why),
            "look_up": case_words.look_up(case.why),
            "facts": _voucher_facts(case),
            "looks": _looks(case),
            "choices": [
                Choice(
                    case_words.label(case, verdict),
                    reverse(SETTLE, args=[row.pk, verdict.value]),
                )
                for verdict in case.verdicts
            ],
            "read_url": reverse(READ, args=[row.pk]),
        }


def _voucher_facts(case: Case) -> list[tuple[str, Any]]:
    row = case.row
    ids = ", ".join(str(one) for one in case.known_ids)
    facts = [
        (_("Amount"), format_price(row.amount, case.session.currency)),
        (_("Held before it"), row.baseline),
        (_("Balance fell by"), case.fallen),
        (_("Sent to Smart Gift"), row.sent_at),
        (_("Our hold ended"), row.held_until),
        (_("Redemption ids"), ids or _("Not known")),
        (_("Smart Gift site number"), case.session.smartgift_site_id),
    ]
    return [(label, value) for label, value in facts if value not in {None, ""}]


def _looks(case: Case) -> Table | None:
    if not case.looks:
        return None
    return Table(
        [
            Column(
                "at",
                label=pgettext("column", "At"),
                accessor=lambda look: date_format(
                    timezone.localtime(look.at), "Y-m-d H:i:s"
                ),
            ),
            Column("balance", label=_("It held")),
        ],
        list(case.looks),
    )


@non_atomic_requests
@require_POST
def read_balance(request: HttpRequest, pk: Any) -> HttpResponse:
    """Read what the voucher of a case holds now, for whoever has to decide."""
    if not policy.user_has_permission(request.user, "settle"):
        raise PermissionDenied
    row = get_object_or_404(Redemption, pk=pk)
    try:
        problem = case_looking.read_balance(redemption_id=pk, user=request.user)
    except cases.Moved:
        messages.error(request, _("Somebody has settled this before you."))
    except cases.NotSettled as error:
        messages.error(request, str(case_words.PROBLEMS[error.problem]))
    except PaymentError as error:
        messages.error(request, str(error.message))
    else:
        if problem:
            messages.warning(request, problem)
        else:
            messages.success(request, _("Its balance was read; see below."))
    return redirect(DETAIL, row.session_id)


class OrderCaseView(CaseView):
    model = VoucherOrder
    page_title = gettext_lazy("Voucher order that needs attention")
    index_url_name = "smartgift_attention:orders"
    template_name = "wagtail_smartgift/desk/case_order.html"

    def facts(self) -> list[tuple[str, Any]]:
        order = self.object
        return [
            (_("Reference"), order.reference),
            (_("Reference at Smart Gift"), order.remote_reference),
            (_("Status"), order.get_status_display()),
            (_("Why"), case_words.why(order.attention_code)),
            (_("Smart Gift's order number"), order.order_id),
            (_("Sent to Smart Gift"), order.sent_at),
            (_("Attempts"), order.attempt),
            (_("Site"), order.site),
            (_("Account"), order.account),
            (_("Created"), order.created_at),
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(**kwargs)
        order = self.object
        context["look_up"] = case_words.look_up(order.attention_code)
        context["is_case"] = order.status == OrderStatus.NEEDS_ATTENTION
        context["choices"] = [
            Choice(
                str(Verdict(verdict).label),
                reverse(SETTLE_ORDER, args=[order.pk, verdict.value]),
            )
            for verdict in order_cases.verdicts(order)
        ]
        context["items_table"] = Table(
            [
                Column("product", label=_("Product")),
                Column("price", label=_("Price")),
                Column("display_code", label=_("Voucher")),
            ],
            order.items.select_related("product").order_by("position"),
        )
        context["timeline"] = Timeline(journals.of_order(order.events.order_by("id")))
        return context
