"""Reads a checkpoint into its library's class, completely or with an error, and without the library's notices, torchvision or timm."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from . import hub
from .errors import WeightsError
from .memory import is_out_of_memory

# The layers of DETR's ResNet, timm's names to transformers' own: timm does not import beside every build of torch.
_STAGE = r"conv_encoder.model.layer{}.(\d+)."
_LAYER = r"conv_encoder.model.encoder.stages.{}.layers.\1."
TIMM_NAMES = {
    r"conv_encoder.model.conv1.": "conv_encoder.model.embedder.embedder.convolution.",
    r"conv_encoder.model.bn1.": "conv_encoder.model.embedder.embedder.normalization.",
}
for _i in range(4):
    for _k in range(3):
        TIMM_NAMES[_STAGE.format(_i + 1) + f"conv{_k + 1}."] = _LAYER.format(_i) + f"layer.{_k}.convolution."
        TIMM_NAMES[_STAGE.format(_i + 1) + f"bn{_k + 1}."] = _LAYER.format(_i) + f"layer.{_k}.normalization."
    TIMM_NAMES[_STAGE.format(_i + 1) + "downsample.0."] = _LAYER.format(_i) + "shortcut.convolution."
    TIMM_NAMES[_STAGE.format(_i + 1) + "downsample.1."] = _LAYER.format(_i) + "shortcut.normalization."
TIMM_DEPTHS = {"resnet50": [3, 4, 6, 3], "resnet101": [3, 4, 23, 3]}


@contextlib.contextmanager
def loading(what: str, advice: str) -> Iterator[None]:
    """Keeps the libraries' bars and notices off terminal and notebook while they load.

    Whatever they raise becomes a WeightsError, which says that `what` cannot be loaded, why, and gives the advice.
    """
    from diffusers.utils import logging as diffusers_log
    from safetensors import SafetensorError
    from transformers.utils import logging as transformers_log

    logs = (diffusers_log, transformers_log)
    before = [(log.get_verbosity(), log.is_progress_bar_enabled()) for log in logs]
    for log in logs:
        log.set_verbosity_error()
        log.disable_progress_bar()
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError, RuntimeError, MemoryError, ImportError, SafetensorError) as error:
        if is_out_of_memory(error):
            raise WeightsError(f"{what} find no room in the memory: close other programs, or use lite.") from error
        reason = " ".join(str(error).split()).split(". ")[0][:160].rstrip(".")
        raise WeightsError(f"{what} cannot be loaded ({reason}): {advice}.") from error
    finally:
        for log, (level, bars) in zip(logs, before, strict=True):
            log.set_verbosity(level)
            if bars:
                log.enable_progress_bar()


def whole_model(kind, folder: Path, device: str, **options):
    """A model from its safetensors, in eval mode; raises ValueError for what the file lacks, which the library would draw at random."""
    import torch

    options = {"dtype": torch.float32, **options}
    model, report = kind.from_pretrained(folder, use_safetensors=True, output_loading_info=True, **options)
    # A part may do without what its class as a whole has: Swin's last norm, which Mask2Former does not look at.
    spared = [pattern for part in model.modules() for pattern in getattr(part, "_keys_to_ignore_on_load_missing", None) or ()]
    missing = [key for key in report["missing_keys"] if not any(re.search(pattern, key) for pattern in spared)]
    if lacking := sorted({*missing, *(key for key, *_ in report["mismatched_keys"])}):
        raise ValueError(f"{folder} lacks {len(lacking)} tensors, as {lacking[0]}")
    return model.to(device).eval()


def image_processor(folder: Path):
    """A model's image processor, by the PIL back end: torchvision's does not resize to the same pixels."""
    # By its own path: the library's front door wants torchvision in some versions (5.15), even for the PIL back end.
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    return AutoImageProcessor.from_pretrained(folder, backend="pil")


def without_timm(folder: Path, stages: Sequence[int] = (4,)) -> dict[str, Any]:
    """The options that make DETR read a checkpoint with timm's backbone into transformers' own ResNet, which has the same layers.

    stages: those of the ResNet whose features are asked for; the panoptic head wants them all.
    """
    from transformers import DetrConfig, ResNetConfig

    options: dict[str, Any] = {}
    config = DetrConfig.from_pretrained(folder)
    backbone = config.backbone_config
    if getattr(backbone, "model_type", None) == "timm_backbone":
        if backbone.backbone not in TIMM_DEPTHS or config.dilation:
            raise ValueError(f"the backbone {backbone.backbone} of {folder} cannot be read without timm")
        config.backbone_config = ResNetConfig(depths=TIMM_DEPTHS[backbone.backbone], out_features=[f"stage{i}" for i in stages])
        options["config"] = config
    # The names are the file's, whatever the configuration says: a model that was read so is also saved so.
    if any("conv_encoder.model.conv1." in name for path in hub.weights_files(folder) for name in hub.header(path)):
        options["key_mapping"] = TIMM_NAMES
    return options


def dtype_argument() -> str:
    """What this diffusers calls the argument: 0.40 renamed it, and a name that diffusers does not know, it ignores."""
    from importlib.metadata import version

    return "dtype" if tuple(int(part) for part in version("diffusers").split(".")[:2]) >= (0, 40) else "torch_dtype"
