# %% [markdown]
# # 02 · CLIP picks the one that you mean
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/textedit-lite/textedit-lite/blob/v0.1.0/notebooks/02_clip_matching.ipynb)
#
# **Time:** 45 minutes; to run: 11 seconds of one core, 0.7 GB. **Before:** [01, DETR](01_detr_detection.ipynb). **Next:** [03, masks](03_mask_building.ipynb). **Code:** [`match.py`](../textedit_lite/match.py), [`vocabulary.py`](../textedit_lite/vocabulary.py).
#
# DETR gave us boxes with labels. The prompt says *the blue bus*. Stage 2 asks CLIP which box these words fit best, and whether they fit any.
#
# When you are through, you can
# - cut out what CLIP sees, embed crops and words, and read a similarity matrix;
# - turn similarities into probabilities, and say *against which alternatives*;
# - fuse two models' opinions, and say what $\lambda$ does;
# - tell "not there" and "which one?" from "this one".

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
from textedit_lite import detect, load_models, parse, plots
from textedit_lite.world import scenes

models = load_models("lite")
image = scenes.render(scenes.make_scene(81))
found = detect(image, models.detr, models.detr_processor)
print(found.labels)

# %%
plots.draw_boxes(image, found.boxes, found.labels, found.scores).figure

# %% [markdown]
# ## 1. What CLIP sees
#
# CLIP wants a square picture. Squeezing the box into a square would turn every bus into a cube. So `square_crop` cuts out a square *around* the box; its side is 1.15 times the box's longest side. Where the square reaches beyond the picture's border, the last pixels are repeated.

# %%
from textedit_lite.boxes import square_crop

crops = [square_crop(image, box) for box in found.boxes]
titles = [f"{label}, {crop.width} px" for label, crop in zip(found.labels, crops)]
plots.image_grid(crops, titles, side=1.5)

# %% [markdown]
# How wide should it be? Too tight, and the outline is lost; too wide, and the neighbours come in.

# %%
factors = (0.8, 1.15, 2, 3)
cuts = [square_crop(image, found.boxes[0], factor) for factor in factors]
plots.image_grid(cuts, [f"{factor} x the box" for factor in factors], side=1.5)

# %% [markdown]
# ## 2. Pictures and words in one space
#
# CLIP (Radford et al., 2021) has two towers. One maps a crop to a vector $I_i$, the other maps a caption to a vector $T_j$ of the same dimension; both are normalised. Their **cosine similarity** is a dot product:
#
# $$ S_{ij} = I_i \cdot T_j, \qquad \lVert I_i \rVert = \lVert T_j \rVert = 1 $$
#
# The functions for this are `image_features`, `text_features` and `similarity`, in [`match.py`](../textedit_lite/match.py).

# %%
import numpy as np

from textedit_lite.match import image_features, similarity, text_features

vectors = image_features(crops, models)
words = text_features(["a blue bus", "a green bus"], models)
print(vectors.shape, words.shape, "| length 1:", np.allclose((vectors**2).sum(1), 1))

# %% [markdown]
# All captions follow one sentence pattern, the one that the lite models were trained on. `describe` writes them.

# %%
from textedit_lite.vocabulary import describe

print(describe("bus", "red"), "|", describe("umbrella", pose="upside down"))
print(describe("car", "blue", "front", "tilted"))

# %% [markdown]
# **The similarity matrix**: a row for each crop, a column for each caption; the largest value of each row is framed. Cover the pictures with your hand and find the green bus.

# %%
captions = ["a bus", "a blue bus", "a green bus", "a red bus"]
captions += ["an umbrella", "a white umbrella", "a car"]
matrix = similarity(crops, captions, models)
plots.similarity_matrix(matrix, crops, captions).figure

# %% [markdown]
# All crops go through CLIP **in one batch**. Asking one by one gives the same numbers but takes longer; on a GPU, much longer.

# %%
one_by_one = np.concatenate([similarity([crop], captions, models) for crop in crops])
print("the same:", np.allclose(matrix, one_by_one, atol=1e-3))

# %% [markdown]
# ## 3. A similarity is not a probability
#
# Is 0.3 a lot? A cosine means something only in comparison. `contrast` compares each caption with the others by a softmax, with the scale $s$ that CLIP learned:
#
# $$ p_{ij} = \frac{\exp(s \, I_i \cdot T_j)}{\sum_k \exp(s \, I_i \cdot T_k)} $$
#
# So always ask: *against what?* Here are the same crop and the same caption, with two sets of rivals:

