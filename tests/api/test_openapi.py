"""The description of the API, and that it changes only on purpose.

A change of it is a change of what others build on. When it is meant, write it anew
with ``python -m tests.api.test_openapi`` and look at the difference.
"""

import itertools
import json
import os
from importlib import import_module
from pathlib import Path

import pytest


SNAPSHOT = Path(__file__).resolve().parent.parent / "data" / "openapi.json"
METHODS = ("get", "post", "put", "patch", "delete")


@pytest.fixture
def described(anonymous):
    return anonymous.get("openapi.json").json()


def operations(described):
    return [
        (f"{method.upper()} {path}", operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    ]


def test_it_is_as_it_was(described):
    kept = json.loads(SNAPSHOT.read_text("utf-8"))
    assert without_defaults(described) == without_defaults(kept), __doc__


def without_defaults(part):
    """Leave out what JSON Schema means anyway, and only newer pydantics write."""
    if isinstance(part, dict):
        return {
            name: without_defaults(value)
            for name, value in part.items()
            if (name, value) != ("additionalProperties", True)
        }
    return [without_defaults(item) for item in part] if isinstance(part, list) else part


def test_every_operation_says_what_it_is(described):
    ids = [operation["operationId"] for _name, operation in operations(described)]
    assert len(set(ids)) == len(ids)
    for name, operation in operations(described):
        assert operation["summary"], name
        assert any(status.startswith("2") for status in operation["responses"]), name


def test_what_needs_a_credential_documents_401(described):
    for name, operation in operations(described):
        assert ("401" in operation["responses"]) is ("security" in operation), name


def test_a_401_says_what_it_asks_for(described):
    asked = {
        operation["operationId"]: operation["responses"]["401"]["headers"][
            "WWW-Authenticate"
        ]["schema"]["const"]
        for _name, operation in operations(described)
        if "401" in operation["responses"]
    }
    assert asked.pop("receiveShopEvent") == "Standard-Webhooks"
    assert set(asked.values()) == {"Bearer"}


def references(part):
    """Return every ``$ref`` in a description."""
    if isinstance(part, dict):
        own = [part["$ref"]] if isinstance(part.get("$ref"), str) else []
        return {*own, *(ref for inner in part.values() for ref in references(inner))}
    if isinstance(part, list):
        return {ref for inner in part for ref in references(inner)}
    return set()


@pytest.mark.parametrize(
    "mounted",
    [
        names
        for number in (1, 2, 3)
        for names in itertools.combinations(
            ("storefront", "server", "webhooks"), number
        )
    ],
    ids="+".join,
)
def test_whichever_routers_are_mounted_it_describes_what_it_refers_to(
    described, mounted
):
    """And in the same words: a client that was made from one fits the other."""
    # Here, since the module is a program, too, which has no settings when it is read.
    from ninja import NinjaAPI

    from wagtail_smartgift.api import mounting

    api = NinjaAPI(urls_namespace="+".join(mounted))
    mounting.install(api)
    for name in mounted:
        router = import_module(f"wagtail_smartgift.api.{name}").router
        api.add_router(f"{name}/", router, url_name_prefix=name)

    part = json.loads(json.dumps(api.get_openapi_schema(path_prefix=""), default=str))

    schemas = part["components"]["schemas"]
    assert references(part) <= {f"#/components/schemas/{name}" for name in schemas}
    whole = described["components"]["schemas"]
    assert {name: whole[name] for name in schemas} == schemas
    assert len(part["webhooks"]) == len(described["webhooks"])


def test_what_takes_a_key_documents_its_refusals(described):
    for name, operation in operations(described):
        headers = {item["name"] for item in operation.get("parameters", [])}
        if "Idempotency-Key" in headers:
            assert {"400", "409"} <= operation["responses"].keys(), name


def test_every_error_is_a_problem_document(described):
    for name, operation in operations(described):
        for status, response in operation["responses"].items():
            if status < "400" or operation["operationId"] == "getHealth":
                continue
            assert set(response["content"]) == {"application/problem+json"}, name


def _write() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")
    import django

    django.setup()
    from wagtail_smartgift.api.main import api

    described = api.get_openapi_schema(path_prefix="/smartgift/api/")
    text = json.dumps(described, indent=2, ensure_ascii=False, default=str)
    SNAPSHOT.write_text(f"{text}\n", "utf-8")
    print(f"Written: {SNAPSHOT}")


if __name__ == "__main__":
    _write()
