"""What an export of a language model leaves on the disk, and that TensorFlow alone gets the same texts from it."""

import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding.text_score import TextScorer
from keras_seqgen.decoding.text_writer import TextWriter
from keras_seqgen.errors import UserError
from keras_seqgen.layers import AdaptiveWeightNoise
from keras_seqgen.models.language import language_model, with_batch_size
from keras_seqgen.serving.load_text import SavedText
from keras_seqgen.serving.text_model import export_text
from keras_seqgen.serving.versions import newest_version
from tests.decoding.toy_text import ALPHABET, lively

CARD = "# Toy\n\nRandom weights, trained on nothing, free of terms.\n"

CLIENT = """
import sys
import numpy as np
import tensorflow as tf

model = tf.saved_model.load(sys.argv[1])
assert not any(name.startswith("keras_seqgen") for name in sys.modules)
asked = {name: tf.constant(value) for name, value in np.load(sys.argv[2]).items()}
state = asked.pop("state")
out = model.signatures["generate"](**asked)
assert model.signatures["serving_default"](**asked)["text"].numpy().tolist() == out["text"].numpy().tolist()
score = model.signatures["score"](text=asked["prime"])
text = [b""] * len(out["text"])
prime, asked["max_tokens"] = asked["prime"], tf.fill(tf.shape(asked["max_tokens"]), 10)
for turn in range(4):
    step = model.signatures["step"](**asked, state=state)
    state, asked["prime"] = step["state"], tf.fill(tf.shape(prime), "")
    text = [a + b for a, b in zip(text, step["text"].numpy())]
np.savez(sys.argv[3], text=out["text"], chunks=np.array(text), length=out["length"], log_prob=score["log_prob"])
"""


@pytest.fixture(scope="module")
def network():
    """A network as a run keeps it: with carried state and adaptive weight noise."""
    noisy = language_model(
        len(ALPHABET),
        units=24,
        depth=2,
        batch_size=4,
        wrap=lambda layer: AdaptiveWeightNoise(layer, 0.01, name=layer.name),
    )
    rng = np.random.default_rng(2)
    for weight in with_batch_size(noisy, None).trainable_weights:
        if "log" not in weight.name:
            weight.assign(weight + rng.normal(0, 0.4, weight.shape))
    return noisy


@pytest.fixture(scope="module")
def exported(network, tmp_path_factory):
    return export_text(network, Vocabulary(ALPHABET), tmp_path_factory.mktemp("saved_models") / "toy", CARD)


def test_process_with_tensorflow_alone_gets_the_same_texts_and_scores(exported, network, tmp_path):
    primers, temperature, seeds = ["strange", "", "no\n"], [0.7, 1.0, 1.5], [3, 4, 5]
    np.savez(
        tmp_path / "asked.npz",
        prime=np.array([text.encode() for text in primers]),
        temperature=np.array(temperature, np.float32),
        top_k=np.array([0, 5, 0], np.int32),
        top_p=np.array([1, 1, 0.9], np.float32),
        seed=np.array([[seed, 0] for seed in seeds], np.int32),
        max_tokens=np.array([40, 40, 40], np.int32),
        stop=np.array([b""] * 3),
        state=SavedText(exported).beginning(3),
    )
    paths = [str(exported), str(tmp_path / "asked.npz"), str(tmp_path / "got.npz")]
    command = [sys.executable, "-c", CLIENT, *paths]
    client = subprocess.run(command, check=False, cwd=tmp_path, capture_output=True, text=True)
    assert client.returncode == 0, client.stderr
    assert "gradient" not in client.stderr
    got = np.load(tmp_path / "got.npz", allow_pickle=True)
    writer, scorer = (made(network, Vocabulary(ALPHABET)) for made in (TextWriter, TextScorer))
    texts = writer.sample(primers, temperature=temperature, top_k=[0, 5, 0], top_p=[1, 1, 0.9], seed=seeds, length=40)
    assert [text.decode() for text in got["text"]] == texts
    assert [text.decode() for text in got["chunks"]] == texts
    assert got["length"].tolist() == [40] * 3
    expected = [score.log_prob for score in scorer.score(primers)]
    np.testing.assert_allclose(got["log_prob"], expected, rtol=1e-5)


def test_what_lies_in_a_version(exported, network):
    assert exported.name == "1"
    assert Vocabulary.load(exported / "assets.extra" / "vocabulary.json") == Vocabulary(ALPHABET)
    assert json.loads((exported / "assets.extra" / "model.json").read_text()) == {"system": "text"}
    card = (exported / "README.md").read_text(encoding="utf-8")
    assert card.startswith("# Toy\n\nRandom weights")
    assert "11 characters:\n\n```text\n'\\nabdegnorst'\n```" in card
    assert "- `score`: text string [?] -> error string [?], length int32 [?], log_prob float32 [?]" in card
    assert set(tf.saved_model.load(str(exported)).signatures) == {"serving_default", "generate", "score", "step"}
    weights = sum(path.stat().st_size for path in exported.rglob("variables.data*"))
    plain = sum(int(np.prod(v.shape)) for v in lively().trainable_weights)
    assert weights < 4 * plain + 20_000, "the noise's own weights and the carried state are left out"


def test_versions_only_grow(exported, network):
    assert newest_version(export_text(network, Vocabulary(ALPHABET), exported.parent, CARD)).name == "2"


def test_cards_name_words(tmp_path):
    vocabulary = Vocabulary(sorted(f"w{n:02}" for n in range(30)), kind="word")
    card = (export_text(lively(V=30), vocabulary, tmp_path, CARD) / "README.md").read_text(encoding="utf-8")
    assert "30 words: w00 w01" in card
    assert "w19 ...\n" in card


def test_export_refuses(network, tmp_path):
    with pytest.raises(ValueError, match="`card`"):
        export_text(network, Vocabulary(ALPHABET), tmp_path, " \n")
    with pytest.raises(UserError, match="predicts 11 tokens but the vocabulary has 3"):
        export_text(network, Vocabulary("abc"), tmp_path, CARD)
    assert not list(tmp_path.iterdir())


def test_no_model_no_traceback(tmp_path, exported):
    for folder in (tmp_path / "missing", tmp_path):
        with pytest.raises(UserError, match="holds no SavedModel"):
            SavedText(folder)
    other = tmp_path / "other" / "1"
    module = tf.Module()
    module.double = tf.function(lambda x: {"y": 2 * x}, input_signature=[tf.TensorSpec((None,), tf.float32)])
    tf.saved_model.save(module, str(other), signatures={"serving_default": module.double})
    with pytest.raises(UserError, match="is not a vocabulary"):
        SavedText(other)
    (other / "assets.extra").mkdir()
    Vocabulary("ab").save(other / "assets.extra" / "vocabulary.json")
    with pytest.raises(UserError, match="is not a language model of keras-seqgen"):
        SavedText(other)
