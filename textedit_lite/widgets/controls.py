"""The parts of a panel: labelled controls, the coloured status line, the debounce, the content of an upload."""

from __future__ import annotations

import asyncio
import functools
import html
import io
import threading
import time
from collections.abc import Callable
from typing import Any

import ipywidgets as widgets
import traitlets

from ..blend import FEATHER
from ..boxes import GROW
from ..errors import SettingsError, TextEditError
from .pictures import SIDE, png_bytes

LABEL = "92px"  # width of the labels, so that the sliders line up
WAIT = 0.12  # seconds of rest after which the last of many quick changes is shown
# The colours of a status: (text, background, edge).
LOOKS = {
    "ready": ("#343a40", "#f1f3f5", "#adb5bd"),
    "busy": ("#0b4f8a", "#e7f5ff", "#339af0"),
    "good": ("#1b5e2a", "#ebfbee", "#40c057"),
    "unsure": ("#7c4a03", "#fff4e0", "#f59f00"),
    "bad": ("#8f1d1d", "#fff0f0", "#e03131"),
}


# --- controls ----------------------------------------------------------------------------------------------------


def labelled(kind: type, description: str, hint: str = "", **options) -> widgets.Widget:
    """A control with its label on the left and an explanation when the mouse rests on it, on every version of ipywidgets."""
    control = kind(description=description, **options)
    control.layout.width = options.get("layout", {}).get("width", "auto")
    if control.has_trait("style") and hasattr(control.style, "description_width"):
        control.style.description_width = LABEL
    # ipywidgets 8 calls "tooltip" what 7 calls "description_tooltip" on all but buttons.
    for name in ("tooltip", "description_tooltip"):
        if hint and control.has_trait(name):
            setattr(control, name, hint)
            break
    return control


def wipe_slider(label: str) -> widgets.FloatSlider:
    """The slider for how far from the left a picture is shown as it was (`pictures.wiped`)."""
    return labelled(widgets.FloatSlider, label, "Left of the line the picture as it was.",
                    value=0.0, min=0, max=1, step=0.01, readout_format=".0%")  # fmt: skip


def threshold_controls(value: float, low: float, high: float, **options) -> tuple[widgets.Checkbox, widgets.FloatSlider]:
    """The checkbox for a dynamic detection threshold, and the slider for a fixed one."""
    dynamic = labelled(widgets.Checkbox, "dynamic", "Let the threshold fall into the widest gap of the scores.", value=True, indent=True)
    return dynamic, labelled(widgets.FloatSlider, "threshold", "Boxes with a lower score are dropped.",
                             value=value, min=low, max=high, step=0.01, **options)  # fmt: skip


def mask_sliders(before: str = "") -> tuple[widgets.FloatSlider, widgets.FloatSlider]:
    """The sliders for how far a mask grows and how wide it fades in; before: what their labels begin with."""
    grow = labelled(widgets.FloatSlider, f"{before}grow", "Beyond the box, in longest sides of the box.",
                    value=GROW, min=0, max=0.6, step=0.01)  # fmt: skip
    return grow, labelled(widgets.FloatSlider, f"{before}feather", "Width of the fade, in short sides of the mask.",
                          value=FEATHER, min=0, max=0.5, step=0.01)  # fmt: skip


def on_step(value: float) -> float:
    """A number with the two digits that sliders show.

    A browser moves a value to a step of its slider, and reports that like a move by hand.
    """
    return round(value, 2)


def button(description: str, hint: str, pressed: Callable[[], Any], style: str = "", icon: str = "") -> widgets.Button:
    """A button that calls `pressed()`; it is as wide as its words."""
    made = widgets.Button(description=description, tooltip=hint, button_style=style, icon=icon)
    made.layout = {"width": "auto", "min_width": "84px", "flex": "1 1 auto"}
    made.on_click(lambda _: pressed())
    return made


def heading(text: str) -> widgets.HTML:
    """The title of a group of controls."""
    return widgets.HTML(
        f'<div style="font-weight:600;font-size:13px;line-height:1.5;border-bottom:1px solid #ced4da;'
        f'margin-top:4px">{html.escape(text)}</div>'
    )


