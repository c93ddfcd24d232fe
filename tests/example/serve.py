"""Serve ``example_project/wsgi.py`` on a free port, and print which one it is.

Every page but Wagtail's own comes with a strict Content Security Policy, as a careful
host would send it.
"""

import runpy
import sys
from pathlib import Path
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server


WSGI = Path(__file__).resolve().parents[2] / "example_project" / "wsgi.py"

#: Smart Gift's own pictures come from its server.
POLICY = (
    "default-src 'self'; img-src 'self' data: http://127.0.0.1:*; object-src 'none'"
)
#: Wagtail's editor has inline scripts, and the API's page to try it has one.
WITHOUT_POLICY = ("/admin/", "/smartgift/api/docs")


class Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class Handler(WSGIRequestHandler):
    def log_message(self, *args):
        pass


def guarded(application):
    def serve(environ, start_response):
        def start(status, headers, *error):
            if not environ["PATH_INFO"].startswith(WITHOUT_POLICY):
                headers = [*headers, ("Content-Security-Policy", POLICY)]
            return start_response(status, headers, *error)

        return application(environ, start)

    return serve


if __name__ == "__main__":
    application = guarded(runpy.run_path(str(WSGI))["application"])
    with make_server("127.0.0.1", 0, application, Server, Handler) as server:
        sys.stdout.write(f"{server.server_port}\n")
        sys.stdout.flush()
        server.serve_forever()
