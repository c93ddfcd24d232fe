"""What an editor sees of Smart Gift in the editor of a page, and the picture's button."""

import re
from datetime import timedelta
from html import unescape

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.template import Context, Template
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from wagtail.images import get_image_model
from wagtail.models import (
    Collection,
    GroupCollectionPermission,
    GroupPagePermission,
    PageLogEntry,
)

from tests.factories import (
    make_experience,
    make_index,
    make_product,
    make_site,
    make_voucher_page,
)
from tests.pictures import running_gallery, sends
from wagtail_smartgift import drift
from wagtail_smartgift.models import (
    CatalogueSync,
    ImportedPicture,
    ProductChange,
    VoucherProduct,
)
from wagtail_smartgift.views.desk.remote_data import RemoteData


pytestmark = [
    pytest.mark.django_db,
    # Wagtail leaves the files of new renditions to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]


@pytest.fixture
def index():
    return make_index(make_site())


@pytest.fixture
def gallery(configure, settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    configure(IMAGE_HOSTS=["127.0.0.1"])
    with running_gallery() as gallery:
        yield gallery


def edit_url(page):
    return reverse("wagtailadmin_pages:edit", args=[page.pk])


def picture_url(product):
    return reverse("smartgift_import_picture", args=[product.pk])


def panel_of(response):
    """Return the panel's HTML and what it says."""
    html = response.content.decode()
    panel = html.partition('id="panel-child-content-smartgift-section"')[2]
    assert panel, "there is no panel"
    panel = panel.partition("<section")[0]
    return panel, " ".join(unescape(re.sub(r"<[^>]+>", " ", panel)).split())


def price_change(product, before, after, at):
    ProductChange.objects.create(
        product=product, field="price", before=before, after=after, noticed_at=at
    )


def editor(index, *, images=()):
    """Return a client of somebody who edits the pages and adds to these collections."""
    user = User.objects.create_user("editor")
    group = Group.objects.create(name="Voucher editors")
    group.permissions.add(Permission.objects.get(codename="access_admin"))
    user.groups.add(group)
    for codename in ("add_page", "change_page"):
        GroupPagePermission.objects.create(
            group=group,
            page=index,
            permission=Permission.objects.get(codename=codename),
        )
    for collection in images:
        for codename in ("add_image", "choose_image"):
            GroupCollectionPermission.objects.create(
                group=group,
                collection=collection,
                permission=Permission.objects.get(codename=codename),
            )
    client = Client()
    client.force_login(user)
    return client


# What it says


def test_the_panel_tells_what_smart_gift_says(admin_client, index):
    CatalogueSync.objects.create(
        account="default", synced_at=timezone.now() - timedelta(minutes=7)
    )
    product = make_experience(
        title="Tea <for> two",
        available_count=4,
        image_url="https://images.example/39.jpg",
    )
    page = make_voucher_page(index, product, live=False)

    html, said = panel_of(admin_client.get(edit_url(page)))

    for words in (
        "Title Tea <for> two",
        "Kind of voucher Experience",
        "Price £29.50 a person, for 2 to 6 people",
        "For a person £29.50",
        "Persons 2 to 6",
        "In stock 4 left",
        "Availability On sale",
        "Status at Smart Gift Active",
        "Smart Gift id 39",
        "Read from Smart Gift 7\xa0minutes ago.",
        "/gift-vouchers/p/39/",
    ):
        assert " ".join(words.split()) in said
    assert 'src="https://images.example/39.jpg"' in html
    assert 'referrerpolicy="no-referrer"' in html
    assert "Changed at Smart Gift" not in said
    for inline in ("<script", "style=", "<form"):
        assert inline not in html


def test_amounts_are_told_of_a_monetary_voucher(admin_client, index):
    page = make_voucher_page(index, make_product(), live=False)

    _html, said = panel_of(admin_client.get(edit_url(page)))

    assert "Price £10.00 to £40.00 In steps of £10.00 In stock Not counted" in said
    assert "Smart Gift's catalogue was never read." in said


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"gone_at": timezone.now()}, "Availability No longer sold"),
        ({"status": "unknown", "remote_status": "seasonal"}, "(seasonal)"),
        ({"account": "closed"}, "Its account is not configured"),
    ],
)
def test_what_is_off_sale_is_edited_all_the_same(admin_client, index, values, words):
    page = make_voucher_page(index, make_product(**values), live=False)

    response = admin_client.get(edit_url(page))

    assert response.status_code == 200
    assert words in panel_of(response)[1]


