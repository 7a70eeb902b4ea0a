"""Reduces what people ask for to a bare order, and cuts it at its verb into what to find and what it becomes.

"I want the car that is blue to be red" is "make the blue car red", and that is "the blue car" and "red". What an object cannot
become by being repainted in its place ("remove the car") is refused here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from itertools import takewhile

from textedit_lite.errors import PromptError
from textedit_lite.phrases import (
    ARTICLES,
    ASPECTS,
    BEHIND,
    LONGEST,
    OWNED,
    PARTS,
    PICTURE,
    SHADES,
    SOURCE,
    TAILS,
    TARGET,
    Item,
    is_stranded,
    name_of,
    read_phrase,
    scan,
)
from textedit_lite.vocabulary import POSES, VIEWS

GRAMMAR = 'write what to change and what it becomes, like "the left car changes to a red car" or "make the cup blue"'
NO_CHANGE = f"The prompt names no change: {GRAMMAR}."
IN_ITS_PLACE = f"This editor changes an object in its place, it does not remove, add, move or swap any: {GRAMMAR}."
NO_SUCH_TURN = (
    f"The prompt asks for a turn that this editor does not know: ask for {', '.join((*VIEWS.values(), *POSES.values()))}, "
    'like "make the car face the front" or "turn the cup upside down".'
)


# ------------------------------------------------------------------------------------------------- the verbs
_SEEMS = ("go", "get", "appear", "seem")  # only before a colour, a view or a pose; not in "the bus that people get off"
_CONNECTORS = {  # the verbs that stand first, and the words that begin their target
    **dict.fromkeys(("change", "transform", "convert", "morph", "turn", "rotate", "spin"), ("to", "into")),
    **dict.fromkeys(("modify", "alter", "edit", "adjust", "set"), ("to", "into")),
    **dict.fromkeys(("make", "let", "have", "get"), ("into", "become", "be", "look", "turn", *_SEEMS)),
    **dict.fromkeys("paint repaint spray tint stain fill colour color colourise colorize recolour recolor dye".split(), ()),
    **dict.fromkeys("give put place stand".split(), ()),
    **dict.fromkeys(("replace", "substitute"), ("with", "by")),
}
_WITHOUT_CONNECTOR = set(_CONNECTORS) - set(
    "change transform convert morph modify alter edit adjust replace substitute".split()
)
_DOES_IT_ALL = {  # "tilt the car slightly" = "make the car tilted slightly"
    "tilt": "tilted", "lean": "leaning", "slant": "slanted", "incline": "inclined", "tip": "tipped", "lay": "lying", "flip": "flipped",
    "turn": "turned", "rotate": "turned", "spin": "turned", "invert": "inverted", "overturn": "overturned", "mirror": "mirrored",
    "straighten": "upright",
}  # fmt: skip
_BY_ITSELF = {  # "the car tilts"
    **_DOES_IT_ALL, "face": "facing", "look": "looking", "point": "pointing", "stand": "standing", "lie": "lying",
}  # fmt: skip
_DOES = {  # verbs that are neither adjective nor noun: "make the man wear a hat"
    "have": "with", "wear": "wearing", "hold": "holding", "carry": "carrying", "ride": "riding", "eat": "eating",
    "chase": "chasing", "kick": "kicking", "read": "reading", "show": "showing", "match": "matching", "smile": "smiling",
    "sit": "sitting", "lie": "lying", "fall": "falling", "sleep": "sleeping", "run": "running", "jump": "jumping",
    "fly": "flying", "swim": "swimming", "dance": "dancing", "say": "saying",
}  # fmt: skip
_LOOKS = {*TAILS, *BEHIND} - {"like", "as"}  # "look at the cat", "look up"
_SWAPS = ("swap", "exchange", "switch")
VERBS = {*_CONNECTORS, *_DOES_IT_ALL, *_SWAPS}
_GERUNDS = {f"{stem}ing": verb for verb in VERBS for stem in (verb, verb.removesuffix("e"), verb + verb[-1])}  # "making"
_INFIX = ("changes", "change", "changed", "transforms", "turns", "turn", "turned", "becomes", "become", "be")
_FROM = ("changes", "change", "changed", "turns", "turn", "goes", "go")
_INFIX_ALONE = ("turns", "turn", "becomes", "become", "be")
_PASSIVE = {"replaced": ("with", "by"), **dict.fromkeys(("transformed", "converted", "turned", "changed"), ("to", "into"))}
_MODALS = ("should", "must", "shall", "will", "would")
_HELPERS = "should must shall will would may might could is are be to now needs need has have ought supposed going gets get".split()
BEGINS_TARGET = "to into look appear seem turn like be being become as if it is was were".split()
NEGATIONS = set("not non except less none don't dont never doesn't isn't shouldn't can't won't neither nor".split())
SECOND_CHANGE = {"->", "changes", "becomes", "turns", "change", "make", "replace"}

# What this editor does not do: the verbs that ask for it, and what would become of the object.
REMOVES_OR_ADDS = set(
    "remove delete erase hide eliminate take cut add insert draw create generate move shift drag duplicate copy clone".split()
)
IS_GONE = set("removed deleted erased hidden gone disappear disappears vanish vanishes invisible moved duplicated".split())
UNKNOWN_TURNS = set(
    "around round about back backward backwards away sideways left right way degrees turn circle "
    "clockwise anticlockwise counterclockwise turned".split()
)
SEVERAL = {"all", "every", "both", "each", "several", "few", "many", "some", "couple", "group"}
UNSAID = {"different", "other", "another", "same", "some", "any", "new", "random"}
OF_TURNS = {*ARTICLES, *"to by other opposite half quarter full completely bit little slightly counter".split()}


# ------------------------------------------------------------------------------------------------- plain words
def _any(words: Iterable[str]) -> str:
    return f"(?:{'|'.join(words)})"


NUMBERS = {"two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"}
_FIRST = "nearest closest tallest shortest longest widest".split()
_FIRST += sorted(
    phrase[0] for phrase, (kind, _) in SOURCE.items()
    if kind == "rank" or kind == "selector" and phrase[0].endswith(("st", "er")) and phrase[0] != "center"
)

# A wish may lack the verb: "I want the car red".
_EDIT_PICTURE = rf"(?:edit|change|alter|modify|adjust) (?:the|this|my) (?:{PICTURE}) "
_POLITE = re.compile(
    "(?:(?:just|only|okay|ok|so|hey|hi|hello|kindly|also|go ahead and|try to|try|help me to|help me|how about|would you mind) "
    "|(?:can|could|would|will) (?:you|u|we|i) |(?:you|we|i) (?:should|must|could|can|have to|need to|wanna) "
    f"|(?:let|let us|first|now|then|next) (?={_any(sorted(VERBS))} )"
    f"|(?:can|could|should|will|would|may) (?={_any(ARTICLES)} )"
    "|(?:is it|would it be) possible to |do you think |i was wondering if |(?:i|we) think (?:that )?"
    f"|slightly (?=tilt |lean )|spray (?=paint )|{_EDIT_PICTURE}to (?={_any(sorted(VERBS))} )|in (?:the|this|my) (?:{PICTURE}) )+"
)
_WISH = re.compile(
    "(?:(?:i|we)(?:'d| would)? (?:want|need|like|love|wish|prefer) (?:for )?(?:you )?(?:to see |to have |to )?"
    "|make (?:sure|certain|it so) (?:that )?|what if |(?:how|what) would (?=.* look )"
    "|(?:let (?:me |us )?see|show me|show|see|view|imagine|render|give me|gimme|let there be|there (?:should|must) be) "
    f"|{_EDIT_PICTURE}so (?:that )?|(?:put|place|draw|use|have|get|paint) (?=an? .*(?:instead|place) of ))"
)
_AFTERWARDS = re.compile(
    "(?: (?:thanks|thank you|thx|ty|cheers)(?: a lot| very much)?| (?:for me|too|as well|again)| without changing .*"
    "| (?:(?:and|but|while) )?(?:keep|keeping|leave|leaving) (?:(?:everything|anything|all|the (?:rest|others?))\\b.*"
    "|(?:the|its|his|her) \\w+(?: the same| unchanged| alone| as (?:it|they) (?:is|are|was|were))?))+$"
)
_TAKE_AND = re.compile(
    rf"^(?:take|find|pick|choose|select|locate|look at|see) (.+?) (?:(?:and|then) )*({_any(sorted(VERBS))}) (?:it|them)\b"
)
_VIEW_OF = re.compile(rf"(?:(?:an?|the|its) )?(front|side) (?:view )?of (?={_any(ARTICLES)} )")
_SO = r"\b(?:(?:around|round) )?(?:so|until) (?:that )?"
_COUNTED = rf"(?:the|these|those) {_any(sorted(NUMBERS))} "
_PLAINLY = {  # wordy phrases and their plain forms, in the order in which they are replaced
    r"\bin to\b": "into",
    r"\bin (?:the )?place of\b": "instead of",
    r"^(?:make )?the (front|side)(?: side)? of (.+?) (?:to be |be )?visible$": r"make \2 seen from the \1",
    r"\ban? (\w+) (?:shade|tone|hue) of ": r"\1 ",
    r"^(?:stand|straighten) (?:up (.+)|(.+) up)$": r"make \1\2 upright",
    r"\b(?:pair|bunch|piece|slice) of |(?<=\w )(?:number|no|nr) (?=\d+\b)": "",
    rf"^substitute (an? .+?) for (?={_any(ARTICLES)} )(.+)": r"replace \2 with \1",
    rf"\b(an? .+?) version of (?={_any(ARTICLES)} )": r"\1 out of ",
    r"\b(?<!the )(?<!its )(?<!his )(?<!her )(?<!'s )back (?=to (?!the |us|me)|upright|right side|the right way)": "",
    r"\bfrom an? (\w+) one (?=to |into )": r"from \1 ",
    rf"{_SO}(?:i|we|you) (?:can )?see (?:it from )?(?:its|the) (front|side)\b": r"to be seen from the \1",
    rf"{_SO}(?:its|the) (front|side) (?:is (?:visible|shown|seen)|faces (?:us|me|the camera|the viewer))\b": r"to be seen from the \1",
    rf"{_SO}(?:it|they) (?:is |are |becomes |become |looks |look |will be |should be )?": "to be ",
    r"\b(?:around|round) (?=to (?:be|face|look|point)\b)": "",
    rf"\b(?:({_any(_FIRST)})(?: ones?)?|ones?) of (?:{_COUNTED}|(?:all )?(?:the|these|those) |all )": r"\1 ",
    rf"(?<!to )(?<!on )(?<!at )(?<!in )\bthe (left|right|middle|centre|center)(?: one)? of {_COUNTED}": r"the \1 ",
    r"\bwhose (?:colour|color|view|pose) (?=is |was )": "that ",
    r"(?<=\w )(?:that|which|who) (?:has|have) ": "with ",
}
_WHO, _IS = ("that", "which", "who"), "is are was were stands stand sits sit lies lie".split()
_VERY = ("very", "really", "quite", "all", "now", "currently", "already")
SIDES = set("front side sides back middle centre center end rear".split())  # of an object, but no parts of it
_KINDS_BEHIND, _WORDS_BEHIND = ("tail", "place", "order", "relation"), {*ARTICLES, *VERBS, *_INFIX, *_HELPERS, "and", "then", "->"}
_ADJECTIVES = ("colour", "view", "pose", "selector")


def words_of(text: str) -> list[str]:
    """Lower-case words: arrows become "->", hyphens divide, punctuation, pictographs and a possessive 's (but a part owner's) fall away."""
    text = unicodedata.normalize("NFKC", text).lower().replace("\u2019", "'")
    text = re.sub(r"^\W*(?:(?:prompt|task|edit|instruction|question|q)\s*:|\d+[.)]\s)", "", text)
    text = re.sub(r"^\W*why (?:not|don't (?:you|we)) ", "", text)
    text = re.sub(r"(?<=\w)(?:\s*&\s*|\s+(?:plus|as well as)\s+)(?=\w)", " and ", text)
    text = re.sub(r"(?<=\w)\s*=\s*(?=\w)", " -> ", text)  # "car = red"
    text = re.sub("[-=]*>|[\u2192\u21d2\u2794\u279c\u27a1\u27f6]", " -> ", text)
    text = re.sub(rf"\b({'|'.join(_WHO)})'s\b", r"\1 is", text)
    text = re.sub(r"\b((?:wo)?m[ae]n|person|people|child|children)s (?=\w)", r"\1's ", text)  # "the mans shirt"
    if not re.search(r"(?<!\w)'", text):  # the cars' wheels, but not 'the cars'
        text = re.sub(r"(?<=s)'(?=\s)", "'s", text)
    words = re.findall(r"->|[^\W_]+(?:'[^\W_]+)*", text)
    words = [word for word in words if word not in ("please", "pls", "plz")]
    return [word if _has_a_part(words, at) else word.removesuffix("'s") for at, word in enumerate(words)]


def _has_a_part(words: list[str], at: int) -> bool:
    """Whether a word is the owner of what is not an object itself: the "man's" of "the man's red shirt", but not of "the man's tie".

    An owner that no detector knows ("my friend") owns only what is always a part, or worn.
    """
    if not words[at].endswith("'s"):
        return False
    bare = [word.removesuffix("'s") for word in words]
    owner = scan(bare[max(0, at - LONGEST) : at + 1], SOURCE)[-1]
    behind = takewhile(lambda item: item.kind not in _KINDS_BEHIND and item.words[0] not in _WORDS_BEHIND, scan(bare[at + 1 :], SOURCE))
    owned = {item.words[0]: item.kind for item in behind if item.kind in ("noun", "other", "selector")}
    owns = owner.kind == "noun" or OWNED & {*owned}
    return bool(owns) and "noun" not in owned.values() and not {*owned} <= {*SIDES, *ASPECTS}


def plain_words(words: list[str]) -> tuple[list[str], list[str]]:
    """A prompt as a bare order, and what its "instead of ..." names: "can you ...", "I want the car to be red"."""
    said = _AFTERWARDS.sub("", " ".join(words))
    said = said[polite.end() :] if (polite := _POLITE.match(said)) else said
    first, _, rest = said.partition(" ")
    if first in _GERUNDS and rest.split(" ")[0] in ARTICLES:
        said = f"{_GERUNDS[first]} {rest}"
    said = _TAKE_AND.sub(r"\2 \1", said)
    if wish := _WISH.match(said):
        said = said[wish.end() :]
        view = _VIEW_OF.match(said)
        if view and re.search("see|show|view", wish[0] + view[0]):  # "show me the front of the car"
            said = f"{said[view.end() :]} from the {view[1]}"
    for wordy, plain in _PLAINLY.items():
        said = re.sub(wordy, plain, said)
    words, instead = _without_instead(_without_clauses(_with_that(said.split())))
    if words[:1] and words[0] in VERBS and words[-1] == "now":
        words = words[:-1]
    if words and words[0] not in VERBS and "->" not in words and not _at_verb(words):
        noun = read_phrase(words).noun or ""
        if instead := [one for word in instead for one in (noun.split() if word == "one" else [word])]:
            if read_phrase(instead).noun:  # "a bus instead of the car", "a blue car instead of the red one"
                return [*instead, "->", *words], []
        if wish and not REMOVES_OR_ADDS & set(words[:1]):
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
    end = next((end for end, word in enumerate(words) if word in VERBS), len(words))
    return words[end:], words[2:end]


def _with_that(words: list[str]) -> list[str]:
    """"the bus people wait for" -> "the bus that people wait for", so that people are its subject, not part of its name."""
    items = scan(words, SOURCE)
    for at in range(1, len(items) - 2):
        thing, people, verb, after = items[at - 1 : at + 3]
        does = verb.kind == "other" and (after.kind == "tail" or verb.words[0] in _DOES)
        clause = does or verb.words == ["are"] and after.kind == "other"
        # Several, as one alone would have an article.
        several = people.value == "person" and (name := " ".join(people.words)) != name_of(name, "person")
        if clause and several and thing.kind == "noun" and thing.value != "person":
            return [*_joined(items[:at]), "that", *_joined(items[at:])]
    return words


def _without_clauses(words: list[str]) -> list[str]:
    """"the car that is blue" -> "the blue car", "the cup which is on the left" -> "the cup on the left".

    What the reader of noun phrases could not tell from a second noun moves to where an adjective stands. Other clauses
    ("that is full of coffee") stay, as a tail.
    """
    at = 1
    while at < len(words) - 2:
        if words[at] not in (*_WHO, "and") or words[at + 1] not in _IS:
            at += 1
            continue
        before, rest = words[:at], words[at + 2 :]
        if rest[0] == "the" and rest[1:] and scan(rest[1:], SOURCE)[0].kind == "rank":  # "that is the second from the left"
            rest = rest[1:]
        adjectives, length = _adjectives(rest)
        if adjectives:
            start = _start_of_noun(before)
            words = [*before[:start], *adjectives, *before[start:], *rest[length:]]
        elif scan(rest, SOURCE)[0].kind in ("place", "order", "rank", "relation", "tail"):
            words = [*before, *(["and"] if words[at] == "and" else []), *rest]
        at += 1
    return words


def _adjectives(words: list[str]) -> tuple[list[str], int]:
    """The adjectives that words begin with, as they would stand before a noun, and how many of the words they take up."""
    items = scan(words, SOURCE)
    found: list[str] = []
    at = 0
    while at < len(items):
        while items[at].words[0] in _VERY and at + 1 < len(items):
            at += 1
        if items[at].words == ["the"] and at + 1 < len(items) and items[at + 1].kind == "selector":
            at += 1
        if items[at].words[0] in SHADES and at + 1 < len(items) and items[at + 1].kind == "colour":
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
    """Whether the item at a place is an attribute, or an unknown word on which nothing depends (unlike "full of coffee")."""
    item, after = items[at], items[at + 1] if at + 1 < len(items) else None
    if item.kind != "other" or item.words[0] in {*VERBS, *_INFIX, *_HELPERS, "->"}:
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
    """Where the last noun phrase among words begins, after its article."""
    items = scan(words, SOURCE)
    while items and items[-1].kind in ("place", "order"):
        items.pop()
    while items and items[-1].kind in ("noun", "other", "rank", *_ADJECTIVES) and items[-1].words[0] not in {*VERBS, *_INFIX, "->"}:
        items.pop()
    return sum(len(item.words) for item in items)


# ------------------------------------------------------------------------------------------------- where to cut
def _is_place(words: list[str]) -> bool:
    """Whether "to ..." says where ("to the left"), and not what it becomes."""
    phrase = scan(words, SOURCE)[0]
    return len(phrase.words) > 1 and phrase.kind in ("place", "tail", "relation")


def _inside_relations(verb: str, words: list[str]) -> set[int]:
    """The places of words that belong to a relation or a tail: of the "to" in "next to", and in "the closest car to the bus"."""
    inside, at = set(), 0
    for item in scan(words, SOURCE):
        if item.kind in ("relation", "tail"):
            inside |= set(range(at + 1, at + len(item.words)))
            after, nearest = words[at + 1 :], item.kind == "relation" and item.words == ["to"]
            if nearest and ({"to", "into"} & set(after) or verb in _WITHOUT_CONNECTOR and after[:1] == ["the"]):
                inside.add(at)
        at += len(item.words)
    return inside


def cut(words: list[str]) -> tuple[list[str], list[str], bool]:
    """(source words, target words, whether the target may be a bare adjective of the source: "make the car shiny")."""
    if "->" in words:
        at = words.index("->")
        return words[int(words[0] in VERBS - PARTS) : at], words[at + 1 :], False
    if not {"changes", "becomes"} & set(words):
        verb, rest = words[0], _how_behind(words[0], words[1:])
        if words[:2] == ["get", "rid"]:
            raise PromptError(IN_ITS_PLACE)
        if made := _cut_made_of(verb, rest):
            return made
        if does := _cut_what_it_does(verb, rest):
            return does
        if verb in _SWAPS:
            return _cut_swap(rest)
        if verb in _CONNECTORS:
            return _cut_order(verb, rest)
        if verb in REMOVES_OR_ADDS:
            raise PromptError(IN_ITS_PLACE)
    if cut := _at_verb(words) or _at_bare_to(words):
        return *cut, False
    raise PromptError(IN_ITS_PLACE if words[-1] in IS_GONE else NO_CHANGE)


def _at_verb(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Cuts at the verb between source and target, "changes to", "becomes", "is now"; None if there is none."""
    return _at_passive_or_modal(words) or _at_itself(words) or _at_infix(words) or _at_is_now(words)


