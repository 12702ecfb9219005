"""The classes of a segmentation: how many, which value to ignore, their names and colours where these are known."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from keras_seqgen.errors import UserError

_LARGEST = 255  # labels are kept in 8-bit PNGs


@dataclass(frozen=True)
class LabelSet:
    """Classes 0..count-1 and the value that stands for "no label".

    Args:
        count: L, how many classes.
        ignore: the value of pixels that play no part in training and measuring; `None` if there is none.
        names: of the classes, in order; () where they are not known.
        colours: (red, green, blue) in 0..255 of each class; () for the colours that `viz.segmentation` makes up.

    Raises:
        UserError: numbers or colours out of range, as many names or colours as there are no classes, or two names with
            the same `key`.

    Example:

        >>> LabelSet(2, names=("cat", "dog")).name(1)
        'dog'
    """

    count: int
    ignore: int | None = 255
    names: tuple[str, ...] = ()
    colours: tuple[tuple[int, int, int], ...] = ()

    def __post_init__(self):
        if not 1 <= self.count <= _LARGEST + 1:
            raise UserError(f"there must be 1 to {_LARGEST + 1} labels. Received: {self.count}")
        if self.ignore is not None and not 0 <= self.ignore <= _LARGEST:
            raise UserError(f"the label to ignore must lie in 0..{_LARGEST}. Received: {self.ignore}")
        for what, values in (("names", self.names), ("colours", self.colours)):
            if values and len(values) != self.count:
                raise UserError(f"there are {self.count} labels, but {len(values)} {what}")
        for number in range(len(self.names)):
            for other in range(number):
                if self.key(other) == self.key(number):
                    told = f"{other} is {self.names[other]!r}, {number} {self.names[number]!r}"
                    raise UserError(f"the names of labels must differ, a blank being the same as _: {told}")
        for colour in self.colours:
            if len(colour) != 3 or not all(0 <= part <= _LARGEST for part in colour):
                raise UserError(f"a colour is three numbers in 0..{_LARGEST}. Received: {colour}")

    def name(self, label: int) -> str:
        """The name of a class; its number where nobody named it."""
        return self.names[label] if self.names else str(label)

    def key(self, label: int) -> str:
        """The name of a class as a part of a metric's name."""
        return self.name(label).replace(" ", "_")

    def to_json(self) -> str:
        """The content of `labels.json`."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False) + "\n"

    def save(self, path: str | Path) -> None:
        """Writes `labels.json`."""
        Path(path).write_text(self.to_json(), encoding="utf-8")

    @classmethod
    def load(cls, path: str | Path) -> "LabelSet":
        """Reads `labels.json`.

        Raises:
            UserError: where it cannot be read.
        """
        try:
            fields = json.loads(Path(path).read_text(encoding="utf-8"))
            colours = tuple((int(r), int(g), int(b)) for r, g, b in fields["colours"])
            return cls(int(fields["count"]), fields["ignore"], tuple(map(str, fields["names"])), colours)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} holds no labels: {error}") from error


CAMVID = LabelSet(
    11,
    11,
    (
        "sky",
        "building",
        "pole",
        "road",
        "pavement",
        "tree",
        "sign",
        "fence",
        "car",
        "pedestrian",
        "cyclist",
    ),
    (
        (128, 128, 128),
        (128, 0, 0),
        (192, 192, 128),
        (128, 64, 128),
        (60, 40, 222),
        (128, 128, 0),
        (192, 128, 128),
        (64, 64, 128),
        (64, 0, 128),
        (64, 64, 0),
        (0, 128, 192),
    ),
)  # fmt: skip
VOC = LabelSet(
    21,
    255,
    (
        "background",
        *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
        *(
            "dining table",
            "dog",
            "horse",
            "motorbike",
            "person",
            "potted plant",
            "sheep",
            "sofa",
            "train",
            "tv monitor",
        ),
    ),
)
