"""Turns an edit prompt into what to find and what it becomes.

A prompt is cut into words, the words into a source and a target at the verb ("changes to", "->", "make ..."), and each
side is read as one noun phrase, the longest known phrase first: so "teddy bear" is no bear, and the "left" of "tilted
slightly to the left" is no place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from textedit_lite.errors import PromptError, SettingsError, UnknownWordError
from textedit_lite.phrases import ARTICLES, ASPECTS, SOURCE, TAILS, TARGET, Phrase, read_phrase, scan
from textedit_lite.vocabulary import COLOURS, POSES, TASKS, VIEWS, article, describe

MAX_CHARACTERS = 500
SELECTORS = ("left", "right", "top", "bottom", "largest", "smallest")
RELATIONS = ("left of", "right of", "above", "below", "next to", "larger than", "smaller than")
GRAMMAR = 'write what to change and what it becomes, like "the left car changes to a red car" or "make the cup blue"'


@dataclass(frozen=True)
class Relation:
    """That an object stands left of, above, ... another one: `name` is one of RELATIONS. Taught in notebook 07."""

    name: str
    anchor: Mention


@dataclass(frozen=True)
class Mention:
    """An object to which a prompt relates another: in "the cup left of the red car", the red car.

    The fields are those of the same names in `EditPrompt`. Taught in notebook 07.
    """

    source: str
    noun: str
    category: str | None = None
    selector: str | None = None
    colour: str | None = None
    view: str | None = None
    pose: str | None = None
    rank: int = 1
    relations: tuple[Relation, ...] = ()


@dataclass(frozen=True)
class EditPrompt:
    """What an edit prompt says; words are in lower case, and None is what it leaves open.

    `category` is the COCO name of the object to find, or None if its noun is none ("lamp"); `noun` is the word as
    given ("cars", "mug"). `selector` is one of SELECTORS. `colour`, `view` ("front", "side") and `pose` ("upright",
    "tilted", "upside down") are those that the source names. `rank` counts in the selector's order: the second car from
    the left is 2. `relations` are those in which it is said to stand to other objects.

    `changes` maps what changes to its new value, with the keys "colour", "view", "pose", "category" (what it turns
    into, a COCO name or any noun) and "text" (the target, where it holds words that the grammar does not know).
    `task` is one of the paper's four where exactly that changes, else "free". Taught in notebook 01.
    """

    text: str  # the prompt as given
    source: str  # the noun phrase without article and selector: "blue car"
    noun: str
    category: str | None
    selector: str | None
    colour: str | None
    view: str | None
    pose: str | None
    task: str
    changes: dict[str, str] = field(hash=False)
    target: str  # what it becomes; a caption of `vocabulary.describe` unless `changes` holds "text"
    unknown: tuple[str, ...] = ()  # words of either side that are neither noun nor attribute: "shiny"
    rank: int = 1
    relations: tuple[Relation, ...] = ()


# ------------------------------------------------------------------------------------------------- where to cut
_CONNECTORS = {  # the verbs that stand first, and the words that begin their target
    **dict.fromkeys(("change", "transform", "convert", "turn"), ("to", "into")),
    **dict.fromkeys(("make", "let", "have"), ("into", "become", "be", "look")),
    **dict.fromkeys(("paint", "colour", "color", "recolour", "recolor"), ()),
    "replace": ("with", "by"),
}
_WITHOUT_CONNECTOR = ("turn", "make", "let", "have", "paint", "colour", "color", "recolour", "recolor")
_DOES_IT_ALL = {"tilt": "tilted", "flip": "flipped"}  # "tilt the car slightly" = "make the car tilted slightly"
_INFIX = ("changes", "change", "changed", "transforms", "turns", "turn", "turned", "becomes", "become", "be")
_INFIX_ALONE = ("turns", "turn", "becomes", "become", "be")
_HELPERS = ("should", "must", "will", "shall", "would", "is", "to")
_BEGINS_TARGET = ("to", "into", "look", "like", "be", "become", "as")
_SECOND_CHANGE = {"->", "changes", "becomes", "turns", "change", "make", "replace"}


def _words(text: str) -> list[str]:
    """Lower-case words; arrows become "->", hyphens divide, a possessive 's, punctuation and pictures fall away."""
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    text = re.sub("[-=]+>|[\u2192\u21d2\u2794\u279c\u27a1\u27f6]", " -> ", text)
    words = re.findall(r"->|[^\W_]+(?:'[^\W_]+)*", text)
    return [word.removesuffix("'s") for word in words if word != "please"]


