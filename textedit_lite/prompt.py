"""Turns an edit prompt into what to find and what it becomes.

A prompt is brought into plain order and cut at its verb (`orders`), and each side is read as one noun phrase, the longest
known phrase first (`phrases`): so "teddy bear" is no bear, and the "left" of "tilted slightly to the left" is no place.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from textedit_lite.errors import PromptError, SettingsError, UnknownWordError
from textedit_lite.orders import (
    BEGINS_TARGET,
    GRAMMAR,
    IN_ITS_PLACE,
    IS_GONE,
    NEGATIONS,
    NO_CHANGE,
    NO_SUCH_TURN,
    NUMBERS,
    OF_TURNS,
    REMOVES_OR_ADDS,
    SECOND_CHANGE,
    SEVERAL,
    SIDES,
    UNKNOWN_TURNS,
    UNSAID,
    VERBS,
    cut,
    plain_words,
    says_how,
    what_it_does,
    words_of,
)
from textedit_lite.phrases import (
    ARTICLES,
    ASPECTS,
    BEHIND,
    COMPOUND,
    OWNED,
    PICTURE,
    SOURCE,
    TAILS,
    TARGET,
    Phrase,
    name_of,
    read_phrase,
    scan,
    sort_of,
)
from textedit_lite.vocabulary import COLOURS, POSES, TASKS, VIEWS, article, describe

MAX_CHARACTERS = 500
ORDERS = ("left", "right", "top", "bottom", "largest", "smallest")  # the objects of a picture can be counted in each of these
SELECTORS = (*ORDERS, "middle")
RELATIONS = ("left of", "right of", "above", "below", "next to", "larger than", "smaller than")
_SEVERAL = "The prompt means several objects: name one, and ask for all that fit with --select all."
_UNSAID = f"The prompt does not say which colour, view or pose: {GRAMMAR}."
_PART = (
    'The prompt names a part, "{}", and no part of an object can be found by itself: name the whole object, or paint the part white '
    "in a mask of your own (--mask FILE, or mask=FILE in Python)."
)
_NUMBERED_COLOUR = re.compile(r"#(?:[0-9a-f]{3}){1,2}\b|\brgb\W*\d|\d+\s*,\s*\d+\s*,\s*\d+")
_TWO_OBJECTS = f"The prompt names two objects, change one after the other: {GRAMMAR}."


@dataclass(frozen=True)
class Relation:
    """That an object stands left of, above, ... another one: `name` is one of RELATIONS. Taught in notebook 07."""

    name: str
    anchor: Mention


@dataclass(frozen=True)
class Mention:
    """An object to which a prompt relates another: in "the cup left of the red car", the red car.

    The fields mean what those of the same names in `EditPrompt` mean. Taught in notebook 07.
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
    `task` is one of the paper's four if exactly that changes, else "free". Taught in notebook 01.
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
    unknown: tuple[str, ...] = ()  # words of either side that say more than category and attributes: "shiny", "taxi"
    rank: int = 1
    relations: tuple[Relation, ...] = ()

    @property
    def name(self) -> str:
        """The word to paint the source under: "woman" for "the woman", found as a person; else its category, else its noun.

        The caption of an object that stays what it is, `describe(prompt.name, ...)`, is made with it; a detector is asked
        for `category`. Taught in notebook 01.
        """
        return name_of(self.noun, self.category)


