"""A panel for each stage, for notebooks 01 to 04: shows what a stage's settings do, one slider at a time."""

from __future__ import annotations

import html

import ipywidgets as widgets
import numpy as np
from PIL import Image

from ..blend import feather
from ..detect import HIGHEST, LOWEST, Detections, detect
from ..inpaint import inpaint
from ..mask import build_mask
from ..match import FUSION, Match, candidate_features, match_features
from ..models import load_models
from ..plots import CHOSEN, LARGEST, OTHER
from ..prompt import SELECTORS, EditPrompt, check_words, parse
from ..vocabulary import VIEWS
from .controls import Panel, heading, labelled, mask_sliders, on_step, threshold_controls, told, wipe_slider
from .painting import PaintingPanel
from .pictures import TINTED, numbered, numbered_words, scaled, tinted, wiped, wiped_words


class DetectPanel(Panel):
    """Stage 1 with its threshold: DETR looks once, and the slider only chooses among what it saw.

    image: PIL RGB. Taught in notebook 01.
    """

    def __init__(self, image: Image.Image, models=None, strict: bool = False):
        super().__init__(strict)
        models = models or load_models("lite")
        self.image = image
        # Best first, and one per label and place: a higher threshold keeps the first of them.
        self.everything = detect(image, models.detr, models.detr_processor, threshold=0)
        self.dynamic_threshold = detect(image, models.detr, models.detr_processor).threshold
        self.dynamic, self.threshold = threshold_controls(on_step(self.dynamic_threshold), 0, 1)
        self.scores = widgets.HTML()
        self._on(self.dynamic, self._back, debounced=False)
        self._on(self.threshold, self._fixed)  # at once: a draw that was put off would undo a tick made since then
        self._on(self.threshold, self._draw, debounced=True)
        self._arrange([heading("Detection threshold"), self.dynamic, self.threshold, self.scores], [self.picture])
        self._back()

    @property
    def found(self) -> Detections:
        """The detections that reach the threshold."""
        tau = self.dynamic_threshold if self.dynamic.value else self.threshold.value
        count = int((self.everything.scores >= tau).sum())
        return Detections(self.everything.boxes[:count], self.everything.scores[:count], self.everything.labels[:count], tau)

    def _back(self) -> None:
        if self.dynamic.value:
            self._set(self.threshold, value=on_step(self.dynamic_threshold))
        self._draw()

    def _fixed(self) -> None:
        self._set(self.dynamic, value=False)

    @told
    def _draw(self) -> None:
        found = self.found
        texts = [f"{n} {s:.2f}" for n, s in zip(found.labels, found.scores)]
        self.show(numbered(self.image, found.boxes, texts), numbered_words(texts))
        self.scores.value = _score_line(self.everything.scores, found.threshold)
        way = "dynamic" if self.dynamic.value else "fixed"
        boxes = "1 box reaches" if len(found) == 1 else f"{len(found)} boxes reach"
        self.status.say("ready" if len(found) else "unsure", f"{boxes} the {way} threshold of {found.threshold:.2f}.")


def _score_line(scores: np.ndarray, threshold: float) -> str:
    """The scores of all queries as strokes on a line from 0 to 1, and the threshold among them."""
    strokes = "".join(
        f'<div style="position:absolute;left:{100 * s:.1f}%;top:8px;width:2px;height:22px;'
        f'background:{OTHER if s >= threshold else "#adb5bd"}"></div>'
        for s in map(float, scores)
    )
    low, high = 100 * LOWEST, 100 * (HIGHEST - LOWEST)
    return (
        f'<div style="position:relative;height:38px;margin:4px 8px;border-bottom:1px solid #868e96">'
        f'<div style="position:absolute;left:{low:.0f}%;width:{high:.0f}%;top:0;height:38px;background:{OTHER};opacity:.1"></div>'
        f'{strokes}<div style="position:absolute;left:{100 * threshold:.1f}%;top:0;width:3px;height:38px;background:{CHOSEN}">'
        f'</div></div><div style="line-height:1.4">Scores of all boxes from 0 to 1; shaded: where the dynamic threshold may fall.</div>'
    )


