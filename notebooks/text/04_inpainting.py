# %% [markdown]
# # 04 · Stable Diffusion paints the place
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/textedit-lite/textedit-lite/blob/v0.1.0/notebooks/04_inpainting.ipynb)
#
# **Time:** 50 minutes; to run: 50 seconds of one core, 0.7 GB. **Before:** [03, masks](03_mask_building.ipynb). **Next:** [05, the whole pipeline](05_full_pipeline.ipynb). **Code:** [`inpaint.py`](../textedit_lite/inpaint.py), [`blend.py`](../textedit_lite/blend.py).
#
# We have a picture, a mask, and words. Stage 4 repaints the masked place so that the words are true there. This notebook looks inside the painter, the inpainting model that does it: what it sees, how a picture emerges from noise, what seeds, steps and guidance do, and why nothing outside of the mask changes.
#
# When you are through, you can
# - say which nine channels go into the network, and why the painter sees a *window* and not the whole picture;
# - follow the denoising step by step;
# - write down classifier-free guidance, and the paper's context-aware schedule for it;
# - prove with one subtraction that the background is exact.

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

from textedit_lite import build_mask, inpaint, load_models, plots
from textedit_lite.world import scenes

models = load_models("lite")
painter = models.painter
print(type(painter).__name__, "with", type(painter.unet).__name__)

# %%
scene = scenes.make_scene(81)
image = scenes.render(scene)
box = scenes.boxes(scene)[0]  # the truth will do here: notebook 01 found such boxes
mask = build_mask(image.size, box)
plots.mask_overlay(image, mask).figure

# %% [markdown]
# ## 1. The window
#
# The painter was trained at one size, its **native** size: 512 pixels a side for Stable Diffusion 1.5, fewer for the lite painter. (`holding`, in [`memory.py`](../textedit_lite/memory.py), works out how much memory it takes to paint at a given size.) Squeezing a whole photograph into that square would turn a small bus into a few dozen pixels. So the painter sees a square **window** around the mask, and the mask's longer side is three quarters of the window's:
#
# $$ \text{side} = \tfrac{4}{3} \max(w_\text{mask}, h_\text{mask}) $$
#
# `context_window` shifts the window until it lies inside the picture, if it fits there, and `zoom` scales it to the native size ([`boxes.py`](../textedit_lite/boxes.py)). If it does not fit, the lite painter sees the picture's edge repeated, and a painter of photographs sees only the part that lies in the picture, at about the same total number of pixels.

# %%
from textedit_lite.boxes import context_window, zoom
from textedit_lite.inpaint import native_side

window = context_window(mask.getbbox(), image.size)
side = native_side(painter)
print("window:", window[2] - window[0], "px a side ->", side, "px for the painter")

# %%
seen = zoom(image, window, side)
hole = np.asarray(zoom(mask, window, side)) >= 128
holed = np.where(hole[..., None], 127, np.asarray(seen)).astype(np.uint8)
figure, axes = plots.panels(1, 3, width=2.6)
plots.draw_boxes(image, [window], ["window"], chosen=0, ax=axes[0])
plots.show(seen, "the window at native size", axes[1])
plots.show(holed, "what the painter sees of it", axes[2])
figure

# %% [markdown]
# The hole is **grey**: the painter does not know that there was a *blue* bus. The words are all that it learns about the object. If they do not say "seen from the side", it may paint the front. That is why the editor adds to the words what CLIP reads on the object now ([02](02_clip_matching.ipynb), section 4).
#
# ## 2. Pictures become latents
#
# Stable Diffusion (Rombach et al., 2022) does not paint pixels but **latents**. An autoencoder (a *VAE* in most papers) encodes the picture as latents, a grid that is a few times smaller and has four channels, and decodes them again. Whatever goes through it comes back slightly changed.

# %%
from diffusers.pipelines.stable_diffusion import (
    pipeline_stable_diffusion_inpaint as library,
)