def row(*parts: widgets.Widget) -> widgets.HBox:
    """Controls side by side."""
    return widgets.HBox(parts, layout={"flex_flow": "row wrap", "align_items": "center", "width": "100%"})


def uploaded(value) -> tuple[str, io.BytesIO] | None:
    """Name and content of the file that a FileUpload holds, the last one of several; None where it holds none.

    ipywidgets 7 keeps a dict of name -> {"content": bytes}, ipywidgets 8 a tuple of {"name": ..., "content": memoryview}.
    Taught in notebook 05.
    """
    files = [(name, file["content"]) for name, file in value.items()] if isinstance(value, dict) else [
        (file["name"], file["content"]) for file in value or ()]  # fmt: skip
    return (files[-1][0], io.BytesIO(bytes(files[-1][1]))) if files else None


class Status(widgets.HTML):
    """One sentence on how things stand, in the colour of its kind: ready, busy, good, unsure or bad."""

    def __init__(self):
        super().__init__(layout={"width": "100%", "margin": "0 0 4px"})  # no margin at its sides, which would call for a scrollbar
        self.kind, self.text = "ready", ""

    def say(self, kind: str, text: str) -> None:
        self.kind, self.text = kind, text
        colour, ground, edge = LOOKS[kind]
        # ipywidgets makes a new node for each value. Of new nodes, screen readers read aloud only alerts, and a single step
        # of a painting is not worth one.
        role = "" if kind == "busy" else 'role="alert" '
        self.value = (
            f'<div {role}class="textedit-status" style="color:{colour};background:{ground};'
            f'border-left:4px solid {edge};border-radius:4px;padding:6px 10px;line-height:1.45;'
            f'white-space:normal;overflow-wrap:anywhere">{html.escape(text)}</div>'
        )


class Picture(widgets.Image):
    """A picture with words on what it shows, for those who cannot see it; they also appear when the mouse rests on it.

    The front end of ipywidgets 8 gives a picture a tooltip only if it has a description as well; version 7 has neither.
    """

    description = traitlets.Unicode("").tag(sync=True)
    tooltip = traitlets.Unicode("").tag(sync=True)


# --- the debounce ------------------------------------------------------------------------------------------------


def _in_the_loop(seconds: float, function: Callable[[], None]):
    """Call a function later on the kernel's event loop; None where no loop runs, as nothing would ever call it."""
    try:
        return asyncio.get_running_loop().call_later(seconds, function)
    except RuntimeError:
        return None


class Debounced:
    """A function that is called at once; of a burst of calls only the first and, after a rest, the last are made.

    A slider that is being dragged sends dozens of values a second. wait: how many seconds without a further call end a
    burst. later(seconds, function) and clock() are those of the kernel's event loop; without a loop every call counts.
    Taught in notebook 05.
    """

    def __init__(self, function: Callable[..., Any], wait: float = WAIT, later=_in_the_loop, clock=time.monotonic):
        self.function, self.wait = function, wait
        self._later, self._clock = later, clock
        self._last, self._pending, self._args = float("-inf"), None, ()

    def __call__(self, *args) -> None:
        now = self._clock()
        quick, self._last, self._args = now - self._last < self.wait, now, args
        self._cancel()
        self._pending = self._later(self.wait, self.flush) if quick else None
        if self._pending is None:
            self.function(*args)

    def flush(self) -> None:
        """Make the call that is still waiting, if there is one, now."""
        if self._pending is not None:
            self._cancel()
            self.function(*self._args)

    def _cancel(self) -> None:
        if self._pending is not None:
            self._pending.cancel()
            self._pending = None


# --- panels ------------------------------------------------------------------------------------------------------


