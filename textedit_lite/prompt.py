"""Turns an edit prompt into what to find and what it becomes.

A prompt is cut into words, which are brought into plain order ("I want the car that is blue to be red": "make the blue car
red") and cut into a source and a target at the verb ("changes to", "->", "make ..."). Each side is read as one noun phrase,
the longest known phrase first: so "teddy bear" is no bear, and the "left" of "tilted slightly to the left" is no place.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field

from textedit_lite.errors import PromptError, SettingsError, UnknownWordError
from textedit_lite.phrases import ARTICLES, ASPECTS, KIND_NAMES, SOURCE, TAILS, TARGET, Item, Phrase, read_phrase, scan
from textedit_lite.vocabulary import COLOURS, POSES, TASKS, VIEWS, article, describe

MAX_CHARACTERS = 500
SELECTORS = ("left", "right", "top", "bottom", "largest", "smallest")
RELATIONS = ("left of", "right of", "above", "below", "next to", "larger than", "smaller than")
GRAMMAR = 'write what to change and what it becomes, like "the left car changes to a red car" or "make the cup blue"'
_NO_CHANGE = f"The prompt names no change: {GRAMMAR}."
_IN_ITS_PLACE = f"This editor changes an object in its place, it does not remove, add, move or swap any: {GRAMMAR}."
_SEVERAL = "The prompt means several objects: name one, and ask for all that fit with --select all."
_TWO_OBJECTS = f"The prompt names two objects, change one after the other: {GRAMMAR}."
_NO_SUCH_TURN = (
    f"The prompt asks for a turn that this editor does not know: ask for {', '.join((*VIEWS.values(), *POSES.values()))}, "
    'like "make the car face the front" or "turn the cup upside down".'
)


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

    @property
    def name(self) -> str:
        """The word to paint the source under: "woman" for "the woman", found as a person; else its category, else its noun.

        What a painter is told of the object as it stays, `describe(prompt.name, ...)`, begins with it; a detector and
        CLIP are asked for `category`. Taught in notebook 01.
        """
        return self.noun if self.category is None else KIND_NAMES.get(self.noun, self.category)


# ------------------------------------------------------------------------------------------------- the verbs
_CONNECTORS = {  # the verbs that stand first, and the words that begin their target
    **dict.fromkeys(("change", "transform", "convert", "turn", "rotate", "spin"), ("to", "into")),
    **dict.fromkeys(("modify", "alter", "edit", "adjust", "set"), ("to", "into")),
    **dict.fromkeys(("make", "let", "have"), ("into", "become", "be", "look")),
    **dict.fromkeys(("paint", "colour", "color", "recolour", "recolor", "dye", "give", "put", "place", "stand"), ()),
    "replace": ("with", "by"),
}
_WITHOUT_CONNECTOR = set(_CONNECTORS) - {"change", "transform", "convert", "modify", "alter", "edit", "adjust", "replace"}
_DOES_IT_ALL = {  # "tilt the car slightly" = "make the car tilted slightly"
    "tilt": "tilted", "lean": "leaning", "flip": "flipped", "turn": "turned", "rotate": "turned", "straighten": "upright",
}  # fmt: skip
_DOES = {  # what is no adjective, and no noun: "make the man wear a hat"
    "have": "with", "wear": "wearing", "hold": "holding", "carry": "carrying", "ride": "riding", "eat": "eating",
    "chase": "chasing", "kick": "kicking", "read": "reading", "show": "showing", "match": "matching", "smile": "smiling",
    "sit": "sitting", "lie": "lying", "fall": "falling", "sleep": "sleeping", "run": "running", "jump": "jumping",
    "fly": "flying", "swim": "swimming", "dance": "dancing",
}  # fmt: skip
_SWAPS = ("swap", "exchange", "switch")
_VERBS = {*_CONNECTORS, *_DOES_IT_ALL, *_SWAPS}
_INFIX = ("changes", "change", "changed", "transforms", "turns", "turn", "turned", "becomes", "become", "be")
_FROM = ("changes", "change", "changed", "turns", "turn", "goes", "go")
_INFIX_ALONE = ("turns", "turn", "becomes", "become", "be")
_PASSIVE = {"replaced": ("with", "by"), **dict.fromkeys(("transformed", "converted", "turned", "changed"), ("to", "into"))}
_MODALS = ("should", "must", "shall", "will", "would")
_HELPERS = "should must shall will would may might could is are be to now needs need has have ought going gets get".split()
_BEGINS_TARGET = "to into look turn like be being become as if it is was were".split()
_NEGATIONS = set("not don't dont never doesn't isn't shouldn't can't won't neither nor".split())
_SECOND_CHANGE = {"->", "changes", "becomes", "turns", "change", "make", "replace"}

# What this editor does not do: the verbs that ask for it, and what would become of the object.
_REMOVES_OR_ADDS = set(
    "remove delete erase hide eliminate take cut add insert draw create generate move shift drag duplicate copy clone".split()
)
_IS_GONE = set("removed deleted erased hidden gone disappear disappears vanish vanishes invisible moved duplicated".split())
_UNKNOWN_TURNS = set(
    "around round about back backward backwards away sideways left right way degrees clockwise anticlockwise".split()
)
_UNSAID = {"different", "other", "another", "same", "some", "any", "new", "random"}
_OF_TURNS = {*ARTICLES, *"to by other opposite half quarter full completely bit little slightly turned".split()}


# ------------------------------------------------------------------------------------------------- plain words
def _any(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(words)})"


_NUMBERS = {"two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
_FIRST = sorted(phrase[0] for phrase, (kind, _) in SOURCE.items() if kind == "rank" or kind == "selector" and phrase[0].endswith("st"))

# A wish may lack the verb: "I want the car red".
_POLITE = re.compile(
    "(?:(?:just|okay|ok|so|hey|hi|hello|kindly|also|go ahead and|try to|help me to|help me) "
    f"|(?:can|could|would|will) (?:you|we|i) |(?:let|let us|first|now|then) (?={_any(sorted(_VERBS))} )"
    f"|(?:can|could|should|will|would|may) (?={_any(ARTICLES)} ))+"
)
_WISH = re.compile(
    "(?:(?:i|we)(?:'d| would)? (?:want|need|like|love|wish|prefer) (?:for )?(?:you )?(?:to see |to have |to )?"
    "|(?:let me see|show me|show|imagine|render) )"
)
_AFTERWARDS = re.compile("(?: (?:thanks|thank you|for me|too|as well|again))+$")
_SO_THAT = re.compile(r"\bso (?:that )?(?:it|they) (?:is |are |becomes |become |looks |look )?")
_WHOSE_COLOUR_IS = re.compile(r"\bwhose (?:colour|color|view|pose) (?=is |was )")
_ONE_OF = re.compile(rf"\b(?:({_any(_FIRST)})(?: ones?)?|ones?) of (?:the|these|those) (?:{_any(sorted(_NUMBERS))} )?")
_WHO_HAS = re.compile(r"(?<=\w )(?:that|which|who) (?:has|have) ")
_WHO, _IS = ("that", "which", "who"), ("is", "are", "was", "were")
_VERY = ("very", "really", "quite", "all", "now", "currently", "already")
_SHADES = set(  # of the colour behind them
    "dark light bright pale deep vivid neon pastel shiny glossy matte metallic navy sky royal lime hot bluish reddish greenish".split()
)
_ADJECTIVES = ("colour", "view", "pose", "selector")


def _words(text: str) -> list[str]:
    """Lower-case words; arrows become "->", hyphens divide, a possessive 's, punctuation and pictures fall away."""
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    text = re.sub(r"(?<=\w)\s*&\s*(?=\w)", " and ", text)
    text = re.sub("[-=]+>|[\u2192\u21d2\u2794\u279c\u27a1\u27f6]", " -> ", text)
    text = re.sub(rf"\b({'|'.join(_WHO)})'s\b", r"\1 is", text)
    words = re.findall(r"->|[^\W_]+(?:'[^\W_]+)*", text)
    return [word.removesuffix("'s") for word in words if word != "please"]


