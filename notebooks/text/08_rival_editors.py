# %% [markdown]
# # 08 · The rivals: four editors, one wish
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/textedit-lite/textedit-lite/blob/v0.1.0/notebooks/08_rival_editors.ipynb)
#
# **Time:** 60 minutes; to run: 70 seconds of one core, 1.0 GB. **Before:** [07, better masks and matching](07_better_masks_and_matching.ipynb). **Next:** [09, train the lite models](09_train_the_lite_models.ipynb). **Code:** [`rivals/`](../textedit_lite/rivals), [`evaluation/tune.py`](../textedit_lite/evaluation/tune.py).
#
# Algorithm 1 looks before it paints: DETR and CLIP say *where*, and a mask keeps the rest. Three famous editors do without. **SDEdit** has no idea where, **DiffEdit** finds the place by itself, and **InstructPix2Pix** was taught the whole task. All of them are diffusion models of the same kind, with the same autoencoder and the same text encoder as ours. What differs is the UNet (what it sees beside the noise, and what it was trained for) and how it is asked.
#
# When you are through, you can
# - say what each of the four is told, what it sees, and what it is free to change;
# - build SDEdit out of one number, and say why no value of it is right;
# - find a mask by letting a model disagree with itself, and walk a picture into the noise and back;
# - guide by a picture and by words at once;
# - compare editors fairly: with settings that were searched for each of them, and by two measures, not one.

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
import torch
from PIL import Image

from textedit_lite import Editor, build_mask, load_models, parse, plots
from textedit_lite.rivals import diffedit, instruct_pix2pix, sdedit
from textedit_lite.world import scenes

models = load_models("lite")
editor = Editor(models)

# %% [markdown]
# ## 1. One wish
#
# The blue bus shall become red. Nothing else was asked for.

# %%
scene = scenes.make_scene(81)
image, wish = scenes.render(scene), "the blue bus changes to a red bus"
edits = {"ours": editor.edit(image, wish)}
for name, edit in (("SDEdit", sdedit), ("DiffEdit", diffedit),
                   ("InstructPix2Pix", instruct_pix2pix)):
    edits[name] = edit(image, wish, models)

# %%
pictures = [image, *(edit.image for edit in edits.values())]
plots.image_grid(pictures, ["input", *edits], columns=5, side=2.0)

# %% [markdown]
# And here is what each of them changed, wanted or not (`difference_map`; the more yellow, the larger the change):

# %%
place = build_mask(image.size, scenes.boxes(scene)[0])
figure, axes = plots.panels(1, 4, width=2.3, height=2.3)
for ax, (name, edit) in zip(axes, edits.items()):
    plots.difference_map(image, edit.image, place, name, ax)
figure

# %% [markdown]
# The dashed rectangle is where a careful editor may paint. Keep these two rows in mind: the first shows whether the wish was granted, the second what it cost. (Many pictures at once go faster: `sdedit_batch`, `diffedit_batch`, `instruct_pix2pix_batch`.)
#
# ## 2. What they are told
#
# Each rival gets the same prompt in its own language. SDEdit is told what the picture is *to show*. DiffEdit is told that, and what it shows *now* (`captions`). InstructPix2Pix is given an order (`instruction`); the lite one knows only the words of captions, so its order is brief.

# %%
from textedit_lite.rivals.words import captions, instruction

asked = parse("the left blue car changes to a red car")
print("DiffEdit, before and after:", captions(asked))
print("InstructPix2Pix, full     :", instruction(asked, brief=False))
print("InstructPix2Pix, lite     :", instruction(asked, brief=True))

# %% [markdown]
# Only InstructPix2Pix hears *left*. The others could not do anything with it: a caption describes a picture, it does not point into it.
#
# All three see the **whole** picture, at the size that their model was trained on (`working_size`), and what they return is enlarged again. So every pixel goes through the autoencoder, whatever was asked. The sizes are:

# %%
from textedit_lite.rivals.whole import working_size

small = models.rival("text2image")
print("a picture of 256 x 256 is seen as", working_size((256, 256), small))
print("one of 640 x 480 as", working_size((640, 480), small))

# %% [markdown]
# `models.rival` loads a rival's UNet and takes the other parts from the painter: the autoencoder and the text encoder are the same.
#
# ## 3. SDEdit: a part of the way into the noise
#
# Meng et al. (2022) add noise to the picture up to a time $t$, and let the model denoise it from there under the caption. The noised picture is
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \varepsilon $$
#
# One number, the **strength** $t$, decides everything. What noise has drowned, the model paints anew as the caption says; what still shows through, it keeps.

