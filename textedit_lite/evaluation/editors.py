"""The systems that are compared: each turns a batch of requests into one result per request, and may fail on any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from PIL import Image

from ..detect import HIGHEST, Detections
from ..editor import Editor, EditResult
from ..errors import OutputError, SettingsError, TextEditError, WeightsError
from ..mask import build_mask
from ..match import ATTRIBUTES, read_attributes, read_categories, text_features
from ..memory import is_out_of_memory
from ..models import Models
from ..prompt import check_words, parse
from ..rivals import diffedit_batch, instruct_pix2pix_batch, plain_edit, sdedit_batch
from ..segment import as_mask
from ..settings import ABLATIONS
from ..vocabulary import describe

# Each switch of `--ablate`, and the options of `Editor.edit_batch` that it stands for.
ABLATED: dict[str, dict[str, Any]] = {
    **{name: {"ablate": name} for name in ABLATIONS},
    "threshold": {"threshold": HIGHEST},
    "rounds": {"rounds": 1},
    "sketch": {"sketch": False},
}

IN_WORDS = {
    "fusion": "CLIP alone chooses", "crop": "on the whole picture", "refine": "boundary not refined", "guidance": "fixed guidance",
    "steps": "fixed steps", "temperature": "from all of the noise, in all steps", "straighten": "leaning ones as they lean",
    "silhouette": "without the outline by SAM",
    "threshold": "fixed threshold", "rounds": "one round only", "sketch": "without a sketch",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """One edit as an editor is asked for it; the object's true box and pixels are there too, for anchors alone to look at."""

    image: Image.Image
    prompt: str
    seed: int
    change: dict[str, str] = field(hash=False)
    box: tuple[float, float, float, float]
    pixels: np.ndarray = field(hash=False, repr=False)  # bool [H, W]

    @property
    def place(self) -> Image.Image:
        """Where the edit may happen: the mask that the editor would build around the true box for this change."""
        return build_mask(self.image.size, self.box, self.change.get("pose"), view=self.change.get("view"))

    @property
    def found(self) -> Detections:
        """What a perfect detector that knows which object is meant would find."""
        prompt = parse(self.prompt)
        return Detections(np.array([self.box], np.float32), np.ones(1, np.float32), (prompt.category or prompt.noun,), 0.0)

    @property
    def true_mask(self) -> Image.Image | None:
        """The object's own pixels if it gets a new colour; None where it turns, as the editor makes that mask from the box."""
        return as_mask(self.pixels) if "colour" in self.change else None


Way = Callable[[Sequence[Request]], list[EditResult]]


def ours(models: Models, options: dict[str, Any]) -> Way:
    """The editor of this package, with a new one for each batch, so that no batch remembers another."""
    return lambda some: Editor(models).edit_batch(*_asked(some), **options)


def oracle_mask(models: Models, options: dict[str, Any]) -> Way:
    """Ours, but told the object by its true box and, for a new colour, its true mask: what perfect stages 1 to 3 would gain."""
    options = {"sketch": models.sketches, "select": 0, **options}
    return lambda some: Editor(models).edit_batch(
        *_asked(some), masks=[request.true_mask for request in some], found=[request.found for request in some], **options
    )


def copy(models: Models, options: dict[str, Any]) -> Way:
    """Returns the input: the anchor of everything that measures how little has changed."""
    return lambda some: [
        EditResult("edited", "The input came back.", image=request.image.copy(), source=request.image) for request in some
    ]


def plain(models: Models, options: dict[str, Any]) -> Way:
    """The pipeline without the editor's machinery (`rivals.plain_edit`), one edit at a time."""
    return lambda some: [plain_edit(request.image, request.prompt, models, seed=request.seed) for request in some]


def rival(edit_batch: Callable[..., list[EditResult]]) -> Callable[[Models, dict[str, Any]], Way]:
    """An editor of whole pictures (`rivals`); its options are its settings, by default those of `rivals.settings`."""
    return lambda models, options: lambda some: edit_batch(*_asked(some)[:2], models, _asked(some)[2], **options)


# To add a rival, write a function as above and add a line here. ABLE: those that take the options of `Editor.edit_batch`;
# CHOOSERS: those that choose an object; the others see the whole picture.
EDITORS: dict[str, Callable[[Models, dict[str, Any]], Way]] = {
    "ours": ours, "copy": copy, "oracle-mask": oracle_mask, "plain": plain,
    "sdedit": rival(sdedit_batch), "diffedit": rival(diffedit_batch), "instruct-pix2pix": rival(instruct_pix2pix_batch),
}  # fmt: skip
ABLE = ("ours", "oracle-mask")
CHOOSERS = (*ABLE, "plain")


