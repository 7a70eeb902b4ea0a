"""What the rivals are told, from one edit prompt: captions for SDEdit and DiffEdit, an instruction for InstructPix2Pix."""

from __future__ import annotations

from ..prompt import EditPrompt
from ..vocabulary import describe


def captions(prompt: EditPrompt, frame: str = "{}") -> tuple[str, str]:
    """The captions before and after, as DiffEdit's users write them: "a blue car", "a red car".

    frame: "a photo of {}" for models of photographs. A prompt does not say what else the picture shows, so the captions
    do not either. Taught in notebook 08.
    """
    before = describe(prompt.name, prompt.colour, prompt.view, prompt.pose)
    return frame.format(before), frame.format(prompt.target)


def instruction(prompt: EditPrompt, brief: bool) -> str:
    """The edit as an order, "turn the left blue car into a red car"; brief: "the left blue car to a red car".

    The brief form is for the lite models. Their text encoder knows only the words of captions, and neither "turn" nor
    "into" is one; and it has 20 tokens in all. Taught in notebook 08.
    """
    source = " ".join(word for word in (prompt.selector, prompt.source) if word)
    return f"the {source} to {prompt.target}" if brief else f"turn the {source} into {prompt.target}"
