from django.conf import settings
from django.urls import include, path, re_path
from django.views.static import serve
from wagtail import urls as wagtail_urls
from wagtail.admin import urls as wagtailadmin_urls


urlpatterns = [
    path("admin/", include(wagtailadmin_urls)),
    # wagtail-smartgift: its API, webhooks and voucher field.
    path("smartgift/", include("wagtail_smartgift.urls")),
    # Uploads, whatever DEBUG says: the example has no web server in front of it.
    re_path(r"^media/(?P<path>.*)$", serve, {"document_root": settings.MEDIA_ROOT}),
    path("", include("mill.shop.urls")),
    # Every other address is a page, the gift vouchers' among them.
    path("", include(wagtail_urls)),
]
