"""Drives the pages of a running Postern with Chromium, as a resource owner would.

    browser_test.py BASE_URL --password-file FILE [--username alice] [--client-id printmypics] [--callback-path PATH]

Needs PyPI playwright and axe-playwright-python, and Chromium: the system's, or else Playwright's. The client must have
a redirect URI at PATH on 127.0.0.1, on whose port RFC 8252 section 7.3 leaves us free: its server is here. Every check is
one line; the last line is `N passed, N failed`, and the exit status says whether any failed.
"""

import argparse
import base64
import hashlib
import http.server
import secrets
import shutil
import signal
import sys
import threading
import urllib.parse

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import TimeoutError as PlaywrightTimeout
from playwright.sync_api import sync_playwright

STATE = "a b+c%20&=/?#é\"'<script>~"  # what an unlucky client may send; it comes back byte for byte
REQUIRED_FIELDS = {
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
}


class Callback(http.server.BaseHTTPRequestHandler):
    """The client's redirect URI: remembers the query it was called with."""

    path_of_client = ""
    queries = []

    def do_GET(self):
        path, _, query = self.path.partition("?")
        if path == Callback.path_of_client:
            Callback.queries.append(query)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.end_headers()
        self.wfile.write(b"<!doctype html><html lang=en><title>client</title><h1>client</h1>")

    def log_message(self, *arguments):
        pass


class Checks:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def __call__(self, law, holds, detail=""):
        if holds:
            self.passed += 1
            print(f"pass  {law}")
        else:
            self.failed += 1
            print(f"FAIL  {law}  {detail}")


class Session:
    """One browser with its own cookies."""

    def __init__(self, browser, options, check, **context):
        self.options = options
        self.check = check
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.complaints = []
        self.page.on("console", lambda message: "Content Security Policy" in message.text and self.complaints.append(message.text))

    def authorize(self, scope, **more):
        verifier = secrets.token_urlsafe(32)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        parameters = {
            "response_type": "code",
            "client_id": self.options.client_id,
            "redirect_uri": self.options.redirect_uri,
            "scope": scope,
            "state": STATE,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            **more,
        }
        query = urllib.parse.urlencode(parameters, quote_via=urllib.parse.quote)
        Callback.queries.clear()
        return self.page.goto(f"{self.options.base}/oauth/authorize?{query}")

    def sign_in(self, password):
        self.page.get_by_label("User name").fill(self.options.username)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()

    def answer(self):
        """The parameters that reached the client, decoded; empty when none did."""
        try:
            self.page.wait_for_url(lambda url: url.startswith(self.options.redirect_uri), timeout=5_000)
        except PlaywrightTimeout:
            return {}
        return dict(urllib.parse.parse_qsl(Callback.queries[-1], keep_blank_values=True, strict_parsing=True))

    def picture(self, name, size):
        if not self.options.screenshots:
            return
        before = self.page.viewport_size
        self.page.set_viewport_size(size)
        self.page.screenshot(path=f"{self.options.screenshots}/{name.replace(' ', '-').replace(',', '')}.png")
        self.page.set_viewport_size(before)

    def inspect(self, name, response=None):
        """Accessibility, one heading, language, and no sideways scrolling on a small phone."""
        violations = Axe().run(self.page).response["violations"]
        found = ", ".join(f"{v['id']} ({v['nodes'][0]['html'][:80]})" for v in violations)
        self.check(f"{name}: axe finds nothing", not violations, found)
        self.check(f"{name}: one h1", self.page.locator("h1").count() == 1)
        self.check(f"{name}: language is named", self.page.locator("html").get_attribute("lang") == "en")
        self.check(f"{name}: no script", self.page.locator("script").count() == 0)
        self.picture(f"{name} desktop", {"width": 1280, "height": 900})
        self.picture(f"{name} phone", {"width": 390, "height": 844})
        size = self.page.viewport_size
        self.page.set_viewport_size({"width": 320, "height": 640})
        fits = self.page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
        self.check(f"{name}: fits 320 px", fits)
        self.page.set_viewport_size(size)
        if response is not None:
            fields = response.headers
            for field, value in REQUIRED_FIELDS.items():
                self.check(f"{name}: {field}", fields.get(field) == value, fields.get(field))
            policy = fields.get("content-security-policy", "")
            self.check(f"{name}: frames are refused", "frame-ancestors 'none'" in policy, policy)
            self.check(f"{name}: no script may run", "default-src 'none'" in policy and "script-src" not in policy, policy)


