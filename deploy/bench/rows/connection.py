"""A proxied GET whose credential a user has connected at a provider, beside one whose credential stands in the configuration."""

import http.cookiejar
import json
import re
import urllib.parse
import urllib.request

from stage import CONNECTIONS, GET


def connection(stage):
    upstream = stage.start_upstream()
    postern = stage.start_postern(upstream)
    connect(stage, postern)
    tokens = stage.token_file([stage.token(postern)])

    def measure(path):
        answer, cpu = stage.load("closed", postern, path, tokens, CONNECTIONS, stage.seconds)
        return [cpu * 1e6 / answer["requests"]]

    figures = stage.interleave({"static": GET, "connected": "/connected/customer"}, measure)
    stage.row("connected credential, CPU per request", figures["connected"][0], "static credential", figures["static"][0], "us", "<= 1.05")


def connect(stage, postern):
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
