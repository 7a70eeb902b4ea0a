"""Which weights, from where, on which device: loads DETR, CLIP and the painter as the libraries' own classes."""

from __future__ import annotations

import json
import os
import sys
import threading
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from . import hub
from .checkpoints import dtype_argument, image_processor, loading, whole_model, without_timm
from .checksums import CHECKSUMS, check_sums
from .errors import SettingsError, WeightsError
from .hub import Source, gigabytes
from .memory import CHANNELS, ROOM, Holding, free_memory, holding, is_out_of_memory, total_memory
from .resources import data_path
from .vocabulary import COLOURS, PHOTOGRAPHED, POSES, VIEWS

PREFERRED = "painting.json"  # in a painter's folder: the steps, guidance and temperature that it is made for, if not the usual
LCM = "+lcm"  # behind the name of any weights: the painter with the LoRA that makes it paint in few steps
LCM_PREFERRED = {"steps": 4, "guidance": 1.0}  # of such a LoRA whose folder has no PREFERRED (Luo et al., 2023, LCM-LoRA)
FEW_WORDS = 2000  # with fewer tokens than these, a model has seen the words of one small world and nothing else

# Held while a pipeline paints: it counts its own steps, and a panel's thread and a cell may call it at the same time.
PAINTING = threading.RLock()

# The full-size weights on the Hub, each at a revision that holds safetensors. To use other ones, give `load_models` a
# folder with detr/, clip/ and inpaint/, or a weights file.
FULL = {
    # The branch "no_timm" would need no renaming (`checkpoints.TIMM_NAMES`), but whether it holds safetensors is not known here.
    "detr": Source("facebook/detr-resnet-50", "1d5f47bd3bdd2c4bbfa585418ffe6da5028b4c0b"),
    # The Hub's own conversion to safetensors: the branch "main" (3d74acf9a28c) has a pickle only.
    "clip": Source("openai/clip-vit-base-patch32", "c237dc49a33fc61debc9276459120b7eac67e7ef"),
    # Of its U-Net, only the half-precision variant is there as safetensors.
    "inpaint": Source("stable-diffusion-v1-5/stable-diffusion-inpainting", "8a4288a76071f7280aedbdb3253bdb9e9d5d84bb", "fp16"),
}
# What an edit can do without, fetched and loaded only when it is asked for: the segmenters behind `--mask`, the LoRA
# behind LCM, and the UNets of the rival editors, which take all else from the painter.
OPTIONAL = {
    "sam": Source("facebook/sam-vit-base", "70c1a07f894ebb5b307fd9eaaee97b9dfc16068f"),
    "mask2former": Source("facebook/mask2former-swin-tiny-coco-instance", "22c4a2f15dc88149b8b8d9f4d42c54431fbd66f6"),
    "panoptic": Source("facebook/detr-resnet-50-panoptic", "d53b52a799403a8867920f82c869e40732b47037"),
    "lcm": Source("latent-consistency/lcm-lora-sdv1-5", "cf2fced511dbe7e26c8d1d397e728fbab875db4b"),
    "text2image": Source("stable-diffusion-v1-5/stable-diffusion-v1-5", "451f4fe16113bff5a5d2269ed5ad43b0592e9a14", "fp16"),
    # Whether its UNet is there in half precision too is not known here.
    "instruct-pix2pix": Source("timbrooks/instruct-pix2pix", "31519b5cb02a7fd89b906d88731cd4d6a7bbf88d"),
}
SEGMENTERS = {"sam": "sam", "mask2former": "mask2former", "detr": "panoptic"}  # the kind of mask, and the model that makes it
SHARED = ("vae", "text_encoder", "tokenizer", "safety_checker", "feature_extractor")  # what the rivals take from the painter
FULL_BYTES = 3_520_000_000  # about what FULL takes on disk: 167 MB, 609 MB and 2,742 MB
# And the numbers that it holds, to say how much memory it needs before it is here; the full-size test counts them again.
FULL_FINDERS = 41_631_008 + 151_277_313
FULL_PAINTER = {"unet": 859_535_364, "vae": 83_653_863, "text_encoder": 123_060_480, "safety_checker": 303_981_588}

