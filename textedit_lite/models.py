"""Which weights, from where, on which device: loads DETR, CLIP and the painter as the libraries' own classes."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import SettingsError, WeightsError
from .resources import data_path
from .vocabulary import COLOURS, POSES, VIEWS

CHECKSUMS = "SHA256SUMS"


@dataclass(frozen=True)
class Source:
    """Where one model comes from: a folder, or a Hub id with its revision and variant."""

    path: str
    revision: str | None = None
    variant: str | None = None


# The full-size weights on the Hub. To use other ones, give `load_models` a folder with detr/, clip/ and inpaint/.
FULL = {
    "detr": Source("facebook/detr-resnet-50", "no_timm"),
    "clip": Source("openai/clip-vit-base-patch32", "3d74acf9a28c67741b2f4f2ea7635f0aaf6f0268"),
    "inpaint": Source("stable-diffusion-v1-5/stable-diffusion-inpainting", "8a4288a76071f7280aedbdb3253bdb9e9d5d84bb", "fp16"),
}


@dataclass
class Models:
    """The three models and what belongs to them: what each understands, and in which shape it wants to be asked."""

    name: str  # what `load_models` was asked for
    detr: Any  # DetrForObjectDetection
    detr_processor: Any
    clip: Any  # CLIPModel
    clip_tokenizer: Any
    clip_processor: Any
    painter: Any  # StableDiffusionInpaintPipeline
    device: str
    categories: tuple[str, ...]  # what the detector can find
    known_words: tuple[str, ...] | None = None  # None: all of English
    captions: str = "{}"  # the frame in which CLIP reads a description
    steps: int = 12  # of denoising, unless the user says otherwise
    guidance: float = 3.0
    text_features: dict[str, Any] = field(default_factory=dict, repr=False)  # CLIP's, of captions asked before

    @property
    def native(self) -> int:
        """Pixels a side of the crop that the painter was trained on."""
        return native_side(self.painter)


def native_side(painter) -> int:
    """Pixels a side of the crop that a painter was trained on: 512 for Stable Diffusion 1.5, 112 for the lite one."""
    return painter.unet.config.sample_size * painter.vae_scale_factor


def load_models(weights: str | Path = "lite", device: str | None = None) -> Models:
    """Load the `lite` models of this package, the `full` ones of the Hub, or those of a folder.

    weights: "lite", "full", or a folder that holds detr/, clip/ and inpaint/ as `save_pretrained` writes them; where
    the folder lists sums in SHA256SUMS, as lite does, every weights file is checked first. device: "cpu", "cuda",
    "mps"; by default the best that is there. Weights stored in half precision are computed with in float32, but for
    the painter's on a GPU.

    Raises WeightsError where weights are missing, damaged or out of reach. Taught in notebook 01.
    """
    device = _checked(device or best_device())
    if str(weights) == "full":
        return _load(FULL, "full", device)
    lite = str(weights) == "lite"
    folder = data_path("models", "lite") if lite else Path(weights).resolve()
    missing = [part for part in FULL if not (folder / part).is_dir()]
    if missing:
        parts = ", ".join(f"{part}/" for part in missing)
        raise WeightsError(f"The weights in {folder} lack {parts}: give lite, full, or a folder that has all of them.")
    if lite or (folder / CHECKSUMS).exists():
        check_sums(folder)
    return _load({part: Source(str(folder / part)) for part in FULL}, "lite" if lite else str(folder), device)


def best_device() -> str:
    """"cuda" or "mps" where torch has it, else "cpu"."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_sums(folder: Path) -> None:
    """Compare every weights file under a folder with its sha256 in the folder's SHA256SUMS.

    Raises WeightsError for a file that differs, is missing, or is not listed.
    """
    advice = "install the package again, or give another folder"
    try:
        lines = (folder / CHECKSUMS).read_text(encoding="utf-8").splitlines()
        listed = {name.strip(): digest for digest, name in (line.split(maxsplit=1) for line in lines if line.strip())}
    except (OSError, ValueError) as error:
        raise WeightsError(f"The list of checksums {folder / CHECKSUMS} cannot be read: {advice}.") from error
    there = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*.safetensors")}
    for name in sorted({*listed, *there}):
        if name not in there or name not in listed:
            reason = "missing" if name not in there else f"not listed in {CHECKSUMS}"
            raise WeightsError(f"The weights file {folder / name} is {reason}: {advice}.")
        if _sha256(there[name]) != listed[name]:
            raise WeightsError(f"The weights file {folder / name} is damaged, its sha256 differs: {advice}.")


