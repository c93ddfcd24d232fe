"""Payments in the Wagtail admin: every payment session, its vouchers and its story.

Amounts are folded as the JSON API folds them. Of a voucher there are the last
characters of its number; redemption ids are shown, since that is what Smart Gift's
dashboard is searched for.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db.models import Exists, OuterRef, Prefetch, Q, QuerySet
from django.urls import path
from django.utils import timezone
from django.utils.functional import Promise, cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from wagtail.admin.ui.tables import (
    Column,
    DateColumn,
    Table,
    TitleColumn,
)

from wagtail_smartgift import ledger
from wagtail_smartgift.choices import RedemptionStatus, SessionStatus
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.formats import format_price
from wagtail_smartgift.models import PaymentSession, Redemption, VoucherOrderItem
from wagtail_smartgift.views.desk import stories
from wagtail_smartgift.views.desk.base import GuardedViewSet
from wagtail_smartgift.views.desk.detail import (
    DeskDetailView,
    Fact,
    Facts,
    Notice,
    Section,
    at,
    foreign_notice,
)
from wagtail_smartgift.views.desk.links import (
    LinkColumn,
    desk_from_payment,
    payment_policy,
    to_order,
    to_payment,
    ways_from_payment,
)
from wagtail_smartgift.views.desk.listing import (
    DeskFilterSet,
    DeskIndexView,
    ExportColumn,
    StatusColumn,
    account_filter,
    choice_filter,
    created_filter,
    ends_with,
    site_filter,
    site_name,
)
from wagtail_smartgift.views.desk.metadata import shown_metadata
from wagtail_smartgift.views.desk.words import why_a_person


ICON = "decimal"
INDEX, RESULTS = "smartgift_payments:index", "smartgift_payments:index_results"


class PaymentFilterSet(DeskFilterSet):
    status = choice_filter("status", gettext_lazy("Status"), SessionStatus.choices)
    site = site_filter()
    account = account_filter()
    created_at = created_filter()

    class Meta:
        model = PaymentSession
        fields = ["status", "site", "account", "created_at"]


class PaymentIndexView(DeskIndexView):
    model = PaymentSession
    permission_policy = payment_policy
    any_permission_required = ["view"]
    page_title = gettext_lazy("Payments")
    header_icon = ICON
    index_url_name = INDEX
    index_results_url_name = RESULTS
    filterset_class = PaymentFilterSet
    #: Only that there are any: see ``search_queryset``.
    search_fields = ["reference"]
    default_ordering = "-created_at"
    export_filename = "payments"

    @cached_property
    def columns(self) -> list[Any]:
        return [
            TitleColumn(
                "reference",
                label=_("Reference"),
                sort_key="reference",
                get_url=lambda row: to_payment(row.pk, user=self.request.user),
            ),
            StatusColumn(
                "status",
                label=_("Status"),
                accessor="get_status_display",
                primary=lambda row: row.status == SessionStatus.CONFIRMED,
                is_trouble=lambda row: row.status == SessionStatus.NEEDS_ATTENTION,
                sort_key="status",
            ),
            Column("site", label=_("Site"), accessor=lambda row: site_name(row.site)),
            Column("vouchers", label=_("Vouchers"), accessor=voucher_codes),
            Column(
                "amount_due",
                label=_("Due"),
                accessor=lambda row: format_price(row.amount_due, row.currency),
                sort_key="amount_due",
            ),
            Column(
                "covered",
                label=_("Covered"),
                accessor=lambda row: format_price(
                    picture(row).amount_covered, row.currency
                ),
            ),
            Column(
                "remaining",
                label=_("Remaining"),
                accessor=lambda row: format_price(
                    picture(row).amount_remaining, row.currency
                ),
            ),
            DateColumn("created_at", label=_("Created"), sort_key="created_at"),
        ]

    export_columns = (
        ExportColumn("reference", gettext_lazy("Reference"), lambda row: row.reference),
        ExportColumn(
            "status", gettext_lazy("Status"), lambda row: row.get_status_display()
        ),
        ExportColumn("site", gettext_lazy("Site"), lambda row: site_name(row.site)),
        ExportColumn("account", gettext_lazy("Account"), lambda row: row.account),
        ExportColumn("currency", gettext_lazy("Currency"), lambda row: row.currency),
        ExportColumn("due", gettext_lazy("Due"), lambda row: row.amount_due),
        ExportColumn(
            "eligible", gettext_lazy("Eligible"), lambda row: row.amount_eligible
        ),
        ExportColumn(
            "covered", gettext_lazy("Covered"), lambda row: picture(row).amount_covered
        ),
        ExportColumn(
            "remaining",
            gettext_lazy("Remaining"),
            lambda row: picture(row).amount_remaining,
        ),
        ExportColumn(
            "redeemed",
            gettext_lazy("Redeemed"),
            lambda row: picture(row).amount_redeemed,
        ),
        ExportColumn(
            "refunded",
            gettext_lazy("Refunded"),
            lambda row: picture(row).amount_refunded,
        ),
        ExportColumn(
            "vouchers", gettext_lazy("Vouchers"), lambda row: voucher_codes(row)
        ),
        ExportColumn("created_at", gettext_lazy("Created"), lambda row: row.created_at),
        ExportColumn(
            "updated_at", gettext_lazy("Last changed"), lambda row: row.updated_at
        ),
    )

    def get_base_queryset(self) -> QuerySet[PaymentSession]:
        queryset: QuerySet[PaymentSession] = super().get_base_queryset()
        return queryset.select_related("site").prefetch_related(
            Prefetch("redemptions", Redemption.objects.order_by(*ledger.IN_ORDER))
        )

    def search_queryset(self, queryset: QuerySet) -> QuerySet:
        if not self.is_searching:
            return queryset
        query = self.search_query.strip()
        vouchers = Redemption.objects.order_by().filter(
            ends_with("display_code", query), session=OuterRef("pk")
        )
        return queryset.filter(Q(reference__icontains=query) | Exists(vouchers))


def picture(row: PaymentSession) -> ledger.Session:
    """Fold a session whose redemptions were read in order beforehand, once."""
    known: ledger.Session | None = getattr(row, "_desk_picture", None)
    if known is None:
        # To be looked at only: this host's clock will do, and asks nobody.
        rows, now = list(row.redemptions.all()), timezone.now()
        known = ledger.describe(row, redemptions=rows, now=now)
        row._desk_picture = known  # type: ignore[attr-defined]
    return known


def voucher_codes(row: PaymentSession) -> str:
    """Return the last characters of a session's vouchers, as a customer sees them."""
    codes = [state.display_code for state in picture(row).redemptions]
    return ", ".join(dict.fromkeys(codes))


