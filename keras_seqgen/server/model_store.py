"""The models of a folder as the server holds them: loads what is wanted, lets go of the rest, finds what is asked."""

import gc
import logging
from dataclasses import dataclass
from pathlib import Path

from keras_seqgen.errors import UserError
from keras_seqgen.server.limits import Limits
from keras_seqgen.server.servable import Servable
from keras_seqgen.server.status import ServingError
from keras_seqgen.serving.models_config import label_versions, model_names, read_models_config, wanted_versions
from keras_seqgen.serving.versions import version_folder, versions

_LOG = logging.getLogger(__name__)
_TRIES = 5  # to load a version whose files stay as they are


@dataclass(frozen=True)
class State:
    """Of a version: what TensorFlow Serving calls it (LOADING, AVAILABLE, END), and why it failed, if it did.

    tries: how often it failed over the same files. changed: their newest change before it, in nanoseconds.
    """

    name: str
    error: str = ""
    tries: int = 1
    changed: int = 0


class ModelStore:
    """The models below a folder.

    Which versions are wanted is `models.config`'s to say, read anew each time; of a model that it does not name, the
    newest. A new version is loaded and warmed up while the old one answers; a request that runs keeps its version. A
    version that fails five times is given up until something in its folder changes: its copy may not have been whole.

    Args:
        root: the folder of models.
        limits: of a request.
    """

    def __init__(self, root, limits: Limits):
        self._root, self._limits = Path(root), limits
        # Models and labels are replaced together and never changed: a reader needs no lock and meets no label without
        # its version.
        self._now: tuple[dict[str, dict[int, Servable]], dict[str, dict[str, int]]] = {}, {}
        self._states: dict[str, dict[int, State]] = {}

    @property
    def models(self) -> dict[str, dict[int, Servable]]:
        """Name -> version -> what answers."""
        return self._now[0]

    def refresh(self) -> None:
        """Load what is new and wanted, then let go of what is wanted no more. One caller at a time."""
        try:
            config = {model.name: model for model in read_models_config(self._root).model_config_list.config}
            there = {name: versions(self._root / name) for name in model_names(self._root)}
            wanted = {name: wanted_versions(config.get(name), numbers) for name, numbers in there.items()}
        except (UserError, OSError) as error:
            _LOG.error("the models stay as they are: %s", error)
            return
        self._forget_failures(there)
        for name, numbers in wanted.items():
            for number in numbers:
                self._load(name, number)
        self._now = self.models, {name: label_versions(model) for name, model in config.items()}
        if self._let_go(wanted):
            gc.collect()  # a loaded SavedModel refers to itself

    def _load(self, name: str, number: int) -> None:
        if number in self.models.get(name, {}):
            return
        try:
            folder = version_folder(self._root / name, number)
            changed = _newest_change(folder)  # before the files are read: what changes meanwhile is a change
        except (KeyError, OSError):
            return  # it went, or is being moved: the next look tells
        before = self._states.get(name, {}).get(number)
        again = before and before.name == "END" and before.error and before.changed == changed
        tries = before.tries + 1 if before and again else 1
        if tries > _TRIES:
            return
        self._set_state(name, number, State("LOADING"))
        try:
            servable = Servable(name, folder, self._limits)
        except Exception as error:
            _LOG.error("%s version %d cannot be loaded: %s", name, number, error)
            if tries == _TRIES:
                remedy = f"mend the folder, or `touch {folder}`, and it is tried again"
                _LOG.error("%s version %d is given up after %d tries (%s): %s", name, number, tries, error, remedy)
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            self._set_state(name, number, State("END", reason, tries, changed))
            return
        models, labels = self._now
        self._now = {**models, name: {**models.get(name, {}), number: servable}}, labels
        self._set_state(name, number, State("AVAILABLE"))
        _LOG.info("%s version %d answers", name, number)

    def _forget_failures(self, there: dict[str, list[int]]) -> None:
        """Drop the states of versions that failed and whose folders are gone."""
        self._states = {
            name: {n: state for n, state in known.items() if not state.error or n in there.get(name, ())}
            for name, known in self._states.items()
        }

    def _let_go(self, wanted: dict[str, list[int]]) -> bool:
        """Whether a version went. A model keeps its old ones until a wanted one answers, unless its folder is gone."""
        models, labels = self._now
        kept = {}
        for name, loaded in models.items():
            numbers = set(wanted.get(name, ())) & set(loaded) or (set(loaded) if wanted.get(name) else set())
            for number in set(loaded) - numbers:
                self._set_state(name, number, State("END"))
                _LOG.info("%s version %d answers no more", name, number)
            kept[name] = {number: loaded[number] for number in loaded if number in numbers}
        self._now = {name: loaded for name, loaded in kept.items() if loaded}, labels
        return sum(map(len, models.values())) > sum(map(len, kept.values()))

    def _set_state(self, name: str, number: int, state: State) -> None:
        self._states = {**self._states, name: {**self._states.get(name, {}), number: state}}

    def find(self, name: str, version: int | None = None, label: str = "") -> Servable:
        """What answers for a model: a version by its number or label, else the newest.

        Raises:
            ServingError: nothing does.
        """
        models, labels = self._now
        loaded = models.get(name, {})
        if label:
            version = labels.get(name, {}).get(label)
            if version not in loaded:
                raise ServingError("INVALID_ARGUMENT", f"Unrecognized servable version label: {label}")
        if version is None and loaded:
            version = max(loaded)
        if version is None or version not in loaded:
            asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServingError("NOT_FOUND", f"Servable not found for request: {asked}")
        return loaded[version]

    def states(self, name: str, version: int | None = None, label: str = "") -> dict[int, State]:
        """Version -> state, newest first: of one version or of all.

        Raises:
            ServingError: there is none.
        """
        if label:
            version = self.find(name, label=label).version
        known = self._states.get(name, {})
        if version is not None and version not in known:
            raise ServingError("NOT_FOUND", f"Could not find version {version} of model {name}")
        if not known:
            raise ServingError("NOT_FOUND", f"Could not find any versions of model {name}")
        return {number: known[number] for number in sorted(known, reverse=True) if version in (None, number)}


def _newest_change(folder: Path) -> int:
    """When a folder or something below it changed last, in nanoseconds."""
    return max(folder.stat().st_mtime_ns, *(path.lstat().st_mtime_ns for path in folder.rglob("*")), 0)
