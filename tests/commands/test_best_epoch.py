"""Which epoch `export` takes for the best."""

from keras_seqgen.commands.serving import _best_epoch


def test_an_epoch_whose_number_is_none_is_not_the_best():
    log = [{"epoch": str(epoch), "val_loss": loss} for epoch, loss in enumerate(("nan", "3", "", "2", "nan", "2.5"))]
    assert _best_epoch(log, "val_loss") == {"epoch": 3, "val_loss": 2}
    assert _best_epoch(log[:1], "val_loss") == {}
    assert _best_epoch(log, "val_cer") == {}
