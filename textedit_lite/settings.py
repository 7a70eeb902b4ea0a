"""The settings of an edit: checked before anything is computed, and kept with the result so that it can be made again."""

from __future__ import annotations

from dataclasses import dataclass, field
from numbers import Integral

from .blend import check_feather
from .detect import check_threshold
from .errors import SettingsError
from .inpaint import check_settings
from .mask import check_grow
from .match import MATCHES, check_match, check_select
from .models import Models
from .seed import check_seed
from .segment import check_kind

ROUNDS = 3  # tries at most, unless the user says otherwise; `plan.SEEDS` and `plan.STRENGTHS` say what each does
# The parts that an edit can do without, to see what each is worth.
ABLATIONS = ("fusion", "crop", "refine", "guidance", "steps", "temperature", "straighten", "silhouette")


@dataclass(frozen=True)
class Settings:
    """Everything that is needed, with the picture, to make an edit again. None stands for the models' default."""

    prompt: str
    seed: int = 0
    steps: int | None = None
    guidance: float | None = None  # rounded to halves in each round (`plan.Plan.round`)
    threshold: float | None = None
    select: str | int | None = None
    grow: float | None = None
    rounds: int = ROUNDS
    weights: str = "lite"
    image: str | None = None  # where the picture and the mask were read from, and their sha256
    image_sha256: str | None = None
    mask: str | None = None  # one of segment.KINDS, or a file; None with a sha256 stands for a mask in memory
    mask_sha256: str | None = None
    feather: float | None = None
    sketch: bool | None = None  # start from a sketch? None: if the models' world has sketches and the mask is not the user's own
    ablate: str | None = None  # one of ABLATIONS
    match: str = MATCHES[0]  # what CLIP looks at, one of MATCHES
    editor: str = "ours"  # or the rival that made the edit, as `evaluate` calls it
    rival: dict[str, float] | None = field(default=None, hash=False)  # that rival's further settings (`rivals.settings_of`)
    device: str | None = None  # the kind of device that computed it: cpu, cuda or mps
    low_memory: bool | None = None


def make_settings(
    models: Models, prompt: str, *, seed: int = 0, steps: int | None = None, guidance: float | None = None,
    threshold: float | None = None, select: str | int | None = None, grow: float | None = None, rounds: int = ROUNDS,
    feather: float | None = None, sketch: bool | None = None, ablate: str | None = None, mask: str | None = None,
    match: str | None = None,
) -> Settings:  # fmt: skip
    """Settings with the models' own steps and guidance where none are given; mask: one of `segment.KINDS`.

    Raises SettingsError for the first setting that is not possible.
    """
    steps = models.steps if steps is None else steps
    guidance = models.guidance if guidance is None else guidance
    match = MATCHES[0] if match is None else match
    check_settings(steps, guidance, painter=models.painter)
    check_select(select)
    check_seed(seed)
    if not (isinstance(rounds, Integral) and 1 <= rounds <= 10):
        raise SettingsError(f"The editor cannot try {rounds} rounds: give a whole number from 1 to 10.")
    check_threshold(threshold)
    if grow is not None:
        check_grow(grow)
    if feather is not None:
        check_feather(feather)
    if ablate is not None and ablate not in ABLATIONS:
        raise SettingsError(f"An edit cannot do without {ablate!r}: choose one of {', '.join(ABLATIONS)}.")
    if mask is not None:
        check_kind(mask)
    check_match(match)
    # Plain numbers, because they are written to JSON, which takes none of numpy's.
    threshold, grow, feather = (None if value is None else float(value) for value in (threshold, grow, feather))
    return Settings(
        prompt, int(seed), int(steps), float(guidance), threshold, int(select) if isinstance(select, Integral) else select, grow,
        int(rounds), models.name, mask=mask, feather=feather, sketch=None if sketch is None else bool(sketch), ablate=ablate,
        match=match, device=models.device.split(":")[0], low_memory=models.low_memory,
    )  # fmt: skip
