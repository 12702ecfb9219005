"""The layers, the networks and their loss on the JAX backend give TensorFlow's numbers."""

import os
import subprocess
import sys

import numpy as np
import pytest

PROGRAM = """
import sys
import numpy as np
import keras
from keras_seqgen.losses import StrokeLoss
from keras_seqgen.models import handwriting_synthesis

assert "tensorflow" not in sys.modules or keras.backend.backend() == "tensorflow", "TensorFlow was imported"
data = np.load(sys.argv[1])
model = handwriting_synthesis(4, units=5, depth=3, window_components=2, mixture_components=2, lstm_clip=0.05)
model.set_weights([data[f"w{n}"] for n in range(len(model.weights))])
x = {"strokes": data["strokes"], "text": data["text"]}
raw = keras.ops.convert_to_numpy(model(x))
model.compile("sgd", StrokeLoss(), jit_compile=False)
losses = [float(model.train_on_batch(x, data["targets"], data["weight"])) for _ in range(3)]
np.savez(sys.argv[2], raw=raw, losses=losses, **{f"w{n}": w for n, w in enumerate(model.get_weights())})
"""


@pytest.mark.parametrize("backend", ["jax"])
def test_forward_loss_and_three_updates_agree(tmp_path, backend):
    from keras_seqgen.models import handwriting_synthesis

    rng = np.random.default_rng(0)
    model = handwriting_synthesis(4, units=5, depth=3, window_components=2, mixture_components=2)
    weights = {f"w{n}": rng.normal(0, 0.2, w.shape).astype("float32") for n, w in enumerate(model.get_weights())}
    np.savez(
        tmp_path / "in.npz",
        strokes=rng.normal(size=(2, 6, 3)).astype("float32"),
        text=rng.integers(0, 5, (2, 4)).astype("int32"),
        targets=np.abs(rng.normal(size=(2, 6, 3))).astype("float32").clip(0, 1).round(),
        weight=np.ones((2, 6), "float32"),
        **weights,
    )
    results = []
    for name in ("tensorflow", backend):
        subprocess.run(
            [sys.executable, "-c", PROGRAM, tmp_path / "in.npz", tmp_path / f"{name}.npz"],
            check=True,
            env={**os.environ, "KERAS_BACKEND": name},
        )
        results.append(np.load(tmp_path / f"{name}.npz"))
    for key in results[0]:
        np.testing.assert_allclose(results[0][key], results[1][key], rtol=1e-4, atol=1e-5, err_msg=key)
