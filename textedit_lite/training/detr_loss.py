"""The two losses of the lite DETR: one answer per token for the encoder, one answer per object for the decoder."""

from __future__ import annotations

import torch
from scipy.optimize import linear_sum_assignment
from torch.nn import functional as F

L1_WEIGHT, GIOU_WEIGHT = 5.0, 2.0  # Carion et al., 2020
CORE = 0.7  # tokens within this fraction of a box's half sides answer for its object


def corners(boxes: torch.Tensor) -> torch.Tensor:
    """cxcywh -> xyxy, [..., 4]. Taught in notebook 09."""
    centre, half = boxes[..., :2], boxes[..., 2:] / 2
    return torch.cat([centre - half, centre + half], -1)


def giou(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Generalised IoU (Rezatofighi et al., 2019) of xyxy boxes, with broadcasting: [..., 4] x [..., 4] -> [...]."""
    inner = (torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2])).clamp(min=0).prod(-1)
    outer = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - inner
    return inner / (union + 1e-7) - (outer - union) / (outer + 1e-7)


def box_loss(predicted: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """5 L1 + 2 (1 - GIoU) of each pair of cxcywh boxes: [N, 4] x [N, 4] -> [N]."""
    return L1_WEIGHT * (predicted - true).abs().sum(-1) + GIOU_WEIGHT * (1 - giou(corners(predicted), corners(true)))


def dense_targets(
    labels: torch.Tensor, boxes: torch.Tensor, grid: tuple[int, int], nothing: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What each token should answer: classes [B, HW] and boxes [B, HW, 4]; truth padded, [B, M] (-1 = none) and [B, M, 4].

    A token answers for the object in whose core it lies; of several, for the one whose centre is nearest in units of its
    sides. Every object has at least the token nearest to its centre.
    """
    height, width = grid
    ys, xs = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    points = torch.stack([xs, ys], -1).reshape(1, -1, 1, 2).to(boxes)
    off = (points - boxes[:, None, :, :2]).abs() / (boxes[:, None, :, 2:] / 2).clamp(min=1e-3)
    distance = off.amax(-1).masked_fill((labels < 0)[:, None], float("inf"))  # [B, HW, M]
    nearest = distance.argmin(1, keepdim=True)
    owned = distance.gather(1, nearest).clamp(max=0.99 * CORE).masked_fill((labels < 0)[:, None], float("inf"))
    distance = distance.scatter(1, nearest, owned)
    best, owner = distance.min(-1)
    classes = labels.gather(1, owner).masked_fill(best > CORE, nothing)
    return classes, boxes.gather(1, owner[..., None].expand(-1, -1, 4))


def dense_loss(logits, predicted, labels, boxes, grid, nothing_weight: float = 0.3) -> dict[str, torch.Tensor]:
    """Cross-entropy and box loss of the encoder's tokens against `dense_targets`: logits [B, HW, C + 1]."""
    nothing = logits.shape[-1] - 1
    classes, true = dense_targets(labels, boxes, grid, nothing)
    weight = torch.ones(nothing + 1, device=logits.device)
    weight[-1] = nothing_weight
    some = classes != nothing
    return {
        "class": F.cross_entropy(logits.flatten(0, 1), classes.flatten(), weight),
        "box": box_loss(predicted[some], true[some]).sum() / some.sum().clamp(min=1),
    }


@torch.no_grad()
def match(
    logits: torch.Tensor, predicted: torch.Tensor, labels: torch.Tensor, boxes: torch.Tensor
) -> tuple[torch.Tensor, ...]:
    """Hungarian matching: indices (row, query, object) of each row's cheapest one-to-one pairing (DETR, equation 1).

    logits [R, Q, C + 1], predicted [R, Q, 4]; truth padded: labels [R, M] (-1 = none), boxes [R, M, 4].
    """
    chance = logits.softmax(-1).gather(2, labels.clamp(min=0)[:, None].expand(-1, logits.shape[1], -1))
    apart = (predicted[:, :, None] - boxes[:, None]).abs().sum(-1)
    overlap = giou(corners(predicted)[:, :, None], corners(boxes)[:, None])
    cost = (L1_WEIGHT * apart - GIOU_WEIGHT * overlap - 1.0 * chance).cpu().numpy()
    rows, queries, objects = [], [], []
    for row, count in enumerate((labels >= 0).sum(1).tolist()):
        query, thing = linear_sum_assignment(cost[row, :, :count])
        rows += [row] * count
        queries += query.tolist()
        objects += thing.tolist()
    return tuple(torch.tensor(v, dtype=torch.long, device=logits.device) for v in (rows, queries, objects))


def set_loss(logits, predicted, labels, boxes, nothing_weight: float = 0.1) -> dict[str, torch.Tensor]:
    """DETR's set loss: logits [L, B, Q, C + 1], predicted [L, B, Q, 4], padded truth [B, ...].

    Every decoder layer is matched on its own, and the mean over the layers is returned (the paper sums them).
    Taught in notebook 09.
    """
    layers, nothing = len(logits), logits.shape[-1] - 1
    logits, predicted = logits.flatten(0, 1), predicted.flatten(0, 1)
    labels, boxes = labels.repeat(layers, 1), boxes.repeat(layers, 1, 1)
    row, query, thing = match(logits, predicted, labels, boxes)
    classes = torch.full(logits.shape[:2], nothing, device=logits.device)
    classes[row, query] = labels[row, thing]
    weight = torch.ones(nothing + 1, device=logits.device)
    weight[-1] = nothing_weight
    return {
        "class": F.cross_entropy(logits.flatten(0, 1), classes.flatten(), weight),
        "box": box_loss(predicted[row, query], boxes[row, thing]).sum() / max(1, len(row)),
    }