def _is_place(words: list[str]) -> bool:
    """Whether "to ..." says where ("to the left"), and not what it becomes."""
    phrase = scan(words, SOURCE)[0]
    return len(phrase.words) > 1 and phrase.kind in ("place", "tail", "relation")


def _inside_relations(words: list[str]) -> set[int]:
    """The places of words that a relation has begun before: of the "to" in "next to"."""
    inside, at = set(), 0
    for item in scan(words, SOURCE):
        if item.kind == "relation":
            inside |= set(range(at + 1, at + len(item.words)))
        at += len(item.words)
    return inside


def _cut(words: list[str]) -> tuple[list[str], list[str], bool]:
    """(source words, target words, whether the target may be a bare adjective of the source: "make the car shiny")."""
    if "->" in words:
        at = words.index("->")
        return words[:at], words[at + 1 :], False
    verb, rest = words[0], words[1:]
    if verb in _DOES_IT_ALL:
        for cut in range(1, len(rest) + 1):
            if (target := (_DOES_IT_ALL[verb], *rest[cut:])) in TARGET:
                return rest[:cut], list(target), True
    if verb in _CONNECTORS and not {"changes", "becomes"} & set(words):
        inside = _inside_relations(rest)
        for at, word in enumerate(rest):
            if word in _CONNECTORS[verb] and at not in inside and not _is_place(rest[at:]):
                return rest[:at], rest[at + 1 :], word in ("be", "look")
        if verb in _WITHOUT_CONNECTOR:
            return *_cut_without_connector(rest), True
        raise PromptError(f"The prompt names no change: {GRAMMAR}.")
    for at, word in enumerate(words):
        after = at + 1
        while words[after : after + 1] and words[after] in ("its", *ASPECTS):
            after += 1
        if word in _INFIX and (words[after : after + 1] in (["to"], ["into"]) or word in _INFIX_ALONE):
            while at and words[at - 1] in _HELPERS:
                at -= 1
            return words[:at], words[after:], False
    raise PromptError(f"The prompt names no change: {GRAMMAR}.")


def _cut_without_connector(words: list[str]) -> tuple[list[str], list[str]]:
    """Cuts "the blue cup upside down", where nothing but the meaning divides the noun phrase from what it becomes."""
    items = scan(words, SOURCE)
    for at in range(1, len(items)):
        source, target = sum((item.words for item in items[:at]), []), sum((item.words for item in items[at:]), [])
        if source[-1] in (*TAILS, *ARTICLES, "and") or target[0] == "and" or not read_phrase(source).noun:
            continue
        kinds = {item.kind for item in scan(target, TARGET)} - {"skip"}
        if target[0] in ("a", "an") or (kinds and kinds <= {"colour", "view", "pose"}):
            return source, target
    end = next((at + 1 for at, item in enumerate(items) if item.kind == "noun"), max(len(items) - 1, 0))
    while end < len(items) and items[end].kind == "place":
        end += 1
    at = sum(len(item.words) for item in items[:end])
    return words[:at], words[at:]


