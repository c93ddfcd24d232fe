"""Importing Smart Gift's pictures, from servers good and bad."""

import socket
import threading

import pytest
from django import forms
from django.contrib.auth.models import Group, Permission, User
from django.core.files.storage import default_storage
from django.db import connection
from wagtail.images import get_image_model
from wagtail.images.forms import BaseImageForm
from wagtail.models import Collection, GroupCollectionPermission, ModelLogEntry

from tests.factories import make_experience, make_product
from tests.pictures import bomb, drawn, running_gallery, sends, sends_endlessly
from wagtail_smartgift.models import ImportedPicture, VoucherProduct
from wagtail_smartgift.services import pictures
from wagtail_smartgift.services.pictures import PictureError


pytestmark = [
    pytest.mark.django_db,
    # Wagtail leaves the files of new renditions to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
]


@pytest.fixture
def gallery(configure, settings, tmp_path):
    settings.MEDIA_ROOT = str(tmp_path)
    configure(IMAGE_HOSTS=["127.0.0.1"])
    with running_gallery() as gallery:
        yield gallery


@pytest.fixture
def product(gallery):
    return make_experience(title="Afternoon tea", image_url=gallery.url)


def somebody(name="editor", *collections, codenames=("add_image", "choose_image")):
    """Return a user who may do that in the collections and nothing else."""
    user = User.objects.create_user(name)
    group = Group.objects.create(name=name)
    user.groups.add(group)
    for collection in collections:
        for permission in Permission.objects.filter(codename__in=codenames):
            GroupCollectionPermission.objects.create(
                group=group, collection=collection, permission=permission
            )
    return user


def nothing_happened():
    return (
        not get_image_model().objects.exists()
        and not ImportedPicture.objects.exists()
        and not ModelLogEntry.objects.exists()
        and not default_storage.exists("original_images")
    )


def test_a_picture_becomes_an_image_with_its_credit(product, gallery, admin_user):
    found = pictures.import_picture(product=product, user=admin_user)

    assert found.created
    image = get_image_model().objects.get()
    assert found.image == image
    assert (image.title, image.description) == (
        "Afternoon tea (Smart Gift)",
        "Afternoon tea",
    )
    assert list(image.tags.names()) == ["Smart Gift"]
    assert image.uploaded_by_user == admin_user
    with image.open_file() as file:
        assert file.read() == drawn()
    assert image.filename.startswith("afternoon-tea")
    known = ImportedPicture.objects.get()
    assert (known.product, known.image, known.source_url) == (
        product,
        image,
        gallery.url,
    )
    entry = ModelLogEntry.objects.get(action=pictures.IMPORT_ACTION)
    assert (entry.user, entry.object_id) == (admin_user, str(product.pk))
    assert entry.data["source"] == gallery.url
    path, headers = gallery.asked[0]
    assert path == "/37.png"
    assert "Cookie" not in headers


class CreditForm(BaseImageForm):
    """The form of a host whose images have a credit; kept where the test sees it."""

    credit = forms.CharField(max_length=40)

    def save(self, commit=True):
        self.instance.description = self.cleaned_data["credit"]
        return super().save(commit)


def test_what_is_secret_in_an_address_is_neither_logged_nor_credited(
    product, gallery, admin_user, settings
):
    settings.WAGTAILIMAGES_IMAGE_FORM_BASE = "tests.services.test_pictures.CreditForm"
    path = "/a/" + "long" * 20 + ".png"
    server = gallery.url.removeprefix("http://").removesuffix("/37.png")
    product.image_url = f"http://me:secret1@{server}{path}?signature=secret2"
    product.save()

    image = pictures.import_picture(product=product, user=admin_user).image

    assert image.description == f"Smart Gift, http://{server}{path}"[:40]
    entry = ModelLogEntry.objects.get(action=pictures.IMPORT_ACTION)
    assert entry.data["source"] == f"http://{server}{path}"
    assert "secret" not in str(list(ModelLogEntry.objects.values()))
    # It is fetched and known by all of it.
    assert gallery.asked[0][0] == f"{path}?signature=secret2"
    assert pictures.imported(product).image_id == image.pk


