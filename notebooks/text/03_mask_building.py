# %% [markdown]
# # 03 · The mask: which pixels may change
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/textedit-lite/textedit-lite/blob/v0.1.0/notebooks/03_mask_building.ipynb)
#
# **Time:** 40 minutes; to run: 13 seconds of one core, 0.7 GB. **Before:** [02, CLIP](02_clip_matching.ipynb). **Next:** [04, inpainting](04_inpainting.ipynb). **Code:** [`mask.py`](../textedit_lite/mask.py), [`blend.py`](../textedit_lite/blend.py), [`boxes.py`](../textedit_lite/boxes.py).
#
# A mask is a greyscale picture of the input's size: **255 = repaint, 0 = keep**. It is also a promise: where it is black, the result equals the input *exactly*. This notebook builds masks, and shows how a painted patch is put back without a seam and without breaking the promise.
#
# When you are through, you can
# - build a mask from a box, and say why it must be larger than the box;
# - work out how much room a turned object needs;
# - write a feather that runs inwards, and show why an outward one breaks the promise;
# - take the seam out of a patch whose shade is slightly wrong.

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
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from textedit_lite import build_mask, detect, load_models, match, parse, plots
from textedit_lite.world import scenes

# %%
models = load_models("lite")
scene = scenes.make_scene(81)
image = scenes.render(scene)
found = detect(image, models.detr, models.detr_processor)
chosen = match(image, found, parse("the blue bus changes to a red bus"), models)
box = found.boxes[chosen.index]
print(chosen.status, "-> a", found.labels[chosen.index])

# %% [markdown]
# ## 1. From box to mask
#
# The simplest mask is the box itself, a little larger, because a detector's box cuts off edges and shadows. It grows on each side by a share $g$ of its longest side:
#
# $$ \text{mask} = [\,x_0 - m,\; x_1 + m\,] \times [\,y_0 - m,\; y_1 + m\,], \qquad m = g \cdot \max(w, h) $$
#
# `build_mask` in [`mask.py`](../textedit_lite/mask.py) does this, with `grow_box` for the arithmetic.

# %%
mask = build_mask(image.size, box)
print(mask.mode, mask.size, "| values:", sorted(set(np.asarray(mask).ravel().tolist())))
plots.mask_overlay(image, mask).figure

# %% [markdown]
# How much should it grow? Too little, and the old edges and the shadow stay and give the edit away; too much, and the painter has to invent background, or paints over the neighbour.

# %%
figure, axes = plots.panels(1, 4, width=2.2, height=2.4)
for ax, grow in zip(axes, (0.0, 0.08, 0.25, 0.6)):
    grown = build_mask(image.size, box, grow=grow)
    plots.mask_overlay(image, grown, f"grow = {grow}", ax)
figure

# %%
# NBVAL_IGNORE_OUTPUT
from textedit_lite.widgets import MaskPanel

panel = MaskPanel(image, box)
panel

# %% [markdown]
# The `MaskPanel` tints what would be repainted. The next sections explain its other controls. Python can move them, too:

# %%
small = (np.asarray(panel.mask) > 0).mean()
panel.grow.value = 0.6
panel.wait()
print("a larger share may change:", (np.asarray(panel.mask) > 0).mean() > small)
panel.grow.value = 0.08

# %% [markdown]
# ## 2. Room for tilting
#
# An object that is to be *tilted slightly to the left* will stick out of its old box. A box of $w \times h$, turned by $t$, fills
#
# $$ w' = w \cos t + h \sin t, \qquad h' = w \sin t + h \cos t $$
#
# Here $t$ = 24 degrees; `build_mask(..., pose="tilted")` makes this room.

# %%
from textedit_lite.boxes import grow_box
from textedit_lite.vocabulary import TILT_DEGREES

w, h, t = 80, 40, np.radians(TILT_DEGREES)
flat = (60, 60, 60 + w, 60 + h)
x0, y0, x1, y1 = grow_box(flat, (200, 200), grow=0, degrees=TILT_DEGREES)
wide, tall = w * np.cos(t) + h * np.sin(t), w * np.sin(t) + h * np.cos(t)
print("by the formula:", round(wide), "x", round(tall))
print("by grow_box:   ", x1 - x0, "x", y1 - y0, "(rounded outwards)")

