# %% [markdown]
# # 01 · DETR finds the objects
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/textedit-lite/textedit-lite/blob/v0.1.0/notebooks/01_detr_detection.ipynb)
#
# **Time:** 40 minutes; to run: 13 seconds of one core, 0.8 GB. **Next:** [02, CLIP matching](02_clip_matching.ipynb). **Code:** [`detect.py`](../textedit_lite/detect.py), [`boxes.py`](../textedit_lite/boxes.py).
#
# You type *"the left bus changes to a red bus"*, and one place in a picture is repainted. Before anything can be painted, we must know **where the buses are**. That is the first of the four stages of *the paper*. In all notebooks, *the paper* is the student paper that this course re-implements ([README](../README.md)); other papers are cited by name and listed in the [syllabus](README.md). The four stages:
#
# | stage | model | question | notebook |
# |---|---|---|---|
# | **1 detect** | **DETR** | **what is in the picture, and where?** | **this one** |
# | 2 match | CLIP | which one do the words mean? | [02](02_clip_matching.ipynb) |
# | 3 mask | (geometry) | which pixels may change? | [03](03_mask_building.ipynb) |
# | 4 inpaint | Stable Diffusion | what shall they become? | [04](04_inpainting.ipynb) |
#
# When you are through, you can
# - read DETR's raw output: a fixed number of queries, each with a box and a distribution over classes;
# - convert a box from the detector's coordinates to the picture's, and back;
# - say what a threshold trades off, and compute the paper's dynamic threshold by hand;
# - see where a query looked.

# %%
# NBVAL_IGNORE_OUTPUT
import sys
from pathlib import Path

if "google.colab" in sys.modules:  # torch, numpy and ipywidgets stay as they are
    release = "https://github.com/textedit-lite/textedit-lite/archive/v0.1.0.zip"
    wheels = sorted(str(wheel) for wheel in Path().glob("textedit_lite-*.whl"))
    package = wheels[-1] if wheels else release
    # %pip install --quiet --no-deps {package} torchmetrics lightning-utilities

from textedit_lite.doctor import doctor

notes = [check for check in doctor(show=None) if check.status != "OK"]
print(*notes or ["This machine has all that the notebook needs."], sep="\n")

# %%
# %matplotlib inline
from textedit_lite import data_path, load_models, open_image, parse, plots
from textedit_lite.world import scenes

models = load_models("lite")
print(models.name, "knows", len(models.categories), "categories:")
print(", ".join(models.categories))

# %% [markdown]
# `load_models("lite")` loads DETR, CLIP and the painter (an autoencoder and a UNet): small models that were trained for this course. `load_models("full")` loads the large ones of the paper, for photographs. Every function below takes either. The lite models are no burden to the CPU, and run on it unless you name a `device`; the others use a GPU where there is one.
#
# The large models are downloaded when they are first asked for, or ahead of time by `textedit-lite fetch full` (`fetch_weights` in [`models.py`](../textedit_lite/models.py), which asks `fetch` in [`hub.py`](../textedit_lite/hub.py) for each part). To use models of your own, name them in a file (`read_sources`). `textedit-lite doctor` says whether the large models fit on this machine; with `--json` it answers in plain data (`report` in [`doctor.py`](../textedit_lite/doctor.py)).
#
# ## 1. A picture, and the truth about it
#
# Every picture comes in through `open_image`. It turns photos upright by the camera's rotation tag, flattens transparency, and refuses whatever is not a picture. Here is one of the samples that come with the package.

# %%
sample = open_image(data_path("samples", "street.png"))
print(sample.mode, sample.size)
plots.show(sample, "data/samples/street.png").figure

# %% [markdown]
# The lite models live in a **small world** that a program draws ([`world/scenes.py`](../textedit_lite/world/scenes.py)). Its objects are named after COCO categories, and come in eight colours, two views and three poses.

# %%
from textedit_lite.world.sprites import CATEGORIES, sprite

colours = ["red", "orange", "yellow", "green", "blue", "purple"] * 2
things = [sprite(name, colour, "side") for name, colour in zip(CATEGORIES, colours)]
plots.image_grid(things, CATEGORIES, columns=6, side=1.2)

# %% [markdown]
# A scene is made from a number, so it is the same on every machine. And since a program drew it, we know the truth: every box, mask, colour and pose. We shall meet scene 81 in most notebooks.