# %%
strengths = (0.2, 0.4, 0.6, 0.8, 1.0)
row = [sdedit(image, wish, models, strength=s).image for s in strengths]
titles = ["input", *(f"strength {s}" for s in strengths)]
plots.denoising_strip([image, *row], titles)

# %% [markdown]
# On the left, the bus stays blue, and small things are lost already. On the right, nothing is left of the picture, and the model draws what it likes, with red in it. That is text-to-image, and SDEdit can draw no better than its model. So let us ask the lite model for four things, from nothing but noise (`draw`):

# %%
from textedit_lite.training.score_drawing import draw

things = [("car", "red"), ("cup", "green"), ("bus", "yellow"), ("chair", "purple")]
drawn = draw(things, models, progress=False)
titles = [f"a {colour} {name}" for name, colour in things]
plots.image_grid(drawn, titles, columns=4, side=2.0)

# %% [markdown]
# The colours are right, the forms hardly. The model has not mastered whole scenes: it had 197 minutes of one core to learn them. `textedit-lite score text2image` asks DETR and CLIP about 96 such pictures (`score_drawing`). DETR finds the object in 66 % of them, but be warned: what it calls a chair may be a blob. When you see SDEdit or DiffEdit fail below, ask each time whether the method failed or its model.
#
# Is there a good strength in between? Colour and layout drown at about the same time, so the noise that lets the bus change lets its neighbours change as well. Try it with the sliders of `RivalPanel`. Its status says what became of the rest of the picture (`differing` draws what changed):

# %%
# NBVAL_IGNORE_OUTPUT
from textedit_lite.widgets import RivalPanel

panel = RivalPanel(image, wish, models, place=place)
panel

# %%
# NBVAL_IGNORE_OUTPUT
for strength in (0.3, 0.8):  # what the mouse does, from Python
    panel.strength.value = strength
    panel.wait()
    print(f"strength {strength}: {panel.status.text}")

# %% [markdown]
# ## 4. DiffEdit: where the captions disagree
#
# Couairon et al. (2023) get a mask from the same model, without a detector. There are three steps, and we take them one by one.
#
# **The contrast.** Add noise to the picture, and ask the model twice what the noise is: once under the caption of what the picture shows, once under the caption of what it is to show. (`encode` gives the latents, and `states` gives what the UNet reads of the words.) Where nothing is at stake, the two answers are the same; where the bus is, they differ. The difference $d$ is averaged over a few noises (`noise_contrast`), and the mask $M$ is where it exceeds $\tau$ times its mean over the picture (`contrast_mask`):
#
# $$ d(p) = \operatorname{mean}\, \lvert\, \varepsilon_\theta(x_t, \text{after}) - \varepsilon_\theta(x_t, \text{before})\, \rvert_p, \qquad M = \{\, p : d(p) > \tau\, \bar d\, \} $$
#
# (The paper scales $d$ to the range from 0 to 1, and cuts at 0.5. We follow the library diffusers, which cuts at a multiple of the mean.)

# %%
from textedit_lite.rivals.diffedit import contrast_mask, encode, noise_contrast, states
from textedit_lite.rivals.settings import settings_of

settings = settings_of("diffedit", models)
small_image = image.resize(working_size(image.size, small), Image.Resampling.LANCZOS)
old, new = (states([text], small) for text in captions(parse(wish)))
with torch.inference_mode():
    latents = encode([small_image], small)
    contrast = noise_contrast(
        latents, old, new, small, [torch.Generator().manual_seed(0)],
        noise=settings["noise"], maps=settings["maps"], steps=settings["steps"])
print("latents", tuple(latents.shape), "-> contrast", tuple(contrast.shape))

# %%
factors = (1.0, settings["threshold"], 3.0)
masks = [contrast_mask(contrast.numpy(), factor)[0] for factor in factors]
figure, axes = plots.panels(1, 4, width=2.2, height=2.2)
axes[0].imshow(contrast[0], cmap="magma")
axes[0].set_title("contrast", fontsize=9)
axes[0].set_axis_off()
for ax, factor, mask in zip(axes[1:], factors, masks):
    enlarged = Image.fromarray(255 * mask.astype(np.uint8)).resize(image.size, 0)
    plots.mask_overlay(image, enlarged, f"threshold {factor:g}", ax)
figure

