"""Ways from one thing of the desk to another, for those who may go there.

A link is an address, or empty where the user may not see what is behind it: then what
it is called stands there alone.
"""

from collections.abc import Callable
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext as _
from wagtail.admin.ui.tables import Column
from wagtail.admin.widgets.button import Button, HeaderButton
from wagtail.permission_policies import ModelPermissionPolicy
from wagtail.permissions import page_permission_policy

from wagtail_smartgift.choices import OrderStatus, SessionStatus
from wagtail_smartgift.models import (
    PaymentSession,
    Redemption,
    VoucherOrder,
    VoucherProduct,
)


class ProductPermissionPolicy(ModelPermissionPolicy):
    """Products are looked at, by whoever may add a page about one, and synced.

    Nobody writes them but the sync.
    """

    def user_has_permission(self, user: Any, action: str) -> bool:
        if action not in {"view", "sync"}:
            return False
        allowed = bool(super().user_has_permission(user, action))
        if action == "view":
            return allowed or page_permission_policy.user_has_permission(user, "add")
        return allowed

    def user_has_any_permission(self, user: Any, actions: Any) -> bool:
        return any(self.user_has_permission(user, action) for action in actions)


payment_policy = ModelPermissionPolicy(PaymentSession)
desk_policy = ModelPermissionPolicy(Redemption)
order_policy = ModelPermissionPolicy(VoucherOrder)
product_policy = ProductPermissionPolicy(VoucherProduct)


def to_payment(session_id: Any, *, user: Any) -> str:
    return _to("smartgift_payments:detail", session_id, payment_policy, user)


def to_order(order_id: Any, *, user: Any) -> str:
    return _to("smartgift_orders:detail", order_id, order_policy, user)


def to_product(product_id: Any, *, user: Any) -> str:
    return _to("smartgift_products:detail", product_id, product_policy, user)


def _to(name: str, pk: Any, policy: ModelPermissionPolicy, user: Any) -> str:
    if pk is None or not policy.user_has_permission(user, "view"):
        return ""
    return reverse(name, args=[pk])


def way(label: str, url: str, *, icon: str) -> list[HeaderButton]:
    """Return a button to an address; none where that is empty."""
    return [HeaderButton(label, url=url, icon_name=icon)] if url else []


def ways_from_payment(session: PaymentSession, *, user: Any) -> list[HeaderButton]:
    """Return a button to where a payment is settled, if it needs that."""
    may_settle = payment_policy.user_has_permission(user, "settle")
    if session.status == SessionStatus.NEEDS_ATTENTION and may_settle:
        return [_settle("smartgift_attention:payment", session.pk)]
    return []


def desk_from_payment(session: PaymentSession, *, user: Any) -> list[Button]:
    """Return the way to a payment at the voucher desk, for the three dots."""
    if not desk_policy.user_has_any_permission(user, ("desk", "move")):
        return []
    url = reverse("smartgift_counter:payment", args=[session.pk])
    return [Button(_("Voucher desk"), url=url, icon_name="tag", priority=10)]


def ways_from_order(order: VoucherOrder, *, user: Any) -> list[HeaderButton]:
    """Return buttons to where something can be done about an order."""
    # Who settles payments settles orders: see ``case_details.policy``.
    may_settle = payment_policy.user_has_permission(user, "settle")
    if order.status == OrderStatus.NEEDS_ATTENTION and may_settle:
        return [_settle("smartgift_attention:order", order.pk)]
    return []


def _settle(name: str, pk: Any) -> HeaderButton:
    return HeaderButton(
        _("Settle it"), url=reverse(name, args=[pk]), icon_name="warning"
    )


class LinkColumn(Column):
    """A column whose cells lead somewhere, where ``get_url`` says where."""

    cell_template_name = "wagtail_smartgift/desk/link_cell.html"

    def __init__(
        self, name: str, *, get_url: Callable[[Any], str], **kwargs: Any
    ) -> None:
        super().__init__(name, **kwargs)
        self._get_url = get_url

    def get_cell_context_data(self, instance: Any, parent_context: Any) -> Any:
        context = super().get_cell_context_data(instance, parent_context)
        url = self._get_url(instance)
        context.update(url=url, value=context["value"] if context["raw_value"] else "")
        return context