pixels = painter.image_processor.preprocess(seen)
with torch.inference_mode():
    encoded = painter.vae.encode(pixels.to(painter.device, painter.dtype))
    latents = library.retrieve_latents(encoded)
    back = painter.vae.decode(latents).sample
print("pixels", tuple(pixels.shape), "-> latents", tuple(latents.shape))

# %%
returned = painter.image_processor.postprocess(back, output_type="pil")[0]
figure, axes = plots.panels(1, 3, width=2.6)
plots.show(seen, "before", axes[0])
plots.show(returned, "there and back", axes[1])
plots.difference_map(seen, returned, title="difference: everywhere", ax=axes[2])
figure

# %% [markdown]
# (`textedit-lite score vae` measures this loss on many pictures, in decibels.) Remember the picture on the right. A pipeline that sends the *whole* picture through the autoencoder changes **every** pixel of it.
#
# The network that takes the noise away is a UNet. One for inpainting has **nine input channels**: four for the noisy latents, one for the mask, and four for the latents of the picture with the hole. (Each latent stands for a cell of several pixels, and for the mask the pipeline looks at only one pixel of each cell. A stroke thinner than a cell could fall between those pixels. So where a mask is that thin, the painter is given whole cells, and the stroke is painted, too; only the stroke is pasted back.)

# %%
channels = painter.vae.config.latent_channels
print(f"{channels} noisy + 1 mask + {channels} seen =", painter.unet.config.in_channels)

# %% [markdown]
# ## 3. From noise to a picture
#
# In training, a clean latent $x_0$ was mixed with noise $\epsilon$, and the network learned to undo the mixing. At time $t$
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad v_t = \sqrt{\bar\alpha_t}\, \epsilon - \sqrt{1 - \bar\alpha_t}\, x_0 $$
#
# $\bar\alpha_t$ falls from nearly 1 at $t = 0$ (only the picture) to nearly 0 at the last of $T = 1000$ times (only noise); the next figure shows the two square roots. The lite UNet predicts $v$, the *velocity* (Salimans & Ho, 2022), from which both $x_0$ and $\epsilon$ follow. Stable Diffusion 1.5 predicts $\epsilon$. Sampling starts at pure noise and takes a few large steps down to $t = 0$.

# %%
figure, (ax,) = plots.panels(width=5.5, height=2.4)
alphas = painter.scheduler.alphas_cumprod
ax.plot(alphas.sqrt(), label="share of the picture")
ax.plot((1 - alphas).sqrt(), label="share of the noise")
ax.set(xlabel="t", ylim=(0, 1.03))
ax.legend(fontsize=8)
figure

# %% [markdown]
# `denoising` keeps the latents after every step (through the pipeline's own `callback_on_step_end`) and decodes them:

# %%
from textedit_lite.inpaint import denoising

caption = "a red bus seen from the side upright"
stages = denoising(image, mask, caption, painter, seed=1, steps=12)
print(len(stages), "steps,", stages[-1].size)

# %%
shown = [0, 1, 2, 4, 7, 11]
plots.denoising_strip([stages[i] for i in shown], [f"step {i + 1}" for i in shown])

# %% [markdown]
# First come the large shapes, then the edges. The whole window emerges from the noise, including what surrounds the hole: the network was *shown* these surroundings, and draws them once more. Only what lies in the hole will be used.
#
# ### Seeds
#
# Only the noise at the start is left to chance, and the seed determines it. Same seed, same machine, same picture, bit for bit; another seed, another bus. `inpaint` paints several seeds in one batch, and `inpaint_batch` different pictures, too.

# %%
paintings = inpaint(image, mask, caption, painter, seeds=range(4))
again = inpaint(image, mask, caption, painter, seeds=range(4))
first, second = ([p.image.tobytes() for p in painted] for painted in (paintings, again))
print("the same again:", first == second, "| different pictures:", len(set(first)))


# %%
def closer(pictures):
    return [zoom(picture, window, 160) for picture in pictures]


titles = [f"seed {painting.seed}" for painting in paintings]
plots.image_grid(closer(painting.image for painting in paintings), titles, side=1.7)

