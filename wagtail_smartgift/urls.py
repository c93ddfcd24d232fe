"""Mount with ``path("smartgift/", include("wagtail_smartgift.urls"))``."""

from django.contrib.auth.decorators import login_not_required
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from wagtail_smartgift.api import mounting
from wagtail_smartgift.api.main import api
from wagtail_smartgift.views import balance, checkout, pictures, printing


app_name = "wagtail_smartgift"

urlpatterns = [
    path("api/", mounting.urls(api)),
    path("api/<path:rest>", csrf_exempt(login_not_required(mounting.nothing_here))),
    path("balance/", balance.check_balance, name="balance"),
    path("cards/<str:token>/", printing.show_cards, name="cards"),
    path("cards/<str:token>/pdf/", printing.download_cards, name="cards_pdf"),
    path(
        "pictures/<str:signature>/<int:image_id>/<str:filter_spec>/",
        pictures.make_picture,
        name="picture",
    ),
    path("payment/vouchers/", checkout.add_voucher, name="voucher_add"),
    path("payment/vouchers/change/", checkout.change_voucher, name="voucher_change"),
    path("payment/vouchers/renew/", checkout.renew_hold, name="voucher_renew"),
    path("payment/vouchers/remove/", checkout.remove_voucher, name="voucher_remove"),
]
