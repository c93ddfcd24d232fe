"""The one menu of the plugin in the Wagtail admin."""

from django.utils.translation import gettext_lazy
from wagtail.admin.viewsets.base import ViewSetGroup

from wagtail_smartgift.views.desk.attention import AttentionViewSet
from wagtail_smartgift.views.desk.counter import CounterViewSet
from wagtail_smartgift.views.desk.orders import OrderViewSet
from wagtail_smartgift.views.desk.payments import PaymentViewSet
from wagtail_smartgift.views.desk.privacy import PrivacyViewSet
from wagtail_smartgift.views.desk.products import ProductViewSet
from wagtail_smartgift.views.desk.reports import ReportsViewSet
from wagtail_smartgift.views.desk.webhooks import WebhooksViewSet


class GiftVouchersGroup(ViewSetGroup):
    menu_label = gettext_lazy("Gift vouchers")
    menu_name = "smartgift"
    menu_icon = "smartgift"
    menu_order = 300
    #: In this order.
    items = (
        ProductViewSet,
        OrderViewSet,
        PaymentViewSet,
        AttentionViewSet,
        CounterViewSet,
        WebhooksViewSet,
        ReportsViewSet,
        PrivacyViewSet,
    )
