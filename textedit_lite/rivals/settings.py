"""The rivals' settings: which each has, in which range, and which values were found to suit each family of weights best."""

from __future__ import annotations

from numbers import Integral, Real

from ..errors import SettingsError
from ..models import Models

# Name -> (lowest, highest, whole numbers only).
RANGES = {
    "steps": (1, 1000, True),
    "guidance": (1, 50, False),  # by the words (Ho & Salimans, 2022)
    "image_guidance": (1, 50, False),  # by the picture (Brooks et al., 2023, equation 3)
    "temperature": (0, 1, False),  # of the noise that a picture is drawn from (`inpaint.noise`)
    "strength": (0.01, 1, False),  # how far into the noise an edit goes
    "noise": (0.01, 1, False),  # DiffEdit: how noisy the picture is when the two captions are compared,
    "maps": (1, 100, True),  # with how many noises they are compared,
    "threshold": (0.1, 20, False),  # and how many times the picture's mean contrast a place must exceed to be repainted
}
UNET_OF = {"sdedit": "text2image", "diffedit": "text2image", "instruct-pix2pix": "instruct-pix2pix"}
LITE, FULL = "lite", "full"
# For `full`, what the papers and the published checkpoints recommend; for `lite`, see docs/rivals.md.
DEFAULTS: dict[str, dict[str, dict[str, float]]] = {
    "sdedit": {
        LITE: {"steps": 25, "guidance": 7.5, "strength": 0.3},
        FULL: {"steps": 50, "guidance": 7.5, "strength": 0.6},
    },
    "diffedit": {
        LITE: {"steps": 25, "guidance": 3.0, "strength": 0.8, "noise": 0.3, "maps": 10, "threshold": 2.0},
        FULL: {"steps": 50, "guidance": 7.5, "strength": 0.7, "noise": 0.5, "maps": 10, "threshold": 1.5},
    },
    "instruct-pix2pix": {
        LITE: {"steps": 20, "guidance": 1.5, "image_guidance": 1.2, "temperature": 0.3},
        FULL: {"steps": 50, "guidance": 7.5, "image_guidance": 1.5, "temperature": 1.0},
    },
}


def family(models: Models) -> str:
    """"lite" for models of the small world, "full" for those of photographs."""
    return FULL if models.known_words is None else LITE


def settings_of(rival: str, models: Models, **given: float) -> dict[str, float]:
    """All settings of a rival: the given ones, and for the rest the defaults for these models. Taught in notebook 08.

    Raises SettingsError for a setting that it does not have, or one out of its range.
    """
    settings = dict(DEFAULTS[rival][family(models)])
    for name, value in given.items():
        if name not in settings:
            raise SettingsError(f"{rival} has no setting {name!r}: it has {', '.join(settings)}.")
        low, high, whole = RANGES[name]
        kind = Integral if whole else Real
        if isinstance(value, bool) or not isinstance(value, kind) or not low <= value <= high:
            raise SettingsError(f"The {name} of {rival} cannot be {value}: give a {'whole ' * whole}number from {low} to {high}.")
        settings[name] = int(value) if whole else float(value)
    for name in ("strength", "noise"):
        if name in settings and int(settings["steps"] * settings[name]) < 1:
            raise SettingsError(f"A {name} of {settings[name]} leaves none of {settings['steps']} steps: raise one of them.")
    if rival == "diffedit" and 1000 % settings["steps"]:
        raise SettingsError(f"DiffEdit walks the 1000 times of the noise there and back, and {settings['steps']} steps do not "
                            "divide them: give 20, 25, 40 or 50, say.")  # fmt: skip
    return settings