def check_editor(name: str, ablate: str | None = None) -> None:
    """Raises SettingsError for an unknown editor or ablation, or for an ablation that the editor has no switch for."""
    if name not in EDITORS:
        raise SettingsError(f"There is no editor {name!r}: choose one of {', '.join(EDITORS)}.")
    if ablate is not None and ablate not in ABLATED:
        raise SettingsError(f"There is no ablation {ablate!r}: choose one of {', '.join(ABLATED)}.")
    if ablate is not None and name not in ABLE:
        raise SettingsError(f"The editor {name} has nothing to switch off: leave --ablate to {' or '.join(ABLE)}.")


def make_editor(name: str, models: Models, ablate: str | None = None, settings: dict[str, Any] | None = None) -> Way:
    """The way to edit that `--editor` and `--ablate` name; raises SettingsError as `check_editor` does.

    settings: of a rival, in place of its defaults (`rivals.settings`).
    """
    check_editor(name, ablate)
    return EDITORS[name](models, ABLATED[ablate] if ablate else settings or {})


def attempt(way: Way, some: Sequence[Request], words: Sequence[str] | None = None) -> list[EditResult]:
    """The results of a batch. An edit that fails does not take others with it: its status is "failed", its message the reason.

    words: all that the models know, None for any; a prompt beyond them fails before anything is computed. If the rest
    still fails as a batch, each is tried by itself. An interruption is passed on. So is the machine's own trouble (a full
    memory or disk, weights that are gone, a GPU that failed), which says nothing about the edit; the run can go on later.
    Raises WeightsError or OutputError then (`trouble_named`).
    """
    results: list[EditResult | None] = [_refused(request, words) for request in some]
    todo = [i for i, result in enumerate(results) if result is None]
    try:
        done = way([some[i] for i in todo]) if todo else []
    except Exception:
        done = [_alone(way, some[i]) for i in todo]
    for i, result in zip(todo, done, strict=True):
        results[i] = result
    return results


@contextmanager
def trouble_named() -> Iterator[None]:
    """Puts the machine's own trouble into one sentence.

    A full memory or a failed GPU becomes a WeightsError; what the system refuses becomes an OutputError.
    """
    try:
        yield
    except OSError as error:
        raise OutputError(f"The system refuses to go on ({error.strerror or error}): mend that, and the same command goes on from "
                          "here.") from error  # fmt: skip
    except (MemoryError, RuntimeError) as error:
        if is_out_of_memory(error):
            raise WeightsError("The memory has no room for these edits: close other programs, and the same command goes on from "
                               "here.") from error  # fmt: skip
        if _is_fault(error):
            raise WeightsError(f"The GPU has failed ({str(error).splitlines()[0]}): the same command goes on from here, in a new "
                               "process.") from error  # fmt: skip
        raise


def _is_fault(error: BaseException) -> bool:
    """Whether a GPU has failed: after one error of CUDA, whatever this process asks of it raises that error too."""
    import torch

    kinds = getattr(torch, "AcceleratorError", ())  # since torch 2.8; older ones, and libraries that call CUDA themselves, say it in words
    return isinstance(error, kinds) or any(some in str(error) for some in ("CUDA error", "CUBLAS_STATUS", "CUDNN_STATUS"))


def warm(models: Models, categories: Sequence[str]) -> None:
    """Have CLIP read, once and in a fixed order, the captions that edits of these categories will ask it for.

    Which captions are read together would otherwise depend on what was read before. This way a run that was stopped and
    goes on gets the same last digits.
    """
    known = [name for name in sorted(set(categories)) if models.known_words is None or name in models.known_words]
    blank = [Image.new("RGB", (64, 64))]
    for name in known:
        read_attributes(blank, [name], models)
        read_categories(blank, list(dict.fromkeys([name, *models.categories])), models)
        text_features([describe(name)], models)
        for attribute, values in ATTRIBUTES.items():
            text_features([describe(name, **{attribute: value}) for value in values], models)


def _asked(some: Sequence[Request]) -> tuple[list, list, list]:
    return [request.image for request in some], [request.prompt for request in some], [request.seed for request in some]


def _refused(request: Request, words: Sequence[str] | None) -> EditResult | None:
    try:
        check_words(parse(request.prompt), words)
    except TextEditError as error:
        return EditResult("failed", str(error), source=request.image)
    return None


def _alone(way: Way, request: Request) -> EditResult:
    try:
        with trouble_named():
            return way([request])[0]
    except (OutputError, WeightsError):
        raise
    except Exception as error:
        reason = str(error) if isinstance(error, TextEditError) else f"{type(error).__name__}: {error}"
        return EditResult("failed", " ".join(reason.split()), source=request.image)