@dataclass
class Models:
    """The three models and what belongs to them: what each understands, and how it wants to be asked."""

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
    reads: tuple[str, ...] = ("colour", "view", "pose")  # of an object's attributes, those that CLIP was taught to read
    colours: tuple[str, ...] = COLOURS  # that an object may have
    sure: float = 0.5  # from this probability on, what CLIP reads on an object goes into the caption, even if the prompt does not say it
    sketches: bool = True  # whether `sketch` knows the colours and outlines of these models' world
    steps: int = 12  # of denoising, unless the user says otherwise
    guidance: float = 3.0
    temperature: float = 0.3  # of the noise, where the painter starts from noise alone; 1, all of it, for a large one
    at_once: int = 32  # pictures that the memory holds in one call of the painter
    low_memory: bool = False
    text_features: dict[str, Any] = field(default_factory=dict, repr=False)  # CLIP's, of captions asked before
    optional: dict[str, Source] = field(default_factory=dict, repr=False)  # where the models lie that are loaded only when asked for
    loaded: dict[str, Any] = field(default_factory=dict, repr=False)  # and those that have been

    def has_segmenter(self, kind: str, at_hand: bool = False) -> bool:
        """Whether these weights have a model for masks of a kind; at_hand: in a folder here, and not on the Hub.

        Taught in notebook 07.
        """
        part = SEGMENTERS.get(kind)
        return part in self.optional and (not at_hand or self.optional[part].local)

    def segmenter(self, kind: str) -> tuple[Any, Any]:
        """The model and the processor that make masks of a kind ("sam", "mask2former", "detr"), loaded when first asked for.

        Raises WeightsError if these weights have none, or it cannot be had. Taught in notebook 07.
        """
        part = SEGMENTERS[kind]
        if part not in self.optional:
            others = [name for name, other in SEGMENTERS.items() if other in self.optional]
            raise WeightsError(f"The {self.name} weights have no {part}/ for masks by {kind}: choose {' or '.join(['box', *others])}.")
        if part not in self.loaded:
            self.loaded[part] = _segmenter(self.optional[part], part, self.name, self.device)
        return self.loaded[part]

    def rival(self, part: str) -> Any:
        """The pipeline that a rival edits with, loaded when first asked for: "text2image" (over DDIM) or "instruct-pix2pix".

        Its UNet and schedule are its own; autoencoder, text encoder and safety checker are the painter's, as they are the
        same in the whole Stable Diffusion family. Raises WeightsError if these weights have none, or it cannot be had.
        Taught in notebook 08.
        """
        if part not in self.optional:
            raise WeightsError(f"The {self.name} weights have no {part}/: train it with `textedit-lite train {part} --minutes 60 "
                               f"--out DIR`, and put DIR beside them as {part}/.")  # fmt: skip
        if part not in self.loaded:
            self.loaded[part] = _rival(self.optional[part], part, self)
        return self.loaded[part]

    @property
    def native(self) -> int:
        """Pixels a side of the crop that the painter was trained on."""
        return native_side(self.painter)


def native_side(painter) -> int:
    """Pixels a side of the crop that a painter was trained on: 512 for Stable Diffusion 1.5, 112 for the lite one.

    Taught in notebook 04.
    """
    return painter.unet.config.sample_size * painter.vae_scale_factor


def load_models(weights: str | Path = "lite", device: str | None = None, low_memory: bool | None = None) -> Models:
    """Load the `lite` models of this package, the `full` ones of the Hub, or those of a folder or of a weights file.

    weights: "lite"; "full"; a folder that holds detr/, clip/ and inpaint/ as `save_pretrained` writes them; or a .toml
    or .json file that names them (`read_sources`). "+lcm" behind any of these ("lite+lcm", "full+lcm") puts a LoRA on the
    painter, with which it takes four steps, and none of them twice for guidance (Luo et al., 2023; their
    `lcm`, or the folder's). If a folder lists checksums in SHA256SUMS, as lite does, every weights
    file is checked first; what comes from the Hub is fetched once, and from then on needs no network. Only safetensors
    are read, and no code of a repository is run. device: "cpu", "cuda", "mps"; by default the best that is there, and for
    lite the CPU.

    The painter computes in float16 on CUDA, in float32 elsewhere; DETR and CLIP always in float32. low_memory: the painter in
    half precision on every device, sliced attention (not on MPS) and autoencoder, one picture at a time, and on CUDA the
    painter's large parts on the GPU only while they work; None: only if the device's memory is too small without it. Computed, not
    measured, by `memory.holding`, the full-size models take 8.3 GB of a GPU (of the 16 GB of a T4) and 4.6 GB in low
    memory (of 8 GB); on a CPU 8.4 and 4.3 GB.

    Raises WeightsError if weights are missing, damaged, out of reach, or larger than the memory. Taught in notebook 01.
    """
    base, few = split_lcm(weights)
    # The lite models are no burden to a CPU, and so paint everywhere the same.
    device = check_device(device or ("cpu" if base == "lite" else best_device()))
    sources, name, optional = _located(base)
    if few and "lcm" not in optional:
        raise WeightsError(f"The {name} weights have no lcm/: train it with `textedit-lite train lcm --minutes 60 --out DIR`, and name "
                           'it in a weights file, lcm = "DIR".')  # fmt: skip
    return _load(sources, f"{name}{LCM}" if few else name, device, low_memory, optional)