def _at_bare_to(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Cuts "the blue car to red" and "cat to dog", which lack their verb: a known thing, and what it can become."""
    inside = _inside_relations("", words)
    for at, word in enumerate(words):
        if word in ("to", "into") and at not in inside and read_phrase(words[:at]).category and not read_phrase(words[:at]).extra:
            target = words[at + 1 :]
            if says_how(target) or read_phrase(target).category:
                return words[:at], target
    return None


def _at_passive_or_modal(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Cuts at "is replaced with", and before "face the front" of "should face the front"."""
    for at, (verb, after) in enumerate(zip(words, words[1:])):
        if after in _PASSIVE.get(verb, ()):
            return _without_helpers(words[:at]), words[at + 2 :]
        modal = verb in _MODALS or verb == "to" and words[at - 1] in _HELPERS  # "should", "has to"
        if modal and (target := what_it_does(words[at + 1 :])):
            return _without_helpers(words[:at]), target
        if verb in _MODALS and (after in ("face", "point", "look", "appear", "seem") or after in _DOES):
            return words[:at], [_DOES.get(after, after), *words[at + 2 :]]
    return None


def _at_itself(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Cuts at the "tilts" of "the car tilts to the left"."""
    for at, word in enumerate(words):
        if at and word.endswith("s") and (target := what_it_does(words[at:])):
            return words[:at], target
    return None


def what_it_does(words: list[str]) -> list[str] | None:
    """"lean to the left", "leans to the left" -> "leaning to the left"; None where words begin with no such verb."""
    verb = _BY_ITSELF.get(words[0].removesuffix("s")) if words else None
    does = [verb, *words[1:]]
    return does if verb and (says_how(does) or len(does) > 1 and tuple(does) in TARGET) else None


def _at_infix(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Cuts at "changes to", "changes its colour to", "becomes", and at the "to" of "changes from blue to red"."""
    for at, word in enumerate(words):
        after = at + 1
        while words[after : after + 1] and words[after] in ("its", *ASPECTS):
            after += 1
        if word in _FROM and words[after : after + 1] == ["from"] and (to := {"to", "into"} & set(words[after:])):
            end = min(words.index(word, after) for word in to)
            was = words[after:end] if says_how(words[after + 1 : end]) else []
            return words[:at] + was, words[end + 1 :]
        if word in ("gets", "goes", "get", "go") and says_how(words[after:]):
            return _without_helpers(words[:at]), words[after:]
        if word in _INFIX and (words[after : after + 1] in (["to"], ["into"]) or word in _INFIX_ALONE):
            return _without_helpers(words[:at]), words[after:]
    return None


def _at_is_now(words: list[str]) -> tuple[list[str], list[str]] | None:
    """Cuts at the "is" of "the bus is now red": with "now" it is a change."""
    then = [word for word in words if word != "now"]
    at = next((at for at, word in enumerate(then) if word in ("is", "are")), None)
    return (then[:at], then[at + 1 :]) if at and then != words else None


def _without_helpers(words: list[str]) -> list[str]:
    """Drops helping verbs from the end: "the car should", of "the car should become red", is the car."""
    while words and words[-1] in _HELPERS:
        words = words[:-1]
    return words


def _how_behind(verb: str, words: list[str]) -> list[str]:
    """What follows a verb, its object first: "red the car" -> "the car red", "over the left cup" -> "the left cup over"."""
    for at in [at for at, word in enumerate(words) if word in ARTICLES][:2]:  # "to the left the car" has two
        how = words[:at]
        if how and how[0] not in ARTICLES and (
            says_how(how) or says_how([_DOES_IT_ALL.get(verb, verb), *how]) or verb == "turn" and how in (["on"], ["off"])
        ):
            return [*words[at:], *how]
    return words


def _cut_made_of(verb: str, words: list[str]) -> tuple[list[str], list[str], bool] | None:
    """Cuts "a bus out of the car" and "a front view of the car", which name first what it becomes; None for any other order."""
    at = next((at for at, word in enumerate(words) if word in ("out", "from", "of")), 0)
    if verb != "make" or not at or words[0] not in ("a", "an"):
        return None
    target, source = words[:at], words[at + 1 + (words[at : at + 2] == ["out", "of"]) :]
    if source[-1:] == ["one"]:  # "a green apple out of the red one"
        source = [*source[:-1], *(read_phrase(target).noun or "one").split()]
    known = words[at] == "out" or says_how(target) or read_phrase(target).category and read_phrase(source).category
    was, becomes = _cut_without_connector(source)
    whole = read_phrase(source).noun and not (becomes and read_phrase(was).noun)
    return (source, target, False) if known and whole else None


def _cut_what_it_does(verb: str, words: list[str]) -> tuple[list[str], list[str], bool] | None:
    """Cuts "the car slightly" behind a verb that says what it becomes; None if the verb does not."""
    if verb not in _DOES_IT_ALL:
        return None
    if "be" in words:  # "so that it is upside down"
        at = words.index("be")
        return _without_helpers(words[:at]), words[at + 1 :], True
    if {("to", "face"), ("to", "look"), ("to", "point")} & {*zip(words, words[1:])}:
        return None  # "turn the dog to face left" is cut at its "to"
    items = scan(words, SOURCE)
    for at in range(len(items)):
        source, how = _joined(items[: at + 1]), _joined(items[at + 1 :])
        target = [_DOES_IT_ALL[verb], *how]
        if source[-1] in (*ARTICLES, *TAILS, "to", "be") and not is_stranded(items, at) or how[:1] == ["orange"]:
            continue  # "the red orange" is the fruit
        manner = how and verb != "straighten" and not says_how(how) and all(map(_is_manner, how)) and read_phrase(source).noun
        if tuple(target) in TARGET or says_how(target) or manner:
            return source, target, True
    return None


def _is_manner(word: str) -> bool:
    """Whether a word behind a verb of turning says in which way, and so belongs to no noun: "20 degrees to the left"."""
    return word.isdigit() or word in UNKNOWN_TURNS | OF_TURNS or word.endswith(("ly", "ward", "wards", "wise"))


def _cut_swap(words: list[str]) -> tuple[list[str], list[str], bool]:
    """Cuts "the car for a bus", which replaces one; "the car and the bus" would change places, and is refused."""
    for at, word in enumerate(words):
        if word in ("for", "to", "into") or word in ("with", "by") and words[at + 1 : at + 2] in (["a"], ["an"]):
            return words[:at], words[at + 1 :], False
    raise PromptError(IN_ITS_PLACE)


def _cut_order(verb: str, words: list[str]) -> tuple[list[str], list[str], bool]:
    """Cuts what follows a verb that stands first, at its connector or by the meaning."""
    inside = _inside_relations(verb, words)
    for at, word in enumerate(words):
        if word in _SEEMS and not says_how(words[at + 1 :]):
            continue
        again = bool({"and", "then", *_WHO} & {*words[max(at - 1, 0) : at]})  # the verb of another order, or of a clause
        does = at and not again and word in _BY_ITSELF and verb in ("make", "let", "have", "get")
        if does and (target := what_it_does(words[at:])):
            return _without_helpers(words[:at]), target, True
        connects = word in _CONNECTORS[verb] or _connects_loosely(verb, words, at)
        if _is_from_to(words, at) or connects and not again and at not in inside and not _is_place(words[at:]):
            target = words[at:] if says_how(words[at:]) else words[at + 1 :]  # "to the camera" is a view, "the camera" a thing
            if word == "to" and target[:1] and target[0] in _DOES:
                target = [_DOES[target[0]], *target[1:]]
            elif word == "look" and target[:1] and target[0] in _LOOKS and not says_how(target):
                target = ["looking", *target]
            return _without_helpers(words[:at]), target, word not in ("to", "into", "with", "by")
    if verb not in _WITHOUT_CONNECTOR:
        raise PromptError(NO_CHANGE)
    if verb in ("make", "let", "have", "get"):
        for at, word in enumerate(words):
            gets = word == "get" and words[at + 1 : at + 2] in (["a"], ["an"])
            if (gets or word in _DOES) and read_phrase(words[:at]).category and not _awaits_verb(words[:at]):
                return _without_helpers(words[:at]), [_DOES.get(word, "with"), *words[at + 1 :]], True
    source, target = _cut_without_connector(words)
    if verb in ("turn", "rotate", "spin") and source and not target:
        raise PromptError(NO_SUCH_TURN)
    if verb in ("put", "place", "stand") and not says_how(target):
        raise PromptError(IN_ITS_PLACE)
    gives = verb == "give" and target or verb == "get" and target[:1] in (["a"], ["an"])
    return source, ["with", *target] if gives else target, True


def _connects_loosely(verb: str, words: list[str], at: int) -> bool:
    """Whether a word begins the target though it is none of its verb's connectors: "replace the cat for a dog"."""
    loose = verb not in _WITHOUT_CONNECTOR and words[at] in ("for", "by", "to", "into")
    return loose and words[at + 1 : at + 2] in (["a"], ["an"]) and not {*_CONNECTORS[verb]} & {*words[at:]}


def _is_from_to(words: list[str], at: int) -> bool:
    """Whether a word is the "to" of "from red to blue"."""
    how = words[words.index("from") : at] if words[at] in ("to", "into") and "from" in words[:at] else []
    return says_how(how) and says_how(words[at + 1 :])


def _awaits_verb(words: list[str]) -> bool:
    """Whether words end in the subject of a clause: "the pizza (that) the kids" eat."""
    items = scan(words, SOURCE)
    begin = max((at for at, item in enumerate(items) if item.kind == "tail" and item.words[0] in ("the", *_WHO)), default=len(items))
    return [item.kind for item in items[begin + 1 :]] in (["noun"], ["skip", "noun"])


def _cut_without_connector(words: list[str]) -> tuple[list[str], list[str]]:
    """Cuts "the blue cup upside down", where nothing but the meaning divides the noun phrase from what it becomes."""
    items = scan(words, SOURCE)
    doubtful = None
    for at in range(1, len(items)):
        last, source, target = items[at - 1], _joined(items[:at]), _joined(items[at:])
        open_end = (last.kind == "relation" or source[-1] in TAILS) and not is_stranded(items, at - 1)
        if open_end or source[-1] in (*ARTICLES, "and") or target[0] == "and" or not read_phrase(source).noun:
            continue
        before = _joined(items[: at - 1])
        if items[at].kind == "colour" and last.words[0] in SHADES and read_phrase(before).noun and before[-1] not in (*ARTICLES, *TAILS):
            continue  # "the car" becomes dark red, not "the car dark" red; but "the bird in the sky" does become blue
        if last.words == items[at].words == ["orange"] and items[at + 1 : at + 2] and items[at + 1].words != ["and"]:
            continue  # the orange orange becomes green
        if target[0] == "in" and items[at].kind == "colour" and items[at + 1 : at + 2] and items[at + 1].kind == "colour":
            continue  # the man in white becomes blue
        if says_how(target) or target[0] == "with" and says_how(target[1:]):
            return source, target
        if items[at].words in (["a"], ["an"]):
            if last.kind != "tail" and not is_stranded(items, at - 1):
                return source, target
            doubtful = doubtful or (source, target)  # "the man holding" a cup, or "the dog barking" a cat?
    return doubtful or _cut_behind_noun(items)


def _cut_behind_noun(items: list[Item]) -> tuple[list[str], list[str]]:
    """Cuts behind the first known noun, and what says which one is meant: "the cup left of the car rusty"."""
    end = next((at + 1 for at, item in enumerate(items) if item.kind == "noun"), max(len(items) - 1, 0))
    while end < len(items) and items[end].words[0] in PARTS - {"face"}:  # "the dog tail longer", but the dog may face the cat
        end += 1
    while end < len(items) and items[end].kind in ("place", "relation", "tail"):
        if items[end].kind != "place":
            noun = next((at for at in range(end, len(items) - 1) if items[at].kind == "noun"), None)
            if noun is None:
                break
            end = next((at for at in range(noun, len(items)) if is_stranded(items, at)), noun)
        end += 1
    return _joined(items[:end]), _joined(items[end:])


def _joined(items: list[Item]) -> list[str]:
    return [word for item in items for word in item.words]


def says_how(words: list[str]) -> bool:
    """Whether words are attributes and nothing else: "red", "dark red and upside down"."""
    items = scan(words, TARGET)
    shades = {at for at, pair in enumerate(zip(items, items[1:])) if pair[0].words[0] in SHADES and pair[1].kind == "colour"}
    kinds = {item.kind for at, item in enumerate(items) if at not in shades} - {"skip"}
    if any(a.words in (["front"], ["side"]) and b.kind == "colour" for a, b in zip(items, items[1:])):
        return False  # "the car's front red" is no view
    return bool(kinds) and kinds <= {"colour", "view", "pose"}
