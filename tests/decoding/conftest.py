"""A small network whose window moves at a character in a few points, so that lines are short."""

import keras
import numpy as np
import pytest

from keras_seqgen.data.vocabulary import Vocabulary
from keras_seqgen.decoding import HandwritingWriter
from keras_seqgen.models import handwriting_prediction, handwriting_synthesis
from keras_seqgen.models.handwriting import output_layer, recurrent_layers

MEAN, STD = np.array([8.0, 0.5], np.float32), np.array([40.0, 30.0], np.float32)


def lively(model, seed=0):
    """Random weights of a size that makes the network's outputs vary from step to step."""
    rng = np.random.default_rng(seed)
    for layer in recurrent_layers(model):
        for weight in layer.cell.trainable_variables:
            weight.assign(weight + rng.normal(0, 0.3, weight.shape))
        if hasattr(layer.cell, "window_bias"):
            K = layer.cell.components
            layer.cell.window_bias.assign(np.repeat([-1.0, 0.5, -1.5], K))
    output = output_layer(model)
    output.bias.assign(rng.normal(0, 0.5, output.bias.shape))
    return model


@pytest.fixture(scope="session")
def vocabulary():
    return Vocabulary(" abcde.é")


@pytest.fixture(scope="session")
def synthesis(vocabulary):
    keras.utils.set_random_seed(5)
    return lively(handwriting_synthesis(len(vocabulary), units=24, depth=3, window_components=4, mixture_components=5))


@pytest.fixture(scope="session")
def prediction():
    keras.utils.set_random_seed(6)
    return lively(handwriting_prediction(units=20, depth=2, mixture_components=3))


@pytest.fixture(scope="session")
def writer(synthesis, vocabulary):
    return HandwritingWriter(synthesis, vocabulary, MEAN, STD)
