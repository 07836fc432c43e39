#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Opens the HTML report in headless Chromium, as a person would: by pointer
and by keyboard, wide and narrow, light and dark.

    check_page.py BUILD [--shots DIR]     last line "N passed, N failed"

Speaks WebDriver to chromedriver with the standard library. Where Chromium is
not installed the line says "N skipped" too, and in CI (CI=... in the
environment) that is a failure, unless the distribution has none that a CI
machine could install: Ubuntu's is a snap.
"""

import base64
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import zlib

FAULT, PREFIX, CASE = "no-kick", "02-kick/", "02-kick/takeover"
WRONG = "02-kick/fenced-command"  # a frame comes that must not
LONG = "02-kick/other-slots-undisturbed"  # eight devices, and many frames
PAIR_CASE = "70-pair-session/take-over"
CLIENT_CASE = "60-client-history/count-lies"  # it asks for pages
WIDE, NARROW, NARROWEST = (1280, 900), (390, 800), (320, 640)
LIST_MAX, ATTENTION_MAX = 500, 12  # rows of a list at once, in views.js
SIZE_MAX = 700 * 1024  # of the page of the whole suite
# WebDriver's names of keys.
KEYS = {"Enter": "\ue007", "Tab": "\ue004", "Escape": "\ue00c",
        "Down": "\ue015", "Up": "\ue013", "End": "\ue010",
        "Right": "\ue014"}
# An adapter that ends when it is asked for a page, and says why.
DYING = """#!/usr/bin/python3
import subprocess, sys
inner = subprocess.Popen([{adapter!r}], stdin=subprocess.PIPE)
for line in sys.stdin.buffer:
    if b'"history"' in line:
        inner.kill()
        sys.exit("no page for you")
    inner.stdin.write(line)
    inner.stdin.flush()
