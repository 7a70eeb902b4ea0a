# %% [markdown]
# # 09 · Train the lite models
#
# [![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](https://colab.research.google.com/github/textedit-lite/textedit-lite/blob/v0.1.0/notebooks/09_train_the_lite_models.ipynb)
#
# **Time:** 60 minutes; to run: 100 seconds of one core, 1.2 GB. **Before:** [01](01_detr_detection.ipynb) to [05](05_full_pipeline.ipynb). **Code:** [`training/`](../textedit_lite/training/loop.py), one file a model.
#
# The four models that you have used most were trained by this project, in about nine hours of one core. In this notebook you train all four again, on a small scale and for seconds instead of minutes, with the very functions that made the stored ones. You will see what makes each of them learn, and what keeps it from learning.
#
# When you are through, you can
# - say what a drawn world knows that no photograph's annotation says;
# - read a training loop that can be killed at any time;
# - show DETR's plateau, and the two things that lead out of it;
# - write down the losses of a CLIP, an autoencoder and an inpainting UNet, and say what each of them guards against;
# - train the real models.

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
import contextlib
import io
import json
import tempfile
import textwrap
import time
from pathlib import Path

import numpy as np
import torch
from transformers.utils import logging

from textedit_lite import data_path, load_models, plots
from textedit_lite.world.scenes import boxes, ideal_edit, make_scene, render

MINUTES = 0.1  # of each training below: with 1 you see more, with 5 they begin to work
home = tempfile.TemporaryDirectory()
models = load_models("lite")  # the stored ones, to compare with
logging.disable_progress_bar()

# %% [markdown]
# As the notebook is stored, every training runs for six seconds. For some models that is enough to see where they are heading; for others it shows hardly the start (the autoencoder is still grey). **Raise `MINUTES` to 1 and run everything again**: that takes seven minutes, and the pictures become worth looking at.
#
# ## 1. What a drawn world knows
#
# Scenes are made from numbers (split, seed, index). So no data set need be stored, and no test scene can slip into the training.

# %%
from textedit_lite.training.data import SceneCache, label

scenes = [make_scene(index, "train") for index in range(96)]
images = np.stack([np.asarray(render(scene)) for scene in scenes])
objects = [label(scene) for scene in scenes]
print(images.shape, "|", sum(map(len, objects)), "objects")
print(objects[3][0])

# %% [markdown]
# COCO has boxes, masks and categories, drawn by hand to within a few pixels. Here we also know the colour, the view and the pose, how much of an object is *hidden*, what lies *behind* it, and the one thing that no photograph can tell: **how the edited picture should look**. The painter learns from that. Its samples (`sample_window`) consist of the crop of an ideal edit, the mask as the editor would build it, and the words.

# %%
from textedit_lite.training import inpaint as painter_training

thing, box = scenes[3].objects[0], boxes(scenes[3])[0]
after = ideal_edit(scenes[3], 0, {"colour": "yellow"})
rng = np.random.default_rng(2)
sample, hole, caption = painter_training.sample_window(scenes[3], 0, box, rng)

# %%
figure, axes = plots.panels(1, 3, width=2.6, height=2.9)
plots.draw_boxes(images[3], [b.box for b in objects[3]], ax=axes[0])
axes[0].set_title("scene, and its boxes", fontsize=9)
plots.show(after, "an ideal edit: yellow", axes[1])
said = "\n".join(textwrap.wrap(caption, 26))
plots.mask_overlay(sample, 255 * hole, said, axes[2])
figure

# %% [markdown]
# ## 2. One loop for all
#
# `run` ([`loop.py`](../textedit_lite/training/loop.py)) takes a model, a function that makes batches, and a loss, and trains for a given *time*. All randomness of a step follows from the seed and the step's number, and a checkpoint is written every minute. So if a run was killed, the same command resumes it, with the batches that it would have seen. The learning rate (`learning_rate`) rises over the first steps, may be held, and then falls along half a cosine, as a function of $u$, the share of the time that is spent:
#
# $$ \eta = \eta_0 \, \min\!\left(1, \tfrac{step + 1}{warmup}\right) \, \tfrac{1}{2} \left( 1 + \cos \pi \max\!\left(0, \tfrac{u - hold}{1 - hold}\right) \right) $$