class PaymentDetailView(DeskDetailView):
    model = PaymentSession
    permission_policy = payment_policy
    any_permission_required = ["view"]
    page_title = gettext_lazy("Payment")
    header_icon = ICON
    index_url_name = INDEX

    @cached_property
    def header_buttons(self) -> list[Any]:
        return ways_from_payment(self.object, user=self.request.user)

    @cached_property
    def header_more_buttons(self) -> list[Any]:
        return desk_from_payment(self.object, user=self.request.user)

    @cached_property
    def redemptions(self) -> list[Redemption]:
        return list(self.object.redemptions.order_by(*ledger.IN_ORDER))

    def get_page_subtitle(self) -> str:
        return self.object.reference

    def get_notices(self) -> list[Notice]:
        session = self.object
        notices = foreign_notice(session)
        if session.status == SessionStatus.NEEDS_ATTENTION:
            notices += [
                Notice(why_a_person(code), "warning")
                for code in dict.fromkeys(
                    (session.attention_code, *(_attention(self.redemptions)))
                )
                if code
            ]
        return notices

    def get_sections(self) -> list[Section]:
        session, rows = self.object, self.redemptions
        user = self.request.user
        sections = [
            Section("payment", _("This payment"), Facts(self._facts()), "decimal"),
            Section("vouchers", _("Vouchers"), self._vouchers(), "smartgift"),
        ]
        metadata = shown_metadata(session, rows)
        if metadata:
            sections.append(
                Section(
                    "metadata",
                    _("What the shop noted"),
                    Facts(Fact(name, value) for name, value in metadata),
                    "code",
                )
            )
        story = stories.of_payment(session, rows, user=user)
        return [*sections, Section("timeline", _("Timeline"), story, "history")]

    def _facts(self) -> list[Fact]:
        session = self.object
        state = ledger.describe(session, redemptions=self.redemptions)

        def price(amount: Any) -> str:
            return format_price(amount, session.currency)

        return [
            Fact(_("Status"), session.get_status_display(), is_tag=True),
            Fact(_("What happens next"), what_happens_next(session, self.redemptions)),
            Fact(_("Due"), price(state.amount_due)),
            Fact(
                _("Vouchers may pay"),
                price(state.amount_eligible)
                if state.amount_eligible != state.amount_due
                else None,
            ),
            Fact(_("Covered by vouchers"), price(state.amount_covered)),
            Fact(_("Remaining"), price(state.amount_remaining)),
            Fact(
                _("Redeemed"),
                price(state.amount_redeemed) if state.amount_redeemed else None,
            ),
            Fact(
                _("Refunded"),
                price(state.amount_refunded) if state.amount_refunded else None,
            ),
            Fact(_("Site"), site_name(session.site)),
            Fact(_("Account"), session.account),
            Fact(_("Site number"), session.smartgift_site_id),
            Fact(_("Numbers tried in vain"), session.failed_lookups or None),
            Fact(_("Opened"), session.created_at),
            Fact(_("Last sign of the customer or the shop"), session.last_active_at),
        ]

    def _vouchers(self) -> Table:
        currency, user = self.object.currency, self.request.user
        sold = _sold_here(self.redemptions)

        def price(amount: Any) -> str:
            return "" if amount is None else format_price(amount, currency)

        def order_of(row: Redemption) -> str:
            item = sold.get(row.fingerprint)
            return item.order.reference if item else ""

        def to_order_of(row: Redemption) -> str:
            item = sold.get(row.fingerprint)
            return to_order(item.order_id, user=user) if item else ""

        columns = [
            Column("display_code", label=_("Voucher")),
            Column("type", label=_("Type"), accessor=_type),
            StatusColumn(
                "status",
                label=_("Status"),
                accessor="get_status_display",
                primary=lambda row: row.status == RedemptionStatus.REDEEMED,
                is_trouble=lambda row: row.status == RedemptionStatus.NEEDS_ATTENTION,
            ),
            Column("amount", label=_("Amount"), accessor=lambda row: price(row.amount)),
            Column(
                "balance",
                label=_("Held in all"),
                accessor=lambda row: price(row.balance),
            ),
            Column("held_until", label=_("Held until"), accessor=_held_until),
            Column("proof", label=_("Known by"), accessor="get_proof_display"),
            Column(
                "redemption_ids",
                label=_("Redemption ids"),
                accessor=lambda row: ", ".join(str(one) for one in row.redemption_ids),
            ),
            LinkColumn(
                "sold",
                label=_("Sold here in"),
                accessor=order_of,
                get_url=to_order_of,
            ),
        ]
        return Table(columns, self.redemptions)