def split_lcm(weights: str | Path) -> tuple[str, bool]:
    """The name of weights without "+lcm" at its end, and whether that was there."""
    base = str(weights).removesuffix(LCM)
    return base, base != str(weights)


def _located(weights: str) -> tuple[dict[str, Source], str, dict[str, Source]]:
    """Where the models of some weights are, what they are called, and where the optional ones are; see `load_models`."""
    if weights == "lite":
        folder = data_path("models", "lite")
        check_sums(folder)
        return {part: Source(str(folder / part)) for part in FULL}, "lite", _beside(folder)
    if weights == "full":
        return FULL, "full", OPTIONAL
    path = Path(os.path.expanduser(weights)).resolve()
    if path.suffix in (".toml", ".json") and path.is_file():
        sources = read_sources(path)
        optional = OPTIONAL | {part: sources.pop(part) for part in OPTIONAL if part in sources}
        return sources, str(path), optional
    missing = [part for part in FULL if not (path / part).is_dir()]
    if missing:
        parts = ", ".join(f"{part}/" for part in missing)
        raise WeightsError(f"The weights in {path} lack {parts}: give lite, full, a folder that has all of them, or a .toml file.")
    if (path / CHECKSUMS).exists():
        check_sums(path)
    return {part: Source(str(path / part)) for part in FULL}, str(path), _beside(path)


def fetch_weights(
    weights: str | Path = "full", agree: Callable[[str], bool] | None = None, say: Callable[[str], object] = print
) -> dict[str, Path]:
    """Bring weights into the Hub's cache ahead of time, and check them; returns their folders.

    weights: "full", one of OPTIONAL ("sam", ...), or a weights file, whose optional models come too if it names them;
    "full+lcm" is "full" and "lcm".

    agree: asked before a download, with a sentence that says how large it is; if it says no, nothing is downloaded and
    the result is empty. say: gets a line for each model that is there and whole: every file has a safetensors header
    that fits its length, and, where the cache links to its files (Windows has to allow that), the sha256 that the Hub gives.
    Raises WeightsError. Taught in notebook 01.
    """
    if str(weights) in ("full", f"full{LCM}"):
        sources = FULL | ({"lcm": OPTIONAL["lcm"]} if split_lcm(weights)[1] else {})
    elif str(weights) in OPTIONAL:
        sources = {str(weights): OPTIONAL[str(weights)]}
    elif (path := Path(os.path.expanduser(weights))).suffix in (".toml", ".json"):
        sources = read_sources(path)
    else:
        names = ", ".join(OPTIONAL)
        raise WeightsError(f"There is nothing to fetch for {str(weights)!r}: give full, {names}, or a .toml or .json file of models.")
    if todo := _absent(sources):
        size = _space_for(todo)
        names = ", ".join(source.path for source in todo.values())
        if agree and not agree(f"This downloads {gigabytes(size)} ({names}) into {hub.cache_folder()}."):
            return {}
    folders = {}
    for part, source in sources.items():
        folders[part] = hub.fetch(source, part)
        variant = _variant(folders[part], source) if part in ("inpaint", *hub.UNET_ALONE) else source.variant
        # What was fetched just now has been compared already.
        size = hub.verify(folders[part], variant, hashes=part not in todo)
        if not size:
            raise WeightsError(f"{source} holds no safetensors for {part}: {hub.INSTEAD}.")
        say(f"{part}: {source}, {gigabytes(size)}, whole.")
    return folders


