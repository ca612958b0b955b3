"""A web server for tests: server.py MODE FILE [PORT_FILE]. It writes its port to PORT_FILE.

`answer` appends what it is sent to FILE, a line each for path, content type, the header X-Token and
the body, and answers 200; `refuse` does so with 503; `hang` takes the connection and stays silent.
It ends when its standard input does.
"""
import http.server
import os
import socket
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        with open(sys.argv[2], "a") as log:
            for line in (self.path, self.headers["Content-Type"], self.headers["X-Token"], body):
                log.write("%s\n" % line)
        self.send_response(200 if sys.argv[1] == "answer" else 503)
        self.end_headers()

    def log_message(self, *arguments):
        pass


def tell(port):
    with open(sys.argv[3] + ".new", "w") as file:
        file.write("%d" % port)
    os.rename(sys.argv[3] + ".new", sys.argv[3])


if sys.argv[1] == "hang":
    silent = socket.create_server(("127.0.0.1", 0))
    tell(silent.getsockname()[1])
else:
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    tell(server.server_address[1])
    threading.Thread(target=server.serve_forever, daemon=True).start()
sys.stdin.read()
