"""The guards that the rest of the suite relies on."""

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


# pytest-socket warns before it refuses.
@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_no_test_reaches_beyond_this_machine():
    # TEST-NET-1 of RFC 5737 is nobody's.
    with socket.socket() as outward:
        outward.settimeout(1)
        with pytest.raises(SocketConnectBlockedError):
            outward.connect(("192.0.2.1", 80))


def test_this_machine_is_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname(), timeout=5).close()