# %% [markdown]
# ### Cold noise
#
# The caption leaves little open: it says what to paint, in which colour, and from which side. So where the paintings of a small painter differ, they differ mostly in their *errors*. Sampling is a fixed path from the noise to the picture; all chance is in the noise. The noise is densest around 0, and the further out a seed happens to fall, the stranger its picture. So let it not fall so far:
#
# $$ x_T = \tau\, \epsilon, \qquad \epsilon \sim \mathcal{N}(0, 1), \quad 0 \le \tau \le 1 $$
#
# $\tau$ is the **temperature**. At $\tau = 0$ all seeds paint the same picture, and what the network is unsure of, such as a wheel, may be missing from it. In between, variety is traded for fidelity, as in the truncation trick of BigGAN (Brock et al., 2019). `inpaint(..., temperature=0.3)` does it. In the next figure, the upper row shows one seed's painting at four temperatures, and the lower row where four seeds disagree:

# %%
temperatures = (1.0, 0.6, 0.3, 0.0)
firsts, spreads = [], []
for temperature in temperatures:
    several = inpaint(
        image, mask, caption, painter, seeds=range(4), steps=6, temperature=temperature
    )
    several = [np.asarray(one, float) for one in closer(p.image for p in several)]
    firsts.append(Image.fromarray(several[0].astype(np.uint8)))
    spreads.append(np.std(several, axis=0).mean(-1))
apart = [spread.mean() for spread in spreads]
print("the colder, the more alike:", apart == sorted(apart, reverse=True))

# %%
maps = [np.clip(255 * spread / spreads[0].max(), 0, 255) for spread in spreads]
maps = [Image.fromarray(one.astype(np.uint8)).convert("RGB") for one in maps]
titles = [f"temperature {temperature:g}" for temperature in temperatures]
plots.image_grid(firsts + maps, titles + [""] * len(maps), columns=4, side=1.7)

# %% [markdown]
# The editor uses $\tau = 0.3$ wherever the lite painter starts from noise alone, and raises it in each further round, so that what failed is tried differently. Of 96 new views of unseen scenes (seed 7), 80 came out right at $\tau = 1$, 87 at $\tau = 0.3$ with half of the steps, and 86 at $\tau = 0.3$ with a third of them, which is what the editor does. For a large painter of photographs, cold noise would be wrong: such a painter expects noise at its full size ($\tau = 1$) at the start. Its seeds are different pictures, and none of them is an error.

# %%
# NBVAL_IGNORE_OUTPUT
from textedit_lite.widgets import PaintPanel

panel = PaintPanel(image, mask, caption, models)
panel

# %% [markdown]
# The `PaintPanel` paints when you press its button. It paints in a thread, so that **Stop** works meanwhile. The slider below the picture wipes between before and after. At a temperature of 0.3, another seed hardly changes the picture: try it. From Python, `paint` waits until the painting is done:

# %%
panel.steps.value = 8
one = panel.paint().image
panel.seed.value = 3
print("another seed, another picture:", panel.paint().image.tobytes() != one.tobytes())

# %% [markdown]
# ## 4. Guidance: how hard the words pull
#
# In each step the network is asked twice, with the words $c$ and without words ($\varnothing$), and the answer is pushed along the difference (Ho & Salimans, 2022):
#
# $$ \hat v = v(\varnothing) + g \, \big( v(c) - v(\varnothing) \big) $$
#
# $g$ is the *guidance scale*; $g = 1$ is no guidance. With too little, the words are taken lightly; with too much, colours and edges are overdone.

# %%
scales = (1.0, 2.0, 3.0, 6.0, 12.0)
guided = [inpaint(image, mask, caption, painter, guidance=g)[0].image for g in scales]
plots.image_grid(closer(guided), [f"g = {g:g}" for g in scales], columns=5, side=1.7)