# ------------------------------------------------------------------------------------------------- the public face
def parse(text: str, own_mask: bool = False) -> EditPrompt:
    """Reads an edit prompt: "X changes to Y", "change X to Y", "make X Y", "turn X into Y", "X becomes Y", "X -> Y".

    It may be put politely ("can you make X Y?", "I want X to be Y"), the other way round ("make Y out of X"), or with
    a verb that says what X becomes ("tilt X", "X tilts"). X is a noun phrase that may say which one is meant ("the
    left blue car", "the cup that is on the right", "the largest dog"), by counting too ("the second bus from the
    left", "the third largest boat"), or by another object ("the cup left of the red car", "the clock above the chair
    and nearest the bird"), to which all of this applies again; anything else behind its noun only describes it. Y is a
    noun phrase too, or only what is new about X ("red", "upside down", "facing the front"). The paper's four tasks are
    "the car changes to a red car", "... a car tilted slightly to the left", "... a car facing the front" and "... an
    upside-down car". Words that are neither make the edit a "free" one.

    own_mask: whether a mask of the user's own shows the place, so that a part may change that cannot be found ("the man's shirt").

    Raises PromptError if the prompt is empty, longer than MAX_CHARACTERS, names nothing to find, a part of an object, no
    change, more than one object or change, or what this editor does not do: remove, add, move, swap, turn around. Taught in notebook 01.
    """
    if not isinstance(text, str):
        raise PromptError(f"The prompt must be text, not {type(text).__name__}: {GRAMMAR}.")
    if len(text) > MAX_CHARACTERS:
        raise PromptError(f"The prompt has {len(text)} characters, more than {MAX_CHARACTERS}: {GRAMMAR}.")
    words = words_of(text)
    if not words:
        raise PromptError(f"The prompt holds no words: {GRAMMAR}.")
    if NEGATIONS & set(words) or "no longer" in " ".join(words):
        raise PromptError(f"The prompt says what should not be: {GRAMMAR}.")
    if _NUMBERED_COLOUR.search(text.lower()):
        raise PromptError(f"The prompt gives a colour in numbers, say it in a word: {GRAMMAR}.")
    words, instead = plain_words(words)
    if not words:
        raise PromptError(NO_CHANGE)
    source_words, target_words, bare = cut(words)
    if "or" in (*source_words, *target_words):
        raise PromptError(f"The prompt leaves a choice, say one thing: {GRAMMAR}.")
    if _names_second_change(source_words) or _names_second_change(target_words):
        raise PromptError(f"The prompt names more than one change, make them one after the other: {GRAMMAR}.")

    source = _read_source(source_words, instead)
    if not own_mask:
        _check_whole(source)
    target_words = _without_owner(_begin_target(target_words), source)
    if target_words[:1] in (["a"], ["an"]) and target_words[-1] == "one":  # "a newer one"
        target_words = [*target_words[:-1], *source.name.split()]
    _check_target(target_words)
    target = read_phrase(target_words, source)
    selecting = set(source_words) - {*source.head, *source.tail}  # "the left car changes to a red left car"
    extra = [word for word in target.extra if word not in selecting]
    same = target.noun is None or _same(source, target)
    changes = {
        kind: value
        for kind in ("colour", "view", "pose")
        if (value := target.attributes.get(kind)) and (not same or value != source.attributes.get(kind))
    }
    if same and target_words[:1] == ["the"] and read_phrase(target_words).selectors - source.selectors:
        raise PromptError(_UNSAID)  # "make the left car look like the right car": the painter does not see that one
    if not same:
        changes["category"] = target.name
    if changes.keys() == {"view"} and source.noun.split()[-1] in (*VIEWS, "back"):  # "turn the front of the car to the camera"
        raise PromptError(NO_SUCH_TURN)
    if same and not changes and extra and set(extra) <= UNSAID - {"new"}:  # "another car", but the car may look new
        raise PromptError(_UNSAID)
    if not changes and set(extra) <= set(source_words):
        raise PromptError(f"The prompt changes nothing about the {source.noun}: {GRAMMAR}.")
    if extra:
        changes["text"] = _in_own_words(target_words, target, source.name, bare or _describes(target_words))
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
        unknown=tuple(dict.fromkeys([*source.extra, *sort_of(source.noun), *extra])),
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