# %%
from textedit_lite.training.loop import learning_rate, run

figure, (ax,) = plots.panels(width=5.5, height=2.2)
for hold in (0.0, 0.35, 0.75):
    rates = [learning_rate(1e-3, s, s / 1000, 100, hold) for s in range(1000)]
    ax.plot(rates, label=f"hold {hold:g}")
ax.set(xlabel="step of 1000", ylabel="learning rate")
ax.legend(fontsize=8)
figure


# %% [markdown]
# For our curves we want every step, while the log has only one line every half minute. But we can watch a loss from outside:

# %%
def watched(loss, curve):
    start = time.perf_counter()

    def inner(model, batch):
        total, parts = loss(model, batch)
        now = {"seconds": time.perf_counter() - start, "loss": float(total.detach())}
        for key, part in parts.items():
            now[key] = float(torch.as_tensor(part).detach())
        curve.append(now)
        return total, parts

    return inner


# %%
def train_a_little(model, batches, loss, rate, **settings):
    curve, out = [], tempfile.mkdtemp(dir=home.name)
    settings = {"warmup": 10, "hold": 0.5, "ema": None, "progress": False} | settings
    torch.manual_seed(0)
    run(model, batches, watched(loss, curve), out, MINUTES, rate, **settings)
    return curve


def draw_curve(ax, curve, key, name, after=0.0, **style):
    seconds = [after + point["seconds"] for point in curve]
    ax.plot(seconds, [point[key] for point in curve], ".-", label=name, **style)
    ax.set(xlabel="seconds", ylabel=key)
    return seconds[-1]


# %% [markdown]
# The real runs keep a thinned curve in their cards, the records that lie beside the models (`add_curves` in [`card.py`](../textedit_lite/training/card.py)). What do the cards of our models hold? (A card describes only the last piece of a training: the last 62 of the painter's 328 minutes, and the last 19 of the autoencoder's 110.)

# %%
# NBVAL_IGNORE_OUTPUT
def card(*folder):
    text = data_path("models", "lite", *folder, "results.json").read_text()
    return json.loads(text)


cards = {"DETR": card("detr"), "CLIP": card("clip")}
cards |= {"VAE": card("inpaint", "vae"), "painter": card("inpaint")}
for name, stored in cards.items():
    kept = "curve stored" if "curves" in stored else "no curve stored"
    facts = stored["training"]
    print(f"{name:8} {facts['steps']:6} steps, {facts['minutes']:5.1f} minutes, {kept}")
    if "curves_note" in stored:
        print(textwrap.fill(f"of {stored['curves_note']}", 88, initial_indent=" " * 9))

# %%
def draw_stored(ax, name, key="loss"):
    curves, last = cards[name].get("curves", {}), cards[name]["training"]["losses"][key]
    for phase, curve in curves.items():
        ax.plot(curve["minutes"], curve[key], label=phase)
    ax.axhline(last, color="0.5", linestyle=":", label=f"its end: {last:.3f}")
    if not curves:
        ax.text(0.5, 0.5, "no curve was stored", transform=ax.transAxes, ha="center")
        ax.set_xlim(0, cards[name]["training"]["minutes"])
    ax.set(xlabel="minutes of the phase", ylabel=key)
    ax.legend(fontsize=8)


def beside(name, curve, key, log=True):
    figure, axes = plots.panels(1, 2, width=3.4, height=2.4)
    last = cards[name]["training"]["losses"][key]
    draw_curve(axes[0], curve, key, "yours")
    axes[0].axhline(last, color="0.5", linestyle=":", label="the stored model's end")
    axes[0].legend(fontsize=8)
    draw_stored(axes[1], name, key)
    if log:
        axes[0].set_yscale("log")
    return figure


