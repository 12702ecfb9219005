"""The page at the server's root, in a headless Chromium that is asked through its WebDriver."""

import base64
import io
import json
import time
import urllib.request
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from tests.segmentation_data import LABELS, encoded, scene


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


WRITTEN = "!document.getElementById('save-svg').disabled && document.getElementById('write-status').textContent"
TEXT = "cab abed dabce bead ace dab bed cad abba"  # of several chunks
INK = "document.querySelector('#sheet path')?.getAttribute('d')?.split('L').length"


def test_a_text_is_written_stroke_by_stroke_and_downloaded(page, rest):
    page.run("""window.grown = new Set();
        new MutationObserver(() => grown.add(document.querySelector('#sheet path')?.getAttribute('d')?.length))
            .observe(document.getElementById('sheet'), {subtree: true, attributes: true, childList: true})""")
    page.type("#text", TEXT)
    page.type("#seed", "7")
    page.click("#write")
    points = int(page.wait(WRITTEN).split()[0])
    assert points > 96, "more than two chunks"
    assert page.run("return grown.size") > points // 48, "it grew as it arrived"
    whole = rest("/v1/models/handwriting:predict", {"instances": [{"text": TEXT, "bias": 1.0, "seed": [7, 0]}]})
    assert points == whole[1]["predictions"][0]["length"], "the chunks are the line of `generate`"
    assert page.run(f"return {INK}") > 10
    page.click("#save-svg")
    svg = downloaded(page, "line.svg").decode()
    assert svg.startswith("<svg")
    assert f"<title>{TEXT}</title>" in svg
    page.click("#save-png")
    png = downloaded(page, "line.png")
    assert png.startswith(b"\x89PNG")
    assert int.from_bytes(png[16:20]) == 1600


def test_in_the_hand_of_a_drawn_sample_stroke_by_stroke(page, rest):
    page.run("document.querySelector('details').open = true")
    page.draw("#sample", [[(-200, 0), (-150, -30), (-100, 20), (-50, -20)], [(0, 10), (60, -30), (90, 30)]])
    page.type("#text", TEXT)
    page.click("#write")
    assert "Say what the sample says" in page.wait("document.getElementById('alert').textContent")
    page.type("#sample-text", "de")
    page.run("""window.asked = [];
        const real = window.fetch;
        window.fetch = (path, options) => (asked.push([options.body, document.querySelector('#sheet path')
            ?.getAttribute('d') || '']), real(path, options))""")
    page.click("#write")
    points = int(page.wait(WRITTEN).split()[0])
    assert page.text("#alert") == ""
    bodies, shown = zip(*page.run("return asked"), strict=True)
    bodies = [json.loads(body) for body in bodies]
    limits = [body["inputs"]["max_points"][0] for body in bodies]
    assert limits == [48, 96, 192, 384, 768][: len(limits)]
    assert len(limits) > 2, "it came in parts"
    assert shown[0] == "", "nothing at first"
    assert all(late.startswith(early) and late > early for early, late in pairwise(shown)), "what is written stays"
    whole = bodies[0]
    whole["inputs"]["max_points"] = [0]
    strokes = rest("/v1/models/handwriting:predict", whole)[1]["outputs"]["strokes"][0]
    assert points == len(strokes), "the parts are the line that is written at once"
    page.run("window.line = new Sheet(document.createElement('div'), ''); line.add(arguments[0])", strokes)
    assert page.run("return line.path === document.querySelector('#sheet path').getAttribute('d')")
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


def test_a_text_goes_on_as_the_server_has_it(page, rest):
    page.click("#tab-text")
    page.type("#prime", "dog")
    page.type("#tokens", "100")
    page.type("#text-seed", "5")
    page.click("#panel-text button[type=submit]")
    page.wait(
        "document.getElementById('text-stop').disabled && document.getElementById('story').textContent.length > 3"
    )
    asked = {
        "prime": "dog",
        "temperature": 0.8,
        "top_k": 0,
        "top_p": 1.0,
        "seed": [5, 0],
        "max_tokens": 100,
        "stop": "",
    }
    whole = rest("/v1/models/text:predict", {"instances": [asked]})[1]["predictions"][0]["text"]
    assert page.run("return document.getElementById('story').textContent") == "dog" + whole
    page.type("#prime", "Über")
    page.click("#panel-text button[type=submit]")
    said = page.wait("document.getElementById('alert').textContent")
    assert said.startswith("The vocabulary does not have the characters")
    assert "Ü" in said


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


def test_a_dropped_picture_is_labelled(page, rest):
    page.click("#tab-segmentation")
    picture = scene(1)[0]
    page.drop("#drop", "scene.png", encoded(picture))
    legend = page.wait("(text => text.includes('%') && text)(document.getElementById('legend').textContent)")
    found = rest("/v1/models/segmentation:predict", {"inputs": [{"b64": base64.b64encode(encoded(picture)).decode()}]})
    shares = 100 * np.bincount(np.ravel(found[1]["outputs"]["labels"]), minlength=3) / picture[..., 0].size
    told = {name: float(share) for name, share in (part[:-2].split(": ") for part in legend.split(", "))}
    assert told == {name: round(share, 1) for name, share in zip(LABELS.names, shares, strict=True) if share}
    height, width = picture.shape[:2]
    size = page.run("const labels = document.getElementById('labels'); return [labels.width, labels.height]")
    assert size == [width, height]
    page.drop("#drop", "notes.txt", b"no picture")
    assert page.wait("document.getElementById('alert').textContent") == "image must be the bytes of a JPEG or PNG"
    assert page.text("#legend") == ""
    page.drop("#drop", "scene.png", encoded(picture))
    page.wait("document.getElementById('legend').textContent.includes('%')")
    assert page.text("#alert") == ""


def test_the_page_needs_nothing_from_elsewhere(page, server):
    loaded = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert loaded
    assert all(name.startswith(f"http://127.0.0.1:{server.rest_port}/") for name in loaded)
    with urllib.request.urlopen(f"http://127.0.0.1:{server.rest_port}/") as answer:
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self'")


def test_a_text_with_the_name_of_no_number_is_shown_as_it_is(page):
    page.run(r"""window.fetch = async () => new Response(
        '{"outputs": {"error": [""], "text": ["a \\": NaN [NaN]\\""], "log_prob": [NaN]}}');
        ask('text', 'step', {}).then((found) => { window.found = found; })""")
    assert page.wait("window.found") == {"error": [""], "text": ['a ": NaN [NaN]"'], "log_prob": [None]}


def test_the_labels_lie_where_they_belong_though_a_camera_was_turned(page):
    page.click("#tab-segmentation")
    picture = Image.fromarray(np.repeat([[0, 255]], [32, 32], axis=1).repeat(32, axis=0).astype(np.uint8))
    exif, stream = Image.Exif(), io.BytesIO()
    exif[0x0112] = 6  # to be turned by 90 degrees
    picture.save(stream, "JPEG", exif=exif)
    page.run("document.getElementById('legend').textContent = ''")
    page.drop("#drop", "turned.jpg", stream.getvalue())
    page.wait("document.getElementById('legend').textContent.includes('%')")
    pixels = page.run("""const canvas = document.getElementById('labels');
        return Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)""")
    grey = np.reshape(pixels, (32, 64, 4))[..., :3].mean(axis=-1)
    assert grey[:, 40:].mean() > grey[:, :24].mean() + 60