# %%
scene = scenes.make_scene(81)
image = scenes.render(scene)
truth = scenes.boxes(scene)
for thing, box in zip(scene.objects, truth):
    print(thing.caption, box.astype(int).tolist())

# %%
plots.draw_boxes(image, truth, [thing.category for thing in scene.objects]).figure

# %% [markdown]
# ## 2. What are we looking for?
#
# The prompt tells us. `parse` ([`prompt.py`](../textedit_lite/prompt.py)) splits it at the verb into what to find and what that becomes. It needs no neural network, and returns an `EditPrompt`. (For photographs it also knows everyday names for COCO's categories: *a van* is found as a car, and painted under its own `name`. A part of an object, such as *the roof of the bus*, is refused, because no detector finds it, unless a mask of your own shows it: [03](03_mask_building.ipynb), section 3.)

# %%
prompt = parse("the left bus changes to a red bus")
print("find:  ", prompt.noun, "| which one:", prompt.selector)
print("change:", prompt.changes, "| the paper's task:", prompt.task)

# %% [markdown]
# The paper has four editing tasks. `task_prompt` writes its prompts for them.

# %%
from textedit_lite.prompt import task_prompt
from textedit_lite.vocabulary import TASKS

for task in TASKS:
    colour = "red" if task == "color" else None
    print(f"{task:7}", task_prompt(task, "bus", colour))

# %% [markdown]
# ## 3. What DETR says
#
# DETR (Carion et al., 2020) sees the picture at a size of its own and answers with $N$ **queries**. Each gives a box and a distribution over the classes and one extra class, "no object":
#
# $$ p_q = \operatorname{softmax}(\text{logits}_q), \qquad s_q = \max_{c \,\ne\, \text{no object}} p_{q,c} $$
#
# There are no anchors and, in principle, no suppression of neighbours: in training every object is assigned to exactly one query, and the others learn to say "no object". A small DETR does not learn this perfectly: below, more queries pass 0.5 than there are objects. So when two boxes with the same label overlap by an IoU (intersection over union, exercise 1.2) above 0.7, `detect` keeps only the one with the higher score (`keep_best`, exercise 1.6).

# %%
import torch

pixels = models.detr_processor(images=image, return_tensors="pt")["pixel_values"]
with torch.inference_mode():
    output = models.detr(pixels.to(models.device))
print("picture", image.size, "-> what DETR sees", tuple(pixels.shape))
print("logits", tuple(output.logits.shape), "boxes", tuple(output.pred_boxes.shape))

# %%
probabilities = output.logits[0].softmax(-1).cpu().numpy()
probabilities = probabilities[:, :-1]  # without "no object"
scores = probabilities.max(1)
print("queries:", len(scores), "| with a score above 0.5:", (scores > 0.5).sum())
print("objects drawn:", len(truth))

# %% [markdown]
# ## 4. Boxes change their coordinates
#
# DETR's boxes are *relative*: centre, width and height as fractions of the picture. The contract of this package is **xyxy in pixels of the picture that the user gave**, that is, the corners $(x_0, y_0, x_1, y_1)$ ([`boxes.py`](../textedit_lite/boxes.py)):
#
# $$ x_0 = c_x - \tfrac{w}{2},\quad y_0 = c_y - \tfrac{h}{2},\quad x_1 = c_x + \tfrac{w}{2},\quad y_1 = c_y + \tfrac{h}{2}, \qquad
# b' = b \cdot \left( \tfrac{W'}{W}, \tfrac{H'}{H}, \tfrac{W'}{W}, \tfrac{H'}{H} \right) $$
#
# The first conversion is `cxcywh_to_xyxy`. The second is `scale_boxes(boxes, old, new)`, from $W \times H$ to $W' \times H'$.

# %%
from textedit_lite.boxes import cxcywh_to_xyxy, iou, scale_boxes, xyxy_to_cxcywh

relative = cxcywh_to_xyxy(output.pred_boxes[0].cpu().numpy())  # [queries, 4], 0..1
in_image = scale_boxes(relative, (1, 1), image.size)
in_detector = scale_boxes(in_image, image.size, (192, 192))

# %%
# NBVAL_IGNORE_OUTPUT
best = scores.argmax()
three = {"relative": relative, "detector": in_detector, "image": in_image}
for name, box in three.items():
    print(f"{name:9}", " ".join(f"{value:7.2f}" for value in box[best]))

