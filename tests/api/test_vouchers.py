"""``GET vouchers``: as the schema says, and 304 while nothing has changed."""

import json

import pytest
from django.utils import timezone
from wagtail.models import Page, Site

from tests.api.conftest import assert_problem
from tests.factories import (
    make_experience,
    make_index,
    make_product,
    make_site,
    make_voucher_page,
)
from wagtail_smartgift.api.schemas import VouchersOut
from wagtail_smartgift.conf import get_conf
from wagtail_smartgift.models import CatalogueSync, SmartGiftSettings
from wagtail_smartgift.services import catalogue


@pytest.fixture
def site(db):
    # Wagtail's cache outlives the transaction of a test.
    Site.clear_site_root_paths_cache()
    yield make_site()
    Site.clear_site_root_paths_cache()


@pytest.fixture
def index(site):
    return make_index(site)


def listed(api, query="", **headers):
    answer = api.get(f"vouchers{query}", **headers)
    assert answer.status_code == 200
    return answer


def unchanged(api, etag, query=""):
    answer = api.get(f"vouchers{query}", **{"If-None-Match": etag})
    assert answer.status_code in {200, 304}
    assert (answer.content == b"") is (answer.status_code == 304)
    return answer.status_code == 304


def test_the_fast_way_writes_what_the_schema_says(anonymous, index):
    make_product(1, title="Ünïcode & <b>", available_count=0, image_url="")
    make_experience(image_url="https://images.example/39.jpeg")
    make_product(2, min_amount=None)
    make_experience(40, persons_min=501)

    body = listed(anonymous).json()

    by_schema = VouchersOut.model_validate(body).model_dump(mode="json")
    assert body == by_schema
    for item in body["items"]:
        assert anonymous.get(f"vouchers/{item['id']}").json() == item
    assert {item["id"]: item["available"] for item in body["items"]} == {
        1: False,
        2: False,
        39: True,
        40: False,
    }


@pytest.mark.parametrize(
    ("values", "listed", "available"),
    [
        ({}, True, True),
        ({"available_count": 0}, True, False),
        ({"available_count": 3}, True, True),
        ({"status": "hidden"}, False, True),
        ({"status": "disabled"}, False, False),
        ({"status": "at_counter_only"}, False, False),
        ({"status": "unknown"}, False, False),
        ({"gone_at": timezone.now()}, False, False),
    ],
)
def test_what_is_listed_and_what_can_be_bought(
    anonymous, index, sandbox, values, listed, available
):
    make_product(1, **values)

    body = anonymous.get("vouchers").json()
    assert (body["count"], len(body["items"])) == (int(listed), int(listed))
    item = anonymous.get("vouchers/1").json()
    assert item["available"] is available
    assert body["items"] == ([item] if listed else [])
    assert sandbox.log() == []


def test_a_page_of_the_list(anonymous, index):
    for number in range(1, 54):
        make_product(number, title=f"Voucher {number:03}")
    make_experience(900, title="Tea for two")

    def ids(query):
        body = listed(anonymous, query).json()
        return body["count"], [item["id"] for item in body["items"]]

    assert len(ids("")[1]) == 50
    assert ids("?limit=2&offset=1") == (54, [1, 2])
    assert ids("?limit=1000&offset=53")[1] == [53]
    assert ids("?offset=1000000") == (54, [])
    assert ids("?type=experience") == (1, [900])
    assert ids("?type=&search=TEA") == (1, [900])
    assert ids("?search=nothing-like-it") == (0, [])


def test_while_nothing_changes_it_is_304(
    anonymous, index, django_assert_num_queries, sandbox
):
    make_product()
    first = listed(anonymous)
    etag = first["ETag"]
    assert first["Cache-Control"] == "no-cache"
    assert "Accept-Language" in first["Vary"]

    answer = anonymous.get("vouchers", **{"If-None-Match": f'"x", {etag}'})

    assert answer.status_code == 304
    assert (answer["ETag"], answer.content) == (etag, b"")
    assert not unchanged(anonymous, '"something else"')
    Site.get_site_root_paths()
    # The site, its settings, the sync, the live pages, the live indexes.
    with django_assert_num_queries(5) as queries:
        assert unchanged(anonymous, etag)
    assert "voucherproduct" not in " ".join(
        query["sql"].split(" FROM ")[1].split(" WHERE ")[0] for query in queries
    )


def test_the_sync_changes_it(anonymous, sandbox, site):
    account = get_conf().account("default")
    catalogue.sync(account)
    etag = listed(anonymous)["ETag"]
    assert unchanged(anonymous, etag)

    catalogue.sync(account)
    assert unchanged(anonymous, etag)

    sandbox.change_product(38, title="Another title")
    catalogue.sync(account)
    assert not unchanged(anonymous, etag)


def test_pages_change_it(anonymous, index):
    page = make_voucher_page(index, make_product())
    etag = listed(anonymous)["ETag"]

    def has_changed():
        nonlocal etag
        old, etag = etag, listed(anonymous)["ETag"]
        return old != etag and not unchanged(anonymous, old)

    page.title = "Only other words"
    page.save_revision().publish()
    assert not has_changed()

    page.unpublish()
    assert has_changed()
    page.save_revision().publish()
    assert has_changed()
    parent = Page.objects.get(pk=index.pk)
    parent.slug = "moved"
    parent.save()
    assert has_changed()
    url = listed(anonymous).json()["items"][0]["url"]
    assert url.startswith("http://localhost/moved/")
    index.refresh_from_db()
    index.unpublish()
    assert has_changed()


def test_the_site_the_query_and_the_language_change_it(anonymous, site):
    make_product()
    etags = {
        listed(anonymous, query, **headers)["ETag"]
        for query, headers in (
            ("", {}),
            ("?limit=49", {}),
            ("?offset=1", {}),
            ("?type=monetary", {}),
            ("?search=a", {}),
            ("", {"Accept-Language": "fr"}),
            ("", {"Host": "other.example"}),
        )
    }
    assert len(etags) == 7
    same = listed(anonymous, "?limit=50&offset=0")["ETag"]
    assert same in etags

    SmartGiftSettings.objects.create(site=site, account="default")
    assert listed(anonymous)["ETag"] in etags
    site.port = 81
    site.save()
    assert listed(anonymous)["ETag"] not in etags


def test_a_bad_query_is_refused_whatever_the_etag(anonymous, site):
    answer = anonymous.get("vouchers?limit=0", **{"If-None-Match": "*"})
    assert_problem(answer, "invalid", 422)


def test_the_list_costs_constant_queries(anonymous, index, django_assert_num_queries):
    for number in range(1, 4):
        make_product(number)
    CatalogueSync.objects.create(account="default", changed_at=timezone.now())
    Site.get_site_root_paths()

    # For the ETag: 5. Then settings, products, pages, index, count.
    with django_assert_num_queries(10):
        body = json.loads(listed(anonymous, "?limit=1000").content)

    assert body["count"] == 3


def test_the_address_of_a_plain_page_is_below_the_index(anonymous, index):
    make_product(42)

    [listed_one] = listed(anonymous).json()["items"]

    assert listed_one["url"] == f"{index.full_url}p/42/"