# %% [markdown]
# ## 3. DETR, and its plateau
#
# DETR's **set loss** (Carion et al., 2020) first assigns each object to one query, such that the sum of the costs is the lowest of all assignments (`match` in [`detr_loss.py`](../textedit_lite/training/detr_loss.py)). Query $q$ and object $m$ together cost
#
# $$ \text{cost}(q, m) = 5 \, \lVert b_q - b_m \rVert_1 - 2 \, \text{GIoU}(b_q, b_m) - p_q(c_m) $$
#
# where $b_q$ and $b_m$ are their boxes, and $p_q(c_m)$ is the probability that the query gives to the object's class. Then every query is told what it should have said: its object, or "nothing". We let the model learn 32 scenes by heart, at half the size.

# %%
from textedit_lite.training import detr, detr_model
from textedit_lite.training.detr_loss import corners, set_loss
from textedit_lite.training.detr_model import decode, encode, heads

small = detr.shrink(images[:32], 96)
labels, where = detr.truth(objects[:32], 256)
batches = detr.batch_maker(small, labels, where)


# %%
def new_detr():
    torch.manual_seed(0)
    model = detr_model.build()
    model.set_attn_implementation("eager")  # quicker backwards on a CPU
    return model


def set_alone(model, batch):
    pixels, names, truth = batch
    tokens, positions, _ = encode(model, pixels)
    states = decode(model, tokens, positions)
    parts = set_loss(*heads(model, states), names, truth)
    return 2 * parts["class"] + parts["box"], parts


# %%
alone = new_detr()
curve_alone = train_a_little(alone, batches, set_alone, 5e-4)

# %% [markdown]
# Now the way that works. **First comes a dense stage.** The tokens of the *encoder* answer for the objects in whose middle they lie (`dense_loss`), without any assignment. Every token gets a lesson in every step. What it has to say depends on where it is, so its place gets into the features. DETR itself never puts it there: it adds positions to queries and keys, not to values.

# %%
staged = new_detr()
curve_dense = train_a_little(staged, batches, detr.phase_loss("dense"), 1e-3)

# %% [markdown]
# **Then come anchored queries.** `start_decoder` lets query $(i, j)$ start by looking at its own point of a grid, and pass on what it finds there. The decoder begins as a sparse copy of the dense detector. The set loss has to teach only what a dense detector cannot know: which of several queries answers. Meanwhile the dense detector below it stays frozen, norms included.

# %%
detr_model.start_decoder(staged)
frozen = ("model.backbone.", "model.input_projection.", "model.encoder.")
for name, parameter in staged.named_parameters():
    parameter.requires_grad_(not name.startswith(frozen))
curve_set = train_a_little(staged, batches, detr.phase_loss("decoder"), 5e-4)

# %%
figure, (ax,) = plots.panels(width=6, height=2.8)
draw_curve(ax, curve_alone, "box", "set loss alone", color="0.5")
end = draw_curve(ax, curve_dense, "dense box", "dense stage")
draw_curve(ax, curve_set, "set box", "then the set loss, anchored", end)
ax.set(ylabel="loss of a box, 5 L1 + 2 (1 - GIoU)", ylim=(0, None))
ax.legend(fontsize=8)
figure


# %% [markdown]
# The grey line is the **plateau**. Patience does not help: in our trials it lasted for two thousand steps and more. It is a vicious circle. All queries say much the same, so the assignment jumps from step to step. No query is told the same thing twice, and so all of them go on saying the same. Here are the boxes of all queries of the two models:

# %%
def answers(model, row):
    with torch.inference_mode():
        pixels = detr_model.normalise(torch.from_numpy(small[row : row + 1]))
        tokens, positions, _ = encode(model.eval(), pixels)
        logits, found = heads(model, decode(model, tokens, positions)[-1])
    return logits[0].softmax(-1).numpy(), 256 * corners(found[0]).numpy()


def draw_all(ax, found):
    for x0, y0, x1, y1 in found:
        ax.plot([x0, x1, x1, x0, x0], [y0, y0, y1, y1, y0], color="C1", linewidth=0.7)
    ax.set(xlim=(0, 256), ylim=(256, 0))


# %%
figure, axes = plots.panels(1, 3, width=2.6, height=2.9)
plots.draw_boxes(images[3], [thing.box for thing in objects[3]], ax=axes[0])
for ax, title in zip(axes[1:], ("set loss alone", "dense first")):
    _, found = answers(alone if "alone" in title else staged, 3)
    plots.show(images[3], f"{title}: all {len(found)} queries", ax)
    draw_all(ax, found)