# %% [markdown]
# Converting there and back must change nothing. Such a test costs one line; a swapped width and height has cost many people a day.

# %%
import numpy as np

scaled = scale_boxes(in_detector, (192, 192), image.size)
turned = cxcywh_to_xyxy(xyxy_to_cxcywh(in_image))
print([np.allclose(back, in_image, atol=1e-3) for back in (scaled, turned)])

# %% [markdown]
# ## 5. From scores to detections: the threshold
#
# Which of the queries are objects? The simplest answer is a fixed threshold, $s_q \ge \tau$. `detect` does all of the above and then applies the threshold. On our scene any threshold will do, as the next cell shows. So the slider below that cell works on the same picture at 48 x 48 pixels, where DETR is less sure and less accurate. Move the slider: which box appears first when you lower the threshold, and which disappears first when you raise it?

# %%
from textedit_lite import detect

for threshold in (0.02, 0.1, 0.5, 0.9):
    found = detect(image, models.detr, models.detr_processor, threshold)
    hits = (iou(truth, found.boxes) > 0.5).any(1).sum()
    print(f"threshold {threshold}: {hits} of the {len(truth)} objects found")

# %%
# NBVAL_IGNORE_OUTPUT
from textedit_lite.widgets import DetectPanel

coarse = image.resize((48, 48))
panel = DetectPanel(coarse, models)
panel

# %% [markdown]
# The `DetectPanel` runs DETR only when the panel is made; the slider merely drops boxes from what DETR found. ([05](05_full_pipeline.ipynb), section 8, shows how such a panel is made.) Every control is an attribute, so Python can move it as well as a mouse can:

# %%
panel.threshold.value = 1.0
strict = len(panel.found)
panel.threshold.value = 0.02
print("fewer boxes reach 1.0 than 0.02:", strict < len(panel.found))
panel.dynamic.value = True

# %% [markdown]
# ### The dynamic threshold
#
# No single number suits all pictures: small or half-hidden objects get lower scores everywhere. The paper puts the threshold **into the widest gap** between the picture's own scores. Let $s_1 \le s_2 \le \dots \le s_n$ be the scores inside of $(\text{low}, \text{high})$, and add the two ends, $s_0 = \text{low}$ and $s_{n+1} = \text{high}$. Then
#
# $$ \tau = \tfrac{1}{2}\,(s_i + s_{i+1}), \qquad i = \arg\max_i \; s_{i+1} - s_i $$
#
# This is `dynamic_threshold` in [`detect.py`](../textedit_lite/detect.py). By hand, on five scores:

# %%
from textedit_lite.detect import HIGHEST, LOWEST, dynamic_threshold

# Inside of 0.3 .. 0.7 lie 0.35, 0.42 and 0.62; the widest gap: from 0.42 to 0.62.
by_hand = (0.42 + 0.62) / 2
by_code = dynamic_threshold(np.array([0.05, 0.35, 0.42, 0.62, 0.98]))
print(round(by_hand, 2), round(by_code, 2))
print("nothing inside:", dynamic_threshold(np.array([0.01, 0.99])))

# %% [markdown]
# On our scene nearly all scores are close to 0 or to 1. One lies between them. It belongs to a second answer for an object that already has one. No threshold in the gap below it removes this answer, but `keep_best` does.

# %%
plots.threshold_gap(scores, dynamic_threshold(scores), LOWEST, HIGHEST).figure

# %% [markdown]
# It gets interesting when the picture is poor. Here is the same scene at a fifth of its resolution and with noise: the scores move closer together.

# %%
from PIL import Image

rng = np.random.default_rng(1)


def spoil(picture):
    coarse = picture.resize((52, 52), Image.Resampling.BOX)
    noisy = np.asarray(coarse.resize((256, 256))) + rng.normal(0, 22, (256, 256, 3))
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))


# %%
poor = spoil(image)
everything = detect(poor, models.detr, models.detr_processor, threshold=0)
figure, axes = plots.panels(1, 2, width=4)
plots.show(poor, "spoilt", axes[0])
tau = dynamic_threshold(everything.scores)
plots.threshold_gap(everything.scores, tau, LOWEST, HIGHEST, axes[1])
figure