def told(method):
    """A method of a panel whose errors are shown in its status; they are also raised where the panel is strict.

    An error that is the program's own is shown and raised in any case. A call that comes while the panel paints only
    raises: the status then says how far the painter is.
    """

    @functools.wraps(method)
    def wrapper(self, *args, **options):
        with self._turn:
            self._check_free()
            try:
                return method(self, *args, **options)
            except TextEditError as error:
                self.status.say("bad", str(error))
                if self.strict:
                    raise
            except KeyboardInterrupt:  # by a user who waits for a model that runs in the kernel's own thread
                self.status.say("ready", "Stopped: the picture is as it was.")
                raise
            except Exception as error:
                said = f"Something unforeseen went wrong ({type(error).__name__}: {error}): please report it."
                self.status.say("bad", said)
                raise

    return wrapper


class Panel(widgets.VBox):
    """A box with a picture and a status, the base of all panels; strict: errors are raised, too.

    JupyterLab may hand the changes of two controls to two threads of the kernel at once; a panel handles them in turn.
    """

    _locked = False  # while it paints

    def __init__(self, strict: bool = False):
        super().__init__(layout={"width": "100%", "max_width": "1080px"})
        self.strict, self.status, self._debounced = strict, Status(), []
        self._turn, self._quiet = threading.RLock(), threading.local()
        self._free: list[widgets.Widget] = []  # what can be moved while it paints, too
        self.picture = Picture(format="png", layout={"width": "100%", "max_width": f"{SIDE}px", "height": "auto", "margin": "0"})

    def __repr__(self) -> str:
        return f"{type(self).__name__}: {self.status.text}"

    def show(self, image, words: str) -> None:
        """Show a picture (PIL) large, but no larger than it is: otherwise a tall one would be stretched as wide as a wide one.

        words: what it shows.
        """
        self.picture.layout.max_width = f"{image.width}px"
        self.picture.tooltip = words
        self.picture.value = png_bytes(image)

    def close(self) -> None:
        """Close the panel with all that is in it: ipywidgets keeps what is open, and with it the pictures and models."""
        for part in self._parts():
            part.close()
        super().close()

    def wait(self) -> None:
        """Do now what a slider has put off: for use from Python, which does not rest between two values."""
        for function in self._debounced:
            function.flush()

    def _parts(self) -> list[widgets.Widget]:
        """All that is in the panel."""
        found = [self]
        for part in found:
            found += getattr(part, "children", ())
        return found[1:]

    def _arrange(self, controls, pictures) -> None:
        """Controls on the left, pictures on the right, or below where there is no room."""
        left = widgets.VBox(controls, layout={"width": "360px", "min_width": "300px", "flex": "1 1 320px"})
        right = widgets.VBox(pictures, layout={"min_width": "320px", "flex": "2 1 480px", "padding": "0 0 0 14px"})
        body = widgets.HBox([left, right], layout={"flex_flow": "row wrap", "width": "100%"})
        self.children = [self.status, body]

    def _on(self, control: widgets.Widget, function: Callable[[], Any], debounced: bool = False) -> None:
        """Call a function when the user, or Python, has moved a control; not when the panel itself has."""

        def in_turn() -> None:
            with self._turn:
                function()

        heard = Debounced(in_turn) if debounced else in_turn
        if debounced:
            self._debounced.append(heard)

        def moved(change) -> None:
            if getattr(self._quiet, "on", False):
                return
            if control not in self._free:
                try:
                    self._check_free()
                except SettingsError:
                    self._set(control, value=change["old"])
                    raise
            heard()

        control.observe(moved, names="value")

    def _check_free(self) -> None:
        """Raises SettingsError while the panel paints, as the painting belongs to the picture and words that it began with.

        The controls are locked then, but Python can still reach them, and so can a click that was on its way.
        """
        if self._locked:
            raise SettingsError("The panel is painting: wait until it is done, or stop it first.")

    def _set(self, control: widgets.Widget, **values) -> None:
        """Change a control without being notified of the change."""
        quiet, self._quiet.on = getattr(self._quiet, "on", False), True  # in this thread alone
        try:
            for name, value in values.items():
                control.set_trait(name, value)  # an upload's value is read-only in ipywidgets 7
        finally:
            self._quiet.on = quiet
