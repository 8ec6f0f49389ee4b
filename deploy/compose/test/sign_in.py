"""Signs in as alice, allows PrintMyPics, redeems the code and prints the access token.

    sign_in.py ORIGIN SECRETS_FOLDER        standard library only; see Tests/BrowserTests for the pages themselves
"""

import base64
import html
import http.cookiejar
import json
import pathlib
import re
import secrets
import sys
import urllib.error
import urllib.parse
import urllib.request

REDIRECT_URI = "http://127.0.0.1:9/callback"  # nobody listens: the answer is read off the redirect
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"  # RFC 7636 appendix B
CHALLENGE = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


class StopAtClient(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, request, file, code, message, headers, target):
        if target.startswith(REDIRECT_URI):
            return None
        return super().redirect_request(request, file, code, message, headers, target)


origin, folder = sys.argv[1], pathlib.Path(sys.argv[2])
browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()), StopAtClient)


def visit(target, form=None, **fields):
    """The page, or where the client is sent."""
    data = urllib.parse.urlencode(form).encode() if form else None
    request = urllib.request.Request(urllib.parse.urljoin(origin, target), data, fields)
    try:
        return browser.open(request, timeout=10).read().decode()
    except urllib.error.HTTPError as answer:
        if answer.code not in (302, 303):
            sys.exit(f"{target}: {answer.code} {answer.read().decode()[:500]}")
        return answer.headers["Location"]


def submit(page, **values):
    """Sends the page's first form."""
    form = page[page.index("<form"):page.index("</form>")]
    hidden = [tag for tag in re.findall(r"<input [^>]*>", form) if 'type="hidden"' in tag]
    named = {attribute(tag, "name"): attribute(tag, "value") for tag in hidden}
    return visit(attribute(form, "action"), named | values, Origin=origin)


def attribute(tag, name):
    return html.unescape(re.search(rf'\b{name}="([^"]*)"', tag).group(1))


state = secrets.token_urlsafe(8)
query = {
    "response_type": "code", "client_id": "printmypics", "redirect_uri": REDIRECT_URI, "scope": "photos.read",
    "state": state, "code_challenge": CHALLENGE, "code_challenge_method": "S256",
}
page = visit("/oauth/authorize?" + urllib.parse.urlencode(query))
page = submit(page, username="alice", password=(folder / "alice_password").read_text())
answer = submit(page, decision="approve")
parameters = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(answer).query))
if "code" not in parameters or parameters.get("state") != state:
    sys.exit(f"no code, or another state: {answer[:500]}")

client = base64.b64encode(b"printmypics:" + (folder / "printmypics_secret").read_bytes()).decode()
form = {
    "grant_type": "authorization_code", "code": parameters["code"], "redirect_uri": REDIRECT_URI,
    "code_verifier": VERIFIER,
}
print(json.loads(visit("/oauth/token", form, Authorization=f"Basic {client}"))["access_token"])