# %%
from textedit_lite.match import contrast

for rivals in (["a bus", "a cup"], ["a bus", "a blue bus"]):
    share = contrast(vectors[:1], rivals, models)[0, 0]
    print("a bus, against", rivals[1], "->", "sure" if share > 0.8 else "not sure")

# %%
scale = float(models.clip.logit_scale.detach().exp())
figure, axes = plots.panels(1, 3, width=2.9, height=2.2)
for ax, s in zip(axes, (1, 10, scale)):
    weights = np.exp(s * matrix[0])
    shares = dict(zip(captions, weights / weights.sum()))
    plots.bars(shares, f"softmax, s = {s:.0f}", ax)
figure

# %% [markdown]
# With $s = 1$ all captions look alike; with the learned scale CLIP speaks its mind. `read_categories` does the same for the detector's categories: it weighs each noun against all the others.

# %%
from textedit_lite.match import read_categories

table = read_categories(crops, models.categories, models)
print("CLIP says", [models.categories[i] for i in table.argmax(1)])
print("DETR said", list(found.labels))

# %%
plots.similarity_matrix(table, crops, models.categories).figure

# %% [markdown]
# ## 4. Reading an object
#
# To keep what the prompt does *not* name, we must know how the object looks now: a car that is to be tilted should keep its colour. `read_attributes` compares all combinations of colour, view and pose. The probability of one attribute alone is the sum over the other two:
#
# $$ p(\text{colour}) = \sum_{\text{view}} \sum_{\text{pose}} p(\text{colour}, \text{view}, \text{pose}) $$
#
# The editor looks twice (`read_object`), at this crop and at one a little wider, and takes the geometric mean of the two readings. Among 1,596 objects in unseen scenes, 39 poses are misread from one crop, and 27 from the two together.

# %%
from textedit_lite.match import read_attributes

readings = read_attributes(crops, found.labels, models)
for label, reading in zip(found.labels, readings):
    print(label, reading.values)

# %%
figure, axes = plots.panels(1, 3, width=2.9, height=2.2)
for ax, (name, table) in zip(axes, readings[0].probabilities.items()):
    plots.bars(table, f"candidate 0: {name}", ax)
figure

# %% [markdown]
# ## 5. Two opinions, one score
#
# DETR says how sure it is that something is there; CLIP says how well the words fit. The paper fuses the two with a weight $\lambda$. Here we take a weighted geometric mean (`fuse`):
#
# $$ s = p_\text{CLIP}^{\,\lambda} \cdot p_\text{DETR}^{\,1 - \lambda} $$
#
# Why a product? In a sum, a model that says *certainly not* can be outvoted. Let CLIP say 0.02 (it is the wrong colour) and DETR 0.99 (it certainly is a bus):

# %%
from textedit_lite.match import FUSION, fuse

clip_says, detr_says = 0.02, 0.99
print("sum:    ", round(FUSION * clip_says + (1 - FUSION) * detr_says, 2))
print("product:", round(fuse(clip_says, detr_says), 2), "| lambda =", FUSION)

# %% [markdown]
# Here is what $\lambda$ does for three made-up candidates:

# %%
three = {"right words, half hidden": (0.95, 0.55), "so-so": (0.6, 0.8)}
three["wrong colour, plain to see"] = (0.1, 0.99)
lambdas = np.linspace(0, 1, 101)
figure, (ax,) = plots.panels(width=5.5, height=2.8)
for name, (c, d) in three.items():
    ax.plot(lambdas, [fuse(c, d, weight) for weight in lambdas], label=name)
ax.axvline(FUSION, color="0.5", linestyle="--", linewidth=1)
ax.set(xlabel="lambda (0: DETR alone, 1: CLIP alone)", ylabel="fused score")
ax.set_ylim(0, 1)
ax.legend(fontsize=8)
figure

# %% [markdown]
# At $\lambda = 0$ the words do not matter, and the object that is plainest to see wins. At $\lambda = 1$ a shadow that happens to look blue could win. Ablation: how often is the right object on top? (`textedit-lite score clip` measures how well CLIP itself reads the objects of 1,000 scenes.)

# %%
from textedit_lite.boxes import iou
from textedit_lite.detect import detect_batch