def first_visit(session, password):
    check, page = session.check, session.page
    response = session.authorize(session.options.narrow_scope)
    check("a stranger is asked to sign in", page.get_by_role("heading", name="Sign in").is_visible())
    session.inspect("sign-in", response)

    before = {cookie["value"] for cookie in session.context.cookies() if "postern" in cookie["name"]}
    session.sign_in("not the password")
    check("a wrong password is told", page.get_by_role("alert").is_visible())
    check("the user name is kept, the password is not",
          page.get_by_label("User name").input_value() == session.options.username
          and page.get_by_label("Password").input_value() == "")
    session.inspect("sign-in refused")
    session.sign_in(password)
    cookies = [cookie for cookie in session.context.cookies() if "postern" in cookie["name"]]
    check("the session id changes at sign-in", bool(before) and not before & {cookie["value"] for cookie in cookies})
    secure = session.options.base.startswith("https:")
    check("the cookie is HttpOnly, SameSite=Lax and of this host only",
          all(c["httpOnly"] and c["sameSite"] == "Lax" and c["path"] == "/" and c["secure"] == secure for c in cookies), cookies)
    check("under https the cookie has the __Host- prefix", all(c["name"].startswith("__Host-") == secure for c in cookies), cookies)

    check("consent is asked for", page.get_by_role("button", name="Allow").is_visible())
    check("no password and no code in the address", password not in page.url and "code=" not in page.url, page.url)
    session.inspect("consent")
    boxes = [page.get_by_role("button", name=name).bounding_box() for name in ("Deny", "Allow")]
    check("Deny is as large as Allow", boxes[0]["width"] == boxes[1]["width"] and boxes[0]["height"] == boxes[1]["height"], boxes)
    check("buttons are large enough to touch", all(box["height"] >= 44 for box in boxes), boxes)

    page.get_by_role("button", name="Deny").click()
    answer = session.answer()
    check("RFC 6749 §4.1.2.1: deny is access_denied", answer.get("error") == "access_denied", answer)
    check("RFC 6749 §4.1.2.1: state comes back byte for byte with the error", answer.get("state") == STATE, answer)


def consent_by_keyboard(session):
    check, page = session.check, session.page
    session.authorize(session.options.narrow_scope)
    check("what was denied is asked again", page.get_by_role("button", name="Allow").is_visible())
    page.get_by_role("button", name="Deny").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    answer = session.answer()
    check("RFC 6749 §4.1.2: Allow by keyboard yields a code", bool(answer.get("code")), answer)
    check("RFC 6749 §4.1.2: state comes back byte for byte", answer.get("state") == STATE, answer)
    check("RFC 9207 §2: the answer names the issuer", answer.get("iss") == session.options.issuer, answer)

    session.authorize(session.options.narrow_scope)
    check("consent is remembered", bool(session.answer().get("code")))
    session.authorize(session.options.wide_scope)
    check("a wider scope asks again", page.get_by_role("button", name="Allow").is_visible())
    session.inspect("consent, wider scope")
    session.authorize(session.options.narrow_scope, prompt="consent")
    check("prompt=consent asks again", page.get_by_role("button", name="Allow").is_visible())
    session.authorize(session.options.narrow_scope, prompt="login")
    check("prompt=login asks for the password again", page.get_by_label("Password").is_visible())
    session.inspect("sign-in again")


def errors_stay_here(session):
    check, page = session.check, session.page
    response = session.authorize(session.options.narrow_scope, redirect_uri="https://evil.example/callback")
    check("RFC 6749 §3.1.2.4: a foreign redirect URI gets a page, not a redirect",
          response.status == 400 and page.url.startswith(session.options.base), page.url)
    session.inspect("error", response)


def account_page(session):
    check, page, base = session.check, session.page, session.options.base
    response = page.goto(f"{base}/account")
    remove = page.get_by_role("button", name="Remove access of")
    check("the account page lists the client", remove.count() == 1)
    session.inspect("account", response)
    remove.first.click()
    check("access can be removed", page.get_by_role("status").is_visible() and remove.count() == 0)
    session.inspect("account, nothing allowed")
    session.authorize(session.options.narrow_scope)
    check("after removal consent is asked again", page.get_by_role("button", name="Allow").is_visible())

    page.goto(f"{base}/account")
    page.get_by_role("button", name="Sign out").click()
    check("signing out is confirmed", page.get_by_role("status").is_visible())
    session.inspect("signed out")
    page.goto(f"{base}/account")
    check("after signing out the account is closed", page.get_by_label("Password").is_visible())


