"""Trains any lite model for a given time, and goes on where it left off if it was killed.

The budget is wall time, so the learning rate follows the share of it that is spent. All randomness of a step follows
from the seed and the step's number, so that a run that was killed and resumed sees the batches that it would have seen.
"""

from __future__ import annotations

import json
import math
import signal
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..errors import SettingsError
from .files import whole
from .settings import ORIGINS, check_settings

CHECKPOINT = "checkpoint.safetensors"
CHECKPOINT_EVERY = 60.0  # seconds
LOG_EVERY = 30.0  # seconds


@dataclass
class Run:
    """The result of a training run; `model` carries the averaged weights, in eval mode."""

    model: nn.Module
    steps: int
    minutes: float
    settings: dict[str, Any]
    losses: dict[str, float] = field(default_factory=dict)  # the last line of the log


def device() -> torch.device:
    """Where training runs: the GPU if there is one."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def has_half_precision(where: torch.device | str) -> bool:
    """Whether a device multiplies bfloat16 itself: one that does not takes two to a hundred times as long as for float32."""
    kind = torch.device(where).type
    if kind == "cuda":  # GPUs before Ampere, such as a T4, only emulate it
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if kind != "cpu":
        return False
    able = getattr(torch.cpu, "get_capabilities", dict)()  # an older torch cannot tell, and float32 is never wrong
    return any(able.get(name) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def half_precision(where: torch.device | str, wanted: bool = True):
    """The context of bfloat16 autocast on a device; it does nothing where autocast is not wanted or the device lacks bfloat16."""
    return torch.autocast(torch.device(where).type, torch.bfloat16, enabled=wanted and has_half_precision(where))


def compiled() -> Callable[..., Any]:
    """A function (model, inputs) -> the output, a tuple, of the model compiled by torch.compile: a third quicker on a CPU.

    If it cannot be compiled (no compiler, no Python.h), which shows at a model's first call, one line says so, and all
    models are called as they are.
    """
    built: dict[nn.Module, Callable] = {}
    builds = True

    def call(model: nn.Module, *inputs: Any, **options: Any) -> Any:
        nonlocal builds
        if builds and model not in built:
            try:
                built[model] = _built(model, inputs, options)
            except Exception as error:  # torch's, Triton's or a compiler's, of any class; the model's own errors come again below
                builds = False
                reason = " ".join(f"{type(error).__name__}: {error}".split())[:120]
                _tell(f"Training goes on, slower, without torch.compile, which needs a C++ compiler and Python's headers ({reason}).")
        return (built[model] if builds else model)(*inputs, **options)

    return call


def _built(model: nn.Module, inputs: tuple, options: dict[str, Any]) -> Callable:
    """The compiled model, tried out forwards and backwards, as the backward pass is compiled only when it first runs."""
    quick = torch.compile(model)
    output = quick(*inputs, **options)[0]
    if output.requires_grad:
        learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
        torch.autograd.grad(output.sum(), learned, allow_unused=True)
    return quick


def _tell(line: str) -> None:
    """Show a line above the progress bar."""
    from tqdm import tqdm

    tqdm.write(line, file=sys.stderr)


def learning_rate(peak: float, step: int, spent: float, warmup: int = 100, hold: float = 0.0) -> float:
    """The rate of step `step` when the share `spent` of the budget is used.

    It rises linearly over `warmup` steps, stays at `peak` until the share `hold` (1: to the end), then falls to 0 along
    half a cosine.
    Taught in notebook 09.
    """
    fall = max(0.0, (min(spent, 1.0) - hold) / max(1.0 - hold, 1e-9))
    return peak * min(1.0, (step + 1) / warmup) * 0.5 * (1.0 + math.cos(math.pi * fall))


def run(
    model: nn.Module,
    batches: Callable[[int, torch.Generator], Any],
    loss: Callable[[nn.Module, Any], tuple[Tensor, dict[str, float | Tensor]]],
    out: str | Path,
    minutes: float,
    lr: float,
    *,
    name: str = "train",
    settings: dict[str, Any] | None = None,
    lr_scale: Callable[[str], float] | None = None,
    warmup: int = 100,
    hold: float = 0.0,
    weight_decay: float = 0.01,
    betas: tuple[float, float] = (0.9, 0.999),
    clip: float = 1.0,
    ema: float | None = 0.999,
    bf16: bool = False,
    seed: int = 0,
    progress: bool = True,
) -> Run:
    """Train `model` until `minutes` are spent, including those that earlier pieces of the same run have spent.

    Args:
        batches: (step, CPU generator seeded for that step) -> a batch: tensors in any nest of dicts, lists and tuples.
            It must draw its random numbers from the generator only. Tensors are moved to the training device.
        loss: (model, batch) -> (the scalar to minimise, named parts to show).
        out: folder of `checkpoint.safetensors` (about every minute) and `log.jsonl` (about every half minute).
        lr: peak learning rate of AdamW; `lr_scale(parameter name)` multiplies it where given.
        settings: whatever else makes this run what it is (sizes, data); kept with the checkpoint.
        warmup, hold: see `learning_rate`; with hold 0.75 the rate falls over the last quarter only.
        ema: decay of the running average of weights and buffers, or None for no average.
        bf16: run the model under bfloat16 autocast, where the device has it (`has_half_precision`).

    Returns: the run, with the averaged weights in `model`, which is back on the device that it came from, as it also is
        after Ctrl-C. A larger `minutes` than before extends a finished run.

    Raises: SettingsError if `out` holds a run with other settings or the loss is no longer a number; KeyboardInterrupt,
        after a checkpoint, on Ctrl-C.

    AdamW: Loshchilov and Hutter, 2019. Taught in notebook 09.
    """
    from tqdm import tqdm

    check_settings(minutes)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    where, budget = device(), 60.0 * minutes
    home = next(model.parameters()).device
    settings = dict(settings or {}) | {
        "lr": lr, "warmup": warmup, "hold": hold, "weight_decay": weight_decay, "betas": list(betas),
        "clip": clip, "ema": ema, "bf16": bf16, "seed": seed,
    }  # fmt: skip
    model.to(where).train()
    optimizer = _optimizer(model, lr, lr_scale, weight_decay, betas, fused=True)
    average = None if ema is None else {key: value.detach().clone() for key, value in model.state_dict().items()}
    step, seconds, losses = _resume(out, model, average, optimizer, settings)

    log = out / "log.jsonl"
    _drop_lines_after(log, step)
    sums: dict[str, list[float]] = defaultdict(list)
    smooth: dict[str, float] = {}
    bar = tqdm(
        total=round(minutes, 2), initial=min(seconds / 60, minutes), desc=name, mininterval=5, disable=not progress,
        bar_format="{desc} {percentage:3.0f}%|{bar:20}| {n:.1f}/{total:.1f} min, {remaining} left {postfix}",
    )  # fmt: skip
    saved = logged = clock = time.monotonic()
    with bar, _interrupts() as interrupted:
        while seconds < budget and not interrupted:
            for group in optimizer.param_groups:
                group["lr"] = group["scale"] * learning_rate(lr, step, seconds / budget, warmup, hold)
            parts = _step(step, model, average, optimizer, batches, loss, settings)
            step += 1

            now = time.monotonic()
            seconds, clock = seconds + now - clock, now
            for key, value in parts.items():
                sums[key].append(value)
                smooth[key] = value if key not in smooth else 0.98 * smooth[key] + 0.02 * value
            bar.set_postfix({"step": step, **{key: f"{value:.3g}" for key, value in smooth.items()}}, refresh=False)
            bar.update(min(seconds / 60, minutes) - bar.n)
            if now - logged > LOG_EVERY or seconds >= budget:
                losses = {key: sum(values) / len(values) for key, values in sums.items()}
                _log(log, {"step": step, "minutes": seconds / 60, "lr": optimizer.param_groups[0]["lr"]} | losses)
                sums.clear()
                logged = now
            if now - saved > CHECKPOINT_EVERY:
                _save(out, model, average, optimizer, step, seconds, losses, settings)
                saved = now
        if clock > saved:
            _save(out, model, average, optimizer, step, seconds, losses, settings)
    if interrupted:
        # A notebook keeps this frame with the traceback until its next error, and what is on a GPU would stay there as long.
        optimizer = average = None
        model.to(home)
        raise KeyboardInterrupt(
            f"Stopped at step {step} after {seconds / 60:.1f} of {minutes:g} minutes; "
            "the same command goes on from there."
        )
    if average is not None:
        model.load_state_dict(average)
    return Run(model.to(home).eval(), step, seconds / 60, settings, losses)


def _step(step, model, average, optimizer, batches, loss, settings) -> dict[str, float]:
    """One step: its batch, forward, backward and the average.

    Returns the loss, its parts, and the gradient's norm before it was clipped.
    """
    where, seed = device(), _mix(settings["seed"], step)
    torch.manual_seed(seed)
    batch = _to(batches(step, torch.Generator().manual_seed(seed + 1)), where)
    with half_precision(where, settings["bf16"]):
        total, parts = loss(model, batch)
    parts = {key: float(torch.as_tensor(value).detach()) for key, value in {"loss": total, **parts}.items()}
    if not math.isfinite(parts["loss"]):
        raise SettingsError(f"The loss is {parts['loss']} at step {step}: try a learning rate below {settings['lr']}.")
    total.backward()
    parts["gradient"] = float(nn.utils.clip_grad_norm_(model.parameters(), settings["clip"]))
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    if average is not None:
        _follow(average, model.state_dict(), min(settings["ema"], (1 + step) / (10 + step)))
    return parts


def minutes_spent(out: str | Path) -> float:
    """Minutes that the run under `out` has had, 0 where there is none; given exactly these, `run` trains no further step."""
    from safetensors import safe_open

    path = Path(out) / CHECKPOINT
    if not path.exists():
        return 0.0
    with safe_open(path, "pt") as file:
        seconds = json.loads(file.metadata()["run"])["seconds"]
    return math.nextafter(seconds / 60, 0.0)  # rounded down, so that 60 times it is no more than these seconds


def _optimizer(model, lr, lr_scale, weight_decay, betas, fused):
    """AdamW with a parameter group for each factor of the rate; vectors (biases, norms) are not decayed."""
    groups: dict[tuple[float, bool], list[nn.Parameter]] = defaultdict(list)
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            groups[lr_scale(name) if lr_scale else 1.0, parameter.ndim > 1].append(parameter)
    return torch.optim.AdamW(
        [{"params": parameters, "scale": scale, "weight_decay": weight_decay if decays else 0.0}
         for (scale, decays), parameters in groups.items()],
        lr=lr, betas=betas, fused=fused,
    )  # fmt: skip


def _follow(average: dict[str, Tensor], state: dict[str, Tensor], decay: float) -> None:
    """average <- decay x average + (1 - decay) x state; whole numbers (counters) are copied."""
    real = [key for key, value in state.items() if value.is_floating_point()]
    torch._foreach_lerp_([average[key] for key in real], [state[key].detach() for key in real], 1.0 - decay)
    for key in state.keys() - set(real):
        average[key].copy_(state[key])


def _mix(seed: int, step: int) -> int:
    """One number for a step of a run, far from the numbers of neighbouring steps and of other seeds."""
    return (seed * 0x9E3779B97F4A7C15 + step * 0xD1B54A32D192ED03) % 2**62


def _to(batch: Any, where: torch.device) -> Any:
    if isinstance(batch, Tensor):
        return batch.to(where, non_blocking=True)
    if isinstance(batch, dict):
        return {key: _to(value, where) for key, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(_to(value, where) for value in batch)
    return batch


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """A list that Ctrl-C fills, so that a step is never cut in two; a second Ctrl-C interrupts at once."""
    caught: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = signal.getsignal(signal.SIGINT)

    def catch(number: int, frame: Any) -> None:
        caught.append(number)
        signal.signal(signal.SIGINT, before)

    signal.signal(signal.SIGINT, catch)
    try:
        yield caught
    finally:
        signal.signal(signal.SIGINT, before)


def _save(out, model, average, optimizer, step, seconds, losses, settings) -> None:
    """Save one safetensors file, replaced in one go; the numbers that are not tensors are JSON in its header."""
    from safetensors.torch import save_file

    tensors = {f"model.{key}": value for key, value in model.state_dict().items()}
    tensors |= {f"ema.{key}": value for key, value in (average or {}).items()}
    for name, parameter in model.named_parameters():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"optimizer.{key}.{name}"] = value
    header = {"step": step, "seconds": seconds, "losses": losses, "settings": settings}
    # Each is cloned: tied weights share memory, and channels-last ones are not contiguous.
    tensors = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    with whole(out / CHECKPOINT) as half:
        save_file(tensors, half, metadata={"run": json.dumps(header)})


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return {key: file.get_tensor(key) for key in file.keys()}, json.loads(file.metadata()["run"])


def _resume(out, model, average, optimizer, settings) -> tuple[int, float, dict[str, float]]:
    """Load the run under `out`, if there is one: (steps, seconds, losses) so far."""
    if not (out / CHECKPOINT).exists():
        return 0, 0.0, {}
    tensors, header = _read(out / CHECKPOINT)
    now, before = json.loads(json.dumps(settings)), header["settings"]
    for key in sorted(now.keys() | before.keys()):
        unsaid = key in ORIGINS and key not in before  # an older checkpoint does not say what its run began with
        if not unsaid and now.get(key) != before.get(key):
            raise SettingsError(
                f"{out} holds a run with {key} {before.get(key)}, not {now.get(key)}: "
                "ask for the same settings to go on with it, or for another folder."
            )
    state = {key.removeprefix("model."): value for key, value in tensors.items() if key.startswith("model.")}
    shapes = {key: value.shape for key, value in model.state_dict().items()}
    if shapes != {key: value.shape for key, value in state.items()}:
        raise SettingsError(f"{out} holds a run of a model of another shape: ask for another folder.")
    model.load_state_dict(state)
    for key, value in (average or {}).items():
        value.copy_(tensors[f"ema.{key}"])
    for name, parameter in model.named_parameters():
        for key in ("step", "exp_avg", "exp_avg_sq"):
            if (value := tensors.get(f"optimizer.{key}.{name}")) is not None:
                # The moments must have the same memory layout as their parameter: the fused step reads them side by side.
                like = torch.empty_like(value if key == "step" else parameter, device=parameter.device)
                optimizer.state[parameter][key] = like.detach().copy_(value)
    return header["step"], header["seconds"], header["losses"]


def _log(log: Path, line: dict[str, float]) -> None:
    with log.open("a", encoding="utf-8") as file:
        file.write(json.dumps({key: round(value, 6) for key, value in line.items()}) + "\n")


def _drop_lines_after(log: Path, step: int) -> None:
    """Drops steps from the log that no checkpoint holds, as a killed run may leave them; they will be made again."""
    if log.exists():
        lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
        kept = [line + "\n" for line in lines if json.loads(line)["step"] <= step]
        with whole(log) as half:
            half.write_text("".join(kept), encoding="utf-8")