many = [scenes.make_scene(i) for i in range(100, 130)]
names = [{(thing.category, thing.colour) for thing in other.objects} for other in many]
plain = [len(name) == len(other.objects) > 1 for other, name in zip(many, names)]
others = [other for other, fine in zip(many, plain) if fine]
pictures = [scenes.render(other) for other in others]
detections = detect_batch(pictures, models.detr, models.detr_processor)
print(len(others), "scenes in which category and colour name one object each")

# %%
cases = []
for other, picture, seen in zip(others, pictures, detections):
    right = iou(scenes.boxes(other), seen.boxes) > 0.5
    asked = [describe(thing.category, thing.colour) for thing in other.objects]
    seen_crops = [square_crop(picture, box) for box in seen.boxes]
    shares = contrast(image_features(seen_crops, models), asked, models)
    cases += [(shares[:, i], seen.scores, right[i]) for i in range(len(asked))]

# %%
figure, (ax,) = plots.panels(width=5.5, height=2.4)
for weight in lambdas[::5]:
    fused = [clip**weight * detr ** (1 - weight) for clip, detr, _ in cases]
    hits = np.mean([ok[scores.argmax()] for scores, (_, _, ok) in zip(fused, cases)])
    ax.plot(weight, hits, "o", color="#1864ab", markersize=4)
ax.axvline(FUSION, color="0.5", linestyle="--", linewidth=1)
ax.set(xlabel="lambda", ylabel="right object on top", ylim=(0, 1.03))
figure

# %% [markdown]
# The curve is flat from a small $\lambda$ on: in these scenes CLIP alone chooses as well as both together, and only DETR alone fails. Over whole edits it is the same ([docs/results.md](../docs/results.md#what-each-part-is-worth)). Fusion is insurance against false detections, and these are rare here.
#
# ## 6. The whole stage: `match`
#
# `match` puts this together. For each candidate it multiplies the probability of the noun by that of each attribute that the prompt names, and fuses the product with DETR's score. It also notes whether every word **fits**:
#
# - A noun fits if it is DETR's label. A noun that DETR does not know fits if CLIP finds it likelier than every category that DETR knows.
# - An attribute fits if CLIP gives the value in the prompt at least half of the probability that it gives the likeliest value.
# - For photographs, some words divide one category: *the woman* is found as a person, and fits if CLIP gives *woman* and *lady* together at least half of the probability of what a woman is not (*man*, *boy* and so on).
#
# Where DETR knows the noun but its label is another one, its score counts only a twentieth. Then `choose` decides.

# %%
from textedit_lite import match

chosen = match(image, found, parse("the blue bus changes to a red bus"), models)
print(chosen.status, "-> candidate", chosen.index)
print("fits:", [candidate.fits for candidate in chosen.candidates])

# %%
scores = [candidate.score for candidate in chosen.candidates]
plots.draw_boxes(image, found.boxes, found.labels, scores, chosen.index).figure

# %% [markdown]
# Here is the same as a `MatchPanel`. CLIP looks again only when the words change; a change of the weight $\lambda$ or of the selector merely weighs and chooses anew. Pull $\lambda$ to 0: what is left of the difference between the two buses?

# %%
# NBVAL_IGNORE_OUTPUT
from textedit_lite.widgets import MatchPanel

panel = MatchPanel(image, "the blue bus changes to a red bus", models, found)
panel

# %%
panel.weight.value = 0.0
panel.wait()
buses = [c.score for c in panel.chosen.candidates if c.label == "bus"]
print("to DETR alone the buses are alike:", max(buses) - min(buses) < 0.1)
panel.weight.value = FUSION

# %% [markdown]
# The **margin** is how far the best candidate that fits is ahead of the next best one that fits. If it is less than 15 % of the best one's score, that is too little to decide. So three answers are possible:

# %%
for noun in ("green bus", "car", "yellow bus", "bus"):
    answer = match(image, found, parse(f"the {noun} becomes red"), models)
    print(f"{noun:11} {answer.status:10} {answer.index}")

# %% [markdown]
# *not found*: there is no car, and no yellow bus either; a blue one is no substitute. *ambiguous*: two buses fit equally well, and guessing would repaint the wrong one half of the time. Naming a place or a size settles it, from the boxes alone:

