"""The panel of notebook 08: the rival editors with their sliders, and what each does to the rest of the picture."""

from __future__ import annotations

from collections import OrderedDict

import ipywidgets as widgets
import numpy as np
from PIL import Image, ImageChops

from ..editor import EditResult
from ..models import load_models
from ..rivals import diffedit, instruct_pix2pix, sdedit
from ..rivals.settings import settings_of
from .controls import Panel, heading, labelled, on_step, told, wipe_slider
from .history import how_many
from .pictures import differing, scaled, tinted, wiped, wiped_words

RIVALS = {"sdedit": sdedit, "diffedit": diffedit, "instruct-pix2pix": instruct_pix2pix}
NAMES = [("SDEdit", "sdedit"), ("DiffEdit", "diffedit"), ("InstructPix2Pix", "instruct-pix2pix")]
SHOWN = [("before | after", "wipe"), ("what changed", "difference")]
MASK = ("DiffEdit's mask", "mask")  # the others have none
# A setting's label, its range, its step, and what it is for.
SLIDERS = {
    "strength": ("strength", 0.1, 1.0, 0.05, "How far into the noise the picture is sent; at 1 nothing is left of it."),
    "guidance": ("guidance", 1.0, 10.0, 0.5, "How hard the words pull; 1 is not at all."),
    "image_guidance": ("by the image", 1.0, 3.0, 0.1, "How hard the picture pulls (InstructPix2Pix)."),
    "temperature": ("temperature", 0.0, 1.0, 0.1, "Of the noise: the colder, the less do seeds differ (InstructPix2Pix)."),
    "threshold": ("threshold", 0.2, 4.0, 0.1, "How many times the mean contrast a place needs to be repainted (DiffEdit)."),
}


class RivalPanel(Panel):
    """A rival, its sliders and its edit, which is made anew when a slider is released; recent edits are remembered.

    image: PIL RGB; place: L of its size, where the change belongs: the status says what happened outside of it. An edit by the
    lite models takes from 0.2 seconds (SDEdit) to one second on a quick processor, and several on an old one; in the meantime
    nothing else is answered. Taught in notebook 08.
    """

    def __init__(self, image: Image.Image, prompt: str, models=None, place: Image.Image | None = None, strict: bool = False):
        super().__init__(strict)
        self.models = models or load_models("lite")
        self.image, self.place = image, place
        self.result: EditResult | None = None
        self._made: OrderedDict[tuple, EditResult] = OrderedDict()  # in order of use, the most recent last
        self.prompt = labelled(widgets.Text, "prompt", "What to change, and into what.", value=prompt, continuous_update=False)
        self.rival = labelled(widgets.Dropdown, "editor", "Who edits.", options=NAMES)
        self.sliders = {
            name: labelled(widgets.FloatSlider, label, hint, value=low, min=low, max=high, step=step,
                           readout_format=".2f", continuous_update=False)
            for name, (label, low, high, step, hint) in SLIDERS.items()
        }  # fmt: skip
        self.strength, self.guidance, self.image_guidance, self.temperature, self.threshold = self.sliders.values()
        self.seed = labelled(widgets.IntSlider, "seed", "Another seed, another painting.", value=0, min=0, max=99, continuous_update=False)
        self.shown = labelled(widgets.Dropdown, "show", "What is shown on the right.", options=SHOWN)
        self.wipe = wipe_slider("before | after")
        self._on(self.rival, self._chosen)
        for control in (self.prompt, self.seed, *self.sliders.values()):
            self._on(control, self._edit)
        self._on(self.shown, self._draw)
        self._on(self.wipe, self._draw, debounced=True)
        controls = [heading("Editor"), self.rival, self.prompt, *self.sliders.values(), self.seed, self.shown]
        self._arrange(controls, [self.picture, self.wipe])
        self._chosen()

    @property
    def settings(self) -> dict[str, float]:
        """The settings of the chosen rival, as its sliders show them."""
        own = settings_of(self.rival.value, self.models)
        return {name: on_step(slider.value) for name, slider in self.sliders.items() if name in own}

    @told
    def _chosen(self) -> None:
        """Switch to another rival: set its own defaults for these models, and lock the sliders that it does not have."""
        own = settings_of(self.rival.value, self.models)
        ways, shown = [*SHOWN, MASK] if self.rival.value == "diffedit" else SHOWN, self.shown.value
        self._set(self.shown, options=ways, value=shown if shown in dict(ways).values() else "wipe")
        for name, slider in self.sliders.items():
            if name in own:
                self._set(slider, value=own[name])
            slider.disabled = name not in own
        self._edit()

    @told
    def _edit(self) -> None:
        rival, settings = self.rival.value, self.settings
        key = (rival, self.prompt.value, self.seed.value, *settings.items())
        if key not in self._made:
            self.status.say("busy", "Painting ...")
            made = RIVALS[rival](self.image, self.prompt.value, self.models, seed=self.seed.value, **settings)
            made.source = self.image  # not the rival's own copy, or each result would hold one
            self._made[key] = made
            while len(self._made) > how_many(self.image):
                self._made.popitem(last=False)
        self._made.move_to_end(key)
        self.result = self._made[key]
        self._draw()
        self.status.say("unsure" if self.result.image is None else "good", self._said())

    def _said(self) -> str:
        name = self.rival.label
        if self.result.image is None:
            return f"{name}: {self.result.message}"
        off = np.asarray(ImageChops.difference(self.result.image, self.image)).max(-1)
        outside = np.ones(off.shape, bool) if self.place is None else np.asarray(self.place) == 0
        where = "of the picture" if self.place is None else "outside of the place of the edit"
        off = off[outside] if outside.any() else np.zeros(1)  # a place that fills the picture has no outside
        return f"{name} changed {(off > 0).mean():.0%} of the pixels {where}, by {off.mean():.1f} of 255 levels in the mean."

    def _draw(self) -> None:
        result = self.result
        if result is None or result.image is None:
            self.show(scaled(self.image), "The picture as it was.")
        elif self.shown.value == "difference":
            self.show(differing(self.image, result.image), "What changed, the brighter the more; the rest is black.")
        elif self.shown.value == "mask" and result.mask is not None:
            self.show(tinted(self.image, result.mask), "The picture, tinted where DiffEdit repaints it.")
        else:
            self.show(wiped(self.image, result.image, self.wipe.value), wiped_words(self.wipe.value))