# %%
bus = 0  # in the scene's own order
tilted = scenes.ideal_edit(scene, bus, {"pose": "tilted"})
figure, axes = plots.panels(1, 2)
roomy = build_mask(image.size, box, pose="tilted")
plots.mask_overlay(tilted, mask, "no room: the corners would be cut off", axes[0])
plots.mask_overlay(tilted, roomy, "room for 24 degrees", axes[1])
figure

# %% [markdown]
# **Room for another view.** A bus is long from the side and tall from the front, and nobody knows how tall before it is painted. So for a new view the box becomes a square whose sides are as long as the box's longest side (`build_mask(..., view="front")`, which calls `grow_box` with `square=True`):

# %%
front = scenes.ideal_edit(scene, bus, {"view": "front"})
figure, axes = plots.panels(1, 2)
plots.mask_overlay(front, mask, "the old box: no room above", axes[0])
squared = build_mask(image.size, box, view="front")
plots.mask_overlay(front, squared, "a square", axes[1])
figure

# %% [markdown]
# ## 3. A mask of your own
#
# The user may know better. `check_mask` takes any picture of the right size, makes it hard (128 or more becomes white, all else black), and refuses what cannot have been meant. A mask of your own is also the only way to edit a part of an object in a photograph: *the man's shirt becomes blue* is refused without such a mask, and painted with one (on the command line, `--mask FILE`).

# %%
from textedit_lite import TextEditError
from textedit_lite.mask import check_mask

own = Image.new("L", image.size)
ImageDraw.Draw(own).ellipse((190, 66, 254, 138), fill=200)
own = check_mask(own, image.size)
plots.mask_overlay(image, own, "painted by hand").figure

# %%
for wrong in (Image.new("L", image.size), Image.new("L", (20, 20), 255)):
    try:
        check_mask(wrong, image.size)
    except TextEditError as error:
        print(error)

# %% [markdown]
# ## 4. The feather runs inwards
#
# Pasting a patch with a hard edge leaves a visible line, so the patch's weight should rise gently. This soft edge is called a *feather*. Let $d$ be the distance to the nearest pixel outside of the mask, and $r$ the feather's radius. Then
#
# $$ w = \operatorname{smoothstep}\!\left(\min\left(\tfrac{d}{r + 1}, 1\right)\right), \quad \operatorname{smoothstep}(t) = t^2 (3 - 2t), \qquad \text{result} = (1 - w) \cdot \text{input} + w \cdot \text{painted} $$
#
# Outside of the mask $d = 0$, so $w = 0$, and the input stays as it is. This is `feather` in [`blend.py`](../textedit_lite/blend.py):

# %%
from textedit_lite.blend import feather

weight = feather(mask, radius=6)
inside = np.asarray(mask) > 0
print("outside:", weight[~inside].max(), "| deep inside:", weight.max())

# %% [markdown]
# The usual way is to blur the mask instead. Here are both weights along one line across the mask's left edge:

# %%
blurred = np.asarray(mask.filter(ImageFilter.GaussianBlur(3))) / 255
row = (mask.getbbox()[1] + mask.getbbox()[3]) // 2
columns = slice(0, 40)
edge = mask.getbbox()[0]

# %%
figure, (ax,) = plots.panels(width=6, height=2.6)
ax.axvspan(edge - 0.5, 39, color="#d6336c", alpha=0.12, label="inside of the mask")
ax.plot(weight[row, columns], "o-", markersize=3, label="feather, inwards")
ax.plot(blurred[row, columns], "o-", markersize=3, label="blurred mask")
ax.set(xlabel="column", ylabel="weight of the painted pixel", xlim=(0, 39))
ax.legend(fontsize=8, loc="lower right")
figure

# %% [markdown]
# The blurred weight is above zero *outside* of the mask. Let us count what that does to the background, with a plain grey patch as the painting:

# %%
before = np.asarray(image, float)
for name, alpha in [("feather", weight), ("blurred", blurred)]:
    after = np.rint(before + alpha[..., None] * (128 - before))
    outside = ((after != before).any(-1) & ~inside).sum()
    told = "over a thousand" if outside > 1000 else outside
    print(f"{name}: pixels changed outside of the mask:", told)

# %% [markdown]
# **That zero is the promise.** It holds bit for bit, at the picture's own size, whatever the painter returns, because outside of the mask the painted pixel's weight is exactly 0. (`lay_in` does the pasting. It looks only at the mask's box and one pixel around it, `place_of`. Where this is half a million pixels or more, it mixes with an 8-bit weight. That costs less, and inside of the mask the result is off by one level at most.) How wide the feather should be is a matter of taste; move the slider.

