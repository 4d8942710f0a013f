"""A server like any other: it knows nothing of Atelier but the environment variable PORT."""

import json
import os
import signal
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

TICKS_MAX = 50


class Ticker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections are used again and again

    def do_GET(self):
        url = urlsplit(self.path)
        if url.path == "/healthz":
            self.answer("text/plain", b"ready")
        elif url.path == "/events":
            self.stream(min(TICKS_MAX, int(parse_qs(url.query).get("n", ["5"])[0])))
        else:
            self.answer("application/json", json.dumps({"now": time.time(), "pid": os.getpid()}).encode())

    def answer(self, kind, body):
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def stream(self, ticks):
        """Server-sent events: each reaches the caller as it is written."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(1, ticks + 1):
            event = f"data: {number}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(event), event))
            time.sleep(0.2)
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format, *args):
        print(self.headers.get("atelier-invocation-id"), format % args, file=sys.stderr)


server = ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Ticker)
# Asked to end before an instance goes: the place to finish what is under way.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
server.serve_forever()
