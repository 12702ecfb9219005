"""What every test may ask for."""

import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(autouse=True)
def seeded():
    """Initial weights, noise and dropout are the same in every run of a test, whatever ran before it."""
    if "keras" in sys.modules:
        sys.modules["keras"].utils.set_random_seed(0)


@pytest.fixture(scope="session")
def data():
    """The folder of real data sets, named by KERAS_SEQGEN_DATA."""
    folder = os.environ.get("KERAS_SEQGEN_DATA")
    if not folder:
        pytest.skip("set KERAS_SEQGEN_DATA to the folder of real data sets")
    return Path(folder)


@pytest.fixture(scope="session")
def tiny_handwriting(tmp_path_factory):
    """A prepared folder of 48 short lines, "a" drawn as a step to the right and "b" as one downward."""
    import json

    import numpy as np
    import tensorflow as tf

    from keras_seqgen.data.schema import InkLine, to_example
    from keras_seqgen.data.vocabulary import Vocabulary

    folder = tmp_path_factory.mktemp("tiny_handwriting")
    rng = np.random.default_rng(0)
    splits = {}
    for split, count in (("train", 32), ("valid", 8), ("test", 8)):
        with tf.io.TFRecordWriter(str(folder / f"{split}-00000-of-00001.tfrecord")) as writer:
            longest = 0
            for n in range(count):
                text = "".join(rng.choice(["a", "b"], rng.integers(2, 6)))
                rows = [
                    (4.0, 0.0, 0.0) if character == "a" else (0.0, 4.0, 0.0) for character in text for _ in range(4)
                ]
                strokes = np.array(rows) + rng.normal(0, 0.3, (len(rows), 3)) * [1, 1, 0]
                strokes[-1, 2] = 1
                longest = max(longest, len(rows))
                writer.write(to_example(InkLine(f"{split}-{n}", "w", text, strokes.astype("float32"))))
        splits[split] = {"lines": count, "longest": longest}
    Vocabulary(["a", "b"]).save(folder / "vocabulary.json")
    stats = {"offsets": {"mean": [2.0, 2.0], "std": [2.0, 2.0]}, "splits": splits}
    (folder / "stats.json").write_text(json.dumps(stats))
    return folder


@pytest.fixture(scope="session")
def tiny_text(tmp_path_factory):
    """A prepared folder of characters: words of one letter repeated, in lines; "test" has other words than "train"."""
    import json

    import numpy as np
    import tensorflow as tf

    from keras_seqgen.data.text_schema import id_type, to_example
    from keras_seqgen.data.vocabulary import Vocabulary

    folder = tmp_path_factory.mktemp("tiny_text")
    vocabulary = Vocabulary(["\n", " ", "a", "b", "c"], kind="character")
    vocabulary.save(folder / "vocabulary.json")
    rng, splits = np.random.default_rng(0), {}
    for split, count, letters in (("train", 400, "aab"), ("valid", 60, "aab"), ("test", 60, "ccb")):
        words = [letter * int(rng.integers(2, 5)) for letter in rng.choice(list(letters), count)]
        text = "".join(word + ("\n" if n % 6 == 5 else " ") for n, word in enumerate(words))
        ids = np.array([vocabulary.ids[character] for character in text], np.int32)
        with tf.io.TFRecordWriter(str(folder / f"{split}-00000-of-00001.tfrecord")) as writer:
            writer.write(to_example(0, ids, id_type(len(vocabulary))))
        lines = text.count("\n")
        splits[split] = {"tokens": len(ids), "characters": len(ids), "bytes": len(ids), "lines": lines, "documents": 1}
    (folder / "stats.json").write_text(json.dumps({"splits": splits}))
    return folder