# ------------------------------------------------------------------------------------------------- the public face
def parse(text: str) -> EditPrompt:
    """Reads an edit prompt: "X changes to Y", "change X to Y", "make X Y", "turn X into Y", "X becomes Y", "X -> Y".

    X is a noun phrase that may say which one is meant ("the left blue car", "the cup on the right", "the largest
    dog"), by counting too ("the second bus from the left", "the third largest boat"), or by another object ("the cup
    left of the red car", "the clock above the chair and next to the bird"), to which all of this applies again; Y is
    a noun phrase too, or only what is new about X ("red", "upside down", "facing the front"). The paper's four tasks
    are "the car changes to a red car", "... a car tilted slightly to the left", "... a car facing the front" and "...
    an upside-down car". Words that are neither make the edit a "free" one.

    Raises PromptError if the prompt is empty, longer than MAX_CHARACTERS, names nothing to find, no change, or more
    than one object or change. Taught in notebook 01.
    """
    if not isinstance(text, str):
        raise PromptError(f"The prompt must be text, not {type(text).__name__}: {GRAMMAR}.")
    if len(text) > MAX_CHARACTERS:
        raise PromptError(f"The prompt has {len(text)} characters, more than {MAX_CHARACTERS}: {GRAMMAR}.")
    words = _words(text)
    if not words:
        raise PromptError(f"The prompt holds no words: {GRAMMAR}.")
    if {"not", "don't", "never", "doesn't"} & set(words):
        raise PromptError(f"The prompt says what should not be: {GRAMMAR}.")
    source_words, target_words, bare = _cut(words)
    if _SECOND_CHANGE & {*source_words, *target_words}:
        raise PromptError(f"The prompt names more than one change, make them one after the other: {GRAMMAR}.")

    source = _read_source(source_words)
    while target_words and target_words[0] in _BEGINS_TARGET and not _understood(target_words):
        target_words = target_words[1:]
    target = read_phrase(target_words, source)
    selecting = set(source_words) - {*source.head, *source.tail}  # "the left car changes to a red left car"
    extra = [word for word in target.extra if word not in selecting]
    same = target.noun is None or _same(source, target)
    changes = {
        kind: value
        for kind in ("colour", "view", "pose")
        if (value := target.attributes.get(kind)) and (not same or value != source.attributes.get(kind))
    }
    if not same:
        changes["category"] = target.name
    if not changes and set(extra) <= set(source_words):
        raise PromptError(f"The prompt changes nothing about the {source.noun}: {GRAMMAR}.")
    if extra:
        changes["text"] = _in_own_words(target_words, target, source.name, bare)
    kept = source.attributes if same else {}
    caption = describe(source.name if same else target.name, **{**kept, **target.attributes})
    return EditPrompt(
        text=text,
        source=_as_source(source),
        noun=source.noun,
        category=source.category,
        selector=next(iter(source.selectors), None),
        colour=source.attributes.get("colour"),
        view=source.attributes.get("view"),
        pose=source.attributes.get("pose"),
        task=_task(changes),
        changes=changes,
        target=changes.get("text", caption),
        unknown=tuple(dict.fromkeys(source.extra + extra)),
        rank=source.rank or 1,
        relations=_relations(source),
    )


def _as_source(phrase: Phrase) -> str:
    return " ".join(phrase.head + phrase.tail + phrase.related)


def _relations(phrase: Phrase) -> tuple[Relation, ...]:
    """The relations of a phrase that `_check_source` has let through."""
    return tuple(
        Relation(name, Mention(
            _as_source(anchor), anchor.noun, anchor.category, next(iter(anchor.selectors), None), **anchor.attributes,
            rank=anchor.rank or 1, relations=_relations(anchor),
        ))
        for name, anchor in phrase.relations
    )  # fmt: skip


def _read_source(words: list[str]) -> Phrase:
    """Reads what to find, or says why that cannot be known."""
    while words and (words[-1] in ASPECTS or words[-1] == "its"):  # "change the car's colour to ..."
        words = words[:-1]
    for start in (0, 1):  # "change the colour of the car to ..."
        if words[start : start + 1] and words[start] in ASPECTS and words[start + 1 : start + 2] == ["of"]:
            words = words[start + 2 :]
    if {"all", "every", "both", "each"} & set(words):
        raise PromptError("The prompt means several objects: name one, and ask for all that fit with --select all.")
    source = read_phrase(words)
    if source.noun is None:
        raise PromptError(f"The prompt names nothing to find: {GRAMMAR}.")
    _check_source(source)
    items = scan(words, SOURCE)
    kinds = ["and" if item.words == ["and"] else item.kind for item in items]
    kinds = [kind for kind, after in zip(kinds, [*kinds[1:], ""]) if (kind, after) != ("and", "relation")]
    if "and" in kinds and "noun" in kinds[: kinds.index("and")] and "noun" in kinds[kinds.index("and") :]:
        raise PromptError(f"The prompt names two objects, change one after the other: {GRAMMAR}.")
    return source


def _check_source(phrase: Phrase) -> None:
    """Raises PromptError where a noun phrase, or one that it relates to, leaves open which object is meant."""
    if len(phrase.selectors) > 1:
        both = " and ".join(f'"{selector}"' for selector in sorted(phrase.selectors))
        raise PromptError(f"The prompt says {both} at once: keep one of {', '.join(SELECTORS)}.")
    if phrase.rank and not phrase.selectors:
        raise PromptError(
            f"The prompt counts, but not from where: write it like \"the second {phrase.noun} from the left\" or "
            f'"the second largest {phrase.noun}".'
        )
    for name, anchor in phrase.relations:
        if anchor.noun is None:
            raise PromptError(f'The prompt does not say what the {phrase.noun} is {name}: name it, as in "{name} the car".')
        _check_source(anchor)


