"""How much memory the models need (computed, not measured) and how much there is; works within it, and gives it back."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import WeightsError

CLIP_AND_DETR = 4  # bytes per number: both are small, and compute in float32 everywhere
CHANNELS = 256  # of the widest map at full size in the autoencoder of Stable Diffusion
MAPS = 4  # as wide as that, which live at once
HEADS = 8  # of the U-Net's attention at its finest level, where a token is a latent pixel
ROOM = 0.9  # share of a device that models may fill: a screen and the driver take some of it, too
CUDA_OWN = 500_000_000  # bytes that CUDA itself takes of a device (its context), which `free_memory` no longer counts as free
KEPT = 256 * 2**20  # freed bytes that the process keeps: some pictures of 12 megapixels
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # as in glibc's malloc.h
SLICES = 2  # into which attention is cut in low memory


@dataclass(frozen=True)
class Holding:
    """How to hold a set of models: the painter in half precision or not, offloaded part by part or not, and how many
    pictures are painted in one call. need, weights: bytes at the peak, and of the weights alone.
    """

    low: bool
    half: bool
    offload: bool
    at_once: int
    weights: int
    need: int


def holding(kind: str, finders: int, painter: dict[str, int], side: int, low: bool, channels: int = CHANNELS) -> Holding:
    """How to hold models on a kind of device ("cuda", "mps", "cpu"), and what that takes at the peak.

    With F numbers in DETR and CLIP, P_i in the painter's parts, b bytes per number, k pictures at once of s x s pixels,
    t = (s / 8)^2 tokens, h heads, and c `channels` of the autoencoder's widest map at full size, it is

        4 F + b sum_i P_i + k b (2 h t^2 + 4 c s^2),

    plus, on CUDA, the half gigabyte of its context. h is halved if attention is sliced (in low memory, but not on MPS). If
    parts wait on the CPU, the sum is without the smaller of text encoder and U-Net: only these two are never on the GPU at
    once, as diffusers keeps the safety checker there, and the autoencoder, which has encoded the picture, until the U-Net is
    done. The factor 2 is for guidance, which paints with the words and without them. This is an upper estimate: a fused
    attention never holds t^2 numbers. The full-size test peaks at 8.4 GB on a CPU, as this says; on a GPU nothing was
    measured. Taught in notebook 04.
    """
    half = kind == "cuda" or low
    offload = low and kind == "cuda"
    width = 2 if half else 4
    small = side <= 128  # a lite painter: its pictures are cheap, and many share a call
    at_once = 32 if small else 4 if kind == "cuda" and not low else 1
    held = sum(painter.values()) - (min(painter["unet"], painter["text_encoder"]) if offload else 0)
    weights = CLIP_AND_DETR * finders + width * held
    tokens = (side // 8) ** 2
    working = at_once * width * (2 * HEADS * tokens**2 // (SLICES if low and kind != "mps" else 1) + MAPS * channels * side**2)
    return Holding(low, half, offload, at_once, weights, weights + working + (CUDA_OWN if kind == "cuda" else 0))


def free_memory(device: str) -> int:
    """Bytes that are free on a device ("cpu", "cuda", "cuda:1", "mps"), as its driver or the system says."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0]
    if device.startswith("mps"):
        import torch

        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    import psutil

    return psutil.virtual_memory().available


def total_memory(device: str) -> int:
    """All bytes of a device, which do not change from one run to the next."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_properties(device).total_memory
    if device.startswith("mps"):
        import torch

        return torch.mps.recommended_max_memory()
    import psutil

    return psutil.virtual_memory().total


def in_portions(items: Sequence, models: Any, work: Callable[[Sequence], list]) -> list:
    """What `work` makes of items, in order, from as many at a time as the memory holds.

    models: their `at_once` is how many that should be. If the device has no room for so many, it is halved and stays so, as the
    GPU would try in vain the next time, too. Raises WeightsError if there is no room even for one.
    """
    import torch

    left, done = list(items), []
    while left:
        some = left[: models.at_once]
        try:
            done += work(some)
            left = left[len(some) :]
            continue
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if len(some) == 1:
                raise WeightsError(_no_room(models.low_memory)) from error
        models.at_once = len(some) // 2
        torch.cuda.empty_cache()  # only out here, as the error itself holds what failed
        if torch.backends.mps.is_available():
            torch.mps.empty_cache()
    return done


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out: Python and CUDA have errors of their own for it; MPS, the CPU, cuBLAS and cuDNN only say it in words."""
    import torch

    words = ("out of memory", "can't allocate memory", "STATUS_ALLOC_FAILED")
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or any(some in str(error) for some in words)


def _no_room(low: bool) -> str:
    """What to do where not even one picture can be painted."""
    advice = "use lite" if low else "load them in low memory (`edit --low-memory`, `load_models(low_memory=True)`)"
    return (f"The device's memory has no room for even one painting beside the models: close other programs, or {advice}; a "
            "smaller picture would not help, as the painter always sees its native size.")  # fmt: skip


def keep_freed() -> None:
    """Let this process keep up to KEPT bytes that it frees, for what it makes next (glibc; elsewhere nothing happens).

    Otherwise each picture of many megapixels lies in new pages, and clearing those takes several times as long as copying its
    pixels. `give_back` hands back what was kept.
    """
    if sys.platform == "linux":
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt:
            mallopt(M_MMAP_THRESHOLD, 32 * 2**20)  # the largest that it takes
            mallopt(M_TRIM_THRESHOLD, KEPT)


def give_back() -> None:
    """Hand back to the system what this process has freed, but its C library keeps in pieces (glibc; elsewhere nothing happens).

    Pictures and tensors of many sizes, made and freed in turn, leave holes that fit no other, so that a process which holds
    no more than before still grows. Taught in notebook 06.
    """
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # musl has none
        if trim:
            trim(0)