# %%
import ipywidgets as widgets

fade = widgets.IntSlider(value=4, min=0, max=20, description="feather")
fade.continuous_update = False
view = widgets.Image(format="png")


def repaint(change=None, feather=feather):
    alpha = feather(mask, fade.value)[..., None]
    mixed = np.rint(before + alpha * (128 - before)).astype(np.uint8)
    view.value = plots.png(plots.show(mixed, f"grey patch, feather {fade.value} px"))


# %%
# NBVAL_IGNORE_OUTPUT
fade.observe(repaint, names="value")
repaint()
widgets.VBox([fade, view])

# %%
sharp = view.value
fade.value = 20
print("the picture followed the slider:", view.value != sharp)

# %% [markdown]
# ## 5. The boundary without a seam
#
# A painter seldom hits the shade of the background exactly, and a feather only smears the step. `refine_boundary` measures the error where we know the truth, on the ring just *outside* of the mask, and carries it inwards:
#
# $$ f(p) = \text{painted}(p) + w(p)\, r(q), \qquad r = \text{original} - \text{painted} \text{ on the ring}, $$
#
# with $q$ the ring's pixels near $p$, and $w$ falling from 1 at the mask's edge to 0 at some depth. This is the membrane of Poisson image editing (Pérez et al., 2003), cut off at that depth.
#
# To see this at work, we need a painting with a known fault: the ideal edit, made 14 levels too bright. And we look where the painter looks. It does not see the whole picture but a square **window** around the mask, 4/3 of the mask's longest side wide, so that the object fills it (`context_window`; [notebook 04](04_inpainting.ipynb), section 1, shows why).

# %%
from textedit_lite.blend import refine_boundary
from textedit_lite.boxes import context_window, crop

window = context_window(mask.getbbox(), image.size)
original, hole = np.asarray(crop(image, window)), np.asarray(crop(mask, window)) > 0
ideal = np.asarray(crop(scenes.ideal_edit(scene, bus, {"colour": "red"}), window))
faulty = np.clip(ideal.astype(int) + 14, 0, 255).astype(np.uint8)

# %%
refined = refine_boundary(original, faulty, hole)
patches = (original, faulty, refined)
pasted = [np.where(hole[..., None], p, original).astype(np.uint8) for p in patches]
titles = ["input", "pasted: a box shows", "after refine_boundary"]
plots.image_grid(pasted, titles, side=2.6)

# %% [markdown]
# Here is the step across the mask's left edge, in grey levels, before and after:

# %%
line = original.shape[0] // 2
start = int(np.flatnonzero(hole[line])[0])
step = [abs(p[line, start].mean() - original[line, start - 1].mean()) for p in pasted]
print("before: more than 10 levels:", step[1] > 10)
print("after: less than 5 levels:", step[2] < 5)

# %%
figure, (ax,) = plots.panels(width=6, height=2.6)
ax.axvline(start - 0.5, color="#d6336c", label="edge of the mask")
for name, part in zip(("input", "pasted", "refined"), pasted):
    ax.plot(part[line, : start + 24].mean(-1), label=name, linewidth=1.5)
ax.set(xlabel="column of the crop", ylabel="grey level")
ax.legend(fontsize=8)
figure

# %% [markdown]
# Not everything that differs at the edge is a wrong shade. Where the mask *cuts through* an object, the ring differs strongly, and carrying that difference inwards would leave a smear. So steps above 40 levels are left alone:

# %%
cut = original.copy()
cut[:, :start] = 255 - cut[:, :start]  # a wholly different surrounding on the left
kept = refine_boundary(cut, faulty, hole)
carried = np.abs(kept[line, start] - faulty[line, start]).max()
print("left edge left alone:", carried < 3)

# %% [markdown]
# ### On a real painting
#
# Here is the painter of the next notebook, without and with refinement. By eye the two hardly differ. The picture on the right, on a square-root scale, shows where they do: along the edge of the mask. (A poor wheel is the painter's own doing: here it starts from noise, in the editor from a sketch; see [notebook 04](04_inpainting.ipynb), section 6.)

# %%
from textedit_lite import inpaint

caption = "a red bus seen from the side upright"
raw = inpaint(image, mask, caption, models.painter, refine=False)[0].image
fine = inpaint(image, mask, caption, models.painter, refine=True)[0].image

# %%
figure, axes = plots.panels(1, 3, width=2.8)
for ax, title, patch in zip(axes, ("not refined", "refined"), (raw, fine)):
    plots.show(crop(patch, window), title, ax)