# %% [markdown]
# ### Ablation: does it pay?
#
# We spoil sixteen scenes, and try fixed thresholds and the dynamic one on them. *Missed* counts the true objects that no box meets with $\text{IoU} = |A \cap B| / |A \cup B| > 0.5$; *false* counts the boxes that meet no object in this sense. `detect_batch` shows all sixteen pictures to DETR in one call.

# %%
from textedit_lite.detect import detect_batch

others = [scenes.make_scene(i) for i in range(16)]
spoilt = [spoil(scenes.render(other)) for other in others]


def count_errors(threshold):
    found = detect_batch(spoilt, models.detr, models.detr_processor, threshold)
    meets = [iou(scenes.boxes(other), f.boxes) > 0.5 for other, f in zip(others, found)]
    return sum((~m.any(1)).sum() for m in meets), sum((~m.any(0)).sum() for m in meets)


# %%
thresholds = [0.1, 0.3, 0.5, 0.7, 0.9, None]
missed, false = np.array([count_errors(threshold) for threshold in thresholds]).T
figure, (ax,) = plots.panels(width=6, height=2.6)
names = [str(threshold) for threshold in thresholds[:-1]] + ["dynamic"]
ax.bar(names, missed, color="#1864ab", label="missed")
ax.bar(names, false, bottom=missed, color="#e8590c", label="false")
ax.set(ylabel="errors", xlabel="threshold", ylim=(0, 1.2 * (missed + false).max()))
ax.legend(loc="upper center")
figure

# %% [markdown]
# Read the bars without mercy. The dynamic rule beats 0.1, 0.7 and 0.9. It makes as many errors as the plain middle, 0.5, and more than 0.3, which happens to suit pictures of just this kind. What it buys is protection against a badly chosen number, and no more. A threshold of your own always has the last word: `detect(..., threshold=0.3)`, or `--threshold 0.3` on the command line.
#
# ## 6. Where did a query look?
#
# In the decoder every query gathers what it needs from the picture by **cross-attention**, $\operatorname{softmax}(QK^\top / \sqrt{d})\,V$. The weights of a query in the last layer, averaged over the heads, form a map on the backbone's grid, and each map sums to 1. `attention_maps` returns one map for each detection.

# %%
from textedit_lite.detect import attention_maps

found, maps = attention_maps(image, models.detr, models.detr_processor)
print("maps", maps.shape)
print("each sums to 1:", np.allclose(maps.sum((1, 2)), 1, atol=1e-3))

# %%
figure, axes = plots.panels(1, len(found))
for ax, box, label, attention in zip(axes, found.boxes, found.labels, maps):
    plots.attention_overlay(image, attention, box, label, ax)
figure

# %% [markdown]
# Each query has its own object and looks at hardly anything else. In the large DETR the bright spots often lie at an object's extremities, where its box ends. Here they lie on the body.
#
# ## 7. How good is it?
#
# We compare DETR with the truth of the same sixteen scenes, not spoilt this time. (The full test, with 1,000 scenes and COCO's average precision, is `textedit-lite score detr`. And `textedit-lite scenes`, or `write_set` in [`world/coco.py`](../textedit_lite/world/coco.py), writes as many scenes as you like as a COCO data set.)

# %%
# NBVAL_IGNORE_OUTPUT
clean = [scenes.render(other) for other in others]
seen = detect_batch(clean, models.detr, models.detr_processor)
overlaps = [iou(scenes.boxes(other), f.boxes) for other, f in zip(others, seen)]
hits = [best for overlap in overlaps for best in overlap.max(1, initial=0)]
print(sum(hit > 0.5 for hit in hits), "of", len(hits), "found")
print("mean IoU", round(np.mean(hits), 2))

# %% [markdown]
# Here, as everywhere in this package, a wrong setting is answered with a plain sentence:

# %%
from textedit_lite import TextEditError

try:
    detect(image, models.detr, models.detr_processor, threshold=7)
except TextEditError as error:
    print(error)

# %% [markdown]
# ## Exercises
#
# Now write stage 1 yourself: six functions, from one line to the last step of `detect`. Put your code in place of `raise NotImplementedError`. The cell below each function tries your code on edge cases and on random inputs. It says at once whether the code is right and, if not, on which input it fails. As long as there is nothing to try, it draws the task. To look at the input that went wrong, use `check("1.2", iou).case`.
#
# An answer may use `numpy` as `np`, and what it imports itself. From here on, the names of these functions stand for *yours*; to run an earlier section again, begin with its imports.