inner.stdin.close()
inner.wait()
"""

passed = 0
failures = []


def check(ok, text):
    """Counts one check; `text` says what is wrong if it is not ok."""
    global passed
    if ok:
        passed += 1
    else:
        failures.append(text)
        print("not ok:", text)


class Browser:
    """A window of headless Chromium, with a profile of its own."""

    def __init__(self, driver, chromium, profile):
        self.driver = subprocess.Popen([driver, "--port=0"],
                                       stdout=subprocess.PIPE,
                                       stderr=subprocess.DEVNULL, text=True)
        port = None
        while port is None:
            line = self.driver.stdout.readline()
            if not line:
                raise RuntimeError("chromedriver did not start")
            match = re.search(r"successfully on port (\d+)", line)
            port = match and match.group(1)
        self.base = f"http://127.0.0.1:{port}/session"
        options = {"binary": chromium, "args": [
            "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking",
            "--disable-component-update", "--disable-sync",
            "--disable-dev-shm-usage", f"--user-data-dir={profile}"]}
        made = self.call("POST", "", {"capabilities": {"alwaysMatch": {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}}})
        self.base += "/" + made["sessionId"]

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.base + path, method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def js(self, script, *args):
        return self.call("POST", "/execute/sync",
                         {"script": script, "args": list(args)})

    def until(self, condition, text):
        """Waits for a condition of the page; fails the check after 10 s."""
        ok = self.call("POST", "/execute/async", {"args": [], "script": """
            const done = arguments[0], end = Date.now() + 10000;
            (function look() {
              let ok = false;
              try { ok = Boolean(%s); } catch { /* not there yet */ }
              if (ok || Date.now() > end) done(ok);
              else setTimeout(look, 20);
            })();""" % condition})
        check(ok, text)

    def open(self, path):
        # A fragment alone would not load the page anew.
        self.call("POST", "/url", {"url": "about:blank"})
        self.call("POST", "/url", {"url": f"file://{path}"})
        self.until("document.documentElement.dataset.ready === 'yes'",
                   f"{path}: it does not get ready")

    def size(self, size):
        # The window's own bars are not the page.
        self.cdp("Emulation.setDeviceMetricsOverride",
                 {"width": size[0], "height": size[1], "deviceScaleFactor": 1,
                  "mobile": size[0] < 600})

    def dark(self, on):
        self.cdp("Emulation.setEmulatedMedia", {"features": [
            {"name": "prefers-color-scheme", "value": "dark" if on else
             "light"}]})

    def cdp(self, command, params):
        return self.call("POST", "/goog/cdp/execute",
                         {"cmd": command, "params": params})

    def keys(self, *names):
        for name in names:
            key = KEYS.get(name, name)
            self.call("POST", "/actions", {"actions": [{
                "type": "key", "id": "keyboard", "actions": [
                    {"type": "keyDown", "value": key},
                    {"type": "keyUp", "value": key}]}]})

    def pointer(self, selector, click):
        """Moves the pointer over an element, and clicks it."""
        self.js("document.querySelector(arguments[0])"
                ".scrollIntoView({block: 'center'})", selector)
        x, y = self.js("""
            const r = document.querySelector(arguments[0])
              .getBoundingClientRect();
            return [Math.round(r.left + r.width / 2),
                    Math.round(r.top + r.height / 2)];""", selector)
        actions = [{"type": "pointerMove", "x": x, "y": y, "duration": 0}]
        if click:
            actions += [{"type": "pointerDown", "button": 0},
                        {"type": "pointerUp", "button": 0}]
        self.call("POST", "/actions", {"actions": [{
            "type": "pointer", "id": "mouse", "actions": actions}]})

    def text(self, selector):
        return self.js("const e = document.querySelector(arguments[0]);"
                       "return e ? e.innerText || e.textContent : null;", selector) or ""

    def count(self, selector):
        return self.js("return document.querySelectorAll(arguments[0]).length",
                       selector)

    def log(self, kind):
        return self.call("POST", "/se/log", {"type": kind})

    def shot(self, path):
        path.write_bytes(base64.b64decode(self.call("GET", "/screenshot")))

    def close(self):
        try:
            self.call("DELETE", "")
        finally:
            self.driver.terminate()
            self.driver.wait(timeout=60)


# ---------------------------------------------------------------- the reports


def run(build, server, page, *options, fault=None, adapter=None):
    env = dict(os.environ)
    env.pop("ROAM_FAULT", None)
    if fault:
        env["ROAM_FAULT"] = fault
    subprocess.run(
        [build / "roam-conform", *options,
         *(["--roamd", build / server] if server else []), "--html", page,
         *(["--", adapter] if adapter else [])], env=env,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)


def run_other_roles(build, directory):
    """A red pair, and a client whose adapter ends; paths of their pages."""
    pair, client = directory + "/pair.html", directory + "/client.html"
    adapter = build / "adapter-libroam"
    dying = pathlib.Path(directory, "dying")
    dying.write_text(DYING.format(adapter=str(adapter)))
    dying.chmod(0o700)
    run(build, "roamd-faulty", pair, "pair", "--case", PAIR_CASE, "--timeout",
        "2000", fault=FAULT, adapter=adapter)
    run(build, None, client, "client", "--case", CLIENT_CASE, adapter=dying)
    return pair, client


def by_pointer(browser, page):
    """A failed case is clicked open, then one of its frames."""
    browser.open(page)
    check(browser.text(".result").endswith("unexpected"), "result of the run")
    check(browser.count("#attention .list li") >= 1, "nothing is listed as red")
    check("old< KICK" in browser.text("#attention"),
          "the list does not tell what a case waited for")
    check(browser.count(".cell.fail") >= 1, "no red cell in the matrix")
    browser.pointer(f'.cell[href="#/case/{CASE}"]', True)
    browser.until("document.querySelector('.chart .event')", "no chart")
    check(browser.text("h1") == CASE, f"heading {browser.text('h1')}")
    failure = browser.text("#failure")
    for part in ("KICK-1", "MUST end the session displaced",
                 "KICK reason=TAKEN_OVER", f"--case {CASE} --seed"):
        check(part in failure, f"failure does not tell {part}: {failure}")
    check(browser.text(".chart .absence .missing") or
          browser.count(".event.failed"), "the chart shows no failure")
    check(browser.text(".source li.failed").startswith("old< KICK"),
          "the failed step is not marked")
    browser.pointer('.event[aria-label*="LOGIN, "] .hit', True)
    browser.until("document.querySelector('.inspector table')",
                  "a click opens no frame")
    inspector = browser.text(".inspector")
    for part in ("LOGIN", "old → server", "@4", "protocol", "device_type",
                 "PHONE"):
        check(part in inspector, f"inspector does not tell {part}")
    browser.pointer(".inspector tbody tr:nth-child(2)", False)
    lit = browser.js("return [...document.querySelectorAll('.hex i.on')]"
                     ".map(e => e.innerText).join('')")
    check(re.match("12..616c696365", lit or ""), f"bytes under the pointer: {lit}")


def failed_frame(browser, page):
    """Where a frame came that must not have, it is marked and decoded."""
    browser.open(page + f"#/case/{WRONG}")
    browser.until("document.querySelector('.event.failed.on')",
                  "the wrong frame is not marked")
    check(browser.text(".inspector h2").startswith("✗"),
          f"inspector: {browser.text('.inspector h2')}")
    check("WHAT CAME" in browser.text("#failure").upper() and
          re.search(r"@\d+ +\w+=", browser.text("#failure")),
          "what came is not told")


def by_keyboard(browser, page):
    """The same without a pointer."""
    browser.open(page)
    browser.keys("/")
    check(browser.js("return document.activeElement.type") == "search",
          "/ does not search")
    browser.keys(*"loses its slot kick-1")
    browser.until("document.querySelectorAll('section:last-of-type .list a')"
                  ".length === 1", "search does not find one case")
    browser.keys("Tab")
    for _ in range(12):
        if browser.js("return document.activeElement.getAttribute('href')") \
                == "#/case/" + CASE:
            break
        browser.keys("Tab")
    browser.keys("Enter")
    browser.until("document.querySelector('.chart .event')",
                  "Enter opens no case")
    for _ in range(20):
        if browser.js("return document.activeElement.matches('.event')"):
            break
        browser.keys("Tab")
    check(browser.js("return document.activeElement.matches('.event')"),
          "the chart cannot be reached by Tab")
    browser.until("document.querySelector('.inspector h2')",
                  "focus opens no frame")
    first = browser.text(".inspector h2")
    check(first.startswith("✗"), f"what failed is not the first: {first}")
    browser.keys("Up")
    browser.until(f"document.querySelector('.inspector h2').innerText !== "
                  f"{json.dumps(first)}", "Up does not move on")
    check(browser.count(".event.on") == 1, "more than one event is marked")
    browser.keys("Down")
    browser.until(f"document.querySelector('.inspector h2').innerText === "
                  f"{json.dumps(first)}", "Down does not move back")
    browser.keys("Escape")
    browser.until("location.hash === '#/'", "Escape does not go back")
    browser.keys("n")
    browser.until("location.hash.startsWith('#/case/')", "n opens nothing")


def failure_in_the_chart(browser, page):
    """Where nothing came, that is an event; in a long chart it is one key
    away, and the names of the devices stay."""
    browser.size((WIDE[0], 600))
    browser.open(page + f"#/case/{LONG}")
    browser.until("document.querySelector('.event.absence.on')",
                  "what did not come is not marked")
    check("phone< KICK" in browser.text(".inspector"),
          f"the step is not told: {browser.text('.inspector')}")
    check(browser.count(".event.absence .shaft") == 1,
          "no arrow where the frame should have come")
    browser.keys("f")
    browser.until("document.activeElement.matches('.event.failed')",
                  "f does not go to what failed")
    names, event, screen = browser.js("""
        const box = e => document.querySelector(e).getBoundingClientRect();
        return [[box('header').bottom, box('.names').top, box('.names').bottom],
          [box('.event.failed').top, box('.event.failed').bottom],
          innerHeight];""")
    check(abs(names[0] - names[1]) < 2, f"names of the devices went: {names}")
    check(names[2] <= event[0] and event[1] <= screen,
          f"what failed cannot be seen: {names} {event} {screen}")
    browser.pointer('.event[aria-label*="LOGIN, "] .hit', False)
    browser.until("document.querySelector('.event title')?.textContent"
                  ".includes('@4 protocol 1')",
                  "nothing is decoded under the pointer")
    browser.size(WIDE)


def there_and_back(browser, page):
    """Back finds the search, the place and the focus as they were."""
    browser.open(page)
    browser.keys("/", *"kick")
    browser.js("scrollTo(0, 300)")
    browser.pointer(f'section:last-of-type .list a[href="#/case/{LONG}"]', True)
    browser.until("document.activeElement.matches('h1')",
                  "the heading has no focus")
    browser.js("history.back()")
    browser.until(f"document.activeElement.getAttribute('href') === "
                  f"'#/case/{LONG}'", "back does not find the focus")
    check(browser.js("return document.querySelector('input').value") == "kick"
          and browser.js("return scrollY") > 0, "back does not find the search")
    browser.open(page + f"#/case/{CASE}")
    browser.pointer("#failure a.rule", True)
    browser.until("document.querySelector('#rule-KICK-1.here')"
                  ".getBoundingClientRect().bottom < innerHeight",
                  "a rule's name does not lead to it")
    browser.open(page + "#/case/no/such")
    check("#/case/no/such" in browser.text(".lost"),
          "an address that is not there is not told")


def matrix(browser, page):
    """Each case has a cell and an address of its own; Tab goes by rows."""
    browser.open(page)
    hrefs = browser.js("return [...document.querySelectorAll('.cell')]"
                       ".map(c => c.getAttribute('href'))")
    check(len(set(hrefs)) == len(hrefs) > 5, f"cells: {hrefs[:3]}")
    check(browser.count('.cell[tabindex="0"]') == browser.count(".area"),
          "Tab stops at every cell")
    browser.js("document.querySelector('.area:last-of-type .cell').focus()")
    browser.keys("Right")
    check(browser.js("return document.activeElement.getAttribute('href')")
          == hrefs[-len(browser.js("return [...document.querySelectorAll("
                                   "'.area:last-of-type .cell')].map(c => 1)"))
                   + 1], "Right does not go along")
    browser.open(page + "#/case/00-sanity/alive~again")
    check(browser.text("h1").endswith("(again)"), "the last case is not there")


def with_cases(page, count, standing):
    """A copy of the page with so many rounds of its first case."""
    text = pathlib.Path(page).read_text()
    packed = re.search(r'(?<=id="data">)\s*\S+', text)
    data = json.loads(zlib.decompress(base64.b64decode(packed.group()), -15))
    case = dict(data["cases"][0], standing=standing)
    data["cases"] = [dict(case, round=i) for i in range(count)]
    deflate = zlib.compressobj(wbits=-15)
    again = deflate.compress(json.dumps(data).encode()) + deflate.flush()
    copy = pathlib.Path(f"{page}.{count}.html")
    copy.write_text(text[:packed.start()] + base64.b64encode(again).decode()
                    + text[packed.end():])
    return copy


def very_many(browser, page):
    """Lists stay short until they are asked for all."""
    browser.open(with_cases(page, LIST_MAX, "as-expected"))
    rows = "section:last-of-type .list li"
    check(browser.count(rows) == LIST_MAX and
          browser.js("return document.querySelector('.more-rows').hidden"),
          "a list of the longest is cut")
    browser.open(with_cases(page, LIST_MAX + 1, "as-expected"))
    check(browser.count(rows) == LIST_MAX, "a longer list is not cut")
    browser.pointer(".more-rows", True)
    browser.until(f"document.querySelectorAll('{rows}').length === "
                  f"{LIST_MAX + 1}", "the rest of a list does not come")
    check(browser.count(".cell") == 1, "all rounds have cells")
    for count, details in ((ATTENTION_MAX, 0), (ATTENTION_MAX + 1, 1)):
        browser.open(with_cases(page, count, "unexpected"))
        check(browser.count("#attention details li") == details,
              f"{count} that are not as expected: what is folded")
        check(browser.count(".cell") == count, "red rounds have no cells")


def other_roles(browser, pair, client):
    """Whose it is, and the last words of an adapter."""
    browser.open(pair + f"#/case/{PAIR_CASE}")
    check("Blame: the server" in browser.text("#failure"),
          f"no blame: {browser.text('#failure')}")
    browser.open(client + f"#/case/{CLIENT_CASE}")
    check("no page for you" in browser.text("#failure"),
          f"standard error is not told: {browser.text('#failure')}")


# Text below 4.5:1 (3:1 when large), as WCAG 2 asks for.
CONTRAST = """
  const part = v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4;
  const light = c => .2126 * part(c[0]) + .7152 * part(c[1]) + .0722 * part(c[2]);
  const rgb = s => { const n = s.match(/[\\d.]+/g).map(Number);
    return n.length < 4 ? [...n, 1] : n; };
  const paint = e => e.ownerSVGElement
    ? [...(e.closest('.event, .names g')?.querySelectorAll('rect') || [])]
      .map(r => rgb(getComputedStyle(r).fill)).find(c => c[3] === 1)
      || behind(e.ownerSVGElement.parentElement) : behind(e);
  const behind = e => { for (; e; e = e.parentElement) {
    const c = rgb(getComputedStyle(e).backgroundColor);
    if (c[3] === 1) return c; } return [255, 255, 255, 1]; };
  const bad = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const e = walk.currentNode.parentElement, style = getComputedStyle(e);
    if (!walk.currentNode.data.trim() || !e.getClientRects().length) continue;
    const ink = rgb(e.ownerSVGElement ? style.fill : style.color);
    const [a, b] = [light(ink), light(paint(e))].sort((x, y) => y - x);
    const least = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    if ((a + .05) / (b + .05) < least) {
      bad.push(walk.currentNode.data.trim().slice(0, 20) + ' '
        + ((a + .05) / (b + .05)).toFixed(2));
    }
  }
  return bad;"""


def can_be_read(browser, name):
    """Contrast of all texts, and headings without a missing level."""
    bad = browser.js(CONTRAST)
    check(not bad, f"{name}: contrast: {bad[:4]}")
    levels = browser.js("return [...document.querySelectorAll('main h1,"
                        "main h2,main h3')].map(h => +h.tagName[1])")
    check(levels[0] == 1 or 1 in levels, f"{name}: headings {levels}")
    check(all(b <= a + 1 for a, b in zip(levels, levels[1:])),
          f"{name}: headings {levels}")


def no_overflow(browser, name):
    wide = browser.js("return document.documentElement.scrollWidth"
                      " - document.documentElement.clientWidth")
    check(wide <= 0, f"{name}: {wide} pixels wider than the screen")


def at_size(browser, page, size, dark, shots):
    name = f"{size[0]}{'-dark' if dark else ''}"
    browser.size(size)
    browser.dark(dark)
    for view in ("", f"#/case/{CASE}", "#/rules", "#/broken"):
        browser.open(page + view)
        browser.until("document.querySelector('h1')", f"{name} {view}: empty")
        if "case" in view:
            browser.until("document.querySelector('.chart .event')",
                          f"{name}: no chart")
            browser.pointer('.event[aria-label*="LOGIN, "] .hit', True)
            browser.until("document.querySelector('.inspector.shown table')",
                          f"{name}: no frame")
        no_overflow(browser, f"{name} {view}")
        can_be_read(browser, f"{name} {view}")
        if shots:
            browser.shot(shots / f"{name}{view.replace('/', '_')}.png")
    paper = browser.js("return getComputedStyle(document.body).backgroundColor")
    bright = sum(int(n) for n in re.findall(r"\d+", paper)[:3]) > 380
    check(bright != dark, f"{name}: paper is {paper}")


def whole_suite(browser, page):
    """Its size, its rules and its matrix of broken peers."""
    check(os.path.getsize(page) < SIZE_MAX,
          f"the page has {os.path.getsize(page)} bytes")
    browser.open(page + "#/broken")
    check(browser.text("tbody tr td:nth-child(2)") == FAULT, "kill matrix")
    browser.size(NARROWEST)
    check(browser.js("return document.querySelector('tbody tr').offsetHeight")
          < 60, "kill matrix: words are broken")
    no_overflow(browser, "kill matrix")
    browser.size(WIDE)
    browser.open(page + "#/rules")
    check(browser.count(".list li") > 50, "rules are missing")
    browser.pointer(".chip", True)
    browser.until("document.querySelector('[aria-live]').innerText.includes(' of ')",
                  "a chip does not filter")
    browser.open(page + "#/case/07-batch/long-backlog")
    browser.until("document.querySelector('.chart .event')", "no chart")
    browser.pointer('.event[aria-label*="BATCH, "] .hit', True)
    browser.until("document.querySelector('.inspector').innerText"
                  ".match(/Columns, inflated[\\s\\S]*body_length/i)",
                  "a batch is not inflated")


def nothing_from_elsewhere(browser, page):
    """Only the file itself was asked for, and no script complained."""
    asked = set()
    for entry in browser.log("performance"):
        message = json.loads(entry["message"])["message"]
        params = message["params"]
        # The browser's own first page is not ours.
        if message["method"] == "Network.requestWillBeSent" and \
                params["documentURL"].startswith("file://"):
            asked.add(params["request"]["url"].split("#")[0])
    check(asked and all(u.startswith(("file://", "data:")) for u in asked),
          f"asked for {asked}")
    errors = [e["message"] for e in browser.log("browser")
              if e["level"] == "SEVERE"]
    check(not errors, f"console: {errors[:3]}")
    text = pathlib.Path(page).read_text()
    check(not re.search(r"(?:src|href)=\"(?:https?:|//)|@import|url\(", text),
          "the page names something elsewhere")


def find_programs():
    chromium = next((p for p in map(shutil.which, (
        "chromium", "chromium-browser", "google-chrome")) if p), None)
    return shutil.which("chromedriver"), chromium


def is_packaged():
    """Whether the distribution has a chromedriver to install."""
    if not shutil.which("apt-cache"):
        return True
    told = subprocess.run(["apt-cache", "policy", "chromium-driver"],
                          capture_output=True, encoding="utf-8")
    return re.search(r"Candidate: \d", told.stdout) is not None


def main():
    driver, chromium = find_programs()
    if not driver or not chromium:
        print("chromium and chromedriver are not installed: "
              "nothing was looked at")
        missing = os.environ.get("CI") and is_packaged()
        print("0 passed, 1 failed" if missing
              else "1 passed, 0 failed, 1 skipped")
        return 1 if missing else 0
    build = pathlib.Path(sys.argv[1]).resolve()
    shots = pathlib.Path(sys.argv[3]) if "--shots" in sys.argv else None
    with tempfile.TemporaryDirectory() as directory:
        red, full = directory + "/red.html", directory + "/full.html"
        run(build, "roamd-faulty", red, "server", "--case", PREFIX,
            "--timeout", "1500", fault=FAULT)
        run(build, "roamd-faulty", full, "broken", "--fault", FAULT)
        pair, client = run_other_roles(build, directory)
        browser = Browser(driver, chromium, directory + "/profile")
        try:
            browser.size(WIDE)
            by_pointer(browser, red)
            failed_frame(browser, red)
            by_keyboard(browser, red)
            failure_in_the_chart(browser, red)
            there_and_back(browser, red)
            matrix(browser, red)
            very_many(browser, red)
            other_roles(browser, pair, client)
            for size in (WIDE, NARROW, NARROWEST):
                for dark in (False, True):
                    at_size(browser, red, size, dark, shots)
            browser.size(WIDE)
            whole_suite(browser, full)
            nothing_from_elsewhere(browser, red)
        finally:
            browser.close()
    print(f"{passed} passed, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