axes[0].set_title("truth", fontsize=9)
figure

# %% [markdown]
# A third thing has to be right before any of this. A `DetrForObjectDetection` that is made from a configuration has *frozen* batch norms, because it expects a pretrained backbone. With a random backbone it does not learn at all; `thaw` gives it live batch norms while it trains. The stored detector went through three phases; the third trains everything together:

# %%
figure, (ax,) = plots.panels(width=6, height=2.4)
draw_stored(ax, "DETR")
print("phases:", [(phase["name"], phase["share"]) for phase in detr.PHASES])
figure

# %% [markdown]
# `data/models/lite/detr/README.md` says how well it does on a thousand unseen scenes. You can also measure that yourself (section 7).
#
# ## 4. CLIP
#
# CLIP (Radford et al., 2021) learns from pairs of crop and caption. In a batch, each crop $i$ must find its caption $j$, and each caption its crops. With the features $I_i$ and $T_j$, a scale $s$, and CE for the cross entropy of a softmax over the index below it,
#
# $$ \mathcal{L} = \tfrac{1}{2} \left[ \text{CE}_j \big( s \cos(I_i, T_j) \big) + \text{CE}_i \big( s \cos(I_i, T_j) \big) \right] $$
#
# In a small world many crops of a batch have *equal* captions. If each crop's own copy of the caption counted as the only right one, "a red bus" would be pushed away from other red buses. So `batch_maker` keeps each caption once, and a caption is the positive of **all** crops that it fits. `crops` cuts around jittered boxes, because a detector's boxes are never exact. We watch `right`, the share of crops that find their caption.

# %%
from textedit_lite.training import clip

clip.BATCH = 32  # 128 in the real run
with contextlib.redirect_stderr(io.StringIO()):  # its progress bar
    cuts, attributes = clip.crops(SceneCache(images, objects), copies=2, seed=0)
tokenizer = clip.build_tokenizer()
clip_batches = clip.batch_maker(cuts, attributes, tokenizer)
said = [clip.phrase(row, (1, 0, 0)) for row in attributes[:8]]
plots.image_grid(cuts[:8, 0], said, 8, 1.2)

# %%
torch.manual_seed(0)
small_clip = clip.build(tokenizer)
small_clip.set_attn_implementation("eager")
betas = (0.9, 0.98)
curve_clip = train_a_little(small_clip, clip_batches, clip.loss, 1e-3, betas=betas)

# %%
beside("CLIP", curve_clip, "right", log=False)

# %% [markdown]
# ## 5. The autoencoder
#
# The autoencoder turns pictures into latents with a quarter of the side and four channels, and back. An L1 loss alone makes the result blurred, because edges are few pixels. So the loss (`vae.loss`) also counts the picture's *gradients*, and the squared error, which is small except where a pixel is far off. The last term keeps the latents $z$ small. A little noise on the latents makes neighbouring latents decode alike. For a picture $x$ that comes back as $\hat x$,
#
# $$ \mathcal{L} = \lVert \hat x - x \rVert_1 + \tfrac{1}{2} \lVert \nabla \hat x - \nabla x \rVert_1 + 8 \lVert \hat x - x \rVert_2^2 + 10^{-3} \lVert z \rVert^2 $$

# %%
from textedit_lite.training import vae

vae.BATCH = 8  # 16 in the real run
boxed = [np.array([thing.box for thing in row]) for row in objects]
centres = [(box[:, :2] + box[:, 2:]) / 2 for box in boxed]


def crops_of(step, generator):
    return vae.crops(images, centres, generator)


# %%
torch.manual_seed(0)
small_vae = vae.build()
curve_vae = train_a_little(small_vae, crops_of, vae.loss, 1.5e-3)

# %%
looked_at = vae.crops(images, centres, torch.Generator().manual_seed(1))[:4]


def there_and_back(model):
    with torch.inference_mode():
        back = model.decode(model.encode(looked_at).latents).sample
    return (127.5 * (back.clamp(-1, 1) + 1)).permute(0, 2, 3, 1).byte().numpy()


