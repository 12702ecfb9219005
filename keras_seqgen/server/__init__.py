"""A local server of SavedModels with the interface of TensorFlow Serving, for development and tests.

It stands in for TensorFlow Serving, which serves the same folder in earnest: the same gRPC services and REST paths, the
same forms of answers and errors, hot reload, no batching across requests. It needs no Keras, and the extra `serving`.
"""