def _names_second_change(words: list[str]) -> bool:
    """Whether a side of a prompt holds another order: "red and turn the dog blue", "front and its colour to red"."""
    orders = {"keep", "leave", "look", "be", *REMOVES_OR_ADDS, *VERBS, *(f"{verb}s" for verb in VERBS)}
    if SECOND_CHANGE & set(words) or any(a in ("and", "then", "but", "while") and b in orders for a, b in zip(words, words[1:])):
        return True
    return any(triple[0] == "and" and triple[1] in ("its", "the") and triple[2] in ASPECTS for triple in zip(words, words[1:], words[2:]))


def _read_source(words: list[str], instead: list[str]) -> Phrase:
    """Reads what to find, with the old colour if `instead` names one, or says why that cannot be known."""
    words = [word for at, word in enumerate(words) if word not in ASPECTS or words[at + 1 : at + 2] != ["from"]]
    while words and words[-1] in (*ASPECTS, "its") and len(scan(words, SOURCE)[-1].words) == 1:  # "change the car's colour to ..."
        words = words[:-1]
    for start in (0, 1):  # "change the colour of the car to ..."
        if words[start : start + 1] and words[start] in ASPECTS and words[start + 1 : start + 2] == ["of"]:
            words = words[start + 2 :]
    alone = {item.words[0] for item in scan(words, SOURCE) if len(item.words) == 1}  # not the "all" of "all the way to the right"
    if SEVERAL & alone or words[:1] == ["most"] or ("half", "of") in zip(words, words[1:]):
        raise PromptError(_SEVERAL)
    source = read_phrase(words)
    if source.noun is None:
        raise PromptError(f"The prompt names nothing to find: {GRAMMAR}.")
    if any(word in NUMBERS or word.isdigit() and word in source.extra for word in source.head):
        raise PromptError(_SEVERAL)
    if not source.attributes.get("colour") and (colour := _colour_alone(instead, source)):
        start = next(at for at, word in enumerate(words) if word not in ARTICLES)
        words = [*words[:start], colour, *words[start:]]
        source = read_phrase(words)
    if _names_two(words):
        raise PromptError(_TWO_OBJECTS)
    _check_source(source)
    return source


def _colour_alone(words: list[str], source: Phrase) -> str | None:
    """The colour, if words name that and nothing else but the source's noun: "red", "a red one", "a red car"."""
    read = read_phrase(words, source)
    return read.attributes.get("colour") if len(read.attributes) == 1 and not read.extra and read.noun in (None, source.noun) else None


def _names_two(words: list[str]) -> bool:
    """Whether a noun phrase joins two objects, other than "between the bus and the truck" and "... and left of the cup"."""
    kinds = [item.words[0] if item.words in (["and"], ["between"], ["the"]) else item.kind for item in scan(words, SOURCE)]
    kinds = [kind for kind, after in zip(kinds, [*kinds[1:], ""]) if (kind, after) != ("and", "relation")]
    if any(("noun" in kinds[:at], *kinds[at : at + 3]) == (True, "colour", "the", "noun") for at in range(len(kinds))):
        return True  # "make the car red, the bus blue"
    if "between" in kinds and "and" in kinds[kinds.index("between") :]:
        del kinds[kinds.index("and", kinds.index("between"))]
    return "and" in kinds and "noun" in kinds[: kinds.index("and")] and "noun" in kinds[kinds.index("and") :]


def _begin_target(words: list[str]) -> list[str]:
    """What a source becomes, without the words that only lead up to it: "to look like a tank", "with red"."""
    while words and words[0] in BEGINS_TARGET and not (_understood(words) or what_it_does(words) or words[0] == "as" and "as" in words[1:]):
        words = words[1:]
    if words[:1] and words[0] in ("with", "in", "of", "made", "better") and not _understood(words) and says_how(words[1:]):
        return words[1:]
    if words[:1] == ["face"]:  # "the dog faces the cat" turns into no cat
        return ["facing", *words[1:]]
    return what_it_does(words) or words


def _without_owner(words: list[str], source: Phrase) -> list[str]:
    """"a front view of the car", said of the car, is "a front view"."""
    owner = ["of", "the", *source.noun.split()]
    how = words[: -len(owner)]
    return how if words[-len(owner) :] == owner and says_how(how) else words