# %%
rows = [(127.5 * (looked_at + 1)).permute(0, 2, 3, 1).byte().numpy()]
rows += [there_and_back(small_vae), there_and_back(models.painter.vae)]
names = [name for name in ("input", "yours", "the stored one") for _ in range(4)]
plots.image_grid(np.concatenate(rows), names, columns=12, side=1.1)

# %%
beside("VAE", curve_vae, "l1")

# %% [markdown]
# (The stored curve is that of the last piece of the training, in which the encoder was fixed and only the decoder was trained further.)
#
# ## 6. The painter
#
# The painter is a UNet with nine input channels that works on latents. Each sample of a batch has a picture of an ideal edit, the mask, what is left of the picture outside of it, a caption, a time and noise. The UNet learns to predict the velocity $v$, and a place $p$ inside of the mask counts ten times as much ([04](04_inpainting.ipynb), section 3):
#
# $$ \mathcal{L} = \frac{\sum_p w_p \, \lVert \hat v_p - v_p \rVert^2}{\sum_p w_p}, \qquad w = 0.1 + 0.9 \cdot \text{mask} $$
#
# One caption in ten is left empty, for the guidance; one in ten leaves some words out, as users do. The words reach the UNet through CLIP's own `text_encoder`. The painter is worst at new views, so these are the most frequent samples (`ASKED_SHARES`).

# %%
rng, few = np.random.default_rng(0), []
for scene in scenes[:24]:
    for index, box in enumerate(boxes(scene)):
        few.append(painter_training.sample_window(scene, index, box, rng))
pictures, holes, words = zip(*few)
said = ["\n".join(textwrap.wrap(caption, 22)) for caption in words[:5]]
plots.image_grid(pictures[:5], said, 5, 1.9)

# %% [markdown]
# The autoencoder and the text encoder are not trained here, so their outputs for each sample are computed only once. `Samples` does that for files of samples; for a handful, a few lines are enough:

# %%
from types import SimpleNamespace

painter, grid = models.painter, painter_training.NATIVE // 4
pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2) / 127.5 - 1
masks = torch.from_numpy(np.stack(holes))[:, None].float()
scale = painter.vae.config.scaling_factor
with torch.inference_mode():
    target = scale * painter.vae.encode(pixels).latents
    masked = scale * painter.vae.encode(pixels * (masks < 0.5)).latents
captions, shorter = painter_training.every_caption()

# %%
numbers = {text: number for number, text in enumerate(captions)}
samples = SimpleNamespace(
    target=target.clone(), masked=masked.clone(),
    mask=torch.nn.functional.interpolate(masks, (grid, grid)),
    caption=torch.tensor([numbers[text] for text in words]),
)
folder = data_path("models", "lite", "clip")
states = painter_training.caption_states(folder, captions)  # through `text_encoder`
print(len(captions), "captions:", tuple(states.shape))

# %%
painter_training.BATCH = 4  # 16 in the real run
torch.compiler.set_stance("force_eager")  # to compile pays in an hour, not in seconds
torch.manual_seed(0)
unet = painter_training.build(states.shape[-1]).to(memory_format=torch.channels_last)
schedule = painter_training.noise_schedule()
loss = painter_training.velocity_loss(schedule, states)
unet_batches = painter_training.batch_maker(samples, shorter)
curve_unet = train_a_little(unet, unet_batches, loss, 1e-3)

# %%
beside("painter", curve_unet, "loss")

# %% [markdown]
# What does the UNet see in a half noised picture? Its velocity tells what it takes for the clean picture: $\hat x_0 = \sqrt{\bar\alpha}\, x_t - \sqrt{1 - \bar\alpha}\, \hat v$. Here are the answers of your UNet and of the stored one, both from the same noise:

# %%
def guess(model, row, t=600):
    noise = torch.randn(target[:1].shape, generator=torch.Generator().manual_seed(row))
    at, a = torch.tensor([t]), schedule.alphas_cumprod[t].cpu()
    x = schedule.add_noise(samples.target[row : row + 1], noise, at)
    nine = torch.cat([x, samples.mask[row : row + 1], samples.masked[row : row + 1]], 1)
    with torch.inference_mode():
        v = model(nine, at, states[samples.caption[row]][None]).sample
        clean = painter.vae.decode((a**0.5 * x - (1 - a) ** 0.5 * v) / scale).sample
    return painter.image_processor.postprocess(clean, output_type="pil")[0]


