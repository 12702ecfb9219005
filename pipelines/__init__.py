"""Beam pipelines: raw files -> sharded TFRecords, schema, statistics, vocabulary, dead letters."""
