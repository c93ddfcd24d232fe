"""Serve ``example_project/wsgi.py`` on a free port, and print which one it is."""

import runpy
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


WSGI = Path(__file__).resolve().parents[2] / "example_project" / "wsgi.py"


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, *args):
        pass


if __name__ == "__main__":
    application = runpy.run_path(str(WSGI))["application"]
    with make_server("127.0.0.1", 0, application, Server, Handler) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