# %%
seen = [pictures[0], guess(unet.eval(), 0), guess(painter.unet, 0)]
seen += [pictures[7], guess(unet, 7), guess(painter.unet, 7)]
names = ["the truth", "yours", "the stored one"] * 2
plots.image_grid(seen, names, columns=6, side=1.7)

# %% [markdown]
# **Fewer steps.** A painter that paints well in twelve steps can teach one that paints in four ([`training/lcm.py`](../textedit_lite/training/lcm.py), after Luo et al., 2023). A velocity allows a `jump` from any time to any earlier one. The schedule is cut into as many pieces as the student is to take steps. From anywhere in a piece, the student must learn to jump to the end of that piece (`piece_end`).
#
# The student is the teacher plus a change of low rank in every layer (`student_of`). Only that change is trained and stored: a LoRA (Hu et al., 2021). Because the teacher is guided, the student learns the guidance, too, and needs no second pass without words.
#
# For each batch (`batch_maker`) the teacher takes one short step. From where it arrives, a third network, the target, jumps to the end of the piece. The target follows the student slowly (`follow`). The student must get to the same place in a single jump (`distillation_loss`). At the end, `nearness` compares what teacher and student have `painted`. `load_models("lite+lcm")` puts the stored LoRA on the painter, and `load_models("full+lcm")` the published one of Stable Diffusion 1.5.

# %% [markdown]
# ## 7. The real ones
#
# These commands lead from nothing to a set of models that the editor loads with `load_models("runs")`. This is the short way, some four hours of one core. [docs/models.md](../docs/models.md#training-them-again) says how the stored models were trained.
#
# ```
# textedit-lite train detr    --minutes 56 --scenes scenes --out runs/detr
# textedit-lite train clip    --minutes 30 --scenes scenes --out runs/clip
# textedit-lite train sam     --minutes 50 --scenes scenes --out runs/sam
# textedit-lite train vae     --minutes 22 --scenes scenes --out runs/vae
# textedit-lite train inpaint --minutes 78 --vae runs/vae/vae --clip runs/clip --out runs/inpaint
# ```
#
# Each calls the `train` of its file, writes the model in the form that `from_pretrained` reads, and beside it a card with what was measured. `score` measures again, on test scenes of any seed:

# %%
# NBVAL_IGNORE_OUTPUT
from textedit_lite.training.score import score

measured = {what: score(what, 12, progress=False) for what in ("clip", "vae")}
print(measured)

# %% [markdown]
# A dozen scenes are few ([06](06_coco_evaluation.ipynb), section 9); the figures in the cards come from a thousand.

# %% [markdown]
# ## Exercises
#
# You write five pieces of these trainings. In the end they train a CLIP, and assign the queries of your DETR. Write each function in place of `raise NotImplementedError`, and run the cell below it. An answer may use `numpy` as `np`, and whatever it imports itself; the notebook's other names do not exist when it is graded.

# %%
from textedit_lite.check import check, plugged_in

# %% [markdown]
# ### 9.1 An average that follows · 2 points
#
# The real runs keep a running average of the weights, which is calmer than the weights themselves. In step $n = 0, 1, \dots$ it becomes
#
# $$ \bar w \leftarrow d\, \bar w + (1 - d)\, w, \qquad d = \min\!\left( decay,\; \tfrac{1 + n}{10 + n} \right) $$
#
# so that the random weights of the start are soon forgotten. `average` is $\bar w$ and `weights` is $w$, two arrays of the same shape, which may be any; `step` is $n$. Return the new average.

