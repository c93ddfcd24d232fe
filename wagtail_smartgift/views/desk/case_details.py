"""The page of one case: what is known, what to look up, and what can be said of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.transaction import non_atomic_requests
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_POST
from wagtail.admin.ui.tables import Column, Table
from wagtail.permission_policies import ModelPermissionPolicy

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import OrderStatus, SessionStatus, Verdict
from wagtail_smartgift.exceptions import PaymentError
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import PaymentSession, Redemption, VoucherOrder
from wagtail_smartgift.services import case_looking, cases, evidence, order_cases
from wagtail_smartgift.services.evidence import Case
from wagtail_smartgift.views.desk import case_words, journals
from wagtail_smartgift.views.desk.detail import (
    DeskDetailView,
    Fact,
    Facts,
    Section,
    at,
)
from wagtail_smartgift.views.desk.experiences import names_of
from wagtail_smartgift.views.desk.links import to_order, to_payment, way
from wagtail_smartgift.views.desk.listing import site_name
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


class CaseView(DeskDetailView):
    """What the pages of payments and of orders share."""

    permission_policy = policy
    any_permission_required: ClassVar[list[str]] = ["settle"]
    header_icon = "warning"

    def get_page_subtitle(self) -> str:
        return str(self.object.reference)


class PaymentCaseView(CaseView):
    model = PaymentSession
    page_title = gettext_lazy("Payment that needs attention")
    index_url_name = "smartgift_attention:index"
    template_name = "wagtail_smartgift/desk/case_payment.html"

    @cached_property
    def header_buttons(self) -> list[Any]:
        url = to_payment(self.object.pk, user=self.request.user)
        return way(_("All about this payment"), url, icon="decimal")

    def get_sections(self) -> Sequence[Section]:
        return [
            Section("payment", _("This payment"), Facts(self._facts()), "decimal"),
        ]

    def _facts(self) -> list[Fact]:
        session = self.object
        state = ledger.describe(session)

        def money(amount: Decimal) -> str:
            return format_price(amount, session.currency)

        return [
            Fact(_("Status"), session.get_status_display(), is_tag=True),
            Fact(_("Why"), case_words.why(session.attention_code)),
            Fact(
                _("Interrupted while"),
                session.get_interrupted_display() if session.interrupted else None,
            ),
            Fact(_("Amount due"), money(session.amount_due)),
            Fact(_("Redeemed"), money(state.amount_redeemed)),
            Fact(_("Refunded"), money(state.amount_refunded)),
            Fact(_("Site"), site_name(session.site)),
            Fact(_("Account"), session.account),
            Fact(_("Created"), session.created_at),
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
            "look_up": case_words.look_up(case.why, is_experience=row.is_experience),
            "facts": Facts(_voucher_facts(case)),
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


def _voucher_facts(case: Case) -> list[Fact]:
    row, currency = case.row, case.session.currency
    ids = ", ".join(str(one) for one in case.known_ids)
    return [
        Fact(_("Amount"), format_price(row.amount, currency)),
        *(_experience_facts(case) if row.is_experience else _balance_facts(case)),
        Fact(_("Sent to Smart Gift"), row.sent_at),
        Fact(_("Our hold ended"), row.held_until),
        Fact(_("Redemption ids"), ids or _("Not known")),
        Fact(_("Smart Gift site number"), case.session.smartgift_site_id),
    ]


def _balance_facts(case: Case) -> list[Fact]:
    return [
        Fact(label, None if amount is None else _money(case, amount))
        for label, amount in (
            (_("Held before it"), case.row.baseline),
            (_("Balance fell by"), case.fallen),
        )
    ]


def _experience_facts(case: Case) -> list[Fact]:
    """Name the experiences: what Smart Gift calls their balance is a sum of flags."""
    row, look = case.row, case.last_look
    gone = (
        None
        if look is None or row.baseline is None
        else int(row.baseline) & ~int(look.balance)
    )
    return [
        Fact(_("To be redeemed"), names_of(row, sum(row.experiences))),
        Fact(_("On it before"), names_of(row, row.baseline)),
        Fact(_("Gone from it since"), names_of(row, gone)),
    ]


def _money(case: Case, amount: Decimal) -> str:
    return format_price(amount, case.session.currency)


def _looks(case: Case) -> Table | None:
    if not case.looks:
        return None
    row = case.row
    return Table(
        [
            Column(
                "at",
                label=pgettext("column", "At"),
                accessor=lambda look: at(look.at),
            ),
            Column(
                "balance",
                label=_("It held"),
                accessor=lambda look: (
                    names_of(row, look.balance)
                    if row.is_experience
                    else _money(case, look.balance)
                ),
            ),
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

    @cached_property
    def header_buttons(self) -> list[Any]:
        url = to_order(self.object.pk, user=self.request.user)
        return way(_("All about this order"), url, icon="clipboard-list")

    def get_sections(self) -> Sequence[Section]:
        order = self.object
        facts = [
            Fact(_("Reference at Smart Gift"), order.remote_reference),
            Fact(_("Status"), order.get_status_display(), is_tag=True),
            Fact(_("Why"), case_words.why(order.attention_code)),
            Fact(_("Smart Gift's order number"), order.order_id),
            Fact(_("Sent to Smart Gift"), order.sent_at),
            Fact(_("Attempts"), order.attempt),
            Fact(_("Site"), site_name(order.site)),
            Fact(_("Account"), order.account),
            Fact(_("Created"), order.created_at),
        ]
        return [
            Section("order", _("This order"), Facts(facts), "clipboard-list"),
            Section("vouchers", _("Vouchers"), self._vouchers(), "smartgift"),
        ]

    def _vouchers(self) -> Table:
        currency = self.object.currency
        return Table(
            [
                Column("product", label=_("Product")),
                Column(
                    "price",
                    label=_("Price"),
                    accessor=lambda item: format_price(item.price, currency),
                ),
                Column("display_code", label=_("Voucher")),
            ],
            self.object.items.select_related("product").order_by("position"),
        )

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
        context["timeline"] = Timeline(journals.of_order(order.events.order_by("id")))
        return context