def read_sources(path: Path | str) -> dict[str, Source]:
    """Where each of the models comes from, according to a weights file in TOML or JSON; what it does not name is that of `full`.

    It may also name the optional models (OPTIONAL: sam, text2image, ...).

        detr = "my-detr"                                    # a folder, relative to the file's
        clip = "openai/clip-vit-large-patch14"              # or an id on the Hub
        inpaint = { path = "sd2-community/stable-diffusion-2-inpainting", revision = "main", variant = "fp16" }

    Raises WeightsError for a file that cannot be read this way. Taught in notebook 01.
    """
    path = Path(path)
    known_parts = FULL | OPTIONAL
    folder = "a folder (with / between its names, on Windows too)"
    advice = f"name {', '.join(FULL)} (or {', '.join(OPTIONAL)}), each {folder}, an id, or a table of path, revision and variant"
    try:
        text = path.read_text(encoding="utf-8-sig")  # Windows' own editors put a mark in front
        given = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except (OSError, ValueError) as error:
        raise WeightsError(f"The weights file {path} cannot be read ({error}): {advice}.") from error
    if not isinstance(given, dict) or set(given) - set(known_parts):
        raise WeightsError(f"The weights file {path} names something else than models: {advice}.")
    sources = dict(FULL)
    for part, value in given.items():
        value = {"path": value} if isinstance(value, str) else value
        known = isinstance(value, dict) and set(value) <= {"path", "revision", "variant"}
        if not known or not all(isinstance(word, str) and word for word in value.values()):
            raise WeightsError(f"The weights file {path} says nothing that can be loaded of {part}: {advice}.")
        source = Source(**value) if "path" in value else replace(known_parts[part], **value)
        beside = (path.parent / os.path.expanduser(source.path)).resolve()
        if beside.is_dir():
            source = replace(source, path=str(beside), revision=None)
        elif source.path.count("/") != 1 or source.path.startswith((".", "/", "~")):
            raise WeightsError(f"The weights file {path} names for {part} a folder that is not there, {beside}: correct it.")
        sources[part] = source
    return sources


def best_device() -> str:
    """"cuda" or "mps" if torch has it, else "cpu"."""
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def check_device(device: str) -> str:
    """The device, if torch has it on this machine; raises SettingsError if not, as torch would complain late and in its own words."""
    import torch

    try:
        kind, index = (asked := torch.device(device)).type, asked.index or 0
    except RuntimeError:
        kind = None
    if kind not in ("cpu", "cuda", "mps"):  # `holding` does not know what others hold
        raise SettingsError(f"There is no device {device!r}: give cpu, cuda or mps.")
    if kind == "cpu":
        return kind  # there is one, whatever its number
    if kind == "cuda" and not torch.cuda.is_available():
        raise SettingsError("This torch sees no CUDA device: give cpu, or install a build of torch for your GPU.")
    if kind == "mps" and not torch.backends.mps.is_available():
        raise SettingsError("This torch sees no MPS device, the GPU of Apple's own chips: give cpu.")
    count = torch.cuda.device_count() if kind == "cuda" else 1
    if index >= count:
        raise SettingsError(f"There is no device {device!r}, as this torch sees {count} and counts from {kind}:0: give {kind}.")
    return str(asked)


def _beside(folder: Path) -> dict[str, Source]:
    """Those of the optional models that a folder holds."""
    return {part: Source(str(folder / part)) for part in OPTIONAL if (folder / part).is_dir()}