# %% [markdown]
# **The way into the noise.** SDEdit throws away what it drowns. DiffEdit runs DDIM *backwards* (`invert`): each step adds the noise that the model itself believes it sees. So the way back leads to the same picture, apart from small errors. DiffEdit keeps the latents of every level of noise on the way:

# %%
from textedit_lite.rivals.diffedit import invert, repaint


def decoded(latents):
    with torch.inference_mode():
        pixels = small.vae.decode(latents / small.vae.config.scaling_factor).sample
    return small.image_processor.postprocess(pixels, output_type="pil")[0]


with torch.inference_mode():
    levels = invert(latents, small, steps=25, strength=0.6)
    nothing, everywhere = states([""], small), torch.ones(1, *latents.shape[2:]) > 0
    returned = repaint(levels, everywhere, nothing, small, steps=25, guidance=1.0)
shown = [levels[0], levels[5], levels[10], levels[-1], returned]
titles = ["the picture", "level 5", "level 10", "level 15", "and back"]
plots.denoising_strip([decoded(one) for one in shown], titles)

# %% [markdown]
# **The way back** (`repaint`) denoises under the new caption, but at each level only inside of the mask. Outside of it, the latents $y$ are replaced by those of the way into the noise, $x$ (`keep_background`):
#
# $$ y_{t-1} \leftarrow M \odot y_{t-1} + (1 - M) \odot x_{t-1} $$

# %%
with torch.inference_mode():
    mask = contrast_mask(contrast, settings["threshold"])
    depth = int(settings["steps"] * settings["strength"])
    levels = invert(latents, small, steps=settings["steps"],
                    strength=settings["strength"])
    painted = repaint(levels, mask, new, small, steps=settings["steps"],
                      guidance=settings["guidance"])
outside = ~mask[0]
kept = (painted[0] - latents[0]).abs().amax(0)[outside].max()
print(depth, "levels; outside of the mask the latents are the same:", bool(kept == 0))
plots.image_grid([small_image, decoded(latents), decoded(painted)],
                 ["what it sees", "through the autoencoder", "edited"], columns=3)

# %% [markdown]
# So the *latents* outside are exact. The pixels are not: they went through the autoencoder. And the mask is only as good as the model's disagreement: for a bus that is to be turned around, the model disagrees with itself everywhere and nowhere.
#
# ## 5. InstructPix2Pix: taught by examples
#
# Brooks et al. (2023) do not look for a trick at all. They make half a million triples of picture, instruction and edited picture. On these they train a UNet that sees the picture's latents beside the noisy ones: 8 input channels. Their instructions come from GPT-3 and their pictures from Prompt-to-Prompt, and the triples are as wrong as those are. The lite model is better off: our world can draw the **ideal** edit ([09](09_train_the_lite_models.ipynb)).
#
# InstructPix2Pix is guided twice, by the picture $c$ and by the words $w$; $\emptyset$ stands for *none*:
#
# $$ \varepsilon = \varepsilon(\emptyset, \emptyset) + s_I\, \big(\varepsilon(c, \emptyset) - \varepsilon(\emptyset, \emptyset)\big) + s_T\, \big(\varepsilon(c, w) - \varepsilon(c, \emptyset)\big) $$
#
# The lite model starts from cold noise, as our painter does ([04](04_inpainting.ipynb), section 3; $\tau$ here is the temperature, not DiffEdit's threshold). Of 8 new colours in validation scenes, 5 came out right this way, and 3 at $\tau = 1$. What helps our editor must be offered to a rival, too.

# %%
grid, titles = [], []
for image_guidance in (1.0, 2.0):
    for guidance in (1.5, 3.0, 7.5):
        made = instruct_pix2pix(image, wish, models, guidance=guidance,
                                image_guidance=image_guidance)
        grid.append(made.image)
        titles.append(f"s_I = {image_guidance}, s_T = {guidance}")
plots.image_grid(grid, titles, columns=3, side=2.0)

# %% [markdown]
# ## 6. A fair comparison
#
# One scene proves nothing, and neither do settings that somebody liked. So there are two rules.
#
# **Everyone at their best.** `tune` searches each rival's settings on validation scenes, where the oracle judges the edits. If there are few combinations, it tries all of them (SDEdit); otherwise it tries one setting after the other. The whole search is written down ([docs/rivals.md](../docs/rivals.md)). `settings_of` gives the settings that an editor gets if you choose none. For the lite rivals this is not yet the end of a search, because their training is not at its end: what you see here shows how they work, and is no verdict on them.

