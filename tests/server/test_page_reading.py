"""The page's tab for reading, in a headless Chromium: a drawn line, a picture of print, a recording."""

import base64
import json
import urllib.request

import numpy as np
import pytest
import tensorflow as tf

from tests.sounds import wav_file

RATE = 16_000


@pytest.fixture
def page(browser, readers):
    browser.open(f"http://127.0.0.1:{readers.rest_port}/")
    browser.wait("document.body.dataset.ready")
    return browser


def choose(page, model):
    page.run(
        """const select = document.getElementById('reader-model');
        select.value = arguments[0];
        select.dispatchEvent(new Event('change'))""",
        model,
    )


def seen(page, element):
    return page.run("return document.getElementById(arguments[0]).checkVisibility()", element)


def answer(readers, model, inputs):
    """What the server itself reads."""
    url = f"http://127.0.0.1:{readers.rest_port}/v1/models/{model}:predict"
    with urllib.request.urlopen(url, json.dumps({"inputs": inputs}).encode(), timeout=120) as found:
        return json.load(found)["outputs"]["text"][0]


def reading(page):
    return page.wait("(text => text && text !== 'Reading' && text)(document.getElementById('reading').textContent)")


def said(page):
    return page.wait("document.getElementById('alert').textContent")


def print_line():
    """A PNG of strokes such as print has."""
    page, rng = np.full((40, 200, 1), 255, np.uint8), np.random.default_rng(3)
    for x in range(8, 190, 9):
        page[int(rng.integers(5, 20)) : 30, x : x + 2] = 0
    return tf.io.encode_png(page).numpy()


def sound(rate):
    time = np.arange(rate // 2) / rate
    return wav_file(9000 * np.sin(2 * np.pi * 500 * time * (1 + time)) + 1, rate)


def test_a_drawn_line_is_read(page, readers):
    assert page.run("return [...document.querySelectorAll('[role=tab]')].map((tab) => tab.textContent)") == ["Reading"]
    choose(page, "ink-recognition")
    assert seen(page, "line")
    assert not seen(page, "reader-drop")
    page.click("#read")
    assert said(page) == "Draw a line first."
    strokes = [[(-300, 0), (-250, -40), (-200, 30), (-150, -30)], [(-50, 10), (0, -30), (60, 30), (150, -20)]]
    page.draw("#line", strokes)
    page.run("""const real = window.fetch;
        window.fetch = (path, options) => (window.body = options.body, real(path, options))""")
    page.click("#read")
    read = reading(page)
    assert page.text("#alert") == ""
    inputs = json.loads(page.run("return body"))["inputs"]
    points = np.array(inputs["points"][0])
    assert inputs["length"] == [len(points)]
    assert np.flatnonzero(points[:, 2]).tolist()[-1] == len(points) - 1
    assert points[:, 2].sum() == 2, "two strokes"
    middle = (points[:, :2].min(axis=0) + points[:, :2].max(axis=0)) / 2
    scale = np.ptp(points[:, 0]) / 450
    drawn = np.array([point for stroke in strokes for point in stroke])
    wanted = (drawn - (drawn.min(axis=0) + drawn.max(axis=0)) / 2) * scale
    corners = [np.abs(points[:, :2] - middle - corner).max(axis=1).min() for corner in wanted]
    assert max(corners) < 3, "it is what was drawn"
    assert answer(readers, "ink-recognition", inputs) in (read, "")
    page.click("#line-clear")
    page.click("#read")
    assert said(page) == "Draw a line first."
    assert page.text("#reading") == ""


def test_a_picture_of_print_is_read(page, readers):
    choose(page, "text-lines")
    assert seen(page, "reader-drop")
    assert not seen(page, "line")
    picture = print_line()
    page.drop("#reader-drop", "line.png", picture)
    read = reading(page)
    assert read == (answer(readers, "text-lines", [{"b64": base64.b64encode(picture).decode()}]) or "Nothing was read.")
    page.drop("#reader-drop", "line.txt", b"a line")
    assert "PNG or JPEG" in said(page)
    assert page.text("#reading") == ""


def test_a_recording_is_read(page, readers, tmp_path):
    choose(page, "speech")
    assert "WAV" in page.text("#reader-what")
    recording = sound(RATE)
    page.drop("#reader-drop", "word.wav", recording)
    read = reading(page)
    assert read == (answer(readers, "speech", [{"b64": base64.b64encode(recording).decode()}]) or "Nothing was read.")
    choose(page, "speech")
    assert page.text("#reading") == ""
    (tmp_path / "word.wav").write_bytes(recording)
    page.type("#reader-file", str(tmp_path / "word.wav"), clear=False)  # as a person's choice of a file
    assert reading(page) == read
    page.drop("#reader-drop", "word.wav", sound(8000))
    assert said(page) == "wav must have 16000 samples a second, not 8000"


def test_by_keyboard_alone_and_on_a_phone(page):
    try:
        page.size(420, 800)
        for model, focused in (("ink-recognition", "read"), ("text-lines", "reader-file"), ("speech", "reader-file")):
            choose(page, model)
            page.run("document.getElementById('reader-model').focus()")
            page.keys("\ue004")  # tab
            assert page.run("return document.activeElement.id") == focused
            assert page.run("return document.documentElement.scrollWidth <= window.innerWidth"), model
    finally:
        page.size(1000, 1000)