def test_a_new_page_says_what_to_do(admin_client, index):
    response = admin_client.get(
        reverse(
            "wagtailadmin_pages:add",
            args=["wagtail_smartgift", "voucherpage", index.pk],
        )
    )

    assert response.status_code == 200
    assert "Choose a voucher and save the draft" in panel_of(response)[1]


def test_drift_since_the_page_was_published(admin_client, index):
    product = make_experience()
    page = make_voucher_page(index, product, live=False)
    page.save_revision().publish()
    page.refresh_from_db()
    published = page.last_published_at
    price_change(product, "40.00", "45.00", published - timedelta(days=1))
    assert "Changed at" not in panel_of(admin_client.get(edit_url(page)))[1]

    price_change(product, "45.00", "50.00", published + timedelta(seconds=1))

    _html, said = panel_of(admin_client.get(edit_url(page)))
    assert "Changed at Smart Gift since you last published:" in said
    assert "The price changed from £45.00 to £50.00 on" in said
    # A draft that is saved since has not been published.
    page.save_revision()
    assert "£50.00" in panel_of(admin_client.get(edit_url(page)))[1]


def test_publishing_again_settles_it(admin_client, index, time_machine_now):
    product = make_experience()
    page = make_voucher_page(index, product, live=False)
    page.save_revision().publish()
    price_change(product, "45.00", "50.00", timezone.now())
    time_machine_now.shift(60)

    page.save_revision().publish()

    assert "Changed at" not in panel_of(admin_client.get(edit_url(page)))[1]


def test_drift_since_a_draft_was_saved_that_never_was_published(admin_client, index):
    product = make_experience()
    page = make_voucher_page(index, product, live=False)
    page.save_revision()
    price_change(product, "45.00", "50.00", timezone.now() + timedelta(seconds=1))

    _html, said = panel_of(admin_client.get(edit_url(page)))

    assert "Changed at Smart Gift since this draft was saved:" in said


def test_many_pages_are_asked_about_in_one_query(index, django_assert_num_queries):
    now = timezone.now()
    pages = []
    for number in range(30):
        product = make_product(number + 1)
        page = make_voucher_page(index, product)
        page.last_published_at = now - timedelta(days=number)
        pages.append(page)
        price_change(product, "1.00", "2.00", now - timedelta(days=15))

    with django_assert_num_queries(1):
        found = drift.of_pages(pages)

    assert set(found) == {page.pk for page in pages[16:]}
    with django_assert_num_queries(0):
        assert drift.of_pages([]) == {}


def test_a_list_marks_the_pages_that_drifted(index):
    product = make_product()
    page = make_voucher_page(index, product)
    page.last_published_at = timezone.now() - timedelta(days=1)
    price_change(product, "45.00", "50.00", timezone.now())
    template = Template(
        '{% include "wagtail_smartgift/desk/drift_marker.html" with drift=drift only %}'
    )

    html = template.render(Context({"drift": drift.of_pages([page]).get(page.pk)}))

    assert "Changed at Smart Gift" in html
    assert "from £45.00 to £50.00" in html
    assert template.render(Context({"drift": None})).strip() == ""


def test_the_editor_costs_the_same_however_much_drifted(admin_client, index):
    product = make_experience()
    page = make_voucher_page(index, product)
    page.save_revision().publish()
    at = timezone.now() + timedelta(seconds=1)
    price_change(product, "1.00", "2.00", at)

    def cost():
        admin_client.get(edit_url(page))
        with CaptureQueriesContext(connection) as queries:
            admin_client.get(edit_url(page))
        return len(queries)

    few = cost()
    for number in range(2, 15):
        price_change(product, f"{number}.00", f"{number + 1}.00", at)
    for number in range(200, 240):
        make_product(number)

    assert cost() == few


