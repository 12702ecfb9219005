"""What an export leaves on the disk, and that a process without Keras gets the same strokes and nats from it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.strokes import StrokeStatistics
from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.errors import UserError
from keras_seqgen.losses import StrokeLoss
from keras_seqgen.serving import SavedHandwriting, export_handwriting
from keras_seqgen.serving.versions import newest_version, versions

MEAN, STD = np.array([8.0, 0.5], np.float32), np.array([40.0, 30.0], np.float32)

CLIENT = """
import sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
assert not any(name.startswith("keras_seqgen") for name in sys.modules)
asked = np.load(sys.argv[2])
out = model.signatures["generate"](
    text=tf.constant(asked["text"]), bias=tf.constant(asked["bias"]), seed=tf.constant(asked["seed"])
)
default = model.signatures["serving_default"](
    text=tf.constant(asked["text"]), bias=tf.constant(asked["bias"]), seed=tf.constant(asked["seed"])
)
np.testing.assert_array_equal(out["strokes"], default["strokes"])
score = model.signatures["score"](
    strokes=tf.constant(asked["ink"]), length=tf.constant(asked["ink_length"]), text=tf.constant(asked["text"])
)
np.savez(sys.argv[3], strokes=out["strokes"], length=out["length"], nats=score["nats"])
"""


def test_process_with_tensorflow_alone_gets_the_same_strokes_and_nats(exported, writer, model, vocabulary, tmp_path):
    texts, bias, seeds = ["abé", "dead 𝄞", "c"], [0.0, 0.5, 1.0], [3, 4, 5]
    rng = np.random.default_rng(0)
    ink = (rng.normal(size=(3, 20, 3)) * [40, 30, 1] + [8, 0.5, 0]).astype("float32")
    ink[..., 2] = ink[..., 2] > 1
    ink_length = np.array([20, 11, 1], np.int32)
    np.savez(
        tmp_path / "asked.npz",
        text=np.array([text.encode() for text in texts]),
        bias=np.array(bias, np.float32),
        seed=np.array([[seed, 0] for seed in seeds], np.int32),
        ink=ink,
        ink_length=ink_length,
    )
    paths = [str(exported), str(tmp_path / "asked.npz"), str(tmp_path / "got.npz")]
    command = [sys.executable, "-c", CLIENT, *paths]
    client = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert client.returncode == 0, client.stderr
    assert "gradient" not in client.stderr
    got = np.load(tmp_path / "got.npz")

    for row, line in enumerate(writer.write(texts, bias=bias, seed=seeds)):
        assert got["length"][row] == len(line) > 5
        np.testing.assert_allclose(got["strokes"][row, : len(line)], line, rtol=1e-5, atol=1e-4)
        assert not got["strokes"][row, len(line) :].any()

    unit = StrokeStatistics(MEAN, STD)
    for row, length in enumerate(ink_length):
        targets = unit.normalise(ink[row : row + 1, :length])
        delayed = np.pad(targets, ((0, 0), (1, 0), (0, 0)))[:, :-1]
        raw = model({"strokes": tf.constant(delayed), "text": tf.constant(vocabulary.encode(texts[row])[None])})
        np.testing.assert_allclose(got["nats"][row], StrokeLoss()(targets, raw), rtol=1e-5)


def test_what_lies_in_a_version(exported, vocabulary):
    assert exported.name == "1"
    assert Vocabulary.load(exported / "assets.extra" / "vocabulary.json") == vocabulary
    unit = StrokeStatistics.load(exported / "assets.extra" / "stats.json")
    np.testing.assert_array_equal(unit.mean, MEAN)
    np.testing.assert_array_equal(unit.std, STD)
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# Tiny\n\nRandom weights")
    assert "8 characters" in card
    assert " abcdeé𝄞" in card
    assert "- `generate`: text string [?], bias float32 [?], seed int32 [?, 2] -> error string [?]" in card
    signatures = tf.saved_model.load(str(exported)).signatures
    assert set(signatures) == {"serving_default", "generate", "generate_primed", "score", "step"}
    assert exported.stat().st_mode & 0o777 == 0o755


def test_full_size_stays_under_20_megabytes(exported, model):
    size = sum(path.stat().st_size for path in exported.rglob("*") if path.is_file() and "variables" not in str(path))
    weights = sum(path.stat().st_size for path in exported.rglob("variables.data*"))
    assert weights < 4 * model.count_params() + 20_000
    assert size + 4 * 3_700_000 < 20_000_000


def test_versions_only_grow(model, vocabulary, tmp_path):
    (tmp_path / "tiny" / "7").mkdir(parents=True)
    (tmp_path / "tiny" / "notes").mkdir()
    path = export_handwriting(model, vocabulary, MEAN, STD, tmp_path / "tiny", "# Card")
    assert path == tmp_path / "tiny" / "8"
    assert versions(tmp_path / "tiny") == [7, 8]
    assert newest_version(tmp_path / "tiny") == newest_version(path) == path


def test_failed_export_leaves_nothing(model, vocabulary, tmp_path, monkeypatch):
    def broken(*arguments, **options):
        raise OSError("disk full")

    monkeypatch.setattr("keras_seqgen.serving.version_writer.os.rename", broken)
    with pytest.raises(OSError, match="disk full"):
        export_handwriting(model, vocabulary, MEAN, STD, tmp_path / "tiny", "# Card")
    assert not list((tmp_path / "tiny").iterdir())


def test_export_refuses(model, vocabulary, tmp_path):
    with pytest.raises(ValueError, match="`card`"):
        export_handwriting(model, vocabulary, MEAN, STD, tmp_path, " \n")
    with pytest.raises(ValueError, match="single characters"):
        export_handwriting(model, Vocabulary(["ab", "c"]), MEAN, STD, tmp_path, "# Card")


def test_no_model_no_traceback(tmp_path, exported):
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(UserError, match="holds no SavedModel"):
            SavedHandwriting(folder)
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "saved_model.pb").write_bytes((exported / "saved_model.pb").read_bytes())
    with pytest.raises(UserError, match="not a handwriting model"):
        SavedHandwriting(tmp_path)


def test_stats_name_the_limit(exported):
    assert json.loads((exported / "assets.extra" / "stats.json").read_text())["max_characters"] == 200
