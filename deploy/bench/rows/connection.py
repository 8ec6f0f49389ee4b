"""A proxied GET whose credential a user has connected at a provider, beside one whose credential stands in the configuration."""

import http.cookiejar
import http.server
import json
import re
import threading
import urllib.parse
import urllib.request

from stage import CONNECTIONS, GET


def connection(stage):
    upstream = stage.start_upstream()
    provider = TokenEndpoint()
    stage.endings.callback(provider.shutdown)
    postern = stage.start_postern(upstream, provider=provider.server_port)
    connect(stage, postern, provider.server_port)
    tokens = stage.token_file([stage.token(postern)])

    def measure(path):
        answer, cpu = stage.load("closed", postern, path, tokens, CONNECTIONS, stage.seconds)
        return [cpu * 1e6 / answer["requests"]]

    figures = stage.interleave({"static": GET, "connected": "/connected/customer"}, measure)
    stage.row("connected credential, CPU per request", figures["connected"][0], "static credential", figures["static"][0], "us", "<= 1.05")


def connect(stage, postern, provider):
    """Connects an account of the subject that `stage.token` is for, as a browser does that follows a connect ticket."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{postern.admin_port}/api/v1/connect-tickets", method="POST",
        data=json.dumps({"subject": "bench", "provider": "vault"}).encode(),
        headers={"Content-Type": "application/json", "Authorization": f"Bearer {stage.token(postern, 'bench-operator')}"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        page = json.load(answer)["connect_url"]
    browser = urllib.request.build_opener(Stay, urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
    base = f"http://127.0.0.1:{postern.port}"
    with browser.open(base + urllib.parse.urlsplit(page)._replace(scheme="", netloc="").geturl(), timeout=10) as answer:
        form = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', answer.read().decode()))
    away = location(browser, f"{base}/connect/vault", urllib.parse.urlencode(form).encode())
    state = urllib.parse.parse_qs(urllib.parse.urlsplit(away).query)["state"][0]
    back = urllib.parse.urlencode({"code": "bench", "state": state})
    location(browser, f"{base}/connect/vault/callback?{back}")


def location(browser, url, form=None):
    request = urllib.request.Request(url, data=form, headers={"Origin": "http://127.0.0.1:8080"})
    try:
        with browser.open(request, timeout=10) as answer:
            return answer.geturl()
    except urllib.error.HTTPError as answer:
        if answer.code not in (302, 303):
            raise
        return answer.headers["Location"]


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: where it leads is what is asked."""

    def redirect_request(self, *_):
        return None


class TokenEndpoint(http.server.ThreadingHTTPServer):
    """Gives a token to whoever asks."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            self.rfile.read(int(self.headers["Content-Length"]))
            body = json.dumps({
                "access_token": "upstream-secret-of-a-user-0123456789", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r",
            }).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    def __init__(self):
        super().__init__(("127.0.0.1", 0), self.Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()