def _leaves_open(words: list[str]) -> bool:
    """Whether a target speaks of a colour but names none: "another colour", "the colour of the bus"."""
    aspects = [at for at, word in enumerate(words) if word in ASPECTS]
    unsaid = bool(UNSAID & set(words)) or any(words[at + 1 : at + 2] == ["of"] for at in aspects)
    return bool(aspects) and unsaid and not any(item.kind in ("colour", "view", "pose") for item in scan(words, TARGET))


def _check_target(words: list[str]) -> None:
    """Raises PromptError if a target is none: the object is to be gone, to turn as nothing here can, or another object follows."""
    if _leaves_open(words):
        raise PromptError(_UNSAID)
    if IS_GONE & set(words[:1]) or words in (["nothing"], ["go", "away"]):
        raise PromptError(IN_ITS_PLACE)
    turns = UNKNOWN_TURNS & set(words) and all(word in UNKNOWN_TURNS | OF_TURNS or word.isdigit() for word in words)
    if (turns or "degrees" in words) and not says_how(words):
        raise PromptError(NO_SUCH_TURN)
    items = scan(words, TARGET)
    if any((a.words == ["and"] or a.kind == "colour") and b.words == ["the"] for a, b in zip(items, items[1:])) and _understood(words):
        raise PromptError(_TWO_OBJECTS)


def _check_source(phrase: Phrase) -> None:
    """Raises PromptError if a noun phrase, or one that it relates to, leaves open which object is meant."""
    if len(phrase.selectors) > 1:
        both = " and ".join(f'"{selector}"' for selector in sorted(phrase.selectors))
        raise PromptError(f"The prompt says {both} at once: keep one of {', '.join(SELECTORS)}.")
    if phrase.rank and (phrase.rank < 0 or not phrase.selectors & {*ORDERS}):
        raise PromptError(
            f"The prompt counts, but not from where: write it like \"the second {phrase.noun} from the left\" or "
            f'"the second largest {phrase.noun}".'
        )
    for name, anchor in phrase.relations:
        if anchor.noun is None:
            raise PromptError(f'The prompt does not say what the {phrase.noun} is {name}: name it, as in "{name} the car".')
        _check_source(anchor)


def _check_whole(phrase: Phrase) -> None:
    """Raises PromptError if a noun phrase, or one that it relates to, names a part: no detector knows the roof of a bus."""
    if _is_part(phrase):
        raise PromptError(_PART.format(_as_source(phrase).replace("s's ", "s' ")))
    for _, anchor in phrase.relations:
        _check_whole(anchor)


def _is_part(phrase: Phrase) -> bool:
    """Whether a noun phrase names something that belongs to an object but is not an object itself.

    "man's shirt", "roof of the bus", but not "front of the bus"; "wheel on the car", but not "lamp on the table"; "car door",
    but not "car park".
    """
    if any(word.endswith("'s") for word in phrase.head):
        return True
    if not phrase.noun or phrase.category is not None:
        return False
    last = phrase.noun.split()[-1]
    of_the = phrase.tail[:1] == ["of"] and {*phrase.tail[1:2]} & {*ARTICLES} and last not in {*SIDES, *PICTURE.split("|")}
    if of_the or last in OWNED and {*phrase.tail[:1]} & {"on", "in", "at"}:
        owner = read_phrase(phrase.tail[1:])
        if owner.category is not None or _is_part(owner):
            return True
    if last in OWNED and {*phrase.tail[:1]} & {"that", "which", "the"}:  # "the man wears"
        return _owner(phrase.tail[1:]) is not None
    owner = _owner(phrase.head[:-1])
    return owner is not None and last in (OWNED | COMPOUND if owner == "person" else COMPOUND)


def _owner(words: list[str]) -> str | None:
    """The category of the first of COCO's nouns among words, if it is their first noun at all."""
    first = next((item for item in scan(words, SOURCE) if item.kind in ("noun", "other")), None)
    return first.value if first else None