# %%
from textedit_lite.check import check, plugged_in

# %% [markdown]
# ### 1.1 From centre and size to corners · 2 points
#
#
# DETR's boxes are $(c_x, c_y, w, h)$; everything else wants $(x_0, y_0, x_1, y_1)$. Convert the first into the second. `boxes` is float32 $[N, 4]$. Return an array of the same shape, also for $N = 0$, and leave the input as it is.

# %% nbgrader={"grade": false, "grade_id": "answer-1-1", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 1.1 · cxcywh_to_xyxy · 2 points
def cxcywh_to_xyxy(boxes):
    """Boxes [N, 4] by centre and size -> the same boxes by their corners, [N, 4]."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-1-1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("1.1", cxcywh_to_xyxy)

# %% [markdown]
# ### 1.2 IoU of every pair · 4 points
#
#
# IoU is the measure whenever boxes are compared: the area that two boxes share, divided by the area that they cover together.
#
# $$ \text{IoU}(A, B) = \frac{|A \cap B|}{|A \cup B|}, \qquad |A \cup B| = |A| + |B| - |A \cap B| $$
#
# `a` is float32 $[N, 4]$ and `b` $[M, 4]$, both xyxy. Return $[N, M]$: the IoU of *every* box of `a` with *every* box of `b`. It is 0 for two boxes that do not meet, and for two boxes that are both empty.

# %% nbgrader={"grade": false, "grade_id": "answer-1-2", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 1.2 · iou · 4 points
def iou(a, b):
    """IoU of every box of a [N, 4] with every box of b [M, 4], xyxy -> [N, M]."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-1-2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("1.2", iou)

# %% [markdown]
# ### 1.3 The same boxes at another size · 2 points
#
#
# A picture of $W \times H$ is resized to $W' \times H'$; where do its boxes go? `boxes` is float32 $[N, 4]$, xyxy; `old` is $(W, H)$ and `new` $(W', H')$. Return the boxes in the resized picture, $[N, 4]$, not rounded. Mind pictures that are not square, and pictures that are squeezed.

# %% nbgrader={"grade": false, "grade_id": "answer-1-3", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 1.3 · scale_boxes · 2 points
def scale_boxes(boxes, old, new):
    """Boxes [N, 4] of a picture of size old (width, height) at size new."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-1-3", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("1.3", scale_boxes)

# %% [markdown]
# ### 1.4 The threshold in the widest gap · 4 points
#
#
# Write the paper's rule. Take the scores strictly between `low` and `high`, sort them, and add the two ends:
#
# $$ s_0 = \text{low} \;<\; s_1 \le \dots \le s_n \;<\; s_{n+1} = \text{high}, \qquad \tau = \tfrac{1}{2}\,(s_i + s_{i+1}), \quad i = \arg\max_i \; s_{i+1} - s_i $$
#
# `scores` is float32 $[N]$ in any order, and $N$ may be 0; `low` and `high` are numbers. Return $\tau$, one number.

# %% nbgrader={"grade": false, "grade_id": "answer-1-4", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 1.4 · dynamic_threshold · 4 points
def dynamic_threshold(scores, low=0.3, high=0.7):
    """The middle of the widest gap between low and high that scores [N] leave."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-1-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("1.4", dynamic_threshold)

# %% [markdown]
# ### 1.5 From logits to probabilities · 3 points
#
#
# For each query DETR gives logits: one for each of $C$ classes and, last, one for "no object". Turn each row into probabilities, and only *then* leave "no object" out:
#
# $$ p_{q,c} = \frac{\exp(l_{q,c})}{\sum_{k=1}^{C+1} \exp(l_{q,k})}, \qquad c = 1 \dots C $$
#
# `logits` is float32 $[Q, C + 1]$; return $[Q, C]$, also for $Q = 0$. Logits may be as large as 1000, where $\exp$ overflows: what may you subtract from a row without changing its result?

