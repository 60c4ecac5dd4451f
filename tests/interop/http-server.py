#!/usr/bin/python3
"""http-server.py [CERTIFICATE-AND-KEY]: HTTP/1.1 (https with a certificate) on a free port of loopback that keeps its
connections; prints the port, then a line for each connection and its end, and "at once N" when more requests than ever are being
answered.

    /BYTES          so many bytes
    /wait/SECONDS   an answer after so long
"""
import http.server
import ssl
import sys
import threading
import time

lock = threading.Lock()
now = most = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536

    def setup(self):
        print("connection", flush=True)
        super().setup()

    def finish(self):
        super().finish()
        print("closed", flush=True)

    def do_GET(self):
        global now, most
        with lock:
            now += 1
            if now > most:
                most = now
                print("at once", most, flush=True)
        if self.path.startswith("/wait/"):
            time.sleep(float(self.path[6:]))
            body = b"late"
        else:
            body = b"x" * int(self.path[1:])
        with lock:  # before the client can know, and come again
            now -= 1
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256


server = Server(("127.0.0.1", 0), Handler)
if len(sys.argv) > 1:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1])
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
print("port", server.server_address[1], flush=True)
server.serve_forever()