def _plain(words: list[str]) -> tuple[list[str], list[str]]:
    """A prompt as the bare order that it is, and what its "instead of ..." names: "can you ...", "I want the car to be red"."""
    said = _AFTERWARDS.sub("", " ".join(words))
    said = said[polite.end() :] if (polite := _POLITE.match(said)) else said
    wish = _WISH.match(said)
    said = _SO_THAT.sub("to be ", said[wish.end() :] if wish else said)
    said = _ONE_OF.sub(lambda found: f"{found[1]} " if found[1] else "", said)
    said = _WHO_HAS.sub("with ", _WHOSE_COLOUR_IS.sub("that ", said))
    words, instead = _without_instead(_without_clauses(said.split()))
    if words[:1] and words[0] in _VERBS and words[-1] == "now":
        words = words[:-1]
    if words and words[0] not in _VERBS and "->" not in words and not _at_verb(words):
        noun = read_phrase(words).noun or ""
        if instead := [one for word in instead for one in (noun.split() if word == "one" else [word])]:
            if read_phrase(instead).noun:  # "a bus instead of the car", "a blue car instead of the red one"
                return [*instead, "->", *words], []
        if wish and not _REMOVES_OR_ADDS & set(words[:1]):
            words = ["make", *words]
    return words, instead


def _without_instead(words: list[str]) -> tuple[list[str], list[str]]:
    """"blue instead of red" -> "blue" and "red"; an "instead" alone says nothing."""
    pairs = list(zip(words, words[1:]))
    at = next((at for at, pair in enumerate(pairs) if pair in (("instead", "of"), ("rather", "than"))), None)
    if at is None:
        return [word for word in words if word != "instead"], []
    if at:
        return words[:at], words[at + 2 :]
    end = next((end for end, word in enumerate(words) if word in _VERBS), len(words))
    return words[end:], words[2:end]


