"""Our own ``NinjaAPI``, with everything in it."""

from typing import Any

from ninja import NinjaAPI

from wagtail_smartgift.api import errors, outgoing, server, storefront


class SmartGiftAPI(NinjaAPI):
    def get_openapi_schema(self, **options: Any) -> Any:
        described = super().get_openapi_schema(**options)
        errors.document(described)
        outgoing.document(described)
        return described


api = SmartGiftAPI(
    title="Smart Gift vouchers",
    version="1",
    description="Sell gift vouchers and pay with them, from any storefront.",
    urls_namespace="wagtail_smartgift:api",
)
errors.install(api)
api.add_router("", storefront.router)
api.add_router("server/", server.router)
