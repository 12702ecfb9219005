"""Generate and label sequences with Keras 3.

The floors, each importing only from those below: `layers`, `distributions`, `data`, `ngram`; `losses`, `metrics`,
`models`; `training`, `decoding`, `viz`; `serving`, `recipes`; `cli`. Importing this package imports neither Keras nor
TensorFlow.
"""

__version__ = "0.1.0"