def _load(
    sources: dict[str, Source], name: str, device: str, low_memory: bool | None, optional: dict[str, Source]
) -> Models:
    import torch

    folders, few_steps = _brought(sources, name), {}
    # Before anything is loaded, which takes long and hides the bar of a download.
    lora = _brought_one(optional["lcm"], "lcm", name) if split_lcm(name)[1] else None
    variant = _variant(folders["inpaint"], sources["inpaint"])
    chosen = _planned(name, folders, variant, device, low_memory)
    half = torch.bfloat16 if device == "cpu" else torch.float16
    advice = f"`textedit-lite fetch {name}` checks the files; or use lite" if split_lcm(name)[0] == "full" else "check the folder"
    with loading(f"The {name} weights", advice):
        try:
            models = _loaded(folders, variant, name, device, half if chosen.half else torch.float32)
            if lora:
                few_steps = _few_steps(models.painter, lora)
            if chosen.low:
                _slice_attention(models.painter, device)
                models.painter.vae.enable_slicing()
            if chosen.offload:
                models.painter.enable_model_cpu_offload(device=device)
            else:
                models.painter.to(device)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise WeightsError(_too_large(name, chosen, device)) from error
    models.at_once, models.low_memory, models.optional = chosen.at_once, chosen.low, dict(optional)
    models.painter.set_progress_bar_config(disable=True)
    labels = models.detr.config.id2label
    models.categories = tuple(labels[i] for i in sorted(labels) if labels[i] not in ("N/A", "no object"))
    if len(models.clip_tokenizer) < FEW_WORDS:
        models.known_words = (*models.categories, *COLOURS, *VIEWS.values(), *POSES.values())
    else:  # photographs: CLIP tells their colours, but not how a thing is turned, and no palette fits them
        models.captions, models.steps, models.guidance = "a photo of {}", 30, 7.5
        models.reads, models.sketches, models.temperature = ("colour",), False, 1.0
        # Things have several colours there: a wrong word would be painted, and what is not said the painter sees around the mask.
        models.colours, models.sure = PHOTOGRAPHED, 0.8
        _from_all_noise(models.painter)
    return replace(models, **_preferred(folders["inpaint"]) | few_steps)


def _slice_attention(pipeline, device: str) -> None:
    """Have a pipeline compute its attention in slices, which takes less memory; on MPS the fused attention stays.

    The slices write into memory that nothing has cleared and that MPS reads (torch 2.13), so the picture may become black.
    """
    if not device.startswith("mps"):
        pipeline.enable_attention_slicing()


def _from_all_noise(painter) -> None:
    """Have a painter's few steps begin at the last timestep that it was trained on, as a painting begins from noise alone.

    Stable Diffusion's own spacing, "leading", begins its 4 steps at timestep 751 of 1000, where a quarter of what the U-Net sees
    should be picture already, and a single step at timestep 1; "trailing" always begins at 999 (Lin et al., 2023).
    """
    scheduler = painter.scheduler
    if scheduler.config.get("timestep_spacing") == "leading":
        painter.scheduler = type(scheduler).from_config(scheduler.config, timestep_spacing="trailing")


def _few_steps(painter, folder: Path) -> dict[str, int | float]:
    """Fuse the LoRA of a folder into a painter's UNet; returns the settings that it is made for (`_preferred`).

    A LoRA whose folder names no settings is a published one, and was distilled for the scheduler of LCM.
    """
    from diffusers import LCMScheduler

    painter.load_lora_weights(str(folder), weight_name=hub.LORA, local_files_only=True)
    painter.fuse_lora()
    painter.unload_lora_weights()
    preferred = _preferred(folder)
    if not preferred:
        painter.scheduler = LCMScheduler.from_config(painter.scheduler.config)
    return preferred or LCM_PREFERRED


def _brought(sources: dict[str, Source], name: str) -> dict[str, Path]:
    """The folders of models, after a download of what is not here yet; before it begins, a line on stderr says how large it is.

    name: what `textedit-lite fetch` calls them. Raises WeightsError if they cannot be had.
    """
    if todo := _absent(sources):
        size = _space_for(todo)
        names = ", ".join(str(source) for source in todo.values())
        ahead = f"`textedit-lite fetch {name}` does this ahead of time"
        print(f"Downloading {gigabytes(size)} ({names}) into {hub.cache_folder()}; {ahead}.", file=sys.stderr, flush=True)
    return {part: hub.fetch(source, part) for part, source in sources.items()}


def _brought_one(source: Source, part: str, name: str) -> Path:
    """The folder of one of the OPTIONAL models, of the weights `name`, as `_brought` brings it."""
    return _brought({part: source}, part if source == OPTIONAL[part] else name)[part]


def _absent(sources: dict[str, Source]) -> dict[str, Source]:
    """Those of the models that are neither a folder nor in the Hub's cache."""
    return {part: source for part, source in sources.items() if not source.local and not hub.cached(source, part)}


def _space_for(sources: dict[str, Source]) -> int:
    """How many bytes a download of these models takes; raises WeightsError if the disk cannot hold them."""
    size = sum(hub.download_size(source, part) for part, source in sources.items())
    hub.check_space(size)
    return size