# %%
for noun in ("left bus", "top bus", "largest bus"):
    told = parse(f"the {noun} becomes red")
    print(f"{noun:11}", match(image, found, told, models).index)
bus = parse("the bus becomes red")
print("by number  ", match(image, found, bus, models, select=1).index)

# %% [markdown]
# When a place or a size chooses, the margin is still that of the words, here about 0.
#
# `choose` works on plain data, so we can build a borderline case by hand: two candidates that both fit, with scores closer and closer together.

# %%
from dataclasses import replace

from textedit_lite.match import AMBIGUOUS, choose

first = replace(chosen.candidates[0], score=0.9, fits=True)
for gap in (0.3, 0.2, 0.1, 0.0):
    rival = replace(first, box=(150, 10, 190, 50), score=0.9 - gap)
    print(f"margin {gap}: {choose([first, rival]).status}")
print(f"the bar: {AMBIGUOUS} of the best score, {AMBIGUOUS * first.score:.3f}")

# %% [markdown]
# ## 7. Words that nobody taught
#
# The lite models know only the words of their world. `check_words` refuses the rest *before* anything is computed, and names what is known. Of the full models, CLIP and the painter read any English word, but DETR's boxes show COCO's 80 categories alone. Where none of the boxes shows what you named, the answer says so, and asks for a mask of your own.

# %%
from textedit_lite import TextEditError
from textedit_lite.prompt import check_words, unknown_words

print(unknown_words(parse("the shiny zebra becomes red"), models.known_words))
try:
    check_words(parse("the zebra becomes red"), models.known_words)
except TextEditError as error:
    print(str(error).split(":")[0])

# %% [markdown]
# ## Exercises
#
# Now write stage 2 yourself, in five functions. Put your code in place of `raise NotImplementedError`. The cell below each function says at once whether it is right and, if not, on which input it fails. As long as there is nothing to try, it draws the task. An answer may use `numpy` as `np`, and what it imports itself. From here on, the names of these functions stand for *yours*; to run an earlier section again, begin with its imports.

# %%
from textedit_lite.check import check, plugged_in

# %% [markdown]
# ### 2.1 The similarity matrix · 3 points
#
#
# How alike are two vectors, whatever their lengths?
#
# $$ S_{ij} = \frac{a_i \cdot b_j}{\lVert a_i \rVert \, \lVert b_j \rVert} $$
#
# `a` is float32 $[N, D]$ and `b` $[M, D]$, not normalised. Return $[N, M]$: the similarity of every row of `a` with every row of `b`. A vector of zeros has no direction: its similarities are 0.

# %% nbgrader={"grade": false, "grade_id": "answer-2-1", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 2.1 · cosine · 3 points
def cosine(a, b):
    """Cosine similarity of all rows of a [N, D] and b [M, D] -> [N, M]."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-2-1", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("2.1", cosine)

# %% [markdown]
# ### 2.2 From similarities to probabilities · 3 points
#
#
# Turn each row of similarities into probabilities of its captions *against each other*. The scale $s$ is the inverse of what others call a temperature:
#
# $$ p_{ij} = \frac{\exp(s\, S_{ij})}{\sum_k \exp(s\, S_{ik})} $$
#
# `similarities` is float32 $[N, M]$ with $M \ge 1$, and `scale` is $s$, a number. Return the probabilities, $[N, M]$. CLIP's $s$ goes up to 100, and then $\exp$ may overflow; your result must not.

# %% nbgrader={"grade": false, "grade_id": "answer-2-2", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 2.2 · softmax · 3 points
def softmax(similarities, scale=1.0):
    """Similarities [N, M] -> probabilities [N, M]; each row sums to 1."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-2-2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("2.2", softmax)

# %% [markdown]
# ### 2.3 Two opinions, one score · 2 points
#
#
# Compute the weighted geometric mean of CLIP's probability and DETR's:
#
# $$ s = p_\text{CLIP}^{\,\lambda} \cdot p_\text{DETR}^{\,1 - \lambda} $$
#
# `clip_score` and `detr_score` are the two probabilities, and `weight` is $\lambda$; all three are numbers from 0 to 1. Return $s$, one number. A model may say 0.

