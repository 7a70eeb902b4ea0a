"""The words that prompts, captions, detectors and CLIP share: COCO's categories, colours, views and poses, and their numbers."""

from __future__ import annotations

# COCO's 80 object categories and their ids in `instances_val2017.json` (Lin et al., 2014; 11 of the 91 ids are unused).
COCO_IDS: dict[str, int] = {
    "person": 1, "bicycle": 2, "car": 3, "motorcycle": 4, "airplane": 5, "bus": 6, "train": 7, "truck": 8, "boat": 9,
    "traffic light": 10, "fire hydrant": 11, "stop sign": 13, "parking meter": 14, "bench": 15, "bird": 16, "cat": 17,
    "dog": 18, "horse": 19, "sheep": 20, "cow": 21, "elephant": 22, "bear": 23, "zebra": 24, "giraffe": 25,
    "backpack": 27, "umbrella": 28, "handbag": 31, "tie": 32, "suitcase": 33, "frisbee": 34, "skis": 35,
    "snowboard": 36, "sports ball": 37, "kite": 38, "baseball bat": 39, "baseball glove": 40, "skateboard": 41,
    "surfboard": 42, "tennis racket": 43, "bottle": 44, "wine glass": 46, "cup": 47, "fork": 48, "knife": 49,
    "spoon": 50, "bowl": 51, "banana": 52, "apple": 53, "sandwich": 54, "orange": 55, "broccoli": 56, "carrot": 57,
    "hot dog": 58, "pizza": 59, "donut": 60, "cake": 61, "chair": 62, "couch": 63, "potted plant": 64, "bed": 65,
    "dining table": 67, "toilet": 70, "tv": 72, "laptop": 73, "mouse": 74, "remote": 75, "keyboard": 76,
    "cell phone": 77, "microwave": 78, "oven": 79, "toaster": 80, "sink": 81, "refrigerator": 82, "book": 84,
    "clock": 85, "vase": 86, "scissors": 87, "teddy bear": 88, "hair drier": 89, "toothbrush": 90,
}  # fmt: skip

# The small world paints its objects with these, its oracle tells them apart by these, and a sketch recolours them to these.
COLOUR_RGB: dict[str, tuple[int, int, int]] = {
    "red": (215, 40, 40), "orange": (240, 130, 30), "yellow": (245, 210, 40), "green": (50, 165, 70),
    "blue": (45, 95, 215), "purple": (135, 60, 175), "white": (240, 240, 238), "black": (45, 45, 50),
}  # fmt: skip
COLOURS: tuple[str, ...] = tuple(COLOUR_RGB)
PHOTOGRAPHED = (*COLOURS, "pink", "brown", "grey", "gold", "silver", "beige", "turquoise")  # the colours of what lies beyond that world
VIEWS: dict[str, str] = {"front": "facing the front", "side": "seen from the side"}
POSES: dict[str, str] = {
    "upright": "upright",
    "tilted": "tilted slightly to the left",
    "upside down": "upside down",
}
TILT_DEGREES = 24.0  # what "tilted slightly to the left" means, counter-clockwise
POSE_DEGREES: dict[str, float] = {"upright": 0.0, "tilted": TILT_DEGREES, "upside down": 180.0}

# The paper's four tasks: the attribute that each changes, and the value it asks for (COLOR takes any colour).
TASKS: dict[str, tuple[str, str | None]] = {
    "color": ("colour", None),
    "tilt": ("pose", "tilted"),
    "front": ("view", "front"),
    "updown": ("pose", "upside down"),
}


def article(words: str) -> str:
    """"a" or "an", whichever the following words ask for."""
    return "an" if words[:1].lower() in "aeiou" else "a"


def describe(category: str, colour: str | None = None, view: str | None = None, pose: str | None = None) -> str:
    """The caption of one object, e.g. "a red car facing the front tilted slightly to the left"; None leaves a part out.

    This is the one sentence shape that the lite CLIP and painter are trained on. Taught in notebook 02.
    """
    words = [colour, category, VIEWS[view] if view else None, POSES[pose] if pose else None]
    phrase = " ".join(word for word in words if word)
    return f"{article(phrase)} {phrase}"
