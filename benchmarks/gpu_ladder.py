"""The speed ladder of a GPU: from the plain way to batches of compiled edits, beside the least that the card needs.

    python benchmarks/gpu_ladder.py

builds the full-size models with random numbers (they are as fast as trained ones), edits pictures of 512x512, and prints a
table; it stops measuring in time to end within 10 minutes. The floor is the number of floating-point operations that torch
counts in a run, over the rate at which this card multiplies matrices. A rung that a card has no room for says so, and the
others go on. Without a GPU, `--device cpu --weights tiny --steps 4 --batches 2,3` goes through the same code.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from full_size import SIZES, build
from ladder import Rung, climb, compared, finished, fitted, ladder_table, options, quiet, show, timed, under, versions
from PIL import Image

from textedit_lite import editor as editing
from textedit_lite.boxes import xyxy_to_cxcywh
from textedit_lite.editor import Editor
from textedit_lite.errors import SettingsError, WeightsError
from textedit_lite.models import Models, load_models
from textedit_lite.rivals import plain_edit
from textedit_lite.training.card import machine
from textedit_lite.world.scenes import boxes, make_scene, render

SCENE = 0  # which of the small world's test scenes the pictures show
STRENGTH = 0.9  # of the plain way, which leaves nine steps in ten
LOGIT = 20.0  # of a planted detection: as sure as can be
# What the paper reports, and the card that it was measured on. By NVIDIA's data sheet, an A5000 does 222.2 TFLOPS on its
# tensor cores, in half precision and with every second number counted as a zero; without that, half of it (64
# multiprocessors with 1,024 operations a clock, at 1.695 GHz).
PAPER_SECONDS, A5000_RATE = 2.65, 222.2e12 / 2
AIM_FLOOR, AIM_PLAIN, AIM_SHARE = 1.5, 10, 0.05


@dataclass(frozen=True)
class Way:
    """How edits are made: the ways in which one rung of the ladder differs from another."""

    name: str
    over: str | None = None  # the rung that it adds one thing to
    half: bool = True
    ours: bool = True
    steps: int = 40
    schedule: str = "DDIM"
    guidance: float = 7.5
    fused: bool = True  # with and without words in one call of the U-Net
    sdpa: bool = True  # torch's fused attention
    channels_last: bool = False
    compiled: bool = False
    batch: int = 1

    @property
    def calls(self) -> int:
        """Steps in which the U-Net is called."""
        return self.steps if self.ours else int(self.steps * STRENGTH)


def ways(steps: int, batches: Sequence[int], half: str, compiled: bool) -> list[Way]:
    """The ladder, with one thing more on each rung; `steps` are the plain way's: a fast schedule takes half of them, LCM a tenth."""
    few, fewest = max(1, steps // 2), max(1, steps // 10)
    full = Way(f"plain, fp32, steps: {steps}", half=False, ours=False, steps=steps)
    plain = replace(full, name=f"plain, {half}, steps: {steps}", over=full.name, half=True)
    found = [full, plain, Way(f"ours, {half}, steps: {steps}, one at a time", plain.name, steps=steps, fused=False, sdpa=False)]

    def step(name: str, over: Way | None = None, **more) -> None:
        over = over or found[-1]
        found.append(replace(over, name=name, over=over.name, **more))

    step("+ fused CFG batch", fused=True)
    step("+ SDPA", sdpa=True)
    step("+ channels_last", channels_last=True)
    step(f"+ DPM-Solver++, steps: {few}", steps=few, schedule="DPM-Solver++")
    if compiled:
        step("+ torch.compile", compiled=True)
    single = found[-1]
    for batch in batches:
        step(f"+ batches of {batch}", batch=batch)
    most, smaller = found[-1], found[-len(batches)]
    step(f"UniPC, steps: {few}, batches of {smaller.batch}", smaller, schedule="UniPC")
    step(f"LCM, steps: {fewest}, one at a time", single, steps=fewest, schedule="LCM", guidance=1.0)
    step(f"LCM, steps: {fewest}, batches of {most.batch}", most, steps=fewest, schedule="LCM", guidance=1.0)
    return found


# --- what is edited ----------------------------------------------------------------------------------------------


def pictures(count: int, side: int) -> list[Image.Image]:
    """`count` pictures of one scene, each with its own noise, so that nothing that the editor remembers of one serves another."""
    drawn = np.asarray(render(make_scene(SCENE, size=side)), np.float32)
    noises = (np.random.default_rng(i).normal(0, 4, drawn.shape) for i in range(count))
    return [Image.fromarray((drawn + noise).clip(0, 255).astype(np.uint8)) for noise in noises]


def prompt() -> str:
    """The prompt for the scene's last object, the foremost."""
    thing = make_scene(SCENE).objects[-1]
    return f"the {thing.category} changes to a {'blue' if thing.colour == 'red' else 'red'} {thing.category}"


@contextlib.contextmanager
def planted(models: Models) -> Iterator[None]:
    """Lets the detector run in full, and then say what is in the scene: from random numbers it would say nothing.

    So the stages after it have as much work as with trained weights.
    """
    import torch

    scene = make_scene(SCENE)
    names = models.detr.config.label2id
    if lacking := sorted({thing.category for thing in scene.objects} - names.keys()):
        raise SettingsError(f"The detector of these weights does not know {', '.join(lacking)}: give random, tiny, lite or full.")
    labels = [names[thing.category] for thing in scene.objects]
    places = torch.from_numpy(xyxy_to_cxcywh(boxes(scene)) / scene.width)

    def answer(model, arguments, output):
        output.logits.zero_()[..., -1] = LOGIT  # no object anywhere
        for query, label in enumerate(labels):
            output.logits[:, query, -1], output.logits[:, query, label] = 0, LOGIT
        output.pred_boxes[:, : len(labels)] = places.to(output.pred_boxes)
        return output

    handle = models.detr.register_forward_hook(answer)
    try:
        yield
    finally:
        handle.remove()


@contextlib.contextmanager
def whole_batch(models: Models, batch: int) -> Iterator[None]:
    """Raises torch.OutOfMemoryError where a batch did not fit: the editor would go on with fewer at once, which is another rung."""
    import torch

    try:
        yield
    except WeightsError as error:  # not even one picture fits
        raise torch.OutOfMemoryError(str(error)) from error
    if models.at_once < batch:
        raise torch.OutOfMemoryError(f"{batch} pictures do not fit into the memory at once.")


# --- how it is edited --------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """The models in both precisions, the pictures, and what was compiled; turns ways into rungs.

    full: None where the device has no room for it. Of the two painters, only the current rung's is on the device.
    """

    full: Models | None
    half: Models
    pictures: list[Image.Image]
    prompt: str
    graphs: dict[int, Callable] = field(default_factory=dict)

    def models(self, way: Way) -> Models:
        """The models of a way. Raises torch.OutOfMemoryError where they could not be loaded."""
        import torch

        models = self.half if way.half else self.full
        if models is None:
            raise torch.OutOfMemoryError("The models in float32 do not fit into the memory.")
        return models

    def edit(self, way: Way, steps: int | None = None) -> list[Any]:
        """One batch of edits with nothing remembered, by a painter that is in the way's `state`."""
        models, steps = self.models(way), steps or way.steps
        if not way.ours:
            return [plain_edit(self.pictures[0], self.prompt, models, steps=steps, guidance=way.guidance, strength=STRENGTH)]
        some = self.pictures[: way.batch]
        with whole_batch(models, way.batch):
            return Editor(models).edit_batch(
                some, [self.prompt] * len(some), list(range(len(some))), steps=steps, guidance=way.guidance, select="best", rounds=1,
                ablate="guidance",  # the guidance stays as given, so that all are painted in one call
            )  # fmt: skip

    @contextlib.contextmanager
    def state(self, way: Way) -> Iterator[None]:
        """Sets the painter as the way needs it, and then back."""
        from diffusers.models.attention_processor import AttnProcessor, AttnProcessor2_0

        models = self.models(way)
        for other in (self.full, self.half):
            if other is not None and other is not models:
                set_aside(other)
        models.painter.to(models.device)
        painter, unet = models.painter, models.painter.unet
        before = painter.scheduler, models.at_once, editing.PAINTED_AT_ONCE
        try:
            painter.scheduler = schedule(way.schedule, painter.scheduler.config)
            models.at_once = editing.PAINTED_AT_ONCE = way.batch  # set whatever the memory, as the ladder is to find out what fits
            attention = AttnProcessor2_0 if way.sdpa else AttnProcessor
            for part in (unet, painter.vae):
                memory_format(part, way.channels_last)
                if hasattr(part, "set_attn_processor"):
                    part.set_attn_processor(attention())
                if hasattr(part, "use_slicing"):
                    part.use_slicing = way.batch > 1  # the autoencoder's maps are the largest: one picture at a time
            if way.compiled:
                unet.forward = self.graphs.setdefault(id(unet), compiled(unet))
            elif not way.fused:
                unet.forward = in_halves(unet)
            yield
        finally:
            unet.__dict__.pop("forward", None)
            painter.scheduler, models.at_once, editing.PAINTED_AT_ONCE = before

    def rung(self, way: Way, counted: Counted, rate: float) -> Rung:
        """A way as a rung, with its FLOPs per edit, if they could be counted, and the seconds they take at a rate (FLOP/s)."""
        flops = counted.of(way)
        return Rung(
            way.name, lambda steps: self.edit(way, steps), way.over, lambda: self.state(way), optional=way.compiled,
            more={"flops": flops, "floor": flops and flops / rate, "batch": way.batch, "calls": way.calls},
        )  # fmt: skip


def schedule(name: str, config):
    """One of diffusers' schedulers, over the noise schedule of a painter."""
    import diffusers

    kinds = {
        "DDIM": diffusers.DDIMScheduler, "DPM-Solver++": diffusers.DPMSolverMultistepScheduler,
        "UniPC": diffusers.UniPCMultistepScheduler, "LCM": diffusers.LCMScheduler,
    }  # fmt: skip
    return kinds[name].from_config(config)


def set_aside(models: Models) -> None:
    """Take a painter off its device, into the machine's memory."""
    models.painter.to("cpu", silence_dtype_warnings=True)  # it warns of half precision on a CPU, but nothing is computed there


def memory_format(module, channels_last: bool) -> None:
    import torch

    module.to(memory_format=torch.channels_last if channels_last else torch.contiguous_format)


def in_halves(unet) -> Callable:
    """A U-Net that is called twice per step, with and without the words, where diffusers calls it once for both."""
    import torch

    def forward(sample, timestep, encoder_hidden_states, **options):
        halves = zip(sample.chunk(2), encoder_hidden_states.chunk(2))
        return (torch.cat([type(unet).forward(unet, part, timestep, words, **options)[0] for part, words in halves]),)

    return forward


def compiled(unet) -> Callable:
    import torch

    return torch.compile(unet.forward)


def compiles(device: str) -> bool:
    """Whether torch.compile can build for a device, tried on one line: with a U-Net it would take a minute per rung to find out."""
    import torch

    try:
        torch.compile(lambda x: x.sin() + 1)(torch.ones(8, device=device))
    except Exception:  # torch's, Triton's or a compiler's, of any class
        return False
    return True


# --- the floor ---------------------------------------------------------------------------------------------------


class Counted:
    """Counts the FLOPs of an edit with one and with two calls of the U-Net; each further call costs what the second did.

    It counts in half precision, which has as many FLOPs and takes less memory.
    """

    def __init__(self, bench: Bench):
        self.bench, self.known = bench, {}

    def of(self, way: Way) -> float | None:
        """FLOPs of one edit, None where the memory has no room to count them."""
        kind = (way.ours, way.guidance > 1)  # with guidance a step sends each picture through the U-Net twice
        if kind not in self.known:
            plain = replace(way, half=True, schedule="DDIM", compiled=False, batch=1)
            # The plain way takes nine steps in ten: one of two, two of three. What is remembered of the words is not counted.
            calls = [calls if way.ours else calls + 1 for calls in (1, 2)]
            self.known[kind] = fitted(lambda: self.warm(plain) or [self.direct(plain, steps) for steps in calls], self.bench.half.device)
        if self.known[kind] is None:
            return None
        one, two = self.known[kind]
        return one + (way.calls - 1) * (two - one)

    def warm(self, way: Way) -> None:
        """Make one edit in two steps, which is not counted."""
        with self.bench.state(way):
            self.bench.edit(way, 2)

    def direct(self, way: Way, steps: int) -> int:
        """The FLOPs of one edit in `steps` steps, as torch counts them while it runs."""
        from torch.nn.attention import SDPBackend, sdpa_kernel
        from torch.utils.flop_counter import FlopCounterMode

        # For the plain form of attention torch can count on every device; it takes as many operations as the fused forms.
        with self.bench.state(replace(way, sdpa=False)), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
            self.bench.edit(way, steps)
        return counter.get_total_flops()


def matrix_rate(device: str, dtype, side: int) -> float:
    """The rate at which a device multiplies square matrices, FLOP/s: 2 n^3 over the best of five measurements."""
    import torch

    a, b = (torch.randn(side, side, device=device).to(dtype) for _ in range(2))

    def multiplied():
        for _ in range(4):
            torch.matmul(a, b)

    multiplied()
    return 4 * 2 * side**3 / min(timed(multiplied, device)[1] for _ in range(5))


# --- the whole ---------------------------------------------------------------------------------------------------


def half_precision(device: str):
    """The dtype of half precision on a device."""
    import torch

    return torch.bfloat16 if device == "cpu" else torch.float16


def loaded(weights: str, device: str) -> tuple[Models | None, Models]:
    """The models with a painter in float32, set aside, and those with one in half precision; both share DETR and CLIP.

    The first is None where the device has no room for it. Raises SettingsError where it has no room for the second.
    """
    import torch

    def one(dtype) -> Models:
        if weights in SIZES:
            return build(weights, device, dtype)
        models = load_models(weights, device, low_memory=False)
        models.painter.to(dtype)
        return replace(models, sketches=False, temperature=1.0)  # as the full weights are used: from noise, at full temperature

    full = fitted(lambda: one(torch.float32), device)
    if full is not None:
        set_aside(full)
    half = needed(fitted(lambda: one(half_precision(device)), device))
    return full, half if full is None else replace(half, detr=full.detr, clip=full.clip)


def needed(value):
    """Returns a value without which nothing can be measured. Raises SettingsError where there was no room for it."""
    if value is None:
        raise SettingsError("The device has no memory for the models, not even in half precision: close what else uses it, or try the "
                            "code with --weights tiny.")  # fmt: skip
    return value


def measured(args) -> dict[str, Any]:
    """The whole ladder: rows, the rate of the card, the versions."""
    import torch

    if args.steps < 3 or min(args.batches) < 1 or args.side < 64:
        raise SettingsError("A ladder needs 3 steps, batches of 1 and pictures of 64 pixels a side at least.")
    if args.device.startswith("cuda") and not torch.cuda.is_available():
        raise SettingsError("There is no GPU that torch can see: run this on a machine with one, or try the code with "
                            "--device cpu --weights tiny --steps 4 --batches 2,3.")  # fmt: skip
    began = time.perf_counter()
    quiet()
    dtype, builds = half_precision(args.device), args.compile and compiles(args.device)
    side = 8192 if args.device.startswith("cuda") else 256  # a processor may emulate half precision; there the code is only to run through
    rate = needed(fitted(lambda: matrix_rate(args.device, dtype, side), args.device))
    full, half = loaded(args.weights, args.device)
    bench = Bench(full, half, pictures(max(args.batches), args.side), prompt())
    name = str(dtype).removeprefix("torch.").replace("float", "fp").replace("bfp", "bf")
    ladder = ways(args.steps, args.batches, name, builds)
    with planted(half):  # its detector is that of both
        counted = Counted(bench)
        rungs = [bench.rung(way, counted, rate) for way in ladder]
        left = max(1.0, 60 * args.minutes - (time.perf_counter() - began))
        rows = climb(rungs, args.device, args.turns, left, progress=not args.quiet)
    if all(row["failed"] for row in rows):
        raise SettingsError(f"No rung could be measured (the last one: {rows[-1]['failed']}): close what else uses the device, give more "
                            "--minutes, or try the code with --weights tiny.")  # fmt: skip
    base = ladder[1].name
    rows = [
        row | {"times_floor": row["seconds"] / row["floor"] if row.get("seconds") and row["floor"] else None,
               "flops": row["flops"] and float(row["flops"])}
        for row in compared(rows, base)
    ]  # fmt: skip
    reached = torch.cuda.get_device_properties(args.device).total_memory if args.device.startswith("cuda") else None
    return {
        "rows": rows, "base": base, "matrix_rate": rate, "half": name, "memory": reached, "machine": machine(args.device),
        "versions": versions(), "paper": paper(counted.of(ladder[1])), "aims": aims(rows), "compiles": builds,
        "settings": {key: getattr(args, key) for key in ("weights", "device", "side", "steps", "batches", "turns", "minutes", "compile")},
    }  # fmt: skip


def paper(flops: float | None) -> dict[str, float] | None:
    """What the paper reports, and the floor of the plain way's run on the paper's card; None where that was not counted."""
    if flops is None:
        return None
    floor = flops / A5000_RATE
    return {"seconds": PAPER_SECONDS, "rate": A5000_RATE, "flops": float(flops), "floor": floor, "times_floor": PAPER_SECONDS / floor}


def aims(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The three aims, for the fast schedule's batches: the best over the floor, over the plain way, the share of stages 1 to 3."""
    those = [row for row in rows if row["name"].startswith("+ batches") and row.get("seconds")]
    return {
        "times_floor": min((row["times_floor"] for row in those if row["times_floor"]), default=None),
        "times_plain": max((row["times_base"] for row in those if row["times_base"]), default=None),
        "share": min((row["share"] for row in those), default=None),
    }


def as_markdown(figures: dict[str, Any]) -> str:
    """The ladder as a table, with the floor, the paper, the aims and the machine underneath."""
    settings, one, got = figures["settings"], figures["paper"], figures["aims"]
    whose = {"random": "full-size models with random numbers", "tiny": "the same architectures at their smallest, random numbers"}
    models, side = whose.get(settings["weights"], f"{settings['weights']} weights"), settings["side"]

    def against(value: float | None, form: str, aim: str, met: bool) -> str:
        return "not measured" if value is None else f"{form.format(value)} (aim: {aim}, {'met' if met else 'not met'})"

    met = [got["times_floor"] and got["times_floor"] <= AIM_FLOOR, got["times_plain"] and got["times_plain"] >= AIM_PLAIN,
           got["share"] is not None and got["share"] < AIM_SHARE]  # fmt: skip
    notes = []
    if any(row["flops"] is None for row in figures["rows"]):
        notes.append("Where no floor stands, the memory had no room to count the operations.")
    if settings["compile"] and not figures["compiles"]:
        notes.append("torch.compile cannot build here (it needs Triton, a C++ compiler and Python's headers): all rungs are without it.")
    if one and settings["weights"] != "tiny":
        notes.append(
            f"The paper reports {one['seconds']} s an edit on an RTX A5000. The plain way's {show(one['flops'] / 1e12)} TFLOP take that "
            f"card {show(one['floor'])} s at least, at the {one['rate'] / 1e12:.1f} TFLOP/s of NVIDIA's data sheet (222.2 with every "
            f"second number a zero, so half of it): {show(one['times_floor'])} times its floor."
        )
    return "\n".join([
        ladder_table(figures["rows"], "plain", floor=True),
        "",
        f"Pictures of {side}x{side}, {models}, on {settings['device']}; "
        f"\"times plain\" is over {figures['base']}; the number in brackets is the rung that it adds one thing to.",
        f"The floor: FLOPs of the run as torch counts them, over {show(figures['matrix_rate'] / 1e12)} TFLOP/s, measured in "
        f"{figures['half']} matrix products on this device.",
        f"The best of our batches: {against(got['times_floor'], '{:.2f} times the floor', f'{AIM_FLOOR}', met[0])}; "
        f"{against(got['times_plain'], '{:.1f} times as fast as the plain way', f'{AIM_PLAIN}', met[1])}; "
        f"stages 1 to 3 {against(got['share'], '{:.1%} of an edit', f'under {AIM_SHARE:.0%}', met[2])}.",
        *notes,
        "The peak is all that was held, the models included; on a GPU without the painter in the other precision.",
        *under(figures["machine"], figures["rows"]),
    ])  # fmt: skip


def numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted({int(part) for part in text.split(",")}))


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="The speed ladder of a GPU, and the floor of its card.")
    parser.add_argument("--weights", metavar="random|tiny|full|lite|DIR", default="random", help="(default: random, at full size)")
    parser.add_argument("--device", metavar="cuda|cpu", default="cuda", help="(default: cuda)")
    parser.add_argument("--side", metavar="N", type=int, default=512, help="of the pictures, pixels (default: 512)")
    parser.add_argument("--steps", metavar="N", type=int, default=40, help="of the plain way; ours takes half, LCM a tenth (default: 40)")
    parser.add_argument("--batches", metavar="N,N", type=numbers, default=(8, 32), help="edits at a time (default: 8,32)")
    parser.add_argument("--no-compile", dest="compile", action="store_false", help="leave torch.compile out")
    parser.add_argument("--minutes", metavar="M", type=float, default=6, help="after which nothing is measured again (default: 6)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options(parser)
    args = parser.parse_args(argv)
    return finished(args, "gpu ladder", measured, as_markdown, f"An edit of {args.side}x{args.side}")


if __name__ == "__main__":
    sys.exit(main())