def write_sums(folder: Path) -> None:
    """Write SHA256SUMS for all weights files under a folder, in the format of `sha256sum`."""
    lines = [
        f"{_sha256(path)}  {path.relative_to(folder).as_posix()}\n"
        for path in sorted(folder.rglob("*.safetensors"))
    ]
    (folder / CHECKSUMS).write_text("".join(lines), encoding="utf-8")


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _checked(device: str) -> str:
    import torch

    try:
        kind = torch.device(device).type
    except RuntimeError:
        kind = None
    if kind not in ("cpu", "cuda", "mps", "xpu"):
        raise SettingsError(f"There is no device {device!r}: give cpu, cuda or mps.")
    if kind == "cuda" and not torch.cuda.is_available():
        raise SettingsError("This torch sees no CUDA device: give cpu, or install a build of torch for your GPU.")
    return device


def _load(sources: dict[str, Source], name: str, device: str) -> Models:
    import torch
    from safetensors import SafetensorError

    detr, clip, inpaint = (sources[part] for part in ("detr", "clip", "inpaint"))
    painting = torch.float16 if device.startswith("cuda") else torch.float32

    def whole(kind, source: Source, **options):  # the library would draw at random, silently, what the file lacks
        model, report = kind.from_pretrained(
            source.path, revision=source.revision, use_safetensors=True, dtype=torch.float32, output_loading_info=True,
            **options,
        )  # fmt: skip
        if lacking := sorted({*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])}):
            raise ValueError(f"{source.path} lacks {len(lacking)} tensors, as {lacking[0]}")
        return model.to(device).eval()

    def processor(source: Source):  # the PIL back end, as torchvision's does not resize the same pixels
        return AutoImageProcessor.from_pretrained(source.path, revision=source.revision, backend="pil")

    with _quiet():
        from diffusers import StableDiffusionInpaintPipeline
        from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel, DetrForObjectDetection

    try:
        with _quiet():
            models = Models(
                name=name,
                # "eager", as the fused attention does not return the weights that `attention_maps` shows
                detr=whole(DetrForObjectDetection, detr, attn_implementation="eager"),
                detr_processor=processor(detr),
                clip=whole(CLIPModel, clip),
                clip_tokenizer=AutoTokenizer.from_pretrained(clip.path, revision=clip.revision),
                clip_processor=processor(clip),
                painter=StableDiffusionInpaintPipeline.from_pretrained(
                    inpaint.path, revision=inpaint.revision, variant=inpaint.variant, use_safetensors=True, dtype=painting
                ).to(device),
                device=device,
                categories=(),
            )
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, ImportError, SafetensorError) as error:
        reason = " ".join(str(error).split()).split(". ")[0][:160].rstrip(".")
        advice = "check the folder" if name != "full" else "check the network, give a folder that has them, or use lite"
        raise WeightsError(f"The {name} weights cannot be loaded ({reason}): {advice}.") from error
    models.painter.set_progress_bar_config(disable=True)
    labels = models.detr.config.id2label
    models.categories = tuple(labels[i] for i in sorted(labels) if labels[i] not in ("N/A", "no object"))
    if len(models.clip_tokenizer) < 2000:  # so few tokens are the words of one small world, and nothing else was seen
        models.known_words = (*models.categories, *COLOURS, *VIEWS.values(), *POSES.values())
    else:
        models.captions, models.steps, models.guidance = "a photo of {}", 30, 7.5
    return models


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the libraries' own bars and notices off the terminal, and out of notebooks' outputs, while they load."""
    from diffusers.utils import logging as diffusers_log
    from transformers.utils import logging as transformers_log

    logs = (diffusers_log, transformers_log)
    before = [log.get_verbosity() for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    finally:
        for log, level in zip(logs, before, strict=True):
            log.set_verbosity(level)
            log.enable_progress_bar()