def _without_clauses(words: list[str]) -> list[str]:
    """"the car that is blue" -> "the blue car", "the cup which is on the left" -> "the cup on the left".

    What the reader of noun phrases could not tell from a second noun goes where an adjective stands. Other clauses
    ("that is full of coffee") stay, as a tail.
    """
    at = 1
    while at < len(words) - 2:
        if words[at] not in (*_WHO, "and") or words[at + 1] not in _IS:
            at += 1
            continue
        before, rest = words[:at], words[at + 2 :]
        adjectives, length = _adjectives(rest)
        if adjectives:
            start = _start_of_noun(before)
            words = [*before[:start], *adjectives, *before[start:], *rest[length:]]
        elif scan(rest, SOURCE)[0].kind in ("place", "order", "rank", "relation", "tail"):
            words = [*before, *(["and"] if words[at] == "and" else []), *rest]
        at += 1
    return words


def _adjectives(words: list[str]) -> tuple[list[str], int]:
    """The adjectives with which words begin, as they stand before a noun, and how many words they are."""
    items = scan(words, SOURCE)
    found: list[str] = []
    at = 0
    while at < len(items):
        while items[at].words[0] in _VERY and at + 1 < len(items):
            at += 1
        if items[at].words == ["the"] and at + 1 < len(items) and items[at + 1].kind == "selector":
            at += 1
        if items[at].words[0] in _SHADES and at + 1 < len(items) and items[at + 1].kind == "colour":
            found += items[at].words
            at += 1
        if not _is_adjective(items, at):
            break
        found += _before_its_noun(items[at])
        at += 1
        if at + 1 >= len(items) or items[at].words != ["and"]:
            break
        if not _is_adjective(items, at + 1):
            if items[at + 1].kind == "other":  # "blue and full of coffee" stays together
                return [], 0
            break
        found.append("and")
        at += 1
    return found, sum(len(item.words) for item in items[:at])


def _is_adjective(items: list[Item], at: int) -> bool:
    """Whether the item at a place is an attribute, or an unknown word on which nothing hangs ("full of coffee")."""
    item, after = items[at], items[at + 1] if at + 1 < len(items) else None
    if item.kind != "other" or item.words[0] in {*_VERBS, *_INFIX, *_HELPERS, "->"}:
        return item.kind in _ADJECTIVES
    return after is None or after.words in (["and"], ["to"], ["into"]) or after.kind in ("other", *_ADJECTIVES)


