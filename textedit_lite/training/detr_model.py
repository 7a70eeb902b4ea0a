"""Builds the lite DETR and gives it a start to learn from: trainable norms, and a decoder that copies a dense detector.

The architecture and the checkpoint's keys are those of `transformers.DetrForObjectDetection`; only initial values
are ours.
"""

from __future__ import annotations

import math

import torch
from torch import nn
from torch.nn import functional as F
from transformers import DetrConfig, DetrForObjectDetection, ResNetConfig
from transformers.models.detr.modeling_detr import DetrFrozenBatchNorm2d

from ..world.sprites import CATEGORIES

SIDE = 192  # short side of the network's input, in pixels
STRIDE = 16
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
GRID = 8  # queries a side: each starts by looking at its own point of this grid
FAST = 3  # how many of the sine embedding's fastest frequencies the starting attention uses
KERNEL = {"cross": 450.0, "self": 60.0}  # 1 / variance of the starting attention, picture widths ** -2


def build() -> DetrForObjectDetection:
    """A DETR of 2.2 M parameters for the small world's categories, with random weights and trainable batch norms.

    Taught in notebook 09.
    """
    backbone = ResNetConfig(
        embedding_size=32, hidden_sizes=[32, 64, 128], depths=[1, 2, 3], layer_type="basic", out_features=["stage3"]
    )
    config = DetrConfig(
        backbone_config=backbone, use_timm_backbone=False, num_channels=3, num_queries=GRID * GRID, d_model=128,
        encoder_layers=2, decoder_layers=3, encoder_attention_heads=4, decoder_attention_heads=4,
        encoder_ffn_dim=512, decoder_ffn_dim=512, dropout=0.0,
        id2label=dict(enumerate(CATEGORIES)), label2id={name: i for i, name in enumerate(CATEGORIES)},
    )  # fmt: skip
    model = DetrForObjectDetection(config)
    for block in (model.model.encoder, model.model.decoder):
        for layer in block.modules():
            if isinstance(layer, nn.Linear):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)
    for layer in model.bbox_predictor.layers:
        nn.init.xavier_uniform_(layer.weight)
    with torch.no_grad():  # boxes start in the middle of the picture, as large as an object
        model.bbox_predictor.layers[-1].weight.mul_(0.1)
        model.bbox_predictor.layers[-1].bias.copy_(torch.logit(torch.tensor([0.5, 0.5, 0.25, 0.25])))
        model.class_labels_classifier.bias[-1] = 2.0
        mute_positions(model.model.encoder.layers[-1].final_layer_norm)
    return thaw(model)


def thaw(model: nn.Module) -> nn.Module:
    """Replace DETR's frozen batch norms by trainable ones, in place; the keys stay the same, except `num_batches_tracked`."""
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, DetrFrozenBatchNorm2d):
                norm = nn.BatchNorm2d(child.weight.numel())
                norm.load_state_dict(child.state_dict(), strict=False)
                setattr(parent, name, norm)
    return model.requires_grad_(True)