# %% [markdown]
# **Context-aware guidance.** The right $g$ depends on how far the picture is from the words. Let $g_0$ be the base scale, $p$ how much of the wish CLIP already reads on the object, from 0 to 1, and $r = 0, 1, \dots$ the round of the editor's loop. The paper's idea then becomes
#
# $$ g = 1 + (g_0 - 1) \left( 1 + \tfrac{1 - p}{4} \right) \left( 1 + \tfrac{r}{4} \right) $$
#
# The further away the wish, and the later the round, the harder the words pull (`guidance_scale`).

# %%
from textedit_lite.inpaint import guidance_scale, step_schedule

figure, (ax,) = plots.panels(width=5.5, height=2.6)
p = np.linspace(0, 1, 50)
for r in range(3):
    ax.plot(p, [guidance_scale(3.0, shown, r) for shown in p], label=f"round {r}")
ax.set(xlabel="p: how much of the wish is there already", ylabel="guidance, base 3")
ax.legend(fontsize=8)
figure

# %% [markdown]
# **The step schedule.** A further try is a more careful one. From the $n$ steps of round 0, round $r$ gets $n_r = \lceil n\,(1 + r/2) \rceil$ (`step_schedule`).

# %%
print("round 1 by hand:", 12 * (1 + 1 / 2))
print("steps of four rounds:", [step_schedule(r, 12) for r in range(4)])
scales = [round(guidance_scale(3.0, 0.0, r), 2) for r in range(4)]
print("guidance of a new wish:", scales)

# %% [markdown]
# More steps cost time in proportion. What do they buy?

# %%
counts = (1, 2, 4, 8, 16)
by_steps = [inpaint(image, mask, caption, painter, steps=n)[0].image for n in counts]
titles = [f"steps = {n}" for n in counts]
plots.image_grid(closer(by_steps), titles, columns=5, side=1.7)

# %% [markdown]
# The first few buy the form. Eight steps and sixteen draw nearly the same bus, with the same faults.
#
# ## 5. Words that keep
#
# The task is TILT: *the blue bus changes to a bus tilted slightly to the left*. The prompt does not say "blue" a second time. In the four pictures on the left ("bare"), the painter gets only the prompt's words; in the four on the right ("full"), it also gets what CLIP read.

# %%
from textedit_lite.vocabulary import describe

roomy = build_mask(image.size, box, pose="tilted")
bare, full = describe("bus", pose="tilted"), describe("bus", "blue", "side", "tilted")
print(bare, "|", full)

# %%
tries = inpaint(image, roomy, bare, painter, seeds=range(4))
tries += inpaint(image, roomy, full, painter, seeds=range(4))
around = context_window(roomy.getbbox(), image.size)
closest = [zoom(painting.image, around, 160) for painting in tries]
plots.image_grid(closest, ["bare"] * 4 + ["full"] * 4, columns=8, side=1.15)

# %% [markdown]
# The grey hole forgets; the words must remember.
#
# ## 6. A sketch to start from
#
# A small painter knows the words, but draws with an unsteady hand. For a new colour or a new pose it need not draw at all: plain pixel work can *sketch* the change ([`sketch.py`](../textedit_lite/sketch.py)). `fill_in` guesses the background behind the object. `recolour` turns the shades of its colour into the same shades of another (white and black have no hue, so it knows them by their lightness). A new pose is a rotation.
#
# But which pixels *are* the bus? On its own, `sketch` takes everything that differs from the guessed background, including the shadow (first row). A segmentation model knows better: `silhouette` asks the lite SAM of [notebook 07](07_better_masks_and_matching.ipynb) where the object in a box is seen, and only that, and what is near it, is recoloured or turned (second row).

# %%
from textedit_lite.segment import silhouette
from textedit_lite.sketch import sketch

now = {"colour": "blue", "view": "side", "pose": "upright"}
wishes = ({"colour": "red"}, {"pose": "tilted"}, {"pose": "upside down"})
shape = silhouette(image, box, models)
by_colour = [sketch(image, roomy, box, now, now | wish) for wish in wishes]
drawn = [sketch(image, roomy, box, now, now | wish, shape) for wish in wishes]
views = [zoom(picture, around, 160) for picture in by_colour + drawn]
titles = ["red", "tilted", "upside down", "red, by its shape", "tilted", "upside down"]
plots.image_grid(views, titles, columns=3, side=1.7)

