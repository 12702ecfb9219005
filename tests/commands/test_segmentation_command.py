"""`keras-seqgen segment`, and the segmentation's part of `evaluate`, `export` and `show`."""

import argparse
import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from keras_seqgen.arguments.form import Parser
from keras_seqgen.arguments.segmentation import segment as add_segment
from keras_seqgen.commands import segmentation
from keras_seqgen.errors import UserError
from keras_seqgen.models import small_backbone
from keras_seqgen.models.segmenter import crf_of, with_crf
from keras_seqgen.recipes import RECIPES, save_recipe
from keras_seqgen.recipes.segmentation import SEGMENTATION_RECIPES
from keras_seqgen.viz.segmentation import label_colours
from tests.segmentation_data import LABELS, encoded, scene, write_prepared

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")
RECIPE = SEGMENTATION_RECIPES["segmentation-fcn"]
CRF = {"iterations": 2, "theta_alpha": 20.0}


@pytest.fixture(scope="module", autouse=True)
def narrow():
    """A network of the same shape with fewer channels; the recipes under their names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(small_backbone, "_WIDTHS", (8, 16, 24, 32, 32))
        for name, recipe in SEGMENTATION_RECIPES.items():
            patch.setitem(RECIPES, name, recipe)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory, narrow):
    return write_prepared(tmp_path_factory.mktemp("scenes"))


@pytest.fixture(scope="module")
def run(data, tmp_path_factory):
    """A run's folder with random weights."""
    run = tmp_path_factory.mktemp("run")
    model = RECIPE.build(data)
    model.save(run / "best.keras")
    shutil.copyfile(data / "labels.json", run / "labels.json")
    save_recipe(RECIPE, "segmentation-fcn", run)
    return run


@pytest.fixture(scope="module")
def exported(run, tmp_path_factory):
    return segmentation.export_run(run, RECIPE, tmp_path_factory.mktemp("saved_models") / "segmentation", "# Card\n")


@pytest.fixture
def pictures(tmp_path):
    for number in range(2):
        (tmp_path / f"p{number}.png").write_bytes(encoded(scene(number)[0]))
    return tmp_path


def segment(*words):
    parser = Parser("keras-seqgen")
    add_segment(parser.add_subparsers(parser_class=Parser))
    return segmentation.segment(parser.parse_args(["segment", *map(str, words)]))


def test_a_run_and_its_export_have_the_same_numbers(run, data, exported):
    ours = segmentation.evaluate_run(run, RECIPE, data, "test")
    theirs = segmentation.evaluate_model(exported, data, "test")
    assert ours.keys() == theirs.keys()
    assert {"mean_iu", "mean_iu_low", "trimap_5_mean_iu", "iu_wall", "images"} <= ours.keys()
    for name, value in ours.items():
        assert theirs[name] == pytest.approx(value, abs=1e-3), name
    json.dumps(ours)


def test_a_crf_after_the_network_is_evaluated_too(run, data):
    plain = segmentation.evaluate_run(run, RECIPE, data, "test")
    after = segmentation.evaluate_run(run, RECIPE, data, "test", crf=CRF)
    assert after["images"] == plain["images"] == 3
    nothing = {**CRF, "spatial_weight": 0.0, "bilateral_weight": 0.0}
    assert segmentation.evaluate_run(run, RECIPE, data, "test", crf=nothing) == pytest.approx(plain)
    recipe = dataclasses.replace(SEGMENTATION_RECIPES["segmentation-crf-rnn"], test_iterations=2)
    model = with_crf(keras.models.load_model(run / "best.keras", compile=False), **CRF)
    model.save(run.parent / "best.keras")
    with pytest.raises(UserError, match="was trained with a CRF"):
        segmentation.model_of(run.parent, recipe, CRF)


def test_settings_of_a_crf():
    texts = ["iterations=3", "theta_alpha=80", "bilateral_weight=1.5"]
    assert segmentation.crf_settings(texts) == {"iterations": 3, "theta_alpha": 80.0, "bilateral_weight": 1.5}
    for text, message in (("theta=3", "must be one of iterations"), ("theta_beta=x", "write NAME=NUMBER")):
        with pytest.raises(UserError, match=message):
            segmentation.crf_settings([text])


def test_segment_writes_labels_and_overlays(pictures, exported, run, capsys):
    out = pictures / "out"
    words = [pictures / "p0.png", pictures / "p1.png", "--model", exported, "-o", out, "--strength", 1, "--json"]
    assert segment(*words, "--probabilities") == 0
    report = json.loads(capsys.readouterr().out)
    model = keras.models.load_model(run / "best.keras", compile=False)
    for number, entry in enumerate(report["images"]):
        logits = model({"image": scene(number)[0][None].astype("float32")})[0]
        labels = np.asarray(Image.open(out / f"p{number}.labels.png"))
        np.testing.assert_array_equal(labels, np.argmax(logits, axis=-1))
        shown = np.asarray(Image.open(out / f"p{number}.overlay.png"))
        np.testing.assert_array_equal(shown, label_colours(LABELS)[labels])
        probabilities = np.load(out / f"p{number}.probabilities.npy")
        np.testing.assert_allclose(probabilities, keras.ops.softmax(logits), atol=1e-5)
        assert sum(entry["shares"].values()) == pytest.approx(1, abs=1e-3)
        assert len(entry["files"]) == 3
    assert segment(pictures / "p0.png", "--model", exported, "-o", pictures / "few", "--no-overlay") == 0
    assert [path.name for path in (pictures / "few").iterdir()] == ["p0.labels.png"]