def frozen_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The state as `DetrForObjectDetection.from_pretrained` expects it."""
    return {key: value for key, value in model.state_dict().items() if not key.endswith("num_batches_tracked")}


def fast_channels(width: int) -> list[int]:
    """Channels of a sine embedding that hold the fastest frequencies of y and of x."""
    return [*range(2 * FAST), *range(width // 2, width // 2 + 2 * FAST)]


@torch.no_grad()
def mute_positions(norm: nn.LayerNorm) -> None:
    """Keep content out of the channels by which the starting attention finds its place."""
    channels = fast_channels(norm.weight.numel())
    norm.weight[channels] = 0.0
    norm.bias[channels] = 0.0


@torch.no_grad()
def _look_near(attention: nn.Module, heads: int, precision: float) -> None:
    """Make an attention start as a Gaussian of the distance: q.k = c sum_i cos(2 pi d / period_i) in every head."""
    width = attention.q_proj.weight.shape[0]
    channels, size = fast_channels(width), width // heads
    periods = 10000 ** (2 * torch.arange(FAST) / (width // 2))
    curvature = float(((2 * math.pi / periods) ** 2).sum())
    scale = (precision / curvature * math.sqrt(size)) ** 0.5
    for projection in (attention.q_proj, attention.k_proj):
        for head in range(heads):
            rows = range(head * size, head * size + len(channels))
            projection.weight[list(rows)] = scale * torch.eye(width, device=projection.weight.device)[channels]


@torch.no_grad()
def start_decoder(model: DetrForObjectDetection) -> None:
    """Make the decoder a sparse copy of the detector that sits on the encoder.

    Query (i, j) starts with the sine embedding of its point of the grid, attends to the tokens around that point, and
    carries what the encoder's last norm standardised there up to the heads, unchanged. From there the set loss has to
    teach only what a dense detector cannot know: which of several queries answers for an object.
    Taught in notebook 09.
    """
    core, heads = model.model, model.config.decoder_attention_heads
    last = core.encoder.layers[-1].final_layer_norm
    core.query_position_embeddings.weight.copy_(_grid_embedding(core, GRID))
    width = last.weight.numel()
    live = torch.ones_like(last.weight)
    live[fast_channels(width)] = 0.0
    gain = live / torch.where(last.weight.abs() < 0.05, torch.ones(()), last.weight)
    for depth, layer in enumerate(core.decoder.layers):
        _look_near(layer.encoder_attn, heads, KERNEL["cross"])
        _look_near(layer.self_attn, heads, KERNEL["self"])
        share = 1.0 if depth == 0 else 0.3
        layer.encoder_attn.v_proj.weight.copy_(torch.diag(gain))
        layer.encoder_attn.v_proj.bias.copy_(-last.bias * gain)
        layer.encoder_attn.o_proj.weight.copy_(share * torch.eye(width))
        layer.self_attn.o_proj.weight.mul_(0.1)
        layer.mlp.fc2.weight.mul_(0.1)
        for norm in (layer.self_attn_layer_norm, layer.encoder_attn_layer_norm, layer.final_layer_norm):
            mute_positions(norm)
    core.decoder.layernorm.load_state_dict(last.state_dict())


def _grid_embedding(core: nn.Module, grid: int) -> torch.Tensor:
    """Sine embeddings [grid * grid, d] of the points ((j + 1/2) / grid, (i + 1/2) / grid) of the picture."""
    half, tokens = core.config.d_model // 2, SIDE // STRIDE
    index = torch.arange(half)
    periods = 10000 ** (2 * torch.div(index, 2, rounding_mode="floor") / half)
    # A token's centre lies half a token before the coordinate that DETR assigns to it.
    angle = 2 * math.pi * ((torch.arange(grid) + 0.5) / grid + 0.5 / tokens)[:, None] / periods
    line = torch.where(index % 2 == 0, angle.sin(), angle.cos())  # [grid, d / 2]
    return torch.cat([line[:, None].expand(-1, grid, -1), line[None].expand(grid, -1, -1)], -1).reshape(grid * grid, -1)


def normalise(images: torch.Tensor) -> torch.Tensor:
    """Normalises uint8 [B, H, W, 3] -> float [B, 3, H, W], as the image processor does it. Taught in notebook 09."""
    mean, std = (torch.tensor(v, device=images.device) for v in (MEAN, STD))
    return ((images.float() / 255 - mean) / std).permute(0, 3, 1, 2)


def encode(model: DetrForObjectDetection, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, tuple[int, int]]:
    """Encoder's tokens [B, HW, d], position embeddings [1, HW, d], (H, W): DETR's forward without a padding mask.

    Taught in notebook 09.
    """
    core = model.model
    feature = core.input_projection(core.backbone.model(pixels).feature_maps[-1])
    grid = (feature.shape[-2], feature.shape[-1])
    positions = core.position_embedding((1, *feature.shape[1:]), feature.device, torch.float32)
    positions = positions.flatten(2).transpose(1, 2)
    tokens = feature.flatten(2).transpose(1, 2)
    for layer in core.encoder.layers:
        tokens = layer(tokens, None, spatial_position_embeddings=positions)
    return tokens.float(), positions, grid


def decode(model: DetrForObjectDetection, tokens: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
    """The normed states of every decoder layer [L, B, Q, d]; the last are what `DetrForObjectDetection` feeds its heads.

    Taught in notebook 09.
    """
    decoder = model.model.decoder
    queries = model.model.query_position_embeddings.weight[None].expand(len(tokens), -1, -1)
    state, states = torch.zeros_like(queries), []
    for layer in decoder.layers:
        state = layer(state, None, positions, queries, tokens)
        states.append(decoder.layernorm(state))
    return torch.stack(states)


def heads(model: DetrForObjectDetection, states: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Class logits [..., labels + 1] and boxes [..., 4], cxcywh in 0..1. Taught in notebook 09."""
    return model.class_labels_classifier(states), F.sigmoid(model.bbox_predictor(states))
