"""What a training is asked for and begins with: checked before anything is drawn, and kept to recognise its run."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from typing import Any

from ..errors import SettingsError
from ..seed import check_seed

ORIGINS = ("samples", "vae", "text_encoder", "init")  # settings that checkpoints did not always hold


def check_settings(minutes: float, count: int = 1, seed: int = 0) -> None:
    """Raises SettingsError for no time to train, nothing to learn from, or a bad seed; all trainers call it first."""
    if not (math.isfinite(minutes) and minutes > 0):
        raise SettingsError(f"Training needs a time above 0, not {minutes:g} minutes: give --minutes 25, say.")
    if count < 1:
        raise SettingsError(f"Nothing can be learned from {count} drawn scenes or samples: give --count 1 or more.")
    check_seed(seed)


def origins(**models: Any) -> dict[str, str | None]:
    """The fingerprints of the models that a run begins with or trains through, by name; None for a model that is not there."""
    return {name: None if model is None else fingerprint(model.state_dict()) for name, model in models.items()}


def fingerprint(weights: Mapping[str, Any]) -> str:
    """A few digits of the sha256 of a model's weights, in float32, which tell it from other models."""
    digest = hashlib.sha256()
    for name, weight in sorted(weights.items()):
        digest.update(name.encode() + weight.detach().float().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:12]