# %% [markdown]
# The painter mends what a sketch gets wrong, its seams and its smeared background: noise is added to the sketch and taken away again (SDEdit, Meng et al., 2022). The *strength* $s$ says how much noise: of $n$ steps, only the last $\lfloor s\,n \rfloor$ are taken.
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_{sketch} + \sqrt{1 - \bar\alpha_t}\, \epsilon, \qquad t = s\,T $$

# %%
from textedit_lite.inpaint import Job, inpaint_batch

red, strengths = describe("bus", "red", "side", "upright"), (0.2, 0.4, 0.6, 0.8, 1.0)
job = Job(image, roomy, red, 0, drawn[0])
mended = [inpaint_batch([job], painter, strength=s)[0].image for s in strengths]
views = [zoom(picture, around, 160) for picture in mended]
plots.image_grid(views, [f"s = {s:g}" for s in strengths], columns=5, side=1.7)

# %% [markdown]
# The editor begins with $s = 0.1$ and paints more boldly in each further round. A new *view* cannot be sketched from what is visible. There the painter starts from noise, and it shows.

# %%
turned = now | {"view": "front"}
print("a sketch of another view:", sketch(image, mask, box, now, turned))

# %% [markdown]
# The painter also draws what stands upright better than what leans: it has to learn each form once for every way that it can stand, and upright comes easiest. So if the object leans (`leaning` in [`wish.py`](../textedit_lite/wish.py) says by how much), the editor turns its surroundings until it stands upright, has the new view painted, and turns the result back ([`straighten.py`](../textedit_lite/straighten.py)). Here is one painting each way:

# %%
from textedit_lite.straighten import straighten

tilted = scenes.ideal_edit(scene, 0, {"pose": "tilted"})
its_box = scenes.boxes(scenes.changed(scene, 0, pose="tilted"))[0]
square = build_mask(tilted.size, its_box, view="front")
words = describe("bus", "blue", "front", "tilted")
leant = inpaint(tilted, square, words, painter)[0].image

straight = straighten(tilted, its_box, degrees=24)
words = describe("bus", "blue", "front", "upright")
stood = inpaint(straight.image, straight.mask, words, painter, feather=0.0)[0].image
both = straight.within(square)
back = straight.back(tilted, stood, both)

around = context_window(square.getbbox(), tilted.size)
views = [zoom(p, around, 160) for p in (tilted, leant, back)]
views[2:2] = [p.resize((160, 160)) for p in (straight.image, stood)]
titles = ["it leans", "painted so", "turned upright", "painted", "turned back"]
plots.image_grid(views, titles, columns=5, side=1.7)

# %% [markdown]
# The promise holds here, too: only the part of the mask that the turned square covers is written.

# %%
changed = (np.asarray(back) != np.asarray(tilted)).any(-1)
print("changed outside:", changed[np.asarray(both) == 0].sum(), "pixels")

# %% [markdown]
# ## 7. Back into the picture
#
# `paste_back` ([`blend.py`](../textedit_lite/blend.py)) scales the painted window to its place and mixes it in with the inward feather of [notebook 03](03_mask_building.ipynb). Only pixels inside of the mask are written.
#
# A small painter has no steady hand. So where it started from a sketch, a small change is treated as none (`keep_start`): $f = w\,\text{start} + (1 - w)\,\text{painted}$, with $w = e^{-(d/40)^2}$. Here $d$ is the difference between the painting and the start, after the start, too, has been through the painter's small window and its autoencoder (`round_trip`).

# %%
result = paintings[0].image
changed = (np.asarray(result) != np.asarray(image)).any(-1)
inside = np.asarray(mask) > 0
print("changed inside:", changed[inside].any())
print("changed outside:", changed[~inside].sum(), "pixels")