# %% nbgrader={"grade": false, "grade_id": "answer-2-3", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 2.3 · fuse · 2 points
def fuse(clip_score, detr_score, weight=0.6):
    """The fused score of two probabilities; weight is that of CLIP's: a number."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-2-3", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("2.3", fuse)

# %% [markdown]
# ### 2.4 Found, ambiguous, or not there · 5 points
#
#
# Which of $N$ candidates is meant, and is that clear? Only the candidates that *fit* count. Let $s_1 \ge s_2 \ge \dots$ be their scores. The margin is $m = s_1 - s_2$, or $s_1$ if only one fits.
#
# | how many fit | margin | index | status |
# |---|---|---|---|
# | none | 0 | `None` | `"not_found"` |
# | one | $s_1$ | that one | `"found"` |
# | two or more, $m \ge$ bar | $m$ | the best one | `"found"` |
# | two or more, $m <$ bar | $m$ | `None` | `"ambiguous"` |
#
# `scores` is a float array $[N]$, `fits` a bool array $[N]$, and $N$ may be 0. `bar` is a number; `choose` sets it to 15 % of $s_1$. Return `(index, status, margin)`; the index counts among *all* candidates, not only among those that fit.

# %% nbgrader={"grade": false, "grade_id": "answer-2-4", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 2.4 · verdict · 5 points
def verdict(scores, fits, bar=0.15):
    """Scores [N] and whether each fits [N] -> (index or None, status, margin)."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-2-4", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("2.4", verdict)

# %% [markdown]
# ### 2.5 The left one, the largest one · 4 points
#
#
# *The left bus*, *the largest bus*: a selector decides on the boxes alone. `"left"`, `"right"`, `"top"` and `"bottom"` go by the box's **centre** (a long bus may begin further left than a cup, and still be the one on the right); `"largest"` and `"smallest"` go by its area. `boxes` is float32 $[N, 4]$, xyxy in pixels, with $N \ge 1$, and $y$ grows downwards; `selector` is one of the six words. Return the index of the box that is meant; of two that tie, the first.

# %% nbgrader={"grade": false, "grade_id": "answer-2-5", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 2.5 · pick · 4 points
def pick(boxes, selector):
    """Boxes [N, 4] and one of six selectors -> the index of the box that is meant."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-2-5", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("2.5", pick)

# %% [markdown]
# ### Stage 2 with your functions
#
# `plugged_in` runs the package with your functions in place of its own. Where yours is still a stub, ours does the work.

# %%
yours = {"cosine": cosine, "softmax": softmax, "fuse": fuse}
yours |= {"verdict": verdict, "pick": pick}
with plugged_in(**yours) as mine:
    for noun in ("blue bus", "green bus", "car", "bus", "right bus"):
        answer = match(image, found, parse(f"the {noun} becomes red"), models)
        print(f"{noun:10} {answer.status:10} {answer.index}")
print("yours:", ", ".join(mine) or "none yet")

# %% [markdown]
# And here is the whole editor, choosing as you taught it to. Try a prompt of your own.

# %%
from textedit_lite import Editor, edit_figure

with plugged_in(**yours) as mine:
    edited = Editor(models).edit(image, "the right bus changes to a red bus")
print("yours:", ", ".join(mine) or "none yet")
edit_figure(edited)

# %% [markdown]
# ## What to remember
#
# - A similarity means something only against alternatives; name them.
# - A product of probabilities lets each model veto; $\lambda$ says whose doubt weighs more.
# - "Not found" and "ambiguous" are answers. The margin is the number to look at before you trust a choice.
#
# We know *which* object. Which *pixels* may change is next: **[03, masks](03_mask_building.ipynb)**.

# %% [markdown]
# **The code of this notebook**
#
# | file | taught here |
# |---|---|
# | [`boxes.py`](../textedit_lite/boxes.py) | `square_crop` |
# | [`match.py`](../textedit_lite/match.py) | `image_features`, `text_features`, `similarity`, `cosine`, `softmax`, `contrast`, `read_attributes`, `read_object`, `read_categories`, `fuse`, `match`, `choose`, `verdict`, `pick` |
# | [`plots.py`](../textedit_lite/plots.py) | `similarity_matrix`, `bars` |
# | [`prompt.py`](../textedit_lite/prompt.py) | `unknown_words`, `check_words` |
# | [`training/clip.py`](../textedit_lite/training/clip.py) | `score` |
# | [`vocabulary.py`](../textedit_lite/vocabulary.py) | `describe` |
# | [`widgets/stages.py`](../textedit_lite/widgets/stages.py) | `MatchPanel` |