# %%
for rival in ("sdedit", "diffedit", "instruct-pix2pix"):
    print(f"{rival:17}", settings_of(rival, models))

# %% [markdown]
# **Two measures, not one.** If only success counts, whoever redraws everything wins; if only an exact background counts, whoever does nothing wins. `measure` takes both on a few edits of validation scenes (`trials`), here one of each task:

# %%
from itertools import islice

from textedit_lite.evaluation.tune import measure, trials

some = [trial for task in ("color", "tilt", "front", "updown")
        for trial in islice(trials(task, seed=3), 1)]
print(*(trial.request.prompt for trial in some), sep="\n")

# %%
ways = {"ours": ("ours", {}), "copy": ("copy", {}), "DiffEdit": ("diffedit", {}),
        "InstructPix2Pix": ("instruct-pix2pix", {})}
ways |= {f"SDEdit {s}": ("sdedit", {"strength": s}) for s in (0.4, 0.8)}
found = {name: measure(way, models, options, some)
         for name, (way, options) in ways.items()}

# %%
# NBVAL_IGNORE_OUTPUT
print(f"{'':17} success   MSE outside   s an edit")
for name, figures in found.items():
    print(f"{name:17} {figures['success']:6.0%} {figures['mse_outside']:13.5f}"
          f" {figures['seconds']:8.2f}")

# %%
from textedit_lite.evaluation.figures import trade_off

points = {name: (one["success"], one["mse_outside"]) for name, one in found.items()}
trade_off(points).figure

# %% [markdown]
# A filled point is an editor that nobody beats (`unbeaten`): no other is at least as good in both measures and better in one. A report draws the same figure from the rows of evaluation runs (`success_and_harm`). Four edits are few, and the next four will give other numbers. `make table` makes a thousand edits of each task, with intervals ([notebook 06](06_coco_evaluation.ipynb), section 7). Beside these editors it sets the **plain** way (`plain_edit`): the same DETR and CLIP, but with a fixed threshold; it takes the nearest crop whether that fits or not, sends the whole picture through the painter, and nobody looks at the result.
#
# ### Why ours wins here, and where it would not
#
# - It knows *where* before it paints, from models that were made for that, and it pastes back only that place. This is an advantage of the method, and it holds for photographs.
# - It looks at the result, and tries again. So could all the others, if they knew what to look at.
# - Its painter sees only a window around the object, enlarged: more pixels for the same money.
# - But it can only do what a box and a painter can: *replace* what is in one place. "Make it winter", "remove the fog", "in the style of Hokusai" have no such place. SDEdit and InstructPix2Pix do not mind.
# - And this is a small world. The rivals' models were trained on it for 197 (text2image) and 280 minutes (InstructPix2Pix) of one core, the painter for five and a half hours. Drawing a whole scene is also harder than drawing one object. With more training, the rivals would do better. These numbers do not say what they do with Stable Diffusion's weights on photographs.
#
# ## Exercises
#
# Write each function in place of `raise NotImplementedError`, and run the cell below it. An answer may use `numpy` as `np`, and whatever it imports itself; the notebook's other names do not exist when it is graded.

# %%
from textedit_lite.check import check, plugged_in

# %% [markdown]
# ### 8.1 Where two captions disagree · 3 points
#
# Write DiffEdit's mask for a whole batch of $B$ pictures. `contrast` is float32 $[B, h, w]$, `threshold` is one number. A place belongs to the mask where its contrast is **more than** `threshold` times the mean contrast of *its own* picture. Return the masks as bool $[B, h, w]$. Functions of numpy suffice.

# %% nbgrader={"grade": false, "grade_id": "answer-8-1", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 8.1 · contrast_mask · 3 points
def contrast_mask(contrast, threshold):
    """Contrast [B, h, w], how many times the mean -> mask, bool [B, h, w]."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-8-1", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("8.1", contrast_mask)

# %% [markdown]
# ### 8.2 The picture stays outside · 2 points
#
# This happens after each step of the way back: inside of the mask, keep the denoised `latents`; outside of it, put the picture's own latents at that level of noise, `level`. Both are float32 $[B, 4, h, w]$, and `mask` is bool $[B, h, w]$, `True` inside. Return a new array $[B, 4, h, w]$, and leave the given ones as they are.

# %% nbgrader={"grade": false, "grade_id": "answer-8-2", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 8.2 · keep_background · 2 points
def keep_background(latents, level, mask):
    """Latents and level [B, 4, h, w], mask [B, h, w] -> [B, 4, h, w]."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-8-2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("8.2", keep_background)