# %% [markdown]
# Now the plain way, for comparison: squeeze the whole picture to the native size, send it through the pipeline, and stretch it back.

# %%
small, small_mask = image.resize((side, side)), mask.resize((side, side))
generator = torch.Generator("cpu").manual_seed(0)
settings = {"num_inference_steps": 12, "guidance_scale": 3.0}
settings |= {"height": side, "width": side}
output = painter(caption, small, small_mask, generator=generator, **settings)
plain = output.images[0].resize(image.size)
spoilt = (np.asarray(plain) != np.asarray(image)).any(-1)[~inside].mean()
print("background pixels that changed: more than 90 %:", spoilt > 0.9)

# %%
figure, axes = plots.panels(2, 2, width=2.7, height=2.9)
plots.show(result, "window and exact paste", axes[0])
plots.difference_map(image, result, mask, "its difference: zero outside", axes[1])
plots.show(plain, "the plain way", axes[2])
plots.difference_map(image, plain, mask, "its difference to the input", axes[3])
figure

# %% [markdown]
# Outside of the mask, the black in the upper difference map is *exactly* zero: not small, zero. And this holds for any size and aspect ratio, since the window is cut from the picture as it is:

# %%
for size in ((640, 300), (200, 500), (97, 131)):
    wide = scenes.make_scene(5, size=size)
    picture = scenes.render(wide)
    cover = build_mask(picture.size, scenes.boxes(wide)[0])
    painted = inpaint(picture, cover, "a green cup", painter, steps=2)[0].image
    changed = (np.asarray(painted) != np.asarray(picture)).any(-1)
    outside = np.asarray(cover) == 0
    print(painted.size, changed[outside].sum(), "pixels changed outside")

# %% [markdown]
# Settings that cannot work are answered with one sentence, not with a stack trace from the depths of a library. Some limits depend on the painter's scheduler: LCM's takes 50 steps at most.

# %%
from textedit_lite import TextEditError

wrong = ({"steps": 0}, {"guidance": float("nan")}, {"steps": 4, "strength": 0.1})
for settings in wrong:
    try:
        inpaint(image, mask, caption, painter, **settings)
    except TextEditError as error:
        print(error)

# %% [markdown]
# ## Exercises
#
# Six functions, from one line to a piece of the real thing. Write each in place of `raise NotImplementedError`. The cell below it says at once whether it is right, and if not, on which input it is wrong. At the end the painter paints with your functions. An answer may use `numpy` as `np`, and what it imports itself; the notebook's other names are not there when it is graded.

# %%
from textedit_lite.check import check, plugged_in

# %% [markdown]
# ### 4.1 Into the noise · 2 points
#
# Mix a batch of latents with noise, each at its own time:
#
# $$ x_t = \sqrt{\bar\alpha_t}\, x_0 + \sqrt{1 - \bar\alpha_t}\, \epsilon $$
#
# `x0` and `noise` are float32 $[B, C, H, W]$; `alphas` holds $\bar\alpha_t$, one number for each of the $B$ pictures. Return $x_t$, $[B, C, H, W]$.

# %% nbgrader={"grade": false, "grade_id": "answer-4-1", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 4.1 · add_noise · 2 points
def add_noise(x0, noise, alphas):
    """Latents x0 [B, C, H, W] at the times of alphas [B] -> [B, C, H, W]."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-4-1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("4.1", add_noise)

# %% [markdown]
# ### 4.2 How hard the words pull · 2 points
#
# Combine the two answers of the network by classifier-free guidance:
#
# $$ \hat v = v(\varnothing) + g \, \big( v(c) - v(\varnothing) \big) $$
#
# `without` is $v(\varnothing)$ and `with_words` is $v(c)$, both float32 $[B, C, H, W]$; `scale` is the number $g$. Return $\hat v$, $[B, C, H, W]$.

# %% nbgrader={"grade": false, "grade_id": "answer-4-2", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 4.2 · guided · 2 points
def guided(without, with_words, scale):
    """The answers without and with words, [B, C, H, W], and g -> [B, C, H, W]."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-4-2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("4.2", guided)

