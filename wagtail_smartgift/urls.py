"""Mount with ``path("smartgift/", include("wagtail_smartgift.urls"))``."""

app_name = "wagtail_smartgift"

urlpatterns: list = []