def _before_its_noun(item: Item) -> list[str]:
    """An adjective as it stands before its noun: "in blue" -> "blue", "facing the front" -> "front view"."""
    if item.kind == "view":
        return [item.value, "view"]
    if item.kind == "pose":
        return item.value.split()
    return item.words[-1:] if item.kind == "colour" else item.words


def _start_of_noun(words: list[str]) -> int:
    """Where the last noun phrase of words begins, behind its article."""
    items = scan(words, SOURCE)
    while items and items[-1].kind in ("place", "order"):
        items.pop()
    while items and items[-1].kind in ("noun", "other", "rank", *_ADJECTIVES) and items[-1].words[0] not in {*_VERBS, *_INFIX, "->"}:
        items.pop()
    return sum(len(item.words) for item in items)


# ------------------------------------------------------------------------------------------------- where to cut
def _is_place(words: list[str]) -> bool:
    """Whether "to ..." says where ("to the left"), and not what it becomes."""
    phrase = scan(words, SOURCE)[0]
    return len(phrase.words) > 1 and phrase.kind in ("place", "tail", "relation")


def _inside_relations(verb: str, words: list[str]) -> set[int]:
    """The places of words that belong to a relation: of the "to" in "next to", and in "the closest car to the bus"."""
    inside, at = set(), 0
    for item in scan(words, SOURCE):
        if item.kind == "relation":
            inside |= set(range(at + 1, at + len(item.words)))
            after = words[at + 1 :]
            if item.words == ["to"] and ({"to", "into"} & set(after) or verb in _WITHOUT_CONNECTOR and after[:1] == ["the"]):
                inside.add(at)
        at += len(item.words)
    return inside


def _cut(words: list[str]) -> tuple[list[str], list[str], bool]:
    """(source words, target words, whether the target may be a bare adjective of the source: "make the car shiny")."""
    if "->" in words:
        at = words.index("->")
        return words[:at], words[at + 1 :], False
    if not {"changes", "becomes"} & set(words):
        verb, rest = words[0], words[1:]
        if does := _cut_what_it_does(verb, rest):
            return does
        if verb in _SWAPS:
            return _cut_swap(rest)
        if verb in _CONNECTORS:
            return _cut_order(verb, rest)
        if verb in _REMOVES_OR_ADDS or words[:2] == ["get", "rid"]:
            raise PromptError(_IN_ITS_PLACE)
    if cut := _at_verb(words):
        return *cut, False
    raise PromptError(_IN_ITS_PLACE if words[-1] in _IS_GONE else _NO_CHANGE)