# %% [markdown]
# ### 4.3 A second try is a finer one · 2 points
#
# How many denoising steps does round $r$ take? $n_r = \lceil n\,(1 + r/2) \rceil$, but never more than the 1000 steps that the noise schedule has. `round_index` is $r = 0, 1, \dots$, and `steps` is $n$. Return $n_r$, a whole number.

# %% nbgrader={"grade": false, "grade_id": "answer-4-3", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 4.3 · step_schedule · 2 points
def step_schedule(round_index, steps):
    """Denoising steps of a round, from the steps of round 0."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-4-3", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("4.3", step_schedule)

# %% [markdown]
# ### 4.4 Guidance that knows its context · 3 points
#
# $$ g = 1 + (g_0 - 1) \left( 1 + \tfrac{1 - p}{4} \right) \left( 1 + \tfrac{r}{4} \right) $$
#
# `base` is $g_0$, `shown` is $p$, and `round_index` is $r$. Return $g$, a number. Mind two limits. A probability that comes out of sums may lie a little outside of 0 to 1: then take the nearest one inside. And a guidance above 50 is too much for any model: return at most 50.

# %% nbgrader={"grade": false, "grade_id": "answer-4-4", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 4.4 · guidance_scale · 3 points
def guidance_scale(base, shown, round_index=0):
    """The guidance scale of a round, 1 to 50."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-4-4", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("4.4", guidance_scale)

# %% [markdown]
# ### 4.5 One step out of the noise · 5 points
#
# The network has said which *velocity* $v = \sqrt{\bar\alpha}\,\epsilon - \sqrt{1 - \bar\alpha}\,x_0$ it sees in $x = \sqrt{\bar\alpha}\,x_0 + \sqrt{1 - \bar\alpha}\,\epsilon$. These are two equations in $x_0$ and $\epsilon$. Solve them, then mix $x_0$ and $\epsilon$ again with the next time's $\bar\alpha'$ (DDIM, Song et al., 2021).
#
# `x` and `velocity` are float32 $[B, C, H, W]$; `alpha` is the number $\bar\alpha$, and `alpha_next` is $\bar\alpha'$. Return the latents at $\bar\alpha'$, $[B, C, H, W]$. Mind the ends: $\bar\alpha$ can be 0 (pure noise) or 1 (the picture), so divide neither by $\sqrt{\bar\alpha}$ nor by $\sqrt{1 - \bar\alpha}$.

# %% nbgrader={"grade": false, "grade_id": "answer-4-5", "locked": false, "points": 5, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 4.5 · ddim_step · 5 points
def ddim_step(x, velocity, alpha, alpha_next):
    """Latents x and their velocity at alpha, [B, C, H, W] -> latents at alpha_next."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-4-5", "locked": true, "points": 5, "schema_version": 3, "solution": false, "task": false}
check("4.5", ddim_step)

# %% [markdown]
# ### 4.6 The same shades of another colour · 4 points
#
# A pixel $p$ of a blue bus is so much blue $b$, so much white $\mathbf 1 = (1, 1, 1)$, and a rest: $p = s\,b + t\,\mathbf 1 + r$. Choose $s$ and $t$ so that $r$ is as short as possible (least squares: `np.linalg.pinv` of the matrix with the columns $b$ and $\mathbf 1$). The same pixel in red is $p' = \operatorname{clip}(s, 0, 1.3)\, b' + t\,\mathbf 1 + r$. But some pixels must stay as they are: those that are nearly grey, such as a tyre or a window, and those of another colour, where $r$ is large. So each pixel moves towards $p'$ only by a share $w$:
#
# $$ p \leftarrow p + w\,(p' - p), \qquad w = \min(1, 9 h^2)\, \exp\left( -\frac{r \cdot r}{2 \cdot 45^2} \right), \qquad h = \frac{\max(s, 0)\,|b|}{\max(|p|, 1)} $$
#
# `pixels` is float32 $[\dots, 3]$ in 0 to 255. `old` and `new` are names of colours; look up their $b$ and $b'$ in `textedit_lite.vocabulary.COLOUR_RGB`. `old` has a hue (it is neither white nor black), and `new` is not black, because a black object's outlines are lighter than its body. Return the new pixels, $[\dots, 3]$.

# %% nbgrader={"grade": false, "grade_id": "answer-4-6", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 4.6 · recolour · 4 points
def recolour(pixels, old, new):
    """Pixels [..., 3] of one colour's shades as the same shades of another."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-4-6", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("4.6", recolour)