# %% nbgrader={"grade": false, "grade_id": "answer-9-1", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 9.1 · follow · 2 points
def follow(average, weights, step, decay=0.999):
    """The running average of weights after step number `step`."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-9-1", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
check("9.1", follow)

# %% [markdown]
# ### 9.2 The learning rate · 3 points
#
# Write the formula of section 2, and return the rate $\eta$, one number. `peak` is $\eta_0$, and `step` counts from 0. `spent` is $u$, the share of the time that is used; it may come out a little above 1, and then counts as 1. With `hold` 1, the rate does not fall at all.

# %% nbgrader={"grade": false, "grade_id": "answer-9-2", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 9.2 · learning_rate · 3 points
def learning_rate(peak, step, spent, warmup=100, hold=0.0):
    """The rate of a step when the share `spent` of the time is used."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-9-2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("9.2", learning_rate)

# %% [markdown]
# ### 9.3 How far apart two boxes are · 3 points
#
# Boxes that do not touch have an IoU of 0, however far apart they are, so the IoU teaches nothing there. The *generalised* IoU goes on below 0. With $C$, the smallest box around the boxes $A$ and $B$,
#
# $$ \text{GIoU} = \frac{|A \cap B|}{|A \cup B|} - \frac{|C| - |A \cup B|}{|C|} $$
#
# Boxes are xyxy: `a` is $[N, 4]$, and `b` is $[M, 4]$. Return the GIoU of every pair, $[N, M]$. Mind two boxes that are apart along *both* axes.

# %% nbgrader={"grade": false, "grade_id": "answer-9-3", "locked": false, "points": 3, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 9.3 · giou · 3 points
def giou(a, b):
    """The generalised IoU of every pair of boxes (xyxy): [N, 4] x [M, 4] -> [N, M]."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-9-3", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
check("9.3", giou)

# %% [markdown]
# ### 9.4 Which query answers for which object · 4 points
#
# In DETR, a pair of query and object costs $5 \cdot apart - 2 \cdot overlap - chance$. Here `apart` is the L1 distance of their boxes, `overlap` is their GIoU, and `chances` holds the probability that the query gives to the object's class. All three are arrays $[Q, M]$ for $Q$ queries and $M$ objects, with $Q \ge M$. Find the one-to-one assignment whose *sum* of costs is smallest (`scipy.optimize.linear_sum_assignment`). Return $[M]$: for each object, in their order, the index of its query.

# %% nbgrader={"grade": false, "grade_id": "answer-9-4", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 9.4 · assign · 4 points
def assign(chances, apart, overlap):
    """The costs of Q queries and M objects, [Q, M] -> the query of each object."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-9-4", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("9.4", assign)

# %% [markdown]
# ### 9.5 CLIP's contrastive loss · 4 points
#
# Write the loss for one set of captions. `cosines` is $[N, K]$, for $N$ crops and $K$ *different* captions. `targets` is $[N]$, the index of each crop's caption; each caption has at least one crop. With the logits $s \cos$, return, as one number, half the sum of
#
# - the mean over the crops of $-\log \operatorname{softmax}$ over the captions, at the crop's caption;
# - the mean over the captions of the **mean over its crops** of $-\log \operatorname{softmax}$ over the crops.
#
# `scale` is $s$, and may be as large as 100. As $e^{100}$ does not fit into float32, subtract the largest logit first.

# %% nbgrader={"grade": false, "grade_id": "answer-9-5", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# EXERCISE 9.5 · contrastive_loss · 4 points
def contrastive_loss(cosines, targets, scale):
    """CLIP's symmetric loss, where a caption may belong to several crops: a number."""
    # BEGIN SOLUTION
    raise NotImplementedError
    # END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check-9-5", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
check("9.5", contrastive_loss)

# %% [markdown]
# ### With your functions
#
# First, a CLIP is trained with your `learning_rate`, which the loop really calls:

# %%
torch.manual_seed(0)
another = clip.build(tokenizer)
another.set_attn_implementation("eager")
with plugged_in(learning_rate=learning_rate) as mine:
    curve_yours = train_a_little(another, clip_batches, clip.loss, 1e-3, betas=betas)
print("yours:", ", ".join(mine) or "none yet")

# %% [markdown]
# Then the queries of your DETR are assigned on a scene that it has learned, with your `giou` and `assign`. Your `contrastive_loss` gives this CLIP's loss on one set of captions of one batch; that number stands over the curves on the right. The curves themselves are the mean of all sets, and each step has another batch:

