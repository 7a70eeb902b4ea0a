"""Builds the full models' architectures with random numbers, and lays them out in a cache exactly as the Hub's client does."""

from __future__ import annotations

import hashlib
import json
import os
from itertools import product
from pathlib import Path

import numpy as np

from textedit_lite.checkpoints import TIMM_DEPTHS
from textedit_lite.hub import Source
from textedit_lite.models import FULL
from textedit_lite.vocabulary import COCO_IDS

WORDS = 49408  # tokens of CLIP's vocabulary
MEAN, DEVIATION = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
# What the Hub's repositories say, in the old form in which they say it.
CLIP_PROCESSOR = {
    "crop_size": 224, "do_center_crop": True, "do_normalize": True, "do_resize": True, "resample": 3, "size": 224,
    "feature_extractor_type": "CLIPFeatureExtractor", "image_mean": MEAN, "image_std": DEVIATION,
}  # fmt: skip
DETR_PROCESSOR = {
    "do_normalize": True, "do_resize": True, "feature_extractor_type": "DetrFeatureExtractor",
    "format": "coco_detection", "image_mean": [0.485, 0.456, 0.406], "image_std": [0.229, 0.224, 0.225],
    "max_size": 1333, "size": 800,
}  # fmt: skip
# The sizes of the public configurations, and the smallest ones of the same shape.
FULL_SIZE = {
    "detr": {},
    "clip": {"text": (512, 8, 12), "vision": (768, 12, 12), "projection": 512},
    "text_encoder": (768, 12, 12),
    "unet": {"sample_size": 64, "block_out_channels": (320, 640, 1280, 1280), "cross_attention_dim": 768, "attention_head_dim": 8},
    "vae": {"sample_size": 512, "block_out_channels": (128, 256, 512, 512), "layers_per_block": 2},
    "safety_checker": {"vision": (1024, 16, 24), "projection": 768, "patch_size": 14},
}
SMALL_SIZE = {
    "detr": {"d_model": 32, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
             "encoder_attention_heads": 2, "decoder_attention_heads": 2, "num_queries": 20},
    "clip": {"text": (32, 2, 1), "vision": (32, 2, 1), "projection": 16},
    "text_encoder": (32, 2, 1),
    "unet": {"sample_size": 16, "block_out_channels": (32, 32, 32, 32), "cross_attention_dim": 32, "attention_head_dim": 2,
             "layers_per_block": 1},
    "vae": {"sample_size": 128, "block_out_channels": (32, 32, 32, 32), "layers_per_block": 1},
    "safety_checker": {"vision": (32, 2, 1), "projection": 16, "patch_size": 32},
}  # fmt: skip


def build(folder: Path, sizes: dict, detector_side: int = 800) -> dict[str, Path]:
    """The three repositories, one folder each, as `snapshot_download` would bring them."""
    import torch

    torch.manual_seed(0)
    parts = {part: folder / part for part in FULL}
    for path in parts.values():
        path.mkdir(parents=True)
    _detr(parts["detr"], sizes["detr"], detector_side)
    _clip(parts["clip"], sizes["clip"])
    _painter(parts["inpaint"], sizes)
    return parts


def publish(cache: Path, source: Source, folder: Path) -> Path:
    """Move a repository's files into a cache: blobs by their hash, a snapshot of links to them, and its revision."""
    home = cache / f"models--{source.path.replace('/', '--')}"
    snapshot = home / "snapshots" / source.revision
    (home / "blobs").mkdir(parents=True)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        with open(path, "rb") as file:  # the Hub names large files by sha256, small ones by git's sha1
            kind = "sha256" if path.suffix == ".safetensors" else "sha1"
            digest = hashlib.file_digest(file, kind).hexdigest()
        blob, link = home / "blobs" / digest, snapshot / path.relative_to(folder)
        path.replace(blob)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(os.path.relpath(blob, link.parent))
    return snapshot