def _preferred(folder: Path) -> dict[str, int | float]:
    """What the file PREFERRED of a painter's or a LoRA's folder says of the `steps`, `guidance` and `temperature` of `Models`."""
    path = folder / PREFERRED
    if not path.exists():
        return {}
    try:
        preferred = json.loads(path.read_text(encoding="utf-8"))
        kinds = {"steps": (int, 1, 50), "guidance": ((int, float), 1, 50), "temperature": ((int, float), 0, 1)}
        if not all(isinstance(value, kinds[name][0]) and kinds[name][1] <= value <= kinds[name][2] for name, value in preferred.items()):
            raise ValueError("a number is out of range")
    except (OSError, ValueError, LookupError, AttributeError) as error:
        advice = "write steps or guidance in it, each from 1 to 50, or a temperature from 0 to 1"
        raise WeightsError(f"{path} cannot be read ({error}): {advice}.") from error
    return preferred


def _loaded(folders: dict[str, Path], variant: str | None, name: str, device: str, painting) -> Models:
    """The models as their libraries load them, but with nothing drawn at random and no processor of torchvision's."""
    from diffusers import StableDiffusionInpaintPipeline
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import AutoTokenizer, CLIPModel, CLIPTextModel, DetrForObjectDetection

    detr, clip, inpaint = (folders[part] for part in ("detr", "clip", "inpaint"))
    # The safety checker's processor would otherwise be the torchvision one, wherever torchvision is installed.
    own: dict[str, Any] = {"feature_extractor": image_processor(seen)} if (seen := inpaint / "feature_extractor").is_dir() else {}
    # The painter's own loading, too, would draw at random what the files of these two lack.
    index = json.loads((inpaint / "model_index.json").read_text(encoding="utf-8"))
    for part, kind in (("text_encoder", CLIPTextModel), ("safety_checker", StableDiffusionSafetyChecker)):
        if index.get(part, [None])[0]:
            kept = variant if variant and hub.weights_files(inpaint / part, variant) else None
            own[part] = whole_model(kind, inpaint / part, "cpu", dtype=painting, variant=kept)
    return Models(
        name=name,
        # "eager", as the fused attention does not return the weights that `attention_maps` shows
        detr=whole_model(DetrForObjectDetection, detr, device, attn_implementation="eager", **without_timm(detr)),
        detr_processor=image_processor(detr),
        clip=whole_model(CLIPModel, clip, device),
        clip_tokenizer=AutoTokenizer.from_pretrained(clip),
        clip_processor=image_processor(clip),
        painter=StableDiffusionInpaintPipeline.from_pretrained(
            inpaint, variant=variant, use_safetensors=True, **{dtype_argument(): painting}, **own
        ),
        device=device,
        categories=(),
    )


def load_clip(weights: str | Path, device: str) -> Models:
    """The CLIP of some weights without the other models, for a report, which only looks at pictures. Nothing is downloaded.

    weights: as in `load_models`. Raises WeightsError if their CLIP is damaged, or not here.
    """
    from transformers import CLIPModel

    sources, name, _ = _located(split_lcm(weights)[0])
    source = sources["clip"]
    if _absent({"clip": source}):
        raise WeightsError(f"The CLIP of the {name} weights is not here: `textedit-lite fetch {name}` downloads them.")
    folder = hub.fetch(source, "clip")
    with loading(f"The CLIP of the {name} weights", f"check {source}"):
        clip, processor = whole_model(CLIPModel, folder, device), image_processor(folder)
    return Models(name, None, None, clip, None, processor, None, device, ())


def lone_segmenter(folder: Path | str, part: str) -> tuple[Any, Any]:
    """A segmenter from a folder of its own, on the CPU: the model and its processor. Raises WeightsError."""
    if not (Path(folder) / "config.json").exists():
        raise WeightsError(f"No {part} lies in {folder}: train one with `textedit-lite train {part} --out {folder}`.")
    return _segmenter(Source(str(folder)), part, str(folder), "cpu")


def _segmenter(source: Source, part: str, name: str, device: str) -> tuple[Any, Any]:
    """One of the OPTIONAL models, whole and in float32, with its PIL image processor."""
    from transformers import DetrForSegmentation, Mask2FormerForUniversalSegmentation, SamModel

    folder = _brought_one(source, part, name)
    kind = {"sam": SamModel, "mask2former": Mask2FormerForUniversalSegmentation, "panoptic": DetrForSegmentation}[part]
    with loading(f"The {part} of the {name} weights", f"check {source}"):
        model = whole_model(kind, folder, device, **(without_timm(folder, (1, 2, 3, 4)) if part == "panoptic" else {}))
        return model, image_processor(folder)


