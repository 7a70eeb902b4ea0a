"""Builds the full-size models of the public configurations in memory, with random numbers: they are as fast as trained ones.

Nothing is downloaded and nothing is written. `tiny` is the same architecture at its smallest, for trying out the code.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from textedit_lite.checkpoints import TIMM_DEPTHS
from textedit_lite.models import Models
from textedit_lite.vocabulary import COCO_IDS

MEAN, DEVIATION = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
WORDS = 49408  # size of CLIP's vocabulary: rows of its embedding, whichever of them are used
TOKENS = 77  # tokens that a text is padded to
# (width, heads, layers) of the transformers; everything else is left at the libraries' defaults, the public configuration.
SIZES: dict[str, dict[str, Any]] = {
    "random": {
        "detr": {}, "backbone": {"depths": TIMM_DEPTHS["resnet50"]}, "detector_side": 800,
        "clip": {"text": (512, 8, 12), "vision": (768, 12, 12), "projection": 512},
        "text_encoder": (768, 12, 12),
        "unet": {"sample_size": 64, "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768, "attention_head_dim": 8},
        "vae": {"sample_size": 512, "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
        "safety_checker": {"vision": (1024, 16, 24), "projection": 768, "patch_size": 14},
    },
    "tiny": {
        "detr": {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
                 "encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_queries": 20},
        "backbone": {"depths": (1,) * 4, "embedding_size": 8, "hidden_sizes": (8, 8, 16, 32)}, "detector_side": 64,
        "clip": {"text": (32, 2, 1), "vision": (32, 2, 1), "projection": 16},
        "text_encoder": (32, 2, 1),
        "unet": {"sample_size": 8, "block_out_channels": (32, 32), "cross_attention_dim": 32, "attention_head_dim": 2,
                 "layers_per_block": 1, "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
                 "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D")},
        "vae": {"sample_size": 64, "block_out_channels": (8,) * 4, "norm_num_groups": 8, "layers_per_block": 1},
        "safety_checker": {"vision": (32, 2, 1), "projection": 16, "patch_size": 32},
    },
}  # fmt: skip


def build(size: str, device: str, dtype) -> Models:
    """Models of one of SIZES on a device, the painter in `dtype`; DETR and CLIP are float32, as they are wherever they run.

    They take English, start from noise and paint once per seed, as the full weights do.
    """
    import torch

    torch.manual_seed(0)
    sizes, tokenizer = SIZES[size], _tokenizer()
    processors = _processors(sizes["detector_side"])
    with torch.device(device):  # the numbers are drawn where they stay: a GPU needs only seconds for them
        detr, clip = _detr(sizes["detr"], sizes["backbone"]).eval(), _clip(sizes["clip"]).eval()
        parts = _parts(sizes, dtype)
    painter = _pipeline(parts, tokenizer, processors["clip"])
    labels = detr.config.id2label
    return Models(
        name=size, detr=detr, detr_processor=processors["detr"], clip=clip, clip_tokenizer=tokenizer, clip_processor=processors["clip"],
        painter=painter, device=device, categories=tuple(labels[i] for i in sorted(labels) if labels[i] != "N/A"),
        captions="a photo of {}", reads=("colour",), sketches=False, steps=30, guidance=7.5, temperature=1.0,
    )  # fmt: skip


def parameters(models: Models) -> tuple[int, dict[str, int]]:
    """How many parameters DETR and CLIP have together, and how many each of the painter's parts has."""
    parts = ("unet", "vae", "text_encoder", "safety_checker")

    def count(model) -> int:
        return sum(p.numel() for p in model.parameters())

    return count(models.detr) + count(models.clip), {part: count(getattr(models.painter, part)) for part in parts}


def _detr(size: dict[str, Any], backbone: dict[str, Any]):
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

    labels = {i: "N/A" for i in range(91)} | {number: name for name, number in COCO_IDS.items()}
    names = {"id2label": labels, "label2id": {name: i for i, name in labels.items()}}
    config = DetrConfig(backbone_config=ResNetConfig(out_features=["stage4"], **backbone), **names, **size)
    return DetrForObjectDetection._from_config(config, attn_implementation="eager")


def _clip(size: dict[str, Any]):
    from transformers import CLIPConfig, CLIPModel

    vision = _tower(size["vision"]) | {"patch_size": 32, "image_size": 224}
    # With this id the library takes a text's largest number for its end; the public configuration still has it.
    text = _tower(size["text"]) | {"eos_token_id": 2}
    return CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=size["projection"]))


def _parts(sizes: dict[str, Any], dtype) -> dict[str, Any]:
    """The painter's models."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPTextConfig, CLIPTextModel

    checker = sizes["safety_checker"]
    seen = _tower(checker["vision"]) | {"patch_size": checker["patch_size"], "image_size": 224}
    blocks = {"down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4}
    text = _tower(sizes["text_encoder"]) | {"projection_dim": sizes["text_encoder"][0], "eos_token_id": 2}
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        parts = {
            "unet": UNet2DConditionModel(in_channels=9, out_channels=4, **sizes["unet"]),
            "vae": AutoencoderKL(latent_channels=4, **blocks, **sizes["vae"]),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**text)),
            "safety_checker": StableDiffusionSafetyChecker(CLIPConfig(vision_config=seen, projection_dim=checker["projection"])),
        }
    finally:
        torch.set_default_dtype(before)
    return {name: model.eval() for name, model in parts.items()}


def _pipeline(parts: dict[str, Any], tokenizer, extractor):
    from diffusers import DDIMScheduler, StableDiffusionInpaintPipeline

    schedule = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    )
    painter = StableDiffusionInpaintPipeline(**parts, tokenizer=tokenizer, scheduler=schedule, feature_extractor=extractor)
    painter.set_progress_bar_config(disable=True)
    return painter


def _tokenizer():
    """CLIP's byte-pair form with bytes alone: what a text costs depends on the padded length, not on how it is cut."""
    from transformers import CLIPTokenizer

    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in plain] + [chr(256 + n) for n in range(256 - len(plain))]
    tokens = [*letters, *(letter + "</w>" for letter in letters), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer(vocab={token: number for number, token in enumerate(tokens)}, merges=[], model_max_length=TOKENS)


def _processors(side: int) -> dict[str, Any]:
    """The image processors of the public repositories, described in the old terms that these use."""
    # Imported by its own path: in some versions (5.15) the library's top level needs torchvision, even for the PIL back end.
    from transformers.models.auto.image_processing_auto import AutoImageProcessor

    said = {
        "clip": {"crop_size": 224, "size": 224, "resample": 3, "image_mean": MEAN, "image_std": DEVIATION,
                 "do_center_crop": True, "do_normalize": True, "do_resize": True, "feature_extractor_type": "CLIPFeatureExtractor"},
        "detr": {"size": side, "max_size": round(1333 * side / 800), "image_mean": [0.485, 0.456, 0.406],
                 "image_std": [0.229, 0.224, 0.225], "do_normalize": True, "do_resize": True, "format": "coco_detection",
                 "feature_extractor_type": "DetrFeatureExtractor"},
    }  # fmt: skip
    found = {}
    for name, words in said.items():
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "preprocessor_config.json").write_text(json.dumps(words), encoding="utf-8")
            found[name] = AutoImageProcessor.from_pretrained(folder, backend="pil")
    return found


def _tower(size: tuple[int, int, int]) -> dict[str, int]:
    width, heads, layers = size
    return {"hidden_size": width, "intermediate_size": 4 * width, "num_attention_heads": heads, "num_hidden_layers": layers}