def write_json(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def with_timm_names(tensors: dict) -> dict:
    """A DETR's tensors under the names of the branch "main", whose ResNet is timm's."""
    renamed = {}
    for name, tensor in tensors.items():
        inner = name.removeprefix("model.backbone.conv_encoder.model.")
        if inner != name:
            if inner.startswith("embedder.embedder."):
                inner = inner.replace("embedder.embedder.convolution", "conv1").replace("embedder.embedder.normalization", "bn1")
            else:
                _, _, stage, _, block, *rest = inner.split(".")
                if rest[0] == "shortcut":
                    own = f"downsample.{['convolution', 'normalization'].index(rest[1])}"
                else:
                    own = ("conv" if rest[2] == "convolution" else "bn") + str(int(rest[1]) + 1)
                inner = f"layer{int(stage) + 1}.{block}.{own}.{rest[-1]}"
        renamed["model.backbone.conv_encoder.model." + inner if inner != name else name] = tensor
    return renamed


def _detr(folder: Path, size: dict, side: int) -> None:
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig

    labels = {i: "N/A" for i in range(91)} | {number: name for name, number in COCO_IDS.items()}
    backbone = ResNetConfig(depths=TIMM_DEPTHS["resnet50"], out_features=["stage4"])
    config = DetrConfig(backbone_config=backbone, id2label=labels, label2id={name: i for i, name in labels.items()}, **size)
    model = DetrForObjectDetection(config)
    for name, buffer in model.named_buffers():  # the frozen norms' statistics, or a deep random net says nothing at all
        if "running_var" in name or "running_mean" in name:
            buffer.copy_(torch.rand_like(buffer) + ("var" in name))
    model.save_pretrained(folder)
    path = folder / "model.safetensors"
    tensors = with_timm_names(load_file(path))
    path.unlink()
    save_file(tensors, path, {"format": "pt"})
    written = json.loads((folder / "config.json").read_text())
    written.pop("backbone_config")
    write_json(folder / "config.json", written | {"backbone": "resnet50", "use_timm_backbone": True, "use_pretrained_backbone": True})
    scale = side / 800
    write_json(folder / "preprocessor_config.json", DETR_PROCESSOR | {"size": side, "max_size": round(1333 * scale)})


def _clip(folder: Path, size: dict) -> None:
    from transformers import CLIPConfig, CLIPModel, CLIPTokenizer

    config = CLIPConfig(
        text_config=_tower(size["text"]) | {"eos_token_id": 2}, projection_dim=size["projection"],
        vision_config=_tower(size["vision"]) | {"patch_size": 32, "image_size": 224},
    )  # fmt: skip
    CLIPModel(config).save_pretrained(folder)
    write_json(folder / "preprocessor_config.json", CLIP_PROCESSOR)
    write_vocabulary(folder)
    CLIPTokenizer.from_pretrained(folder).save_pretrained(folder)


def _painter(folder: Path, sizes: dict) -> None:
    import torch
    from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionInpaintPipeline, UNet2DConditionModel
    from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
    from transformers import CLIPConfig, CLIPTextConfig, CLIPTextModel

    checker = sizes["safety_checker"]
    torch.set_default_dtype(torch.float16)
    try:
        models = {
            "unet": UNet2DConditionModel(in_channels=9, out_channels=4, **sizes["unet"]),
            "vae": AutoencoderKL(
                down_block_types=["DownEncoderBlock2D"] * 4, up_block_types=["UpDecoderBlock2D"] * 4, latent_channels=4, **sizes["vae"]
            ),
            "text_encoder": CLIPTextModel(CLIPTextConfig(**_tower(sizes["text_encoder"]), projection_dim=sizes["text_encoder"][0])),
            "safety_checker": StableDiffusionSafetyChecker(CLIPConfig(
                vision_config=_tower(checker["vision"]) | {"patch_size": checker["patch_size"], "image_size": 224},
                projection_dim=checker["projection"],
            )),
        }  # fmt: skip
    finally:
        torch.set_default_dtype(torch.float32)
    for name, model in models.items():
        model.to(torch.float16).save_pretrained(folder / name, variant="fp16")
    DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False, steps_offset=1
    ).save_pretrained(folder / "scheduler")
    write_vocabulary(folder / "tokenizer")
    write_json(folder / "feature_extractor/preprocessor_config.json", CLIP_PROCESSOR)
    write_json(folder / "model_index.json", {
        "_class_name": StableDiffusionInpaintPipeline.__name__, "_diffusers_version": "0.6.0",
        "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"], "scheduler": ["diffusers", "DDIMScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "tokenizer": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"],
    })  # fmt: skip