# %% nbgrader={"grade": false, "grade_id": "answer-1-5", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 1.5 · class_probabilities · 3 points
def class_probabilities(logits):
    """Logits [Q, C + 1] with "no object" -> probabilities [Q, C] without it."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-1-5", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("1.5", class_probabilities)

# %% [markdown]
# ### 1.6 Which queries are objects · 5 points
#
#
# Write the last step of `detect`. A query's *label* is its likeliest class; its *score* is that class's probability. Go through the queries, best score first, and keep a query if all of these hold:
#
# - its score reaches the threshold: $s_q \ge \tau$;
# - its box is at least one pixel wide and one pixel high;
# - no query that has **already been kept** has the same label and overlaps it by an IoU above 0.7.
#
# `boxes` is float32 $[Q, 4]$, xyxy in pixels; `probabilities` is $[Q, C]$, without "no object"; `threshold` is $\tau$. Return a list of the indexes of the kept queries, best first. You may use the package's IoU, whether or not yours is done: write `from textedit_lite.boxes import iou` inside of the function.

# %% nbgrader={"grade": false, "grade_id": "answer-1-6", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 1.6 · keep_best · 5 points
def keep_best(boxes, probabilities, threshold):
    """Boxes [Q, 4], probabilities [Q, C] -> the queries to keep, best first."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-1-6", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("1.6", keep_best)

# %% [markdown]
# ### Stage 1 with your functions
#
# Within its `with` block, `plugged_in` replaces the package's functions with yours of the same names. Where yours is still a stub, ours does the work. So the cell runs from the start, and what you solve takes over piece by piece.

# %%
yours = {"cxcywh_to_xyxy": cxcywh_to_xyxy, "iou": iou, "scale_boxes": scale_boxes}
yours |= {"dynamic_threshold": dynamic_threshold, "keep_best": keep_best}
yours |= {"class_probabilities": class_probabilities}
with plugged_in(**yours) as mine:
    seen = detect(image, models.detr, models.detr_processor)
print("yours:", ", ".join(mine) or "none yet")
plots.draw_boxes(image, seen.boxes, seen.labels, seen.scores).figure

# %% [markdown]
# And here is the whole editor on top of it. Its other stages are the subject of the next notebooks.

# %%
from textedit_lite import Editor, edit_figure

with plugged_in(**yours) as mine:
    edited = Editor(models).edit(image, "the blue bus changes to a red bus")
print("yours:", ", ".join(mine) or "none yet")
edit_figure(edited)

# %% [markdown]
# ## What to remember
#
# - DETR's output is a *set*: queries with boxes and scores; "no object" is a class.
# - Boxes travel between three sizes: the detector's, the painter's, and the picture's. The picture's counts.
# - A threshold trades misses for false alarms; the dynamic one is read off the picture's own scores.
#
# DETR knows *bus*, but it does not know *blue*. Choosing the bus that you mean is CLIP's work: **[02, CLIP matching](02_clip_matching.ipynb)**.

# %% [markdown]
# **The code of this notebook**
#
# | file | taught here |
# |---|---|
# | [`boxes.py`](../textedit_lite/boxes.py) | `cxcywh_to_xyxy`, `xyxy_to_cxcywh`, `iou`, `scale_boxes` |
# | [`check.py`](../textedit_lite/check.py) | `check`, `plugged_in` |
# | [`detect.py`](../textedit_lite/detect.py) | `dynamic_threshold`, `class_probabilities`, `keep_best`, `detect`, `detect_batch`, `attention_maps` |
# | [`doctor.py`](../textedit_lite/doctor.py) | `doctor`, `report` |
# | [`editor.py`](../textedit_lite/editor.py) | `detections` |
# | [`hub.py`](../textedit_lite/hub.py) | `fetch` |
# | [`images.py`](../textedit_lite/images.py) | `open_image` |
# | [`models.py`](../textedit_lite/models.py) | `load_models`, `fetch_weights`, `read_sources` |
# | [`plots.py`](../textedit_lite/plots.py) | `panels`, `png`, `show`, `image_grid`, `draw_boxes`, `threshold_gap`, `attention_overlay` |
# | [`prompt.py`](../textedit_lite/prompt.py) | `EditPrompt`, `parse`, `task_prompt`, `name` |
# | [`resources.py`](../textedit_lite/resources.py) | `data_path` |
# | [`training/detr_score.py`](../textedit_lite/training/detr_score.py) | `score` |
# | [`widgets/stages.py`](../textedit_lite/widgets/stages.py) | `DetectPanel` |
# | [`world/coco.py`](../textedit_lite/world/coco.py) | `write_set` |
# | [`world/scenes.py`](../textedit_lite/world/scenes.py) | `render`, `boxes`, `make_scene` |
# | [`world/sprites.py`](../textedit_lite/world/sprites.py) | `sprite` |