closer = [crop(picture, window) for picture in (raw, fine, mask)]
plots.difference_map(*closer, "what the refinement changed", axes[2])
figure

# %% [markdown]
# Both keep the promise:

# %%
for name, result in [("not refined", raw), ("refined", fine)]:
    outside = (np.asarray(result) != np.asarray(image)).any(-1) & ~inside
    print(f"{name}: {outside.sum()} pixels changed outside of the mask")

# %% [markdown]
# ## Exercises
#
# Now write stage 3 yourself: six functions that lead from a box to a picture without a seam. Put your code in place of `raise NotImplementedError`. The cell below each function says at once whether it is right and, if not, on which input it fails. As long as there is nothing to try, it draws the task. An answer may use `numpy` as `np`, and what it imports itself. From here on, the names of these functions stand for *yours*; to run an earlier section again, begin with its imports.

# %%
from textedit_lite.check import check, plugged_in

# %% [markdown]
# ### 3.1 The mask of a box · 2 points
#
#
# Make the mask of a box. `size` is the picture's (width, height), as everywhere for pictures, but an array has its rows first. `box` is $(x_0, y_0, x_1, y_1)$ in whole pixels, **half open**: column $x_0$ and row $y_0$ belong to it, column $x_1$ and row $y_1$ do not. It may reach beyond the picture, or lie outside altogether. Return a uint8 array $[H, W]$: 255 inside of the box and 0 outside.

# %% nbgrader={"grade": false, "grade_id": "answer-3-1", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 3.1 · box_mask · 2 points
def box_mask(size, box):
    """The mask [H, W] of a box (x0, y0, x1, y1) for a size (width, height)."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-3-1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("3.1", box_mask)

# %% [markdown]
# ### 3.2 Room for the object · 4 points
#
#
# Compute the box of the mask from the box of the object. Let $w \times h$ be the size of the object's box, $m = g \cdot \max(w, h)$ the margin and $t$ the angle:
#
# 1. turn the box: $w' = w \cos t + h \sin t$ and $h' = w \sin t + h \cos t$;
# 2. if `square` is true, make both sides $\max(w', h')$;
# 3. grow it by $m$ on *each* of its four sides, about the same centre;
# 4. round it outwards to whole pixels, and cut it at the borders of the picture.
#
# `box` holds four floats, xyxy; `size` is the picture's (width, height); `grow` is $g$; `degrees` is $t$ in degrees, from 0 to 90. Return four whole numbers $(x_0, y_0, x_1, y_1)$.

# %% nbgrader={"grade": false, "grade_id": "answer-3-2", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 3.2 · grow_box · 4 points
def grow_box(box, size, grow=0.08, degrees=0.0, square=False):
    """The box of a mask, xyxy in whole pixels, inside of a picture of size (w, h)."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-3-2", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("3.2", grow_box)

# %% [markdown]
# ### 3.3 The feather that runs inwards · 4 points
#
#
# Compute the weight of the painting at each pixel: exactly 0 outside of the mask, rising to 1 inside. With $d$ the distance from a pixel to the nearest pixel outside of the mask:
#
# $$ w = t^2 (3 - 2 t), \qquad t = \min\left( \tfrac{d}{r + 1},\, 1 \right) $$
#
# `mask` is a PIL picture of mode L, in which 128 or more is inside; `radius` is $r \ge 0$ in pixels. Return the weights, an array $[H, W]$. With $r = 0$ every weight is 0 or 1; if the whole picture is mask, every weight is 1; and at the picture's own border the weight does not fade. (`distance_transform_edt` of `scipy.ndimage` measures $d$.)

# %% nbgrader={"grade": false, "grade_id": "answer-3-3", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 3.3 · feather · 4 points
def feather(mask, radius):
    """The weight [H, W] of the painting, 0..1: mask is a PIL picture, mode L."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-3-3", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("3.3", feather)

# %% [markdown]
# ### 3.4 The exact paste · 3 points
#
#
# Lay the painting over the picture, by a weight:
#
# $$ \text{result} = \text{before} + w \cdot (\text{after} - \text{before}) $$
#
# `before` and `after` are $[H, W, 3]$ with values from 0 to 255, often uint8; `weight` is float32 $[H, W]$, 0 to 1. Return uint8 $[H, W, 3]$, rounded to the *nearest* level. Where the weight is 0, the result is `before`, bit for bit: that is the promise. (What is `np.uint8(10) - np.uint8(20)`?)

# %% nbgrader={"grade": false, "grade_id": "answer-3-4", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 3.4 · mix · 3 points
def mix(before, after, weight):
    """Two pictures [H, W, 3] and the weight [H, W] of the second -> uint8 [H, W, 3]."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-3-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("3.4", mix)