def _attention(rows: Sequence[Redemption]) -> list[str]:
    return [
        row.attention_code
        for row in rows
        if row.status == RedemptionStatus.NEEDS_ATTENTION
    ]


def _type(row: Redemption) -> str:
    chosen = [
        item["name"]
        for item in row.experiences_available
        if item["bit_value"] in row.experiences
    ]
    label = str(row.get_type_display())
    return f"{label}: {', '.join(chosen)}" if chosen else label


def _held_until(row: Redemption) -> str:
    """Say when a hold ends; one that nobody has met since it ended says so."""
    if row.status != RedemptionStatus.HELD or row.held_until is None:
        return ""
    text = at(row.held_until)
    over = row.held_until <= timezone.now()
    return _("%(time)s (over)") % {"time": text} if over else text


def _sold_here(rows: Sequence[Redemption]) -> dict[str, VoucherOrderItem]:
    """Return fingerprint -> the item of our own order that sold this voucher."""
    prints = {row.fingerprint for row in rows}
    items = VoucherOrderItem.objects.filter(fingerprint__in=prints)
    return {item.fingerprint: item for item in items.select_related("order")}


def what_happens_next(
    session: PaymentSession, rows: Sequence[Redemption]
) -> str | Promise:
    """Say what is done about a payment without anybody doing anything."""
    status = session.status
    if status == SessionStatus.NEEDS_ATTENTION:
        return _("Nothing, until a person has settled it.")
    if status in ledger.PENDING:
        if session.next_look_at is None or session.next_look_at <= timezone.now():
            return _("The next sweep takes it further.")
        return _("It is taken further at %(time)s.") % {
            "time": at(session.next_look_at)
        }
    if status == SessionStatus.OPEN:
        if any(row.status == RedemptionStatus.HELD for row in rows):
            until = session.last_active_at + timedelta(
                seconds=get_conf().abandoned_after
            )
            return _("Its vouchers are given back at %(time)s, unless it goes on.") % {
                "time": at(until)
            }
        return _("Nothing, until the customer or the shop goes on.")
    return _("Nothing: it is over.")


class PaymentViewSet(GuardedViewSet):
    """Menu item and addresses of the above."""

    name = "smartgift_payments"
    url_prefix = "smartgift/payments"
    icon = ICON
    menu_label = gettext_lazy("Payments")
    policy = payment_policy

    def get_urlpatterns(self) -> list[Any]:
        return [
            path("", PaymentIndexView.as_view(), name="index"),
            path(
                "results/",
                PaymentIndexView.as_view(results_only=True),
                name="index_results",
            ),
            path("<uuid:pk>/", PaymentDetailView.as_view(), name="detail"),
        ]
