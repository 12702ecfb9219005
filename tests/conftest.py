"""What every test may ask for."""

import os
from pathlib import Path

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


@pytest.fixture(scope="session")
def data():
    """The folder of real data sets, named by KERAS_SEQGEN_DATA."""
    folder = os.environ.get("KERAS_SEQGEN_DATA")
    if not folder:
        pytest.skip("set KERAS_SEQGEN_DATA to the folder of real data sets")
    return Path(folder)
