"""The whole way of segmentation: image files, Beam, a network, then end to end, export, labels."""

import json

import numpy as np
import pytest
from PIL import Image

from keras_seqgen.cli import main
from keras_seqgen.models import small_backbone
from tests.segmentation_data import LABELS, scene

pytestmark = pytest.mark.slow

SMALL = ["batch_size=2", "steps_per_epoch=3", "updates=0", "average=0.0"]


@pytest.fixture(scope="module")
def journey(tmp_path_factory):
    """The folder of a short journey: drawn scenes, a narrow network for six updates, three more end to end."""
    folder = tmp_path_factory.mktemp("journey")
    for number in range(20):
        picture, label = scene(number)
        for place, pixels in (("images", picture), ("masks", label)):
            (folder / "raw" / place).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(folder / "raw" / place / f"{number:02d}.png")
    data = str(folder / "data")
    corpus = ["--input", str(folder / "raw"), "--labels", *LABELS.names, "--hash-split", "50", "25", "25"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_backbone, "_WIDTHS", (8, 16, 24, 32, 32))
        assert main(["prepare", "segmentation", *corpus, "--output", data]) == 0
        for recipe, run, more in (
            ("segmentation-fcn", "fcn", ["--steps", "6", "--set", "crop_height=0", "--set", "crop_width=0"]),
            ("segmentation-crf-rnn", "crf", ["--steps", "3", "--from", str(folder / "fcn"), "--set", "theta_alpha=20"]),
        ):
            settings = [word for setting in SMALL for word in ("--set", setting)]
            assert main(["train", recipe, "--data", data, "--run", str(folder / run), *settings, *more]) == 0
    assert main(["export", "--run", str(folder / "crf"), "--to", str(folder / "saved_models/segmentation")]) == 0
    return folder


def printed(capsys, arguments):
    capsys.readouterr()
    assert main([str(word) for word in arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_exported_model_has_the_numbers_of_the_run(journey, capsys):
    data = ["--data", journey / "data", "--split", "test", "--json"]
    run = printed(capsys, ["evaluate", "--run", journey / "crf", *data])
    exported = printed(capsys, ["evaluate", "--model", journey / "saved_models/segmentation", *data])
    assert run.keys() == exported.keys() >= {"mean_iu", "trimap_5_mean_iu", "iu_sky"}
    for name, value in run.items():
        assert exported[name] == pytest.approx(value, abs=2e-3), name


def test_it_labels_pictures(journey, capsys):
    picture, model = journey / "raw/images/00.png", journey / "saved_models/segmentation"
    report = printed(capsys, ["segment", picture, "--model", model, "-o", journey / "out", "--json"])
    labels = np.asarray(Image.open(journey / "out/00.labels.png"))
    assert labels.shape == scene(0)[1].shape
    assert set(report["images"][0]["shares"]) == {LABELS.name(label) for label in np.unique(labels)}


def test_pictures_of_truth_and_results(journey):
    runs = [str(journey / run) for run in ("fcn", "crf")]
    out = journey / "comparison.png"
    command = ["show", "pictures", str(journey / "data"), *runs, "--split", "test", "--count", "2", "-o", str(out)]
    assert main(command) == 0
    assert Image.open(out).size == (4 * 32 + 3 * 4, 16 + 2 * 24 + 4)


def test_a_crf_after_the_network_is_measured(journey, capsys):
    data = ["--data", journey / "data", "--split", "test", "--json"]
    crf = ["--crf", "theta_alpha=20", "iterations=2"]
    after = printed(capsys, ["evaluate", "--run", journey / "fcn", *crf, *data])
    assert 0 < after["mean_iu"] <= 1