def _understood(words: list[str]) -> bool:
    return scan(words, TARGET)[0].kind in ("colour", "view", "pose")


def _same(source: Phrase, target: Phrase) -> bool:
    """Whether both sides speak of one kind of thing ("the shiny lamp", "a red lamp")."""
    if source.category is None and target.category is None:
        return source.noun.split()[-1] == target.noun.split()[-1]
    return source.name == target.name


def _in_own_words(words: list[str], target: Phrase, name: str, bare: bool) -> str:
    """The target as it was put; a bare adjective gets its noun: "a rusty car", "a car tilted to the right"."""
    if target.noun or not bare or not target.head:
        return " ".join(words)
    before, behind = target.head, target.tail
    if len(scan(words, TARGET)[0].words) > 1:
        before, behind = [], [*before, *behind]
    return " ".join([article((*before, name)[0]), *before, name, *behind])


def _task(changes: dict[str, str]) -> str:
    if len(changes) == 1:
        for task, (attribute, value) in TASKS.items():
            if attribute in changes and value in (None, changes[attribute]):
                return task
    return "free"


def task_prompt(
    task: str, category: str, colour: str | None = None, source_colour: str | None = None, selector: str | None = None
) -> str:
    """The paper's prompt of one task, e.g. "the left blue car changes to a red car"; `colour` is what COLOR asks for.

    Raises SettingsError for an unknown task or selector, and for COLOR without a new colour. Taught in notebook 01.
    """
    if task not in TASKS:
        raise SettingsError(f'There is no task "{task}": choose one of {", ".join(TASKS)}.')
    if selector not in (None, *SELECTORS):
        raise SettingsError(f'There is no selector "{selector}": choose one of {", ".join(SELECTORS)}.')
    attribute, value = TASKS[task]
    if attribute == "colour" and colour in (None, source_colour):
        raise SettingsError(f"The task color needs a colour that the {category} does not have yet: give another one.")
    source = " ".join(word for word in (selector, source_colour, category) if word)
    return f"the {source} changes to {describe(category, **{attribute: value or colour})}"


def unknown_words(prompt: EditPrompt, known_words: Iterable[str]) -> list[str]:
    """The words of a prompt that a model with a small vocabulary has never seen, in their order.

    `known_words` are categories, colours, views and poses, as in `vocabulary`; a phrase is known as a whole ("teddy
    bear" does not make "bear" known), or word by word if each stands alone among them. Taught in notebook 02.
    """
    known = {word.lower() for word in known_words}

    def is_known(phrase: str) -> bool:
        return phrase in known or known.issuperset(phrase.split())

    anchors = mentions(prompt)
    nouns = [(mention.category or mention.noun, mention.noun) for mention in (prompt, *anchors)]
    if into := prompt.changes.get("category"):
        nouns.append((into, into))
    missing = [as_given for name, as_given in nouns if not is_known(name)]
    for kind, captions in (("colour", {}), ("view", VIEWS), ("pose", POSES)):
        for value in (getattr(prompt, kind), prompt.changes.get(kind), *(getattr(anchor, kind) for anchor in anchors)):
            if value and not is_known(value) and not is_known(captions.get(value, value)):
                missing.append(value)
    missing += [word for word in prompt.unknown if not is_known(word)]
    return list(dict.fromkeys(missing))


def mentions(named: EditPrompt | Mention) -> list[Mention]:
    """All objects that a prompt relates its own to, and those that these are related to. Taught in notebook 07."""
    return [found for relation in named.relations for found in (relation.anchor, *mentions(relation.anchor))]


def check_words(prompt: EditPrompt, known_words: Iterable[str]) -> None:
    """Raises UnknownWordError, which says which words are unknown and what is known. Taught in notebook 02."""
    known = list(known_words)
    if missing := unknown_words(prompt, known):
        words = ", ".join(f'"{word}"' for word in missing)
        raise UnknownWordError(f"These models have never seen {words}: use what they know, {'; '.join(_sorted_out(known))}.")


def _sorted_out(known: Iterable[str]) -> list[str]:
    """The known words as people look for them: the objects, the colours, views and poses, each a list of its own."""
    lists: dict[str, list[str]] = {"things": [], "colours": [], "turns": []}
    turns = {*VIEWS.values(), *POSES.values()}
    for word in known:
        lists["colours" if word in COLOURS else "turns" if word in turns else "things"].append(word)
    return [", ".join(words) for words in lists.values() if words]