# %% [markdown]
# ### 3.5 The ring around the mask · 4 points
#
#
# `refine_boundary` measures the painter's error on a ring just outside of the mask. Find this ring: all pixels that are **not** in the mask, but from which the mask is reached in `width` steps or fewer. A step leads up, down, left or right, and no step leads across the picture's border. `mask` is bool $[H, W]$. Return bool $[H, W]$, true on the ring.

# %% nbgrader={"grade": false, "grade_id": "answer-3-5", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 3.5 · ring · 4 points
def ring(mask, width=2):
    """The pixels outside of a mask [H, W] within width steps of it: bool [H, W]."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-3-5", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("3.5", ring)

# %% [markdown]
# ### 3.6 The painter's window · 4 points
#
# Compute the square window that the painter sees around a mask's box:
#
# 1. Its side is `ratio` times the box's longest side, rounded up (`math.ceil`), and at least `minimum`.
# 2. Along each axis it starts at `round((low + high - side) / 2)`, so that the box is in its middle. Here `low` and `high` are the ends of the box along this axis.
# 3. Where it would hang over the picture's border, it is pushed inside. But where the picture's `extent` (its width or height) is smaller than the side, the window starts at `(extent - side) // 2`, so that the picture is in its middle.
#
# `box` is $(x_0, y_0, x_1, y_1)$ in whole pixels; `size` is the picture's (width, height). Return the window, four whole numbers $(x_0, y_0, x_1, y_1)$.

# %% nbgrader={"grade": false, "grade_id": "answer-3-6", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 3.6 · context_window · 4 points
def context_window(box, size, ratio=4 / 3, minimum=32):
    """The square window around a box (xyxy) in a picture of a size -> xyxy."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-3-6", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("3.6", context_window)

# %% [markdown]
# ### Stage 3 with your functions
#
# `plugged_in` runs the package with your functions in place of its own. Where yours is still a stub, ours does the work.

# %%
yours = {"box_mask": box_mask, "grow_box": grow_box, "feather": feather}
yours |= {"mix": mix, "ring": ring, "context_window": context_window}
with plugged_in(**yours) as mine:
    roomy = build_mask(image.size, box, pose="tilted")
    fine = inpaint(image, roomy, "a blue bus tilted", models.painter)[0].image
print("yours:", ", ".join(mine) or "none yet")
outside = (np.asarray(fine) != np.asarray(image)).any(-1) & (np.asarray(roomy) == 0)
print(outside.sum(), "pixels changed outside of the mask")
figure, axes = plots.panels(1, 2, width=3)
plots.mask_overlay(image, roomy, "the mask for a tilted bus", axes[0])
plots.show(fine, "painted in it", axes[1])
figure

# %% [markdown]
# And here is the whole editor with them. Is every pixel outside of the mask what it was?

# %%
from textedit_lite import Editor, edit_figure

with plugged_in(**yours) as mine:
    edited = Editor(models).edit(image, "the blue bus changes to a red bus")
print("yours:", ", ".join(mine) or "none yet")
edit_figure(edited)

# %% [markdown]
# ## What to remember
#
# - A mask is larger than its box: shadows, edges, and room for what the object becomes.
# - Feather inwards: then "the background is exact" is a theorem and not a hope.
# - A seam is measured on the ring outside, and taken out inside.
#
# Now somebody has to paint: **[04, inpainting](04_inpainting.ipynb)**. How to get masks that follow the object's outline is the subject of a later notebook.

# %% [markdown]
# **The code of this notebook**
#
# | file | taught here |
# |---|---|
# | [`blend.py`](../textedit_lite/blend.py) | `feather`, `ring`, `refine_boundary`, `place_of`, `lay_in`, `mix` |
# | [`boxes.py`](../textedit_lite/boxes.py) | `grow_box`, `crop` |
# | [`mask.py`](../textedit_lite/mask.py) | `build_mask`, `box_mask`, `check_mask` |
# | [`plots.py`](../textedit_lite/plots.py) | `mask_overlay` |
# | [`widgets/stages.py`](../textedit_lite/widgets/stages.py) | `MaskPanel` |