# %% [markdown]
# ### 8.3 Two guidances at once · 3 points
#
# Write equation 3 of InstructPix2Pix, as it stands in section 5. `nothing` is $\varepsilon(\emptyset, \emptyset)$, `pictured` is $\varepsilon(c, \emptyset)$, and `told` is $\varepsilon(c, w)$: three arrays of the same shape. `image_guidance` is the scale $s_I$, and `guidance` is $s_T$. Return $\varepsilon$, an array of that shape. If both scales are 1, it is `told`.

# %% nbgrader={"grade": false, "grade_id": "answer-8-3", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 8.3 · two_guidances · 3 points
def two_guidances(nothing, pictured, told, image_guidance, guidance):
    """Three predictions and two scales -> the prediction that is used."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-8-3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("8.3", two_guidances)

# %% [markdown]
# ### 8.4 Who is not beaten · 4 points
#
# Editor $j$ **beats** editor $i$ if it is at least as good in both measures (its success not lower, its harm not higher) and better in at least one of them. Say for each of $N$ editors whether *nobody* beats it. `success` and `harm` are arrays $[N]$; return bool $[N]$. Two editors with the same success and the same harm do not beat each other. $N$ may be 0.

# %% nbgrader={"grade": false, "grade_id": "answer-8-4", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 8.4 · unbeaten · 4 points
def unbeaten(success, harm):
    """Success [N], harm [N] -> bool [N]: no other editor beats it."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-8-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("8.4", unbeaten)

# %% [markdown]
# ### The rivals with your functions
#
# Here your `contrast_mask` finds DiffEdit's mask, and your `unbeaten` decides which points are filled. `plugged_in` runs the package with your functions; where yours is still a stub, ours does the work.

# %%
with plugged_in(contrast_mask=contrast_mask, unbeaten=unbeaten) as taken:
    result = diffedit(image, wish, models)
    ax = trade_off(points)
print("yours:", ", ".join(taken) or "none yet")
plots.image_grid([image, result.mask, result.image],
                 ["input", "DiffEdit's mask", "its edit"], columns=3)

# %%
ax.figure

# %% [markdown]
# ## What to remember
#
# - SDEdit trades the edit against the picture with one number, everywhere at once.
# - A mask can come from a model that disagrees with itself; it is coarse, and only as good as the captions.
# - InstructPix2Pix needs no mask and no caption, but it needs triples to learn from.
# - Whoever sends every pixel through an autoencoder changes every pixel.
# - Tune your rivals as you tune your own editor, write the search down, and count what was *not* asked for as well.
#
# Next, you see how all these models are trained: **[09, train the lite models](09_train_the_lite_models.ipynb)**.

# %% [markdown]
# **The code of this notebook**
#
# | file | taught here |
# |---|---|
# | [`evaluation/figures.py`](../textedit_lite/evaluation/figures.py) | `unbeaten`, `success_and_harm`, `trade_off` |
# | [`evaluation/tune.py`](../textedit_lite/evaluation/tune.py) | `trials`, `measure`, `tune` |
# | [`models.py`](../textedit_lite/models.py) | `rival` |
# | [`rivals/diffedit.py`](../textedit_lite/rivals/diffedit.py) | `diffedit`, `diffedit_batch`, `noise_contrast`, `contrast_mask`, `invert`, `keep_background`, `repaint`, `encode`, `states` |
# | [`rivals/instruct.py`](../textedit_lite/rivals/instruct.py) | `instruct_pix2pix`, `instruct_pix2pix_batch` |
# | [`rivals/plain.py`](../textedit_lite/rivals/plain.py) | `plain_edit` |
# | [`rivals/sdedit.py`](../textedit_lite/rivals/sdedit.py) | `sdedit`, `sdedit_batch` |
# | [`rivals/settings.py`](../textedit_lite/rivals/settings.py) | `settings_of` |
# | [`rivals/whole.py`](../textedit_lite/rivals/whole.py) | `working_size` |
# | [`rivals/words.py`](../textedit_lite/rivals/words.py) | `captions`, `instruction` |
# | [`training/score_drawing.py`](../textedit_lite/training/score_drawing.py) | `draw`, `score_drawing` |
# | [`widgets/pictures.py`](../textedit_lite/widgets/pictures.py) | `differing` |
# | [`widgets/rival_panel.py`](../textedit_lite/widgets/rival_panel.py) | `RivalPanel` |