# %%
from textedit_lite.exercises import training as ours


def either(mine, theirs, *arguments):
    try:
        return mine(*arguments)
    except NotImplementedError:  # not yours yet: ours
        return theirs(*arguments)


# %%
chances, found = answers(staged, 3)
true = np.array([thing.box for thing in objects[3]])
overlap = either(giou, ours.giou, found, true)
apart = np.abs(found[:, None] - true[None]).sum(-1) / 256
mine = chances[:, labels[3, : len(true)]]
queries = either(assign, ours.assign, mine, apart, overlap)

# %%
batch = clip_batches(0, torch.Generator().manual_seed(0))
tokens, target = batch["tokens"][: batch["sizes"][0]], batch["targets"][0].numpy()
with torch.inference_mode():
    crops = another.get_image_features(batch["pixels"]).pooler_output
    texts = another.get_text_features(tokens).pooler_output
    cosines = torch.cosine_similarity(crops[:, None], texts[None], dim=-1).numpy()
    s = float(another.logit_scale.exp())
value = either(contrastive_loss, ours.contrastive_loss, cosines, target, s)
print("a loss that is a number:", np.isfinite(value))

# %%
figure, axes = plots.panels(1, 2, width=3, height=2.9)
plots.draw_boxes(images[3], found[queries], [f"query {q}" for q in queries], ax=axes[0])
axes[0].set_title("the query of each object", fontsize=9)
draw_curve(axes[1], curve_yours, "loss", "with your rate")
draw_curve(axes[1], curve_clip, "loss", "before", color="0.6")
axes[1].set_title(f"loss of one batch: {value:.2f}", fontsize=9)
axes[1].legend(fontsize=8)
home.cleanup()
figure

# %% [markdown]
# ## What to remember
#
# - A world that can be drawn can be asked for anything: attributes, hidden parts, the ideal edit.
# - DETR fails silently unless the features know their place and each query has a place to start from. A plateau is a missing lesson, not missing patience.
# - Each loss shows what it guards against: equal captions, blurred edges, ignored words.
# - A run that survives being killed is worth more than a fast one.
#
# That is the end of the course. The editor loads what you train as in section 7: `load_models("runs")`.

# %% [markdown]
# **The code of this notebook**
#
# | file | taught here |
# |---|---|
# | [`training/card.py`](../textedit_lite/training/card.py) | `add_curves` |
# | [`training/clip.py`](../textedit_lite/training/clip.py) | `build_tokenizer`, `build`, `text_encoder`, `crops`, `phrase`, `batch_maker`, `loss`, `train` |
# | [`training/data.py`](../textedit_lite/training/data.py) | `label` |
# | [`training/detr.py`](../textedit_lite/training/detr.py) | `shrink`, `truth`, `batch_maker`, `phase_loss`, `train` |
# | [`training/detr_loss.py`](../textedit_lite/training/detr_loss.py) | `corners`, `set_loss` |
# | [`training/detr_model.py`](../textedit_lite/training/detr_model.py) | `build`, `start_decoder`, `normalise`, `encode`, `decode`, `heads` |
# | [`training/inpaint.py`](../textedit_lite/training/inpaint.py) | `sample_window`, `build`, `noise_schedule`, `every_caption`, `velocity_loss`, `batch_maker`, `caption_states`, `train` |
# | [`training/instruct_pix2pix.py`](../textedit_lite/training/instruct_pix2pix.py) | `batch_maker`, `train` |
# | [`training/lcm.py`](../textedit_lite/training/lcm.py) | `jump`, `piece_end`, `student_of`, `distillation_loss`, `follow`, `batch_maker`, `painted`, `nearness`, `train` |
# | [`training/loop.py`](../textedit_lite/training/loop.py) | `learning_rate`, `run` |
# | [`training/score.py`](../textedit_lite/training/score.py) | `score` |
# | [`training/text2image.py`](../textedit_lite/training/text2image.py) | `build`, `batch_maker`, `train` |
# | [`training/vae.py`](../textedit_lite/training/vae.py) | `build`, `crops`, `loss`, `train` |