# The button


def test_an_editor_is_offered_the_picture(index, gallery):
    page = make_voucher_page(index, make_product(image_url=gallery.url), live=False)

    client = editor(index, images=[Collection.get_first_root_node()])

    html, said = panel_of(client.get(edit_url(page)))
    assert "Import Smart Gift's picture" in said
    assert f'data-smartgift-import="{picture_url(page.product)}"' in html
    assert 'data-smartgift-chooser="id_image-chooser"' in html
    assert 'id="id_image-chooser"' in client.get(edit_url(page)).content.decode()


def test_who_may_not_add_images_is_not_offered_it(index, gallery):
    page = make_voucher_page(index, make_product(image_url=gallery.url), live=False)

    html, said = panel_of(editor(index).get(edit_url(page)))

    assert "Import" not in said
    assert "data-smartgift-import" not in html


def test_a_host_that_is_not_allowed_is_named(admin_client, index, configure):
    url = "https://images.example/39.jpg"
    page = make_voucher_page(index, make_product(image_url=url), live=False)

    html, said = panel_of(admin_client.get(edit_url(page)))

    assert "Pictures from images.example are not imported here" in said
    assert "data-smartgift-import" not in html


def ask(client, product, **data):
    return client.post(
        picture_url(product), data, headers={"accept": "application/json"}
    )


def test_the_script_gets_what_the_chooser_needs(admin_client, index, gallery):
    product = make_product(image_url=gallery.url)

    answer = ask(admin_client, product)

    assert answer.status_code == 200
    image = get_image_model().objects.get()
    said = answer.json()
    assert said["message"] == (
        "The picture was imported. It is chosen for this page now: save or publish "
        "the page."
    )
    assert said["image"]["id"] == image.pk
    assert said["image"]["title"] == "Voucher 37 (Smart Gift)"
    assert said["image"]["preview"]["url"]
    again = ask(admin_client, product).json()
    assert again["message"].startswith("The picture had been imported before.")
    assert again["image"]["id"] == image.pk
    assert len(gallery.asked) == 1


def test_the_script_is_told_what_went_wrong(admin_client, gallery):
    gallery.answer = sends(b"<html>", "text/html")

    answer = ask(admin_client, make_product(image_url=gallery.url))

    assert answer.status_code == 422
    assert "no picture of a kind that is taken" in answer.json()["message"]
    assert answer.json()["image"] is None
    assert not get_image_model().objects.exists()


def test_a_form_puts_the_picture_into_the_pages_draft(
    admin_client, admin_user, index, gallery
):
    product = make_product(image_url=gallery.url)
    page = make_voucher_page(index, product)
    page.title = "A newer draft"
    page.save_revision()

    response = admin_client.post(
        picture_url(product), {"page": page.pk, "next": "/admin/pages/"}
    )

    assert (response.status_code, response.url) == (302, "/admin/pages/")
    image = get_image_model().objects.get()
    page.refresh_from_db()
    assert page.image is None
    draft = page.get_latest_revision_as_object()
    assert (draft.image, draft.title) == (image, "A newer draft")
    assert draft.latest_revision.user == admin_user
    entry = PageLogEntry.objects.filter(action="wagtail.edit").latest("timestamp")
    assert entry.user == admin_user


def nothing_happened(gallery):
    return not (
        gallery.asked
        or get_image_model().objects.exists()
        or ImportedPicture.objects.exists()
    )


def test_who_may_not_add_images_imports_none(index, gallery):
    product = make_product(image_url=gallery.url)

    assert (
        ask(editor(index), product).status_code == 302
    )  # Wagtail's "permission denied"

    assert nothing_happened(gallery)


def test_a_visitor_imports_nothing(client, index, gallery):
    product = make_product(image_url=gallery.url)

    assert client.post(picture_url(product)).status_code == 302
    assert nothing_happened(gallery)