# %% [markdown]
# ### With your functions
#
# `paint_by_hand` is the pipeline's loop written out, built from 4.1, 4.2 and 4.5. It paints with the functions that you have written, and with ours in place of the others. From pure noise it does what the library does, up to rounding.

# %%
from textedit_lite.exercises.inpainting import paint_by_hand

yours = {"add_noise": add_noise, "guided": guided, "ddim_step": ddim_step}
by_hand, mine = paint_by_hand(image, mask, caption, painter, seed=1, **yours)
print("yours:", ", ".join(mine) or "none yet")

# %%
half, more = paint_by_hand(
    image, roomy, red, painter, start=drawn[0], strength=0.5, seed=1, **yours
)
print("yours:", ", ".join(more) or "none yet")
library_s = inpaint(image, mask, caption, painter, seeds=[1], refine=False)[0].image
pictures = [by_hand, library_s, half]
names = ["by hand", "by the library", "by hand, from a sketch"]
plots.image_grid(closer(pictures), names, columns=3, side=2.2)

# %% [markdown]
# (The painting from a sketch may look worse than in section 6: at strength 0.5 little of the sketch is left, and nothing here keeps it, as `keep_start` does there.)
#
# The whole editor uses your other three functions: `plugged_in` puts them in place of the package's own.

# %%
from textedit_lite import Editor, edit_figure

yours = {"step_schedule": step_schedule, "guidance_scale": guidance_scale}
yours |= {"recolour": recolour}
with plugged_in(**yours) as mine:
    edited = Editor(models).edit(image, "the blue bus changes to a red bus")
print("yours:", ", ".join(mine) or "none yet")
edit_figure(edited)

# %% [markdown]
# ## What to remember
#
# - The painter sees a window at its native size, with a grey hole. The words are all it knows about the object.
# - The seed chooses among possible pictures. Steps and guidance set how carefully, and how literally, it is painted.
# - Only the masked part comes back. One subtraction proves it.
#
# All four stages are in place. Putting them together, and knowing when to try again, comes next: **[05, the whole pipeline](05_full_pipeline.ipynb)**.

# %% [markdown]
# **The code of this notebook**
#
# | file | taught here |
# |---|---|
# | [`blend.py`](../textedit_lite/blend.py) | `paste_back`, `keep_start` |
# | [`boxes.py`](../textedit_lite/boxes.py) | `context_window`, `zoom` |
# | [`inpaint.py`](../textedit_lite/inpaint.py) | `step_schedule`, `guidance_scale`, `inpaint`, `inpaint_batch`, `noise`, `round_trip`, `denoising` |
# | [`memory.py`](../textedit_lite/memory.py) | `holding` |
# | [`models.py`](../textedit_lite/models.py) | `native_side` |
# | [`plots.py`](../textedit_lite/plots.py) | `difference_map`, `denoising_strip` |
# | [`sketch.py`](../textedit_lite/sketch.py) | `sketch`, `fill_in`, `recolour` |
# | [`straighten.py`](../textedit_lite/straighten.py) | `straighten`, `within`, `back` |
# | [`training/score.py`](../textedit_lite/training/score.py) | `vae` |
# | [`widgets/stages.py`](../textedit_lite/widgets/stages.py) | `PaintPanel` |
# | [`wish.py`](../textedit_lite/wish.py) | `leaning` |
# | [`world/scenes.py`](../textedit_lite/world/scenes.py) | `changed` |