@pytest.mark.parametrize(
    "before", ["http://{host}\\@pictures.example", "http://{host}#@pictures.example"]
)
def test_the_host_that_is_allowed_is_the_one_that_is_called(
    product, gallery, admin_user, configure, before
):
    """Not everybody reads an address alike; see ``fetch.host_of``."""
    configure(IMAGE_HOSTS=["pictures.example"])
    host = gallery.url.split("/")[2]
    product.image_url = before.format(host=host) + "/37.png"

    with pytest.raises(PictureError):
        pictures.import_picture(product=product, user=admin_user)

    assert gallery.asked == []
    assert nothing_happened()


def test_a_host_is_known_however_it_is_written(configure):
    configure(IMAGE_HOSTS=["BÜCHER.example", "[::1]"])

    for url in ("https://xn--bcher-kva.example/1.png", "http://[::1]:8000/1.png"):
        assert pictures.trouble_with(make_product(7, image_url=url)) is None
        VoucherProduct.objects.all().delete()


def test_it_is_fetched_once(product, gallery, admin_user):
    first = pictures.import_picture(product=product, user=admin_user)
    second = pictures.import_picture(product=product, user=admin_user)

    assert (second.image, second.created) == (first.image, False)
    assert get_image_model().objects.count() == 1
    assert len(gallery.asked) == 1


def test_another_picture_is_imported_beside_it(product, gallery, admin_user):
    first = pictures.import_picture(product=product, user=admin_user)
    product.image_url = gallery.url.replace("/37.png", "/38.png")

    second = pictures.import_picture(product=product, user=admin_user)

    assert second.created
    assert second.image != first.image


def test_a_deleted_image_may_be_imported_again(product, gallery, admin_user):
    pictures.import_picture(product=product, user=admin_user).image.delete()

    assert pictures.imported(product) is None
    assert pictures.import_picture(product=product, user=admin_user).created


@pytest.mark.parametrize(
    ("kind", "ending"),
    [("JPEG", "jpg"), ("PNG", "png"), ("GIF", "gif"), ("WEBP", "webp")],
)
@pytest.mark.parametrize("said", ["image/jpeg", "binary/octet-stream"])
def test_what_it_is_is_seen_in_it(product, gallery, admin_user, kind, ending, said):
    gallery.answer = sends(drawn(kind), said)

    image = pictures.import_picture(product=product, user=admin_user).image

    assert image.filename.endswith(f".{ending}")


HTML = b"<!doctype html><script>alert(1)</script>"
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        (sends(HTML, "text/html"), "no picture of a kind that is taken"),
        (sends(HTML, "image/png"), "no picture of a kind that is taken"),
        (sends(SVG, "image/svg+xml"), "no picture of a kind that is taken"),
        (sends(SVG, "image/png"), "no picture of a kind that is taken"),
        (sends(b"", "image/png"), "no picture of a kind that is taken"),
        (sends(drawn()[:60]), "did not come whole"),
        (sends(drawn()[:20]), "did not come whole"),
        (sends(bomb()), "too large"),
        (sends(bomb(9_000)), "too large"),
        (sends(drawn(), status=404), "not at its address"),
        (sends(drawn(), status=500), "not at its address"),
        (
            sends(b"", status=302, Location="http://127.0.0.1:1/secret.png"),
            "moved to another address",
        ),
        (sends_endlessly, "too large"),
        (sends(b"x" * 2_000_001), "too large"),
        (lambda request: None, "cannot be reached"),
        (lambda request: request.wfile.write(b"\0\xff\r\n\r\n"), "cannot be reached"),
    ],
)
def test_what_is_no_picture_is_refused(
    product, gallery, admin_user, settings, answer, sentence
):
    settings.WAGTAILIMAGES_MAX_UPLOAD_SIZE = 2_000_000
    gallery.answer = answer

    with pytest.raises(PictureError, match=sentence):
        pictures.import_picture(product=product, user=admin_user)

    assert nothing_happened()
    assert len(gallery.asked) == 1


