"""A small network with random weights, exported once."""

import keras
import numpy as np
import pytest

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding import HandwritingWriter
from keras_seqgen.models import handwriting_synthesis
from keras_seqgen.models.handwriting import recurrent_layers
from keras_seqgen.serving import export_handwriting

MEAN, STD = np.array([8.0, 0.5], np.float32), np.array([40.0, 30.0], np.float32)
CARD = "# Tiny\n\nRandom weights, trained on nothing, free of terms.\n"


@pytest.fixture(scope="session")
def vocabulary():
    return Vocabulary(" abcdeé𝄞")


@pytest.fixture(scope="session")
def model(vocabulary):
    keras.utils.set_random_seed(5)
    model = handwriting_synthesis(len(vocabulary), units=20, depth=2, window_components=3, mixture_components=4)
    for layer in recurrent_layers(model):
        for weight in layer.cell.trainable_variables:
            weight.assign(weight + keras.random.normal(weight.shape, stddev=0.2))
    recurrent_layers(model)[0].cell.window_bias.assign(np.repeat([-1.0, 0.5, -1.5], 3))
    return model


@pytest.fixture(scope="session")
def writer(model, vocabulary):
    return HandwritingWriter(model, vocabulary, MEAN, STD)


@pytest.fixture(scope="session")
def exported(model, vocabulary, tmp_path_factory):
    """saved_models/tiny/1"""
    return export_handwriting(model, vocabulary, MEAN, STD, tmp_path_factory.mktemp("saved_models") / "tiny", CARD)
