"""A headless Chromium that is asked through its WebDriver."""

import base64
import json
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager

import pytest

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

    def drop(self, css, name, content):
        """A file dropped onto an element."""
        self.run(
            """const bytes = Uint8Array.from(atob(arguments[2]), (c) => c.charCodeAt(0));
            const data = new DataTransfer();
            data.items.add(new File([bytes], arguments[1]));
            const drop = new DragEvent('drop', {dataTransfer: data, bubbles: true});
            document.querySelector(arguments[0]).dispatchEvent(drop)""",
            css,
            name,
            base64.b64encode(content).decode(),
        )

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


@contextmanager
def chromium(downloads):
    """A headless Chromium that leaves what it downloads in a folder; tests are skipped where there is none."""
    if not (CHROMIUM and DRIVER):
        pytest.skip("needs chromium and chromedriver: apt-get install chromium chromium-driver")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
        prefs = {"download.default_directory": str(downloads), "download.prompt_for_download": False}
        browser = Browser(f"http://127.0.0.1:{port}", {"binary": CHROMIUM, "args": arguments, "prefs": prefs})
        browser.downloads = downloads
        yield browser
        browser.close()
    finally:
        process.terminate()
        process.wait()
