"""The part of a panel that paints, in a thread, so that the kernel can react to the Stop button."""

from __future__ import annotations

import math
import threading
from itertools import count
from typing import Any

import ipywidgets as widgets

from ..errors import TextEditError
from ..plan import SEEDS
from .controls import LABEL, Panel, button, labelled, row

STEPS, GUIDANCE = (1, 50), (1.0, 12.0)  # the sliders' ranges; they always include the models' own values


class _Stopped(Exception):
    """Raised from the painter's own progress callback; only the panel sees it."""


class PaintingPanel(Panel):
    """A panel with guidance, steps and seed, Paint and Stop, and a bar that shows how far the painter is.

    A subclass says what painting is (`_work`, in a thread, given the painter's progress callback) and what to do with the
    result (`_finished`, which returns the kind and the words of the status). While the panel paints, all controls except
    Stop and those in `_free` are locked.
    """

    def __init__(self, models, strict: bool = False):
        super().__init__(strict)
        self.models = models
        self._thread: threading.Thread | None = None
        self._stop, self._hearing, self._error, self._calls = threading.Event(), threading.Lock(), None, 0
        run = {"continuous_update": False}
        self.guidance = labelled(
            widgets.FloatSlider, "guidance", "How hard the words pull; 1 is not at all.",
            value=models.guidance, min=GUIDANCE[0], max=max(GUIDANCE[1], models.guidance), step=0.5,
            readout_format=".1f", **run)  # fmt: skip
        self.steps = labelled(
            widgets.IntSlider, "steps", "Denoising steps of the first try; more take longer.",
            value=models.steps, min=STEPS[0], max=max(STEPS[1], models.steps), **run)  # fmt: skip
        self.seed = labelled(widgets.IntSlider, "seed", "Another seed, another painting.", value=0, min=0, max=99, **run)
        self.paint_button = button("Paint", "Paint with these settings", self.start, "primary", "paint-brush")
        self.stop_button = button("Stop", "Stop painting; nothing is changed", self.stop, "danger", "stop")
        self.stop_button.disabled = True
        self.bar = widgets.IntProgress(description="progress", layout={"width": "auto"}, style={"description_width": LABEL})
        self.buttons = row(self.paint_button, self.stop_button)

    # --- what a subclass says ------------------------------------------------------------------------------------

    def _work(self, progress) -> Any:
        raise NotImplementedError

    def _finished(self, result) -> tuple[str, str]:
        raise NotImplementedError

    def _settled(self) -> None:
        """Called when the controls are free again, to lock those that have nothing to act on."""

    # --- painting ------------------------------------------------------------------------------------------------

    @property
    def painting(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self) -> None:
        """Paint in a thread and return at once, as the button does."""
        with self._turn:
            if self.painting:
                return
            self._error = None  # what the last painting raised has been shown; it is no answer to this click
            self.wait()
            self._prepare()
            self._thread = threading.Thread(target=self._run, name="painting", daemon=True)
            self._thread.start()

    def paint(self) -> Any:
        """Paint, and return the result, or None where an error, or Ctrl-C, stopped it. Errors are shown, or raised."""
        self._error = None
        self.wait()
        self._prepare()
        result = self._run()
        self._raise()
        return result

    def stop(self) -> None:
        """Stop at the next step of the painter; the picture stays as it was. After the last step it is too late."""
        with self._hearing:
            if not self.stop_button.disabled:
                self._stop.set()
                self.status.say("busy", "Stopping after this step ...")

    def wait(self, seconds: float = 600) -> None:
        """Wait until the painting, and what a slider has put off, is done; raises what painting has raised."""
        super().wait()
        if self.painting and self._thread is not threading.current_thread():
            self._thread.join(seconds)
            if self._thread.is_alive():
                raise TimeoutError(f"The painter was not done after {seconds:g} seconds: stop it, or wait longer.")
        self._raise()

    def close(self) -> None:
        """Stop painting, and close the panel."""
        if self._locked:
            self.stop()
        super().close()

    def _prepare(self) -> None:
        self._stop.clear()
        self._error, self._calls = None, 0
        self._lock(True)
        self.bar.value, self.bar.bar_style = 0, "info"
        self.status.say("busy", "Looking at the picture ...")

    def _run(self) -> Any:
        """Paint, and say so; returns the result, or None where there is none."""
        kind, text, colour = "", "", "danger"
        try:
            result = self._work(self._progress)
            with self._hearing:
                if self._stop.is_set():  # Stop came while the last painting was being looked at, when no further step could notice it
                    raise _Stopped
                self.stop_button.disabled = True
            with self._turn:  # the wipe can be moved meanwhile
                (kind, text), colour = self._finished(result), "success"
            return result
        except (_Stopped, KeyboardInterrupt):
            kind, text, colour = "ready", "Stopped: the picture is as it was.", "warning"
        except TextEditError as error:
            kind, text = "bad", str(error)
            self._error = error if self.strict else None
        except Exception as error:
            kind, text = "bad", f"Something unforeseen went wrong ({type(error).__name__}: {error}): please report it."
            self._error = error
        finally:
            self.bar.bar_style = colour
            self._lock(False)
            if text:  # last, so that the controls are free when the status says that it is done
                self.status.say(kind, text)

    def _raise(self) -> None:
        error, self._error = self._error, None
        if error is not None:
            raise error

    def _progress(self, step: int, steps: int) -> None:
        if self._stop.is_set():
            raise _Stopped
        if step == 1:
            self._calls += 1
            self.bar.value = 0
        self.bar.max, self.bar.value = steps, step
        self.status.say("busy", f"Painting, {_which(self._calls, self.models.at_once)}: step {step} of {steps}.")

    def _lock(self, locked: bool) -> None:
        self._locked = locked
        for control in self._parts():
            if control.has_trait("disabled") and control is not self.stop_button and control not in self._free:
                control.disabled = locked
        self.stop_button.disabled = not locked
        if not locked:
            self._settled()


def _which(call: int, at_once: int) -> str:
    """The round to which the painter's call number 1, 2, ... of an edit belongs, in words.

    at_once: how many paintings the memory holds. A round of more is painted in parts, one per call; each counts its steps anew.
    """
    for r in count():
        parts = math.ceil(SEEDS[min(r, len(SEEDS) - 1)] / at_once)
        if call <= parts:
            return f"round {r + 1}" + (f", part {call} of {parts}" if parts > 1 else "")
        call -= parts