@pytest.mark.parametrize("form", ["logits", "probabilities", "labels first", "batch of one"])
def test_the_crf_alone_over_anybodys_results(pictures, form):
    picture, _ = scene(0)
    logits = np.random.default_rng(0).normal(0, 2, (*picture.shape[:2], 4)).astype("float32")
    saved = {
        "logits": logits,
        "probabilities": np.asarray(keras.ops.softmax(logits)),
        "labels first": np.moveaxis(logits, -1, 0),
        "batch of one": logits[None],
    }[form]
    np.save(pictures / "logits.npy", saved)
    words = [pictures / "p0.png", "--logits", pictures / "logits.npy", "-o", pictures / "out"]
    assert segment(*words, "--theta-alpha", 20, "--iterations", 2) == 0
    wanted = crf_of(4, iterations=2, theta_alpha=20.0)([logits[None], picture[None].astype("float32")])
    found = np.asarray(Image.open(pictures / "out" / "p0.labels.png"))
    assert (found == np.argmax(wanted[0], axis=-1)).mean() > 0.998  # probabilities are rounded


def test_a_turned_photo_is_labelled_as_it_is_shown(tmp_path, exported):
    picture = scene(0)[0]
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise by 90 degrees
    Image.fromarray(np.rot90(picture)).save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(segmentation.read_picture(tmp_path / "turned.png"), picture)
    (tmp_path / "upright.png").write_bytes(encoded(picture))
    words = [tmp_path / "turned.png", tmp_path / "upright.png", "--model", exported, "-o", tmp_path]
    assert segment(*words, "--no-overlay") == 0
    turned, upright = (np.asarray(Image.open(tmp_path / f"{name}.labels.png")) for name in ("turned", "upright"))
    np.testing.assert_array_equal(turned, upright)


def test_show_draws_truth_and_results(run, data, tmp_path):
    options = {"split": "valid", "count": 2, "output": str(tmp_path / "out.png")}
    segmentation.show_pictures(argparse.Namespace(folders=[str(data), str(run)], **options))
    sheet = np.asarray(Image.open(tmp_path / "out.png"))
    assert sheet.shape == (16 + 2 * 24 + 4, 3 * 32 + 2 * 4, 3)
    picture, truth = scene([*b"valid", 0])
    np.testing.assert_array_equal(sheet[16:40, :32], picture)
    known = label_colours(LABELS)[truth] * (truth != 255)[..., None]
    np.testing.assert_array_equal(sheet[16:40, 36:68], known)


def test_mistakes_are_named(pictures, exported, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    np.save(tmp_path / "small.npy", np.zeros((3, 3, 2)))
    np.save(tmp_path / "bad.npy", np.full((24, 32, 2), np.nan))
    one, good = pictures / "p0.png", tmp_path / "good.npy"
    np.save(good, np.zeros((24, 32, 2)))
    np.savez(tmp_path / "several.npz", a=np.zeros((24, 32, 2)))
    (tmp_path / "empty.npy").touch()
    np.save(tmp_path / "none.npy", np.zeros((24, 32, 0)))
    Image.new("RGB", (2000, 1500)).save(tmp_path / "large.png")
    for words, message in (
        ([one, "--logits", tmp_path / "several.npz"], "several.npz holds several arrays: write one with np.save"),
        ([one, "--logits", tmp_path / "empty.npy"], "empty.npy cannot be read as a .npy file"),
        ([one, "--logits", tmp_path / "none.npy"], r"must hold numbers \(24, 32, labels\)"),
        ([one, "--logits", good, "--theta-alpha", 0], "theta_alpha"),
        ([one, "--logits", good, "--iterations", -1], "iterations"),
        ([one, "--logits", good, "--spatial-weight", "nan"], "`spatial_weight` must be finite"),
        ([one, "--logits", good, "--bilateral-weight", "nan"], "`bilateral_weight` must be finite"),
        ([one, "--logits", good, "--theta-beta", "1e-9"], "p0.png cannot be labelled"),
        (
            [tmp_path / "large.png", "--model", exported],
            "large.png cannot be labelled: .*2097152 pixels.*smaller first",
        ),
        ([tmp_path / "missing.png", "--model", exported], "cannot be read: No such file"),
        ([tmp_path / "text.png", "--model", exported], "is no picture"),
        ([one, "--model", tmp_path / "nowhere"], "holds no SavedModel"),
        ([one, one, "--model", exported], r"p0.png and .*p0.png have the same name"),
        ([one, "--strength", 2], "--strength must lie in"),
        ([one, pictures / "p1.png", "--logits", "x.npy"], "belong to one picture"),
        ([one, "--logits", "x.npy"], "cannot be read as a .npy file"),
        ([one, "--theta-alpha", 160, "--labels", "L"], "--labels, --theta-alpha: these belong to --logits FILE"),
        ([one, "--model", exported, "--iterations", 10], "--iterations: these belong to --logits FILE"),
        ([one, "--logits", "x.npy", "--model", exported], "--logits and --model exclude each other"),
        ([one, "--logits", tmp_path / "small.npy"], r"must hold numbers \(24, 32, labels\)"),
        ([one, "--logits", tmp_path / "bad.npy"], "not finite"),
    ):
        with pytest.raises(UserError, match=message):
            segment(*words, "-o", tmp_path / "out")


def test_what_evaluate_and_show_refuse(run, data, tmp_path):
    for settings, message in (({"theta_alpha": 0.0}, "theta_alpha"), ({"iterations": -1}, "iterations")):
        with pytest.raises(UserError, match=message):
            segmentation.model_of(run, RECIPE, settings)
    with pytest.raises(UserError, match=r"has no best\.keras yet"):
        segmentation.model_of(tmp_path, RECIPE)