def test_it_is_a_post_with_a_token(admin_client, admin_user, index, gallery):
    product = make_product(image_url=gallery.url)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(admin_user)

    assert admin_client.get(picture_url(product)).status_code == 405
    assert strict.post(picture_url(product)).status_code == 403
    assert nothing_happened(gallery)


@pytest.mark.parametrize("target", ["not mine", "locked", "other product", "nonsense"])
def test_a_page_that_is_not_to_be_changed_is_not(index, gallery, target):
    product = make_product(image_url=gallery.url)
    page = make_voucher_page(index, product)
    elsewhere = make_index(make_site(), slug="elsewhere")
    number = page.pk
    if target == "not mine":
        number = make_voucher_page(elsewhere, product, slug="mine").pk
    elif target == "locked":
        page.locked = True
        page.save()
    elif target == "other product":
        number = make_voucher_page(index, make_product(38)).pk
    else:
        number = "9" * 30

    client = editor(index, images=[Collection.get_first_root_node()])
    response = client.post(picture_url(product), {"page": number})

    assert response.status_code == 302
    assert nothing_happened(gallery)
    assert VoucherProduct.objects.filter(pk=product.pk).exists()
    page.refresh_from_db()
    assert page.latest_revision is None


def test_an_alias_keeps_its_originals_picture(admin_client, index, gallery):
    product = make_product(image_url=gallery.url)
    page = make_voucher_page(index, product)
    alias = page.create_alias(update_slug="alias")

    answer = ask(admin_client, product, page=alias.pk)

    assert answer.status_code == 422
    assert "could not be saved" in answer.json()["message"]
    alias.refresh_from_db()
    assert alias.image is None


def test_it_leads_back_to_pages_of_this_host_only(admin_client, gallery):
    product = make_product(image_url=gallery.url)

    response = admin_client.post(
        picture_url(product), {"next": "https://evil.example/"}
    )

    assert response.url == reverse("wagtailadmin_home")


# On a page of the desk


def test_on_a_page_of_the_desk_it_is_a_form(rf, admin_user, index, gallery):
    product = make_product(image_url=gallery.url)
    page = make_voucher_page(index, product)
    request = rf.get("/admin/somewhere/", HTTP_HOST="localhost")
    request.user = admin_user

    html = RemoteData(product, request=request, page=page).render_html()

    assert f'<form method="post" action="{picture_url(product)}">' in html
    assert 'name="csrfmiddlewaretoken" value="' in html
    assert f'name="page" value="{page.pk}"' in html
    assert 'name="next" value="/admin/somewhere/"' in html


def test_a_products_page_offers_its_picture_until_it_is_there(
    admin_client, index, gallery
):
    product = make_product(image_url=gallery.url)
    address = reverse("smartgift_products:detail", args=[product.pk])
    form = f'<form method="post" action="{picture_url(product)}">'
    assert form in admin_client.get(address).content.decode()

    admin_client.post(picture_url(product), {"next": address})

    page = admin_client.get(address).content.decode()
    assert "Its picture is among the images as" in page
    assert form not in page


def test_a_list_and_a_products_page_say_what_drifted(admin_client, index):
    product, other = make_product(1), make_product(2)
    page = make_voucher_page(index, product, title="In our words")
    make_voucher_page(index, other)
    page.save_revision().publish()
    at = timezone.now() + timedelta(seconds=1)
    price_change(product, "45.00", "50.00", at)

    listed = admin_client.get(reverse("smartgift_products:index")).content.decode()
    told = admin_client.get(
        reverse("smartgift_products:detail", args=[product.pk])
    ).content.decode()
    quiet = admin_client.get(
        reverse("smartgift_products:detail", args=[other.pk])
    ).content.decode()

    assert listed.count("Changed at Smart Gift") == 1
    assert "The price changed from £45.00 to £50.00" in listed
    said = " ".join(unescape(told).split())
    assert (
        "Smart Gift has changed this since “In our words” was last published or saved. "
        "The price changed from £45.00 to £50.00 on"
    ) in said
    assert "has changed this since" not in quiet