class MatchPanel(Panel):
    """Stage 2: the words, what decides between candidates that fit, and the weight of CLIP against DETR.

    CLIP looks again when the words change; the weight and the selector only weigh and choose anew.
    image: PIL RGB; found: the detections in it, or None. Taught in notebook 02.
    """

    def __init__(self, image: Image.Image, prompt: str, models=None, found: Detections | None = None, strict: bool = False):
        super().__init__(strict)
        self.models = models or load_models("lite")
        self.image = image
        self.found = detect(image, self.models.detr, self.models.detr_processor) if found is None else found
        self.words: EditPrompt | None = None
        self._features: np.ndarray | None = None  # what CLIP saw of the candidates
        self.chosen: Match | None = None
        self.prompt = labelled(widgets.Text, "prompt", "What to change, and into what.", value=prompt, continuous_update=False)
        ways = [("as the words say", ""), ("the best", "best"), *((f"the {way} one", way) for way in SELECTORS)]
        self.selector = labelled(widgets.Dropdown, "choose", "Who is taken when several fit.", options=ways)
        self.weight = labelled(widgets.FloatSlider, "CLIP's weight", "Lambda: 0 is DETR alone, 1 is CLIP alone.",
                               value=FUSION, min=0, max=1, step=0.05)  # fmt: skip
        self.table = widgets.HTML()
        self._on(self.prompt, self._look)
        self._on(self.selector, self._choose)
        self._on(self.weight, self._choose, debounced=True)
        self._arrange([heading("Words and choice"), self.prompt, self.selector, self.weight, self.table], [self.picture])
        self._look()

    @told
    def _look(self) -> None:
        self.words = self.chosen = None
        self.table.value = ""
        self.show(numbered(self.image, self.found.boxes, self.found.labels), numbered_words(self.found.labels))
        words = parse(self.prompt.value)
        check_words(words, self.models.known_words)
        self._features = candidate_features(self.image, self.found.boxes, self.models) if len(self.found) else None
        self.words = words
        self._choose()

    @told
    def _choose(self) -> None:
        if self.words is None:
            return
        told = self.selector.value or None
        self.chosen = match_features(self._features, self.found, self.words, self.models, told, self.weight.value)
        texts = [f"{c.label} {c.score:.2f}" for c in self.chosen.candidates]
        number = self.chosen.index
        self.show(numbered(self.image, self.found.boxes, texts, number), numbered_words(texts, number))
        self.table.value = _score_table(self.chosen)
        self.status.say(*said(self.chosen, self.words.source))


def said(chosen: Match, source: str) -> tuple[str, str]:
    """Kind and sentence of a status that says how a match ended; source: the words asked for."""
    labels = sorted({candidate.label for candidate in chosen.candidates})
    if chosen.status == "ambiguous":
        fits = sum(candidate.fits for candidate in chosen.candidates)
        if chosen.no_middle:
            return "unsure", f'None of the {fits} that fit "{source}" is in the middle, as their number is even: choose one, or say which.'
        return "unsure", f'{fits} objects fit "{source}" about equally well: choose one, or say which, as in "the left {source}".'
    if chosen.status == "not_found" and (fits := sum(candidate.fits for candidate in chosen.candidates)):  # "the third car", of two
        return "unsure", f'Only {fits} of "{source}" can be found in the picture: count again, or choose one.'
    if chosen.status == "not_found":
        return "unsure", f'There is no "{source}" in the picture: it shows {", ".join(labels) or "nothing that the detector knows"}.'
    best = chosen.candidates[chosen.index]
    return "good", f'Number {chosen.index}, a {best.label} with score {best.score:.2f}, is the "{source}"; margin {chosen.margin:.2f}.'


def _score_table(chosen: Match) -> str:
    """All candidates with the scores of both models and the fused one, as a table."""
    rows = "".join(
        f'<tr style="background:{"#fff4e6" if i == chosen.index else "transparent"}'
        f'{";font-weight:600" if i == chosen.index else ""}"><td>{i}</td><td>{html.escape(c.label)}</td>'
        f"<td>{c.clip_score:.2f}</td><td>{c.detr_score:.2f}</td><td>{c.score:.2f}</td><td>{'yes' if c.fits else 'no'}</td></tr>"
        for i, c in enumerate(chosen.candidates)
    )
    head = "".join(f'<th style="text-align:left;padding-right:14px">{name}</th>' for name in ("", "", "CLIP", "DETR", "fused", "fits"))
    # With many candidates the table scrolls: where it stands above the picture, it must not push the picture out of sight.
    table = f'<table style="width:100%;line-height:1.6"><tr>{head}</tr>{rows}</table>'
    return f'<div style="max-height:480px;overflow-y:auto">{table}</div>'


