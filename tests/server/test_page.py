"""The page at the server's root, in a headless Chromium that is asked through its WebDriver."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request

import numpy as np
import pytest

from tests.segmentation_data import encoded, scene

ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")


class Browser:
    """As much of WebDriver (w3.org/TR/webdriver2) as the tests need."""

    def __init__(self, driver, options):
        self._base = driver
        session = self._ask("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self._base = f"{driver}/session/{session['sessionId']}"

    def _ask(self, method, path, body=None):
        data = None if method == "GET" else json.dumps(body or {}).encode()
        request = urllib.request.Request(self._base + path, data, {"Content-Type": "application/json"}, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            raise AssertionError(json.load(error)["value"]["message"]) from error

    def open(self, url):
        self._ask("POST", "/url", {"url": url})

    def run(self, script, *arguments):
        return self._ask("POST", "/execute/sync", {"script": script, "args": list(arguments)})

    def _find(self, css):
        return self._ask("POST", "/element", {"using": "css selector", "value": css})[ELEMENT]

    def type(self, css, text, clear=True):
        element = self._find(css)
        if clear:
            self._ask("POST", f"/element/{element}/clear")
        self._ask("POST", f"/element/{element}/value", {"text": text})

    def click(self, css):
        self._ask("POST", f"/element/{self._find(css)}/click")

    def keys(self, *keys):
        actions = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._ask("POST", "/actions", {"actions": [{"type": "key", "id": "keys", "actions": actions}]})

    def draw(self, css, strokes):
        """Strokes of points, in pixels from the middle of an element."""
        origin, actions = {ELEMENT: self._find(css)}, []
        for stroke in strokes:
            for n, (x, y) in enumerate(stroke):
                actions.append({"type": "pointerMove", "origin": origin, "x": x, "y": y, "duration": 5})
                if n == 0:
                    actions.append({"type": "pointerDown", "button": 0})
            actions.append({"type": "pointerUp", "button": 0})
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": actions}
        self._ask("POST", "/actions", {"actions": [mouse]})

    def size(self, width, height):
        self._ask("POST", "/window/rect", {"width": width, "height": height})

    def wait(self, script, seconds=30):
        until = time.monotonic() + seconds
        while not (found := self.run(f"return {script}")):
            assert time.monotonic() < until, f"{script}; the page says: {self.text('#alert')}"
            time.sleep(0.05)
        return found

    def text(self, css):
        return self.run("return document.querySelector(arguments[0]).textContent", css)

    def close(self):
        self._ask("DELETE", "")


@pytest.fixture(scope="module")
def browser(server, tmp_path_factory):
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("downloads")
    process = subprocess.Popen([DRIVER, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(200):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/status")
                break
            except OSError:
                time.sleep(0.1)
        arguments = [
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--window-size=1000,1000",
        ]
        prefs = {"download.default_directory": str(folder), "download.prompt_for_download": False}
        browser = Browser(f"http://127.0.0.1:{port}", {"binary": CHROMIUM, "args": arguments, "prefs": prefs})
        browser.downloads = folder
        yield browser
        browser.close()
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def page(browser, server):
    browser.open(f"http://127.0.0.1:{server.rest_port}/")
    browser.wait("document.body.dataset.ready")
    return browser


def downloaded(page, name):
    until = time.monotonic() + 20
    while not (page.downloads / name).exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    return (page.downloads / name).read_bytes()


INK = "document.querySelector('#sheet path')?.getAttribute('d')?.split('L').length"


def test_a_text_is_written_stroke_by_stroke_and_downloaded(page, rest):
    page.run("""window.grown = new Set();
        new MutationObserver(() => grown.add(document.querySelector('#sheet path')?.getAttribute('d')?.length))
            .observe(document.getElementById('sheet'), {subtree: true, attributes: true, childList: true})""")
    page.type("#text", "cab abed")
    page.type("#seed", "7")
    page.click("#write")
    points = int(
        page.wait(
            "!document.getElementById('save-svg').disabled && document.getElementById('write-status').textContent"
        ).split()[0]
    )
    assert page.run("return grown.size") >= min(points // 48, 3), "it grew as it arrived"
    whole = rest("/v1/models/handwriting:predict", {"instances": [{"text": "cab abed", "bias": 1.0, "seed": [7, 0]}]})
    assert points == whole[1]["predictions"][0]["length"], "the chunks are the line of `generate`"
    assert page.run(f"return {INK}") > 10
    page.click("#save-svg")
    svg = downloaded(page, "line.svg").decode()
    assert svg.startswith("<svg")
    assert "<title>cab abed</title>" in svg
    page.click("#save-png")
    png = downloaded(page, "line.png")
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) == 1600


def test_in_the_hand_of_a_drawn_sample(page):
    page.run("document.querySelector('details').open = true")
    page.draw("#sample", [[(-200, 0), (-150, -30), (-100, 20), (-50, -20)], [(0, 10), (60, -30), (90, 30)]])
    page.type("#text", "ab")
    page.click("#write")
    assert "Say what the sample says" in page.wait("document.getElementById('alert').textContent")
    page.type("#sample-text", "de")
    page.click("#write")
    page.wait("!document.getElementById('save-svg').disabled")
    assert page.text("#alert") == ""
    page.click("#sample-clear")


def test_a_mistake_reads_as_a_person_should_read_it(page):
    page.type("#text", "Grüße")
    page.click("#write")
    said = page.wait("document.getElementById('alert').textContent")
    assert said.startswith("The alphabet does not have the characters")
    assert "ü" in said
    assert page.run("return getComputedStyle(document.getElementById('alert')).display") != "none"
    page.type("#text", "ab")
    page.click("#write")
    page.wait("!document.getElementById('save-svg').disabled")
    assert page.text("#alert") == "", "it goes when all is well"


def test_by_keyboard_alone_and_on_a_phone(page):
    page.run("document.getElementById('tab-handwriting').focus()")
    page.keys("\ue014")  # arrow to the right
    assert page.run("return document.activeElement.id") == "tab-text"
    assert page.run("return document.getElementById('panel-text').hidden") is False
    page.keys("\ue004")  # tab, into the panel
    assert page.run("return document.activeElement.id") == "prime"
    page.type("#prime", "dog")
    page.type("#tokens", "60")
    page.type("#text-seed", "1", clear=False)
    page.keys("\ue007")  # enter
    page.wait(
        "document.getElementById('text-stop').disabled && document.getElementById('story').textContent.length > 40"
    )
    assert page.text("#story").startswith("dog")
    try:
        page.size(420, 800)
        for tab in ("handwriting", "text", "segmentation"):
            page.click(f"#tab-{tab}")
            assert page.run("return document.documentElement.scrollWidth <= window.innerWidth"), tab
    finally:
        page.size(1000, 1000)


def test_a_dropped_picture_is_labelled(page):
    page.click("#tab-segmentation")
    content = base64.b64encode(encoded(scene(1)[0])).decode()
    page.run(
        """const bytes = Uint8Array.from(atob(arguments[0]), (c) => c.charCodeAt(0));
        const data = new DataTransfer();
        data.items.add(new File([bytes], 'scene.png', {type: 'image/png'}));
        document.getElementById('drop').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true}))""",
        content,
    )
    legend = page.wait("(text => text.startsWith('label') && text)(document.getElementById('legend').textContent)")
    assert np.isclose(sum(float(part.split()[2]) for part in legend.split(", ")), 100, atol=1)
    assert page.run("return document.getElementById('labels').width") == scene(1)[0].shape[1]


def test_the_page_needs_nothing_from_elsewhere(page, server):
    loaded = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded
    assert all(name.startswith(f"http://127.0.0.1:{server.rest_port}/") for name in loaded)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.rest_port}/") as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")
