"""The whole editor as a panel: picture, words, object, mask, painting, undo and redo."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import ipywidgets as widgets
from PIL import Image, ImageChops

from ..checksums import sha256_of
from ..detect import Detections
from ..editor import Editor, EditResult
from ..errors import SettingsError
from ..images import open_image, result_files, save_png
from ..mask import build_mask
from ..match import Match, choose, match
from ..models import Models
from ..prompt import EditPrompt
from ..resources import data_path
from ..straighten import straighten
from ..wish import Wish, leaning, make_wish
from .controls import LABEL, button, heading, labelled, mask_sliders, on_step, row, threshold_controls, told, uploaded, wipe_slider
from .history import History, how_many
from .painting import PaintingPanel
from .pictures import TINTED, numbered, numbered_words, scaled, tinted, wiped, wiped_words
from .stages import fading, said

PROMPT = "the left car changes to a red car"
OWN = "(your own)"
VIEWS = ("objects", "mask", "before | after")
# What follows from what: a control re-runs its stage and those after it, never those before it.
STAGES = ("detect", "match", "choose", "read", "mask")


@dataclass(frozen=True)
class Step:
    """One state of the work: the picture that is edited, the file that it came from, and the result of the last painting."""

    image: Image.Image
    path: Path | None = None
    result: EditResult | None = None


class EditorPanel(PaintingPanel):
    """The editor to look at and to try out: choose a picture, say what is to change, choose the object, see the mask, paint.

    Each slider re-runs its own stage and those after it: the mask's sliders call no model, choosing a candidate's number
    calls CLIP once, the threshold calls DETR where it has not looked yet. Only the button starts painting.

    models: from `load_models`, the lite ones by default; image: path or PIL, a sample by default; strict: errors are raised
    and not only shown. Taught in notebook 05.
    """

    def __init__(self, models: Models | None = None, image=None, prompt: str = PROMPT, strict: bool = False):
        self.editor = Editor(models)
        self.made: dict[str, Any] = dict.fromkeys(STAGES)
        self.select: int | None = None  # the number that the user chose; None where the words decide
        super().__init__(self.editor.models, strict)
        self._make_controls(prompt)
        self._listen()
        self._lay_out()
        self._open(data_path("samples", "street.png") if image is None else image)

    # --- what it is made of --------------------------------------------------------------------------------------

    def _make_controls(self, prompt: str) -> None:
        samples = {path.stem: path for path in sorted(data_path("samples").glob("*.png"))}
        self.sample = labelled(widgets.Dropdown, "sample", "A picture that comes with the package.",
                               options=[*samples.items(), (OWN, "")], value="")  # fmt: skip
        self.upload = widgets.FileUpload(description="Upload a picture", accept="image/*", multiple=False)
        self.upload.layout = {"width": "auto", "flex": "1 1 auto"}
        self._forget_upload()
        self.prompt = labelled(widgets.Text, "prompt", "What to change, and into what.", value=prompt, continuous_update=False)
        self.dynamic, self.threshold = threshold_controls(0.5, 0.05, 0.95, continuous_update=False)
        self.choice = widgets.ToggleButtons(options=[], description="number", style={"description_width": LABEL, "button_width": "auto"})
        self.grow, self.feather = mask_sliders("mask ")
        self.view = widgets.ToggleButtons(options=VIEWS, description="show",
                                          style={"description_width": "44px", "button_width": "auto"})  # fmt: skip
        self.wipe = wipe_slider("wipe")
        self.wipe.style.description_width = "44px"
        self.undo_button = button("Undo", "The picture before the last painting", self.undo, icon="undo")
        self.redo_button = button("Redo", "What was undone", self.redo, icon="repeat")
        self.go_on_button = button("Go on", "Edit the result further", self.go_on, icon="arrow-right")
        self.name = labelled(widgets.Text, "file", "Where the picture is saved; its settings go into it.", value="edit.png")
        self.save_button = button("Save", "Write the picture, its mask and its settings", self.save, icon="save")
        self.where = widgets.HTML()

    def _listen(self) -> None:
        self._on(self.sample, self._sampled)
        self._on(self.upload, self._uploaded)
        self._on(self.prompt, lambda: self._update("match", "objects"))
        self._on(self.dynamic, lambda: self._update("detect", "objects"))
        self._on(self.threshold, self._fixed)
        self._on(self.choice, self._picked)
        self._on(self.grow, lambda: self._update("mask", "mask"), debounced=True)
        self._on(self.feather, lambda: self._look_at("mask"), debounced=True)
        self._on(self.view, self._draw)
        self._on(self.wipe, lambda: self._look_at("before | after"), debounced=True)
        self._free = [self.wipe, self.view]

    def _lay_out(self) -> None:
        controls = [
            heading("1  Picture"), self.sample, row(self.upload), heading("2  Words"), self.prompt,
            heading("3  Object"), self.dynamic, self.threshold, self.choice,
            heading("4  Mask"), self.grow, self.feather,
            heading("5  Painting"), self.guidance, self.steps, self.seed, self.buttons, self.bar,
        ]  # fmt: skip
        after = row(self.undo_button, self.redo_button, self.go_on_button, self.where)
        self.name.layout = {"width": "auto", "flex": "3 1 160px"}
        self.name.style.description_width = "44px"
        self._arrange(controls, [self.view, self.picture, self.wipe, after, row(self.name, self.save_button)])

    # --- a new picture, and new words ----------------------------------------------------------------------------

    @told
    def load(self, source) -> None:
        """Open a picture (path, file, PIL) and begin a new history with it; what cannot be opened changes nothing."""
        self._open(source)

    def _open(self, source) -> None:
        path = Path(os.path.expanduser(source)).resolve() if isinstance(source, (str, os.PathLike)) else None
        first = Step(open_image(source), path)
        self.history: History[Step] = History(first, how_many(first.image))
        self._name_sample()
        self._update("detect", "objects")

    def _name_sample(self) -> None:
        """Let the dropdown say which sample the picture is, if it is one."""
        shipped = [value for _, value in self.sample.options if value and value.resolve() == self.step.path]
        self._set(self.sample, value=shipped[0] if shipped else "")

    def _sampled(self) -> None:
        if self.sample.value:
            self.load(self.sample.value)
        else:
            self._name_sample()  # a user's own picture can only come from an upload

    def _uploaded(self) -> None:
        file = uploaded(self.upload.value)
        if file is not None:
            self._forget_upload()
            self.load(file[1])

    def _forget_upload(self) -> None:
        """Empty the upload, so that the same file counts as new the next time; the first time, so that it has been empty."""
        self._set(self.upload, value=type(self.upload.value)())

    def _fixed(self) -> None:
        self._set(self.dynamic, value=False)
        self._update("detect", "objects")

    def _picked(self) -> None:
        self.select = self.choice.value
        self._update("choose", "objects")

    # --- the stages before the painter ---------------------------------------------------------------------------

    @told
    def _update(self, first: str, view: str) -> None:
        """Run a stage and those that follow from it, and show their results."""
        stages = STAGES[STAGES.index(first) :]
        self._set(self.view, value=view)
        for stage in stages:
            self.made[stage] = None
        try:
            for stage, before in zip(stages, (None, *STAGES)[-len(stages) - 1 :], strict=False):
                if before is None or self.made[before] is not None:
                    self.made[stage] = getattr(self, f"_{stage}")()
            self._tell()
        finally:
            self._settled()
            self._draw()

    def _detect(self) -> Detections:
        found = self.editor.detections(self.step.image, None if self.dynamic.value else self.threshold.value)
        if self.dynamic.value:
            self._set(self.threshold, value=on_step(found.threshold))
        return found

    def _match(self) -> tuple[EditPrompt, Match]:
        self.select = None
        self._offer(self.made["detect"].labels, self.made["detect"].scores)
        prompt = self.editor.parse(self.prompt.value)
        seen = match(self.step.image, self.made["detect"], prompt, self.models)
        self._offer(self.made["detect"].labels, [candidate.score for candidate in seen.candidates])
        return prompt, seen

    def _choose(self) -> Match:
        prompt, seen = self.made["match"]
        select, rank = (prompt.selector, prompt.rank) if self.select is None else (self.select, 1)
        chosen = choose(seen.candidates, select, rank)
        self._set(self.choice, value=chosen.index)
        return chosen

    def _read(self) -> Wish | None:
        """How the chosen object looks now, and how it is to look."""
        (prompt, _), chosen = self.made["match"], self.made["choose"]
        if chosen.index is None:
            return None
        box = chosen.candidates[chosen.index].box
        return make_wish(self.step.image, box, prompt, self.models)

    def _mask(self) -> Image.Image | None:
        chosen, wish = self.made["choose"], self.made["read"]
        box, image = chosen.candidates[chosen.index].box, self.step.image
        mask = build_mask(image.size, box, grow=self.grow.value, **wish.turned)
        lean = leaning(wish.wanted, wish.now, self.models)
        return straighten(image, box, lean, self.grow.value).within(mask) if lean else mask

    # --- what is shown -------------------------------------------------------------------------------------------

    @property
    def step(self) -> Step:
        """The state of the work: `image`, `path`, and the `result` of the last painting."""
        return self.history.current

    @property
    def mask(self) -> Image.Image | None:
        """The mask under which Paint would paint (L, 255 = repaint); None while no object is chosen."""
        return self.made["mask"]

    def _offer(self, labels, scores) -> None:
        """The candidates as buttons with their numbers."""
        options = [(f"{i} {label} {score:.2f}", i) for i, (label, score) in enumerate(zip(labels, scores))]
        self._set(self.choice, options=options, value=None)

    def _tell(self) -> None:
        chosen = self.made["choose"]
        if chosen is None or (chosen.index is not None and self.made["read"] is None):  # unreadable, as the status says already
            return
        prompt, _ = self.made["match"]
        if chosen.index is None:
            self.status.say(*said(chosen, prompt.source))
            return
        label, becomes = chosen.candidates[chosen.index].label, self.made["read"].description
        self.status.say("ready", f"Number {chosen.index}, the {label}, shall become {becomes}. Look at the mask, then press Paint.")

    def _look_at(self, view: str) -> None:
        self._set(self.view, value=view)
        self._draw()

    def _draw(self) -> None:
        step, found, chosen = self.step, self.made["detect"], self.made["choose"]
        if self.view.value == "before | after" and step.result is not None:
            self.show(wiped(step.image, step.result.image, self.wipe.value), wiped_words(self.wipe.value))
        elif self.view.value == "mask" and self.mask is not None:
            self.show(tinted(step.image, fading(self.mask, self.feather.value)), TINTED)
        elif self.view.value != "before | after" and found is not None:
            texts = [name.split(" ", 1)[1] for name, _ in self.choice.options]
            number = chosen.index if chosen else None
            self.show(numbered(step.image, found.boxes, texts, number), numbered_words(texts, number))
        else:
            self.show(scaled(step.image), "The picture as it was.")

    def _settled(self) -> None:
        """Lock the controls that have nothing to act on, and say how many states there are."""
        done = self.step.result is not None
        self.paint_button.disabled = self.mask is None
        self.undo_button.disabled, self.redo_button.disabled = not self.history.can_undo, not self.history.can_redo
        for control in (self.go_on_button, self.save_button, self.wipe):
            control.disabled = not done
        self.where.value = f"state {self.history.place + 1} of {len(self.history)}"

    # --- painting, and the way back ------------------------------------------------------------------------------

    def _work(self, progress) -> EditResult:
        if self.mask is None:
            raise SettingsError("There is nothing to paint yet: say what is to change, and choose a number.")
        return self.editor.edit(
            self.step.path or self.step.image, self.prompt.value, seed=self.seed.value, steps=self.steps.value,
            guidance=self.guidance.value, threshold=None if self.dynamic.value else self.threshold.value, select=self.select,
            grow=self.grow.value, feather=self.feather.value, progress=progress,
        )  # fmt: skip

    def _finished(self, result: EditResult) -> tuple[str, str]:
        if result.image is not None:
            if _same(result.source, self.step.image):  # the editor has opened it anew; so a history of large pictures holds it only once
                result.source = self.step.image
            self.history.push(Step(self.step.image, self.step.path, result))
            self._set(self.wipe, value=0.0)
            self._look_at("before | after")
        seconds = sum(result.timings_ms.values()) / 1000
        return "good" if result.verified else "unsure", f"{result.status}: {result.message} ({seconds:.1f} s)"

    @told
    def undo(self) -> None:
        """Back to the state before the last painting."""
        self._travel(self.history.undo)

    @told
    def redo(self) -> None:
        """Forward to what was undone."""
        self._travel(self.history.redo)

    @told
    def go_on(self) -> None:
        """Make the result the picture that is edited next."""
        if self.step.result is not None:
            self._travel(lambda: self.history.push(Step(self.step.result.image)))

    def _travel(self, move) -> None:
        before = self.step.image
        move()
        result = self.step.result
        if self.step.image is not before:
            self._name_sample()
            self._update("detect", "objects")
        if result is not None:
            self._look_at("before | after")
            self.status.say("ready", f'This is "{result.settings.prompt}" with seed {result.settings.seed}: {result.status}.')
        else:
            self._look_at("objects")
            if self.made["choose"] is None:  # to say again what is wrong with the words
                self._update("match", "objects")
            self._tell()
        self._settled()

    @told
    def save(self) -> dict[str, str] | None:
        """Write the picture with its settings, and the mask, so that `replay` can make it again; returns the names.

        If the input was never a file (an upload, or an edited picture), it is written beside them as NAME.input.png.
        """
        result, names = self.step.result, {}
        if result is None:
            raise SettingsError("There is nothing to save yet: paint first.")
        path, *_ = result_files(self.name.value.strip())  # checked before anything is written
        if result.settings.image is None:
            source = path.with_suffix(".input.png")
            save_png(result.source, source)
            names["input"] = str(source)
            origin = {"image": str(source.resolve()), "image_sha256": sha256_of(source)}
            result = replace(result, settings=replace(result.settings, **origin))
        names |= result.save(path)
        self.status.say("good", f"Saved: {', '.join(Path(name).name for name in names.values())}, with all settings inside.")
        return names


def _same(one: Image.Image, other: Image.Image) -> bool:
    """Whether two pictures (RGB) are the same, pixel for pixel: a file may have changed since it was opened."""
    return one.size == other.size and ImageChops.difference(one, other).getbbox() is None