def whole_story(session, password):
    """Alice lets PrintMyPics in, connects her account at CloudVault, and gets her photos printed."""
    check, page, base = session.check, session.page, session.options.base
    shop = f"{session.options.shop}/printmypics"
    page.goto(shop)
    page.get_by_role("button", name="Get my photos from CloudVault").click()
    session.sign_in(password)
    page.get_by_role("button", name="Allow").click()
    check("without a connection the shop gets no photos and says what to do",
          page.get_by_role("heading", name="Connect your CloudVault account").is_visible())
    session.inspect("connect first")
    page.get_by_role("link", name="Connect CloudVault").click()
    check("CloudVault asks for itself", page.get_by_role("heading", name="Sign in to CloudVault").is_visible())
    check("no token and no secret in the address", "secret" not in page.url and "token" not in page.url, page.url)
    session.inspect("CloudVault asks")
    page.get_by_role("button", name="Deny").click()
    check("a no connects nothing, and the page says what to do",
          page.get_by_role("heading", name="was not connected").is_visible() and page.url.startswith(base))
    session.inspect("connection denied")
    reused = page.reload()
    check("an answer that comes twice is over", reused.status == 400)
    session.inspect("connection attempt over", reused)

    page.goto(f"{base}/connect/my-cloudvault")
    page.get_by_label("Your name at CloudVault").fill("alice in the cloud")
    page.get_by_role("button", name="Allow").click()
    check("the account page shows the connection",
          page.get_by_text("The account was connected").is_visible() and page.get_by_text("Connected since").is_visible())
    check("with its scopes", page.get_by_text("read_photos").is_visible())
    check("not used yet", page.get_by_text("Not used yet").is_visible())
    session.inspect("account, connected")

    page.goto(shop)
    page.get_by_role("button", name="Get my photos from CloudVault").click()
    check("the photos are printed", page.get_by_role("heading", name="3 photos ready to print").is_visible())
    page.goto(f"{base}/connect/my-cloudvault/callback?state=made-up&code=x")
    check("a wrong state leads nowhere", page.url.startswith(base) and page.get_by_role("link", name="Your account page").is_visible())
    page.goto(f"{base}/account")
    page.get_by_role("button", name="Disconnect my-cloudvault").click()
    check("disconnecting is confirmed", page.get_by_text("The account was disconnected").is_visible())
    page.goto(shop)
    page.get_by_role("button", name="Print again later").click()
    check("after disconnecting nothing is printed", page.get_by_role("heading", name="Connect your CloudVault account").is_visible())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", metavar="BASE_URL")
    parser.add_argument("--issuer", help="default: BASE_URL")
    parser.add_argument("--client-id", default="printmypics")
    parser.add_argument("--callback-path", default="/printmypics/callback", help="as `postern dev` registers it")
    parser.add_argument("--narrow-scope", default="photos.read")
    parser.add_argument("--wide-scope", default="photos.read albums.list")
    parser.add_argument("--username", default="alice")
    parser.add_argument("--password-file", required=True)
    parser.add_argument("--shop", help="origin of PrintMyPics; without it, the story with CloudVault is left out")
    parser.add_argument("--screenshots", help="folder for pictures of the inspected pages, at desktop and phone width")
    parser.add_argument("--chromium", default=shutil.which("chromium"))
    options = parser.parse_args()
    options.base = options.base.rstrip("/")
    options.issuer = options.issuer or options.base
    with open(options.password_file, encoding="utf-8") as file:
        password = file.read().rstrip("\n")

    client = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Callback)
    threading.Thread(target=client.serve_forever, daemon=True).start()
    Callback.path_of_client = options.callback_path
    options.redirect_uri = f"http://127.0.0.1:{client.server_port}{options.callback_path}"

    # Unwinds, so that the browser is closed as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    check = Checks()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=options.chromium, args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"])
        session = Session(browser, options, check, viewport={"width": 390, "height": 844})
        first_visit(session, password)
        consent_by_keyboard(session)
        errors_stay_here(session)
        account_page(session)
        check("the content security policy blocked nothing", not session.complaints, session.complaints)

        dark = Session(browser, options, check, color_scheme="dark")
        dark.authorize(options.narrow_scope)
        dark.inspect("sign-in, dark")
        dark.sign_in(password)
        dark.inspect("consent, dark")

        if options.shop:
            story = Session(browser, options, check, viewport={"width": 1280, "height": 900})
            whole_story(story, password)
            check("the content security policies of the story blocked nothing", not story.complaints, story.complaints)
        browser.close()
    client.shutdown()
    print(f"{check.passed} passed, {check.failed} failed")
    return 1 if check.failed else 0


if __name__ == "__main__":
    sys.exit(main())
