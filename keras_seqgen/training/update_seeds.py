"""What is drawn in an update."""

import keras
import numpy as np


class SeedOfUpdate(keras.callbacks.Callback):
    """Make all that is drawn in an update, noise and dropout, a function of a seed and the update's number.

    Keras does not save the states of its `SeedGenerator`s, and gives them new seeds where a model is loaded: without
    this a resumed run would draw something else.

    Args:
        seed: a non-negative integer.
    """

    def __init__(self, seed):
        super().__init__()
        self.seed = seed

    def on_train_begin(self, logs=None):
        weights = {id(weight) for weight in self.model.weights}
        states = [variable for variable in self.model.variables if id(variable) not in weights]
        seeds = np.random.SeedSequence(self.seed).generate_state(len(states)) >> 1
        self.states = [(state, int(seed)) for state, seed in zip(states, seeds, strict=True)]

    def on_train_batch_begin(self, batch, logs=None):
        draws = int(self.model.optimizer.iterations) << 16  # an update draws less often than 65,536 times
        for state, seed in self.states:
            state.assign([seed, draws])
