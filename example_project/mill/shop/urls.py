from django.contrib.auth import views as auth
from django.urls import path

from mill.shop.views import account, catalogue, checkout, headless, language


urlpatterns = [
    path("shop/", catalogue.products, name="products"),
    path("shop/<slug:slug>/", catalogue.product, name="product"),
    path("language/<str:code>/", language.choose, name="language"),
    path("basket/", catalogue.basket, name="basket"),
    path("checkout/", checkout.details, name="checkout"),
    path("checkout/<str:reference>/pay/", checkout.pay, name="pay"),
    path("headless/", headless.page, name="headless"),
    path("headless/orders/", headless.open_order, name="headless_orders"),
    path("headless/orders/<str:reference>/", headless.order, name="headless_order"),
    path("headless/orders/<str:reference>/pay/", headless.pay, name="headless_pay"),
    path("account/orders/", account.orders, name="orders"),
    path("account/orders/<str:reference>/", account.order, name="order"),
    path("account/orders/<str:reference>/cancel/", account.cancel, name="cancel"),
    path("account/orders/<str:reference>/refund/", account.refund, name="refund"),
    path(
        "account/login/",
        auth.LoginView.as_view(template_name="shop/login.html"),
        name="login",
    ),
    path("account/logout/", auth.LogoutView.as_view(), name="logout"),
]