def _at_verb(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Cuts at the verb between source and target, "changes to", "becomes", "is now"; None if there is none."""
    return _at_passive_or_modal(words) or _at_infix(words) or _at_is_now(words)


def _at_passive_or_modal(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Cuts at "is replaced with", and before "face the front" of "should face the front"."""
    for at, (verb, after) in enumerate(zip(words, words[1:])):
        if after in _PASSIVE.get(verb, ()):
            return _without_helpers(words[:at]), words[at + 2 :]
        if verb in _MODALS and (after in ("face", "point", "look") or after in _DOES):
            return words[:at], [_DOES.get(after, after), *words[at + 2 :]]
    return None


def _at_infix(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Cuts at "changes to", "changes its colour to", "becomes", and at the "to" of "changes from blue to red"."""
    for at, word in enumerate(words):
        after = at + 1
        while words[after : after + 1] and words[after] in ("its", *ASPECTS):
            after += 1
        if word in _FROM and words[after : after + 1] == ["from"] and (to := {"to", "into"} & set(words[after:])):
            end = min(words.index(word, after) for word in to)
            was = words[after:end] if _says_how(words[after + 1 : end]) else []
            return words[:at] + was, words[end + 1 :]
        if word in _INFIX and (words[after : after + 1] in (["to"], ["into"]) or word in _INFIX_ALONE):
            return _without_helpers(words[:at]), words[after:]
    return None


def _at_is_now(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Cuts at the "is" of "the bus is now red": with "now" it is a change."""
    then = [word for word in words if word != "now"]
    at = next((at for at, word in enumerate(then) if word in ("is", "are")), None)
    return (then[:at], then[at + 1 :]) if at and then != words else None


def _without_helpers(words: list[str]) -> list[str]:
    """"the car should", of "the car should become red", is the car."""
    while words and words[-1] in _HELPERS:
        words = words[:-1]
    return words


def _cut_what_it_does(verb: str, words: list[str]) -> tuple[list[str], list[str], bool] | None:
    """Cuts "the car slightly" behind a verb that says what it becomes; None if the verb does not."""
    if verb in _DOES_IT_ALL:
        for cut in range(1, len(words) + 1):
            target = [_DOES_IT_ALL[verb], *words[cut:]]
            if words[cut - 1] not in (*ARTICLES, *TAILS) and (tuple(target) in TARGET or _says_how(target)):
                return words[:cut], target, True
    return None


def _cut_swap(words: list[str]) -> tuple[list[str], list[str], bool]:
    """Cuts "the car for a bus": that is to replace one, but "the car and the bus" are to change places."""
    for at, word in enumerate(words):
        if word in ("for", "to", "into") or word in ("with", "by") and words[at + 1 : at + 2] in (["a"], ["an"]):
            return words[:at], words[at + 1 :], False
    raise PromptError(_IN_ITS_PLACE)


def _cut_order(verb: str, words: list[str]) -> tuple[list[str], list[str], bool]:
    """Cuts what follows a verb that stands first, at its connector or by the meaning."""
    inside = _inside_relations(verb, words)
    for at, word in enumerate(words):
        if word in _CONNECTORS[verb] and at not in inside and not _is_place(words[at:]):
            return _without_helpers(words[:at]), words[at + 1 :], word in ("be", "look")
    if verb not in _WITHOUT_CONNECTOR:
        raise PromptError(_NO_CHANGE)
    if verb in ("make", "let", "have"):
        for at, word in enumerate(words):
            if word in _DOES and read_phrase(words[:at]).category:
                return _without_helpers(words[:at]), [_DOES[word], *words[at + 1 :]], True
    source, target = _cut_without_connector(words)
    if verb in ("turn", "rotate", "spin") and source and not target:
        raise PromptError(_NO_SUCH_TURN)
    if verb in ("put", "place", "stand") and not _says_how(target):
        raise PromptError(_IN_ITS_PLACE)
    return source, ["with", *target] if verb == "give" and target else target, True


def _cut_without_connector(words: list[str]) -> tuple[list[str], list[str]]:
    """Cuts "the blue cup upside down", where nothing but the meaning divides the noun phrase from what it becomes."""
    items = scan(words, SOURCE)
    doubtful = None
    for at in range(1, len(items)):
        last, source, target = items[at - 1], _joined(items[:at]), _joined(items[at:])
        if last.kind == "relation" or source[-1] in (*TAILS, *ARTICLES, "and") or target[0] == "and" or not read_phrase(source).noun:
            continue
        if items[at].kind == "colour" and last.words[0] in _SHADES and read_phrase(source[:-1]).noun:
            continue  # "the car dark" is not red, but it dark red
        if _says_how(target):
            return source, target
        if items[at].words in (["a"], ["an"]):
            if last.kind != "tail":
                return source, target
            doubtful = doubtful or (source, target)  # "the man holding" a cup, or "the dog barking" a cat?
    return doubtful or _cut_behind_noun(items)


def _cut_behind_noun(items: list[Item]) -> tuple[list[str], list[str]]:
    """Cuts behind the first known noun, and what says which one is meant: "the cup left of the car rusty"."""
    end = next((at + 1 for at, item in enumerate(items) if item.kind == "noun"), max(len(items) - 1, 0))
    while end < len(items) and items[end].kind in ("place", "relation", "tail"):
        if items[end].kind != "place":
            noun = next((at for at in range(end, len(items) - 1) if items[at].kind == "noun"), None)
            if noun is None:
                break
            end = noun
        end += 1
    return _joined(items[:end]), _joined(items[end:])


def _joined(items: list[Item]) -> list[str]:
    return [word for item in items for word in item.words]


def _says_how(words: list[str]) -> bool:
    """Whether words are attributes and nothing else: "red", "dark red and upside down"."""
    items = scan(words, TARGET)
    shades = {at for at, pair in enumerate(zip(items, items[1:])) if pair[0].words[0] in _SHADES and pair[1].kind == "colour"}
    kinds = {item.kind for at, item in enumerate(items) if at not in shades} - {"skip"}
    return bool(kinds) and kinds <= {"colour", "view", "pose"}


# ------------------------------------------------------------------------------------------------- the public face
def parse(text: str) -> EditPrompt:
    """Reads an edit prompt: "X changes to Y", "change X to Y", "make X Y", "turn X into Y", "X becomes Y", "X -> Y".

    It may be put politely ("can you make X Y?", "I want X to be Y"). X is a noun phrase that may say which one is meant
    ("the left blue car", "the cup that is on the right", "the largest dog"), by counting too ("the second bus from the
    left", "the third largest boat"), or by another object ("the cup left of the red car", "the clock above the chair and
    nearest the bird"), to which all of this applies again; anything else behind its noun only describes it. Y is a noun
    phrase too, or only what is new about X ("red", "upside down", "facing the front"). The paper's four tasks are "the car
    changes to a red car", "... a car tilted slightly to the left", "... a car facing the front" and "... an upside-down
    car". Words that are neither make the edit a "free" one.

    Raises PromptError if the prompt is empty, longer than MAX_CHARACTERS, names nothing to find, no change, more than one
    object or change, or what this editor does not do: remove, add, move, swap, turn around. Taught in notebook 01.
    """
    if not isinstance(text, str):
        raise PromptError(f"The prompt must be text, not {type(text).__name__}: {GRAMMAR}.")
    if len(text) > MAX_CHARACTERS:
        raise PromptError(f"The prompt has {len(text)} characters, more than {MAX_CHARACTERS}: {GRAMMAR}.")
    words = _words(text)
    if not words:
        raise PromptError(f"The prompt holds no words: {GRAMMAR}.")
    if _NEGATIONS & set(words) or "no longer" in " ".join(words):
        raise PromptError(f"The prompt says what should not be: {GRAMMAR}.")
    words, instead = _plain(words)
    if not words:
        raise PromptError(_NO_CHANGE)
    source_words, target_words, bare = _cut(words)
    if "or" in (*source_words, *target_words):
        raise PromptError(f"The prompt leaves a choice, say one thing: {GRAMMAR}.")
    if _names_second_change(source_words) or _names_second_change(target_words):
        raise PromptError(f"The prompt names more than one change, make them one after the other: {GRAMMAR}.")

    source = _read_source(source_words, instead)
    target_words = _begin_target(target_words)
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
    if not same:
        changes["category"] = target.name
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


def _names_second_change(words: list[str]) -> bool:
    """Whether a side of a prompt holds another order: "red and turn the dog blue", "front and its colour to red"."""
    orders = {*_VERBS, *_REMOVES_OR_ADDS}
    if _SECOND_CHANGE & set(words) or any(a in ("and", "then") and b in orders for a, b in zip(words, words[1:])):
        return True
    return any(triple[0] == "and" and triple[1] in ("its", "the") and triple[2] in ASPECTS for triple in zip(words, words[1:], words[2:]))


def _read_source(words: list[str], instead: list[str]) -> Phrase:
    """Reads what to find, which had the colour that `instead` names, or says why that cannot be known."""
    words = [word for at, word in enumerate(words) if word not in ASPECTS or words[at + 1 : at + 2] != ["from"]]
    while words and (words[-1] in ASPECTS or words[-1] == "its"):  # "change the car's colour to ..."
        words = words[:-1]
    for start in (0, 1):  # "change the colour of the car to ..."
        if words[start : start + 1] and words[start] in ASPECTS and words[start + 1 : start + 2] == ["of"]:
            words = words[start + 2 :]
    if {"all", "every", "both", "each"} & set(words):
        raise PromptError(_SEVERAL)
    source = read_phrase(words)
    if source.noun is None:
        raise PromptError(f"The prompt names nothing to find: {GRAMMAR}.")
    if _NUMBERS & set(source.head):
        raise PromptError(_SEVERAL)
    if not source.attributes.get("colour") and (colour := _colour_alone(instead, source)):
        start = next(at for at, word in enumerate(words) if word not in ARTICLES)
        words = [*words[:start], colour, *words[start:]]
        source = read_phrase(words)
    _check_source(source)
    if _names_two(words):
        raise PromptError(_TWO_OBJECTS)
    return source


def _colour_alone(words: list[str], source: Phrase) -> str | None:
    """The colour that words name and nothing else, but for the source's noun: "red", "a red one", "a red car"."""
    read = read_phrase(words, source)
    return read.attributes.get("colour") if len(read.attributes) == 1 and not read.extra and read.noun in (None, source.noun) else None


def _names_two(words: list[str]) -> bool:
    """Whether a noun phrase joins two objects, other than "between the bus and the truck" and "... and left of the cup"."""
    kinds = ["and" if item.words == ["and"] else "between" if item.words == ["between"] else item.kind for item in scan(words, SOURCE)]
    kinds = [kind for kind, after in zip(kinds, [*kinds[1:], ""]) if (kind, after) != ("and", "relation")]
    if "between" in kinds and "and" in kinds[kinds.index("between") :]:
        del kinds[kinds.index("and", kinds.index("between"))]
    return "and" in kinds and "noun" in kinds[: kinds.index("and")] and "noun" in kinds[kinds.index("and") :]


def _begin_target(words: list[str]) -> list[str]:
    """What a source becomes, without the words that only lead to it: "to look like a tank", "with red"."""
    while words and words[0] in _BEGINS_TARGET and not _understood(words) and not (words[0] == "as" and "as" in words[1:]):
        words = words[1:]
    if words[:1] in (["with"], ["in"]) and not _understood(words) and _says_how(words[1:]):
        return words[1:]
    return words


def _leaves_open(words: list[str]) -> bool:
    """Whether a target speaks of a colour but names none: "another colour", "the colour of the bus"."""
    aspects = [at for at, word in enumerate(words) if word in ASPECTS]
    unsaid = bool(_UNSAID & set(words)) or any(words[at + 1 : at + 2] == ["of"] for at in aspects)
    return bool(aspects) and unsaid and not any(item.kind in ("colour", "view", "pose") for item in scan(words, TARGET))


def _check_target(words: list[str]) -> None:
    """Raises PromptError where a target is none: it is gone, it turns as nothing here can, it is followed by another object."""
    if _leaves_open(words):
        raise PromptError(f"The prompt does not say which colour, view or pose: {GRAMMAR}.")
    if _IS_GONE & set(words[:1]) or words in (["nothing"], ["go", "away"]):
        raise PromptError(_IN_ITS_PLACE)
    turns = _UNKNOWN_TURNS & set(words) and all(word in _UNKNOWN_TURNS | _OF_TURNS or word.isdigit() for word in words)
    if turns and not _says_how(words):
        raise PromptError(_NO_SUCH_TURN)
    items = scan(words, TARGET)
    if any(a.words == ["and"] and b.words == ["the"] for a, b in zip(items, items[1:])) and _understood(words):
        raise PromptError(_TWO_OBJECTS)


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
    if target.noun or not bare:
        return " ".join(words)
    before, behind = target.head, target.tail
    if _stands_behind(words):
        before, behind = [], [*before, *behind]
    if behind[:1] == ["face"]:
        behind = ["facing", *behind[1:]]
    return " ".join([article((*before, name)[0]), *before, name, *behind])


def _stands_behind(words: list[str]) -> bool:
    """Whether what is said of a noun follows it: "tilted to the right", "made of wood", but not "old and rusty"."""
    first = scan(words, TARGET)[0]
    if len(first.words) > 1:
        return first.kind != "skip"
    verb = first.kind == "other" and (words[0].endswith(("ing", "ed")) or words[0] in ("face", "seen", "made", "drawn"))
    return verb and len(words) > 1 and words[1] != "and"


def _describes(words: list[str]) -> bool:
    """Whether a target needs its noun though it was not put as an adjective: "dark red", "with a hat"."""
    return _says_how(words) or scan(words, TARGET)[0].kind == "tail"


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
