import json

import pytest
from django.test import Client


SERVER_KEY = "server-key-for-tests"
API = "/smartgift/api"


class Api:
    """A client of the JSON API that speaks with one credential."""

    def __init__(self, token: str | None) -> None:
        self._client = Client(enforce_csrf_checks=True)
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    def __call__(self, method: str, path: str, body: object = None, **headers: str):
        return self._client.generic(
            method,
            f"{API}/{path}",
            b"" if body is None else json.dumps(body).encode(),
            content_type="application/json",
            headers={**self._headers, **headers},
        )

    def get(self, path: str, **headers: str):
        return self("GET", path, **headers)

    def post(self, path: str, body: object = None, **headers: str):
        return self("POST", path, body, **headers)

    def delete(self, path: str, **headers: str):
        return self("DELETE", path, **headers)


@pytest.fixture
def anonymous(db):
    return Api(None)


@pytest.fixture
def server(db):
    return Api(SERVER_KEY)


@pytest.fixture
def opened(server, sandbox):
    """A payment session of 80.00, as the shop's server opened it."""
    answer = server.post(
        "server/payment-sessions", {"reference": "order-1", "amount_due": "80.00"}
    )
    assert answer.status_code == 201
    return answer.json()


@pytest.fixture
def customer(opened):
    return Api(opened["client_secret"])


def assert_problem(answer, code: str, status: int) -> dict:
    """Check a problem document from top to bottom, and return it."""
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.status_code == status, answer.content
    body = answer.json()
    assert set(body) - {"errors"} == {"type", "title", "status", "detail", "code"}
    assert (body["code"], body["status"]) == (code, status)
    return body