def build_rival(folder: Path, part: str, sizes: dict) -> Path:
    """What is wanted of the repository of a rival, "text2image" or "instruct-pix2pix": UNet, schedule and index."""
    import torch
    from diffusers import EulerAncestralDiscreteScheduler, PNDMScheduler, UNet2DConditionModel

    torch.manual_seed(1)
    unet = UNet2DConditionModel(in_channels=4 if part == "text2image" else 8, out_channels=4, **sizes["unet"])
    betas = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
    if part == "text2image":
        kind, scheduler = "StableDiffusionPipeline", PNDMScheduler(**betas, skip_prk_steps=True, set_alpha_to_one=False)
        unet.half().save_pretrained(folder / "unet", variant="fp16")
    else:
        kind, scheduler = "StableDiffusionInstructPix2PixPipeline", EulerAncestralDiscreteScheduler(**betas)
        unet.save_pretrained(folder / "unet")
    scheduler.save_pretrained(folder / "scheduler")
    written = json.loads((folder / "scheduler/scheduler_config.json").read_text())
    write_json(folder / "scheduler/scheduler_config.json", written | {"clip_sample": False})  # as the Hub's files have it
    write_json(folder / "model_index.json", {
        "_class_name": kind, "_diffusers_version": "0.13.0", "feature_extractor": ["transformers", "CLIPImageProcessor"],
        "requires_safety_checker": True, "safety_checker": ["stable_diffusion", "StableDiffusionSafetyChecker"],
        "scheduler": ["diffusers", type(scheduler).__name__], "text_encoder": ["transformers", "CLIPTextModel"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "unet": ["diffusers", "UNet2DConditionModel"],
        "vae": ["diffusers", "AutoencoderKL"],
    })  # fmt: skip
    return folder


def build_lora(folder: Path, sizes: dict, rank: int = 2, alpha: float = 1.0) -> dict:
    """What is wanted of the repository of the LoRA for few steps, under the names that it uses; the changes, by layer."""
    import torch
    from diffusers import UNet2DConditionModel
    from safetensors.torch import save_file

    torch.manual_seed(2)
    layers = ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2", "conv1", "conv2",
              "conv_shortcut", "time_emb_proj", "downsamplers.0.conv", "upsamplers.0.conv")  # fmt: skip
    written, changes = {}, {}
    for name, weight in UNet2DConditionModel(in_channels=9, out_channels=4, **sizes["unet"]).state_dict().items():
        layer, _, kind = name.rpartition(".")
        if kind != "weight" or not layer.endswith(layers):
            continue
        down, up = 0.1 * torch.randn(rank, *weight.shape[1:]), 0.1 * torch.randn(len(weight), rank, *[1] * (weight.ndim - 2))
        key = f"lora_unet_{layer.replace('.', '_')}"
        written |= {f"{key}.lora_down.weight": down.half(), f"{key}.lora_up.weight": up.half(), f"{key}.alpha": torch.tensor(alpha)}
        changes[name] = (alpha / rank * up.flatten(1) @ down.flatten(1)).view_as(weight)
    folder.mkdir(parents=True)
    save_file({name: tensor.contiguous() for name, tensor in written.items()}, folder / "pytorch_lora_weights.safetensors")
    return changes


def _tower(size: tuple[int, int, int]) -> dict:
    width, heads, layers = size
    return {"hidden_size": width, "intermediate_size": 4 * width, "num_attention_heads": heads, "num_hidden_layers": layers}


def write_vocabulary(folder: Path) -> None:
    """A byte-pair vocabulary of CLIP's size and form: its bytes are the real ones, its merges the first that come to mind."""
    folder.mkdir(parents=True, exist_ok=True)
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = [chr(b) for b in plain] + [chr(256 + n) for n in range(256 - len(plain))]
    alphabet = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    merges = [(a, b + end) for end in ("", "</w>") for a, b in product(alphabet, repeat=2)]
    merges += [(a + b, c + end) for end in ("", "</w>") for a, b, c in product(alphabet, repeat=3)]
    merges += [(a + b + c, d + "</w>") for a, b, c, d in product(alphabet, repeat=4)]
    merges = merges[: WORDS - 2 - 2 * 256]
    tokens = [*letters, *(letter + "</w>" for letter in letters), *(a + b for a, b in merges), "<|startoftext|>", "<|endoftext|>"]
    write_json(folder / "vocab.json", {token: number for number, token in enumerate(tokens)})
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges), encoding="utf-8")
    start, end = "<|startoftext|>", "<|endoftext|>"
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "do_lower_case": True, "errors": "replace",
        "bos_token": start, "eos_token": end, "unk_token": end, "pad_token": end, "add_prefix_space": False,
    })  # fmt: skip
    write_json(folder / "special_tokens_map.json", {"bos_token": start, "eos_token": end, "unk_token": end, "pad_token": end})


def a_drawn_photograph(size: tuple[int, int] = (640, 480)):
    """A scene of the small world, with noise, where no photograph is at hand."""
    from PIL import Image

    from textedit_lite.world.scenes import make_scene, render

    picture = render(make_scene(7, size=size)).convert("RGB")
    noise = np.random.default_rng(0).normal(0, 8, (size[1], size[0], 3))
    return Image.fromarray((np.asarray(picture) + noise).clip(0, 255).astype(np.uint8))