class MaskPanel(Panel):
    """Stage 3: how far the mask reaches beyond its box, what it makes room for, and how wide it fades in.

    image: PIL RGB; box: xyxy, pixels. Taught in notebook 03.
    """

    def __init__(self, image: Image.Image, box, strict: bool = False):
        super().__init__(strict)
        self.image, self.box, self.mask = image, box, None
        self.grow, self.feather = mask_sliders()
        # "" and not None: a dropdown takes None for "nothing is chosen" and shows no words.
        poses = [("as it stands", ""), ("tilted", "tilted"), ("upside down", "upside down")]
        self.pose = labelled(widgets.Dropdown, "it becomes", "The pose that the object changes to.", options=poses)
        views = [("from the same side", ""), *((words, name) for name, words in VIEWS.items())]
        self.view = labelled(widgets.Dropdown, "seen", "The view that the object changes to.", options=views)
        for control in (self.grow, self.feather, self.pose, self.view):
            self._on(control, self._draw, debounced=control in (self.grow, self.feather))
        self._arrange([heading("Mask"), self.grow, self.feather, self.pose, self.view], [self.picture])
        self._draw()

    @told
    def _draw(self) -> None:
        self.mask = build_mask(self.image.size, self.box, self.pose.value or None, self.grow.value, self.view.value or None)
        weight = fading(self.mask, self.feather.value)
        self.show(tinted(self.image, weight), TINTED)
        share = (np.asarray(self.mask) > 0).mean()
        full = min(share, (weight == 1).mean())  # for a large picture, counted at the size at which it is shown
        self.status.say("ready", f"{share:.0%} of the picture may change, {full:.0%} in full; outside not a pixel does.")


def fading(mask: Image.Image, width: float) -> np.ndarray:
    """The weight of a painting under a mask, float32 [H, W], as `paste_back` takes it, for display (`tinted`).

    width: in the mask's short sides. For a mask of many megapixels the weight has the size at which its picture is shown.
    """
    mask = _as_shown(mask) if max(mask.size) > LARGEST else mask
    x0, y0, x1, y1 = mask.getbbox() or (0, 0, 0, 0)
    return feather(mask, width * min(x1 - x0, y1 - y0))


def _as_shown(mask: Image.Image) -> Image.Image:
    """A mask at the size at which its picture is shown, still black and white; what is thinner than a pixel there does not vanish."""
    small = scaled(mask)
    cut = max(1, min(128, small.getextrema()[1]))
    return small.point([0] * cut + [255] * (256 - cut))


class PaintPanel(PaintingPanel):
    """Stage 4: the caption, guidance, steps, seed and temperature; Paint and Stop; before and after.

    image: PIL RGB; mask: L of its size, 255 = repaint; description: what the place is to show. Taught in notebook 04.
    """

    def __init__(self, image: Image.Image, mask: Image.Image, description: str, models=None, strict: bool = False):
        super().__init__(models or load_models("lite"), strict)
        self.image, self.mask, self.painted = image, mask, None
        self.description = labelled(widgets.Text, "caption", "What is to be seen there.", value=description, continuous_update=False)
        self.temperature = labelled(widgets.FloatSlider, "temperature", "Of the noise: the colder, the less do seeds differ.",
                                    value=1.0, min=0, max=1, step=0.05, continuous_update=False)  # fmt: skip
        self.wipe = wipe_slider("before | after")
        self._free = [self.wipe]
        self._on(self.wipe, self._draw, debounced=True)
        noise = [self.guidance, self.steps, self.seed, self.temperature]
        controls = [heading("Paint"), self.description, *noise, self.buttons, self.bar]
        self._arrange(controls, [self.picture, self.wipe])
        self._draw()
        self.status.say("ready", "The mask is tinted: press Paint.")

    def _work(self, progress):
        settings = {name: getattr(self, name).value for name in ("steps", "guidance", "temperature")} | {"seeds": [self.seed.value]}
        return inpaint(self.image, self.mask, self.description.value, self.models.painter, progress=progress, **settings)[0]

    def _finished(self, result) -> tuple[str, str]:
        if result.refused:
            return "unsure", result.refused
        self.painted = result.image
        self._draw()
        return "good", f"Painted with seed {result.seed} in {self.steps.value} steps; outside of the mask not a pixel differs."

    def _draw(self) -> None:
        if self.painted is None:
            self.show(tinted(self.image, self.mask), TINTED)
        else:
            self.show(wiped(self.image, self.painted, self.wipe.value), wiped_words(self.wipe.value))
