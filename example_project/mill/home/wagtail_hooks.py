from wagtail import hooks
from wagtail.admin.viewsets.model import ModelViewSet

from mill.shop.models import Product


class ProductViewSet(ModelViewSet):
    model = Product
    icon = "tag"
    add_to_admin_menu = True
    menu_label = "Shop"
    menu_order = 250
    list_display = ["name", "price", "on_sale"]
    form_fields = [
        "name",
        "slug",
        "summary",
        "description",
        "price",
        "unit",
        "picture",
        "position",
        "on_sale",
    ]


@hooks.register("register_admin_viewset")
def register_products() -> ProductViewSet:
    return ProductViewSet("products")