def test_hosts_that_nobody_allowed_are_not_asked(
    product, gallery, admin_user, configure
):
    configure(IMAGE_HOSTS=["images.example.org"])

    with pytest.raises(
        PictureError, match=r"127\.0\.0\.1 are not imported.*IMAGE_HOSTS"
    ):
        pictures.import_picture(product=product, user=admin_user)

    assert nothing_happened()
    assert gallery.asked == []


def test_a_name_that_leads_into_our_own_network_is_not_followed(
    gallery, admin_user, configure, monkeypatch
):
    real = socket.getaddrinfo

    def getaddrinfo(host, *args, **kwargs):
        return real(
            "127.0.0.1" if host == "images.example.org" else host, *args, **kwargs
        )

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    configure(IMAGE_HOSTS=["images.example.org"])
    product = make_product(image_url="https://images.example.org/37.png")

    with pytest.raises(PictureError, match="must not fetch"):
        pictures.import_picture(product=product, user=admin_user)

    assert nothing_happened()
    assert gallery.asked == []


def test_without_tls_only_from_this_machine(admin_user, configure):
    configure(IMAGE_HOSTS=["images.example.org"])
    product = make_product(image_url="http://images.example.org/37.png")

    with pytest.raises(PictureError, match="https"):
        pictures.import_picture(product=product, user=admin_user)


def test_a_product_without_a_picture_has_none_to_import(admin_user):
    with pytest.raises(PictureError, match="has no picture"):
        pictures.import_picture(product=make_product(), user=admin_user)


# Who may, and where to


def test_it_goes_where_the_user_may_add(product):
    root = Collection.get_first_root_node()
    root.add_child(name="Forbidden")
    allowed = root.add_child(name="Vouchers")

    found = pictures.import_picture(product=product, user=somebody("editor", allowed))

    assert found.image.collection == allowed


def test_of_several_collections_the_first_is_taken(product):
    root = Collection.get_first_root_node()
    one, two = root.add_child(name="One"), root.add_child(name="Two")

    found = pictures.import_picture(product=product, user=somebody("editor", two, one))

    assert found.image.collection == one


def test_who_may_add_nowhere_imports_nothing(product, gallery):
    user = somebody()

    assert not pictures.may_import(user)
    with pytest.raises(PictureError, match="may not add"):
        pictures.import_picture(product=product, user=user)

    assert nothing_happened()
    assert gallery.asked == []


def test_an_image_in_a_closed_collection_is_not_handed_out(product):
    root = Collection.get_first_root_node()
    closed, own = root.add_child(name="Closed"), root.add_child(name="Own")
    pictures.import_picture(product=product, user=somebody("first", closed))

    with pytest.raises(PictureError, match="may not choose it"):
        pictures.import_picture(product=product, user=somebody("second", own))

    assert get_image_model().objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_at_once_make_one_image(gallery, configure):
    if connection.vendor == "sqlite" and connection.is_in_memory_db():
        pytest.skip("threads share no in-memory database; needs a file or a server")
    if not Collection.objects.exists():
        Collection.add_root(name="Root")
    user = User.objects.create_superuser("admin")
    product = make_product(image_url=gallery.url)
    # Neither gets its picture before both have asked for it.
    together = threading.Barrier(2, timeout=20)
    picture = sends(drawn())

    def answer(request):
        together.wait()
        picture(request)

    gallery.answer = answer
    found, failures = [], []

    def run():
        try:
            found.append(pictures.import_picture(product=product, user=user))
        except Exception as error:  # noqa: BLE001 - reported below
            failures.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert failures == []
    assert sorted(one.created for one in found) == [False, True]
    assert found[0].image == found[1].image
    assert get_image_model().objects.count() == 1
    assert ImportedPicture.objects.count() == 1
    _folders, files = default_storage.listdir("original_images")
    assert len(files) == 1