def _understood(words: list[str]) -> bool:
    return scan(words, TARGET)[0].kind in ("colour", "view", "pose")


def _same(source: Phrase, target: Phrase) -> bool:
    """Whether both sides speak of one kind of thing ("the shiny lamp", "a red lamp")."""
    if source.category is None and target.category is None:
        return source.noun.split()[-1] == target.noun.split()[-1]
    return source.noun == target.noun or source.name == target.name


def _in_own_words(words: list[str], target: Phrase, name: str, bare: bool) -> str:
    """The target in the user's words; a bare adjective gets its noun: "a rusty car", "a car tilted to the right"."""
    if target.noun or not bare:
        return " ".join(words)
    before, behind = target.head, target.tail
    if _stands_behind(words):
        before, behind = [], [*before, *behind]
    return " ".join([article((*before, name)[0]), *before, name, *behind])


def _stands_behind(words: list[str]) -> bool:
    """Whether what is said of a noun follows it: "tilted to the right", "made of wood", but not "old and rusty"."""
    first = scan(words, TARGET)[0]
    if len(first.words) > 1:
        return first.kind != "skip"
    verb = first.kind == "other" and (words[0].endswith(("ing", "ed")) or words[0] in ("seen", "made", "drawn"))
    return verb and len(words) > 1 and words[1] != "and"


def _describes(words: list[str]) -> bool:
    """Whether a target needs its noun, though it was not given as an adjective: "dark red", "with a hat"."""
    does = words[0].endswith(("ing", "ed")) and len(words) > 1  # "sleeping on the couch", "flipped horizontally"
    does = does and (words[1] in (*TAILS, *BEHIND, "left", "right") or words[1].endswith("ly"))
    return does or says_how(words) or scan(words, TARGET)[0].kind == "tail" or words[0] in ("a", "an")


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
    nouns = [(name_of(mention.noun, mention.category), mention.noun) for mention in (prompt, *anchors)]
    if into := prompt.changes.get("category"):
        nouns.append((into, into))
    missing = [as_given for name, as_given in nouns if not is_known(name)]
    for kind, captions in (("colour", {}), ("view", VIEWS), ("pose", POSES)):
        for value in (getattr(prompt, kind), prompt.changes.get(kind), *(getattr(anchor, kind) for anchor in anchors)):
            if value and not is_known(value) and not is_known(captions.get(value, value)):
                missing.append(value)
    missing += [word for word in prompt.unknown if not is_known(word) and word not in prompt.noun.split()]
    return list(dict.fromkeys(missing))


def mentions(named: EditPrompt | Mention) -> list[Mention]:
    """All objects that a prompt relates its own to, and those that these are related to. Taught in notebook 07."""
    return [found for relation in named.relations for found in (relation.anchor, *mentions(relation.anchor))]


def check_words(prompt: EditPrompt, known_words: Iterable[str] | None) -> None:
    """Raises UnknownWordError, which says which words are unknown and what is known, or PromptError for a change in other words.

    known_words: all that the models know, None for any. Taught in notebook 02.
    """
    if known_words is None:
        return
    known = list(known_words)
    if missing := unknown_words(prompt, known):
        words = ", ".join(f'"{word}"' for word in missing)
        raise UnknownWordError(f"These models have never seen {words}: use what they know, {'; '.join(_sorted_out(known))}.")
    if "text" in prompt.changes:
        raise PromptError(f'These models cannot paint "{prompt.target}": ask for one colour, view or pose that they know.')


def _sorted_out(known: Iterable[str]) -> list[str]:
    """The known words as people look for them: the objects, the colours, views and poses, each a list of its own."""
    lists: dict[str, list[str]] = {"things": [], "colours": [], "turns": []}
    turns = {*VIEWS.values(), *POSES.values()}
    for word in known:
        lists["colours" if word in COLOURS else "turns" if word in turns else "things"].append(word)
    return [", ".join(words) for words in lists.values() if words]
