import threading

import pytest

from keras_seqgen.data.folder_lock import locked
from keras_seqgen.errors import UserError


def test_one_at_a_time(tmp_path):
    pytest.importorskip("fcntl")
    order = []

    def second():
        with locked(tmp_path):
            order.append("second")

    thread = threading.Thread(target=second)
    with locked(tmp_path):
        with pytest.raises(UserError, match="wait for its end"), locked(tmp_path, "it is taken: wait for its end"):
            pass
        thread.start()
        thread.join(timeout=0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    with locked(tmp_path, "free again"):
        pass