def _rival(source: Source, part: str, models: Models) -> Any:
    """A rival's pipeline around the painter's parts, on its device and in its precision."""
    from diffusers import DDIMScheduler, StableDiffusionImg2ImgPipeline, StableDiffusionInstructPix2PixPipeline

    folder, painter = _brought_one(source, part, models.name), models.painter
    kind, channels = {
        "text2image": (StableDiffusionImg2ImgPipeline, 4), "instruct-pix2pix": (StableDiffusionInstructPix2PixPipeline, 8),
    }[part]  # fmt: skip
    shared = {name: getattr(painter, name, None) for name in SHARED}
    with loading(f"The {part} of the {models.name} weights", f"check {source}"):
        pipeline = kind.from_pretrained(
            folder, variant=_variant(folder, source), use_safetensors=True, image_encoder=None, **shared,
            requires_safety_checker=painter.safety_checker is not None, **{dtype_argument(): painter.unet.dtype},
        )  # fmt: skip
        if (given := pipeline.unet.config.in_channels) != channels:
            raise ValueError(f"its UNet takes {given} channels, not {channels}")
        if pipeline.unet.config.cross_attention_dim != painter.unet.config.cross_attention_dim:
            raise ValueError("its UNet reads another text encoder than the painter's")
    if part == "text2image":
        pipeline.scheduler = DDIMScheduler.from_config(pipeline.scheduler.config)
    if models.low_memory:
        _slice_attention(pipeline, models.device)
    if models.low_memory and models.device.startswith("cuda"):
        pipeline.enable_model_cpu_offload(device=models.device)
    else:
        pipeline.unet.to(models.device)
    pipeline.unet.eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _variant(folder: Path, source: Source) -> str | None:
    """The variant that was asked for; for a local folder, the one that it holds, as a copy of the Hub's may have no other."""
    if source.variant is None or source.local:
        stem = folder / "unet" / "diffusion_pytorch_model"
        if not stem.with_suffix(".safetensors").is_file() and stem.with_suffix(".fp16.safetensors").is_file():
            return "fp16"
        return source.variant if stem.with_suffix(f".{source.variant}.safetensors").is_file() else None
    return source.variant


def _planned(name: str, folders: dict[str, Path], variant: str | None, device: str, low_memory: bool | None) -> Holding:
    """How to hold the models: as asked, else in low memory if the device could never hold them otherwise.

    Its total memory decides, not what is free just now, so that the same machine always gives the same pictures. Raises
    WeightsError if not even the weights fit into what is free.
    """
    finders = sum(hub.parameters(folders[part]) for part in ("detr", "clip"))
    painter = {part: hub.parameters(folders["inpaint"] / part, variant) for part in hub.MODELS_OF_A_PAINTER}
    unet, vae = (_config(folders["inpaint"] / part) for part in ("unet", "vae"))
    narrow = vae.get("decoder_block_out_channels")  # of an AutoencoderTiny, whose first block is as wide as any
    side = unet.get("sample_size", 64) * 2 ** (len(narrow or vae.get("block_out_channels") or [None] * 4) - 1)
    needed = partial(holding, device.split(":")[0], finders, painter, side, channels=narrow[0] if narrow else CHANNELS)
    chosen = needed(low=bool(low_memory))
    if low_memory is None and chosen.need > ROOM * total_memory(device):
        chosen = needed(low=True)
    if chosen.weights > free_memory(device):
        raise WeightsError(_too_large(name, chosen, device))
    return chosen


def _config(folder: Path) -> dict[str, Any]:
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}  # the library will say so, in its own words


def _too_large(name: str, chosen: Holding, device: str) -> str:
    """A sentence with both numbers."""
    low = ("" if chosen.low else "ask for low_memory=True (`edit --low-memory`), ") + "close other programs, or use lite"
    needed = f"{gigabytes(chosen.weights)} for the weights and {gigabytes(chosen.need)} to paint"
    return f"The {name} weights need {needed}, and {device} has {gigabytes(free_memory(device))} free: {low}."
