"""Reads one noun phrase of a prompt, "the left blue car" or "an upside-down cup"."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from textedit_lite.vocabulary import COCO_IDS, PHOTOGRAPHED

# The lexicon maps a phrase to (kind, value). Kinds: "colour", "view", "pose", "noun", "selector" (before its noun),
# "place" (a selector behind it), "order" (a place to count from: "from the left"), "rank" (which one in the count: "second"),
# "relation" (begins the noun phrase of another object: "left of"), "tail" (begins what only describes the noun: "with a
# hat"), "skip" (says nothing) and "other" (known to mean something else).
Meanings = dict[str, tuple[str, str | None]]
Lexicon = dict[tuple[str, ...], tuple[str, str | None]]

_SYNONYMS = {
    "airplane": "plane, air plane, aeroplane, airliner, aircraft", "backpack": "rucksack", "baseball glove": "baseball mitt, mitt",
    "bicycle": "bike", "boat": "ship", "car": "automobile", "cell phone": "cellphone, mobile phone, smartphone, phone", "couch": "sofa",
    "cup": "mug, teacup, tea cup", "donut": "doughnut", "fire hydrant": "hydrant", "hair drier": "hair dryer, hairdryer",
    "handbag": "purse, hand bag", "hot dog": "hotdog", "laptop": "laptop computer", "microwave": "microwave oven",
    "motorcycle": "motorbike, motor bike, motor cycle", "person": "human", "potted plant": "houseplant, plant, pot plant",
    "refrigerator": "fridge, fridge freezer", "remote": "remote control", "skateboard": "skate board", "skis": "ski",
    "snowboard": "snow board", "suitcase": "luggage", "surfboard": "surf board", "teddy bear": "teddy, stuffed bear",
    "tennis racket": "racket, racquet, tennis racquet", "tie": "necktie", "toilet": "toilet bowl", "toothbrush": "tooth brush",
    "traffic light": "stoplight, stop light, traffic signal", "truck": "lorry", "tv": "television, tv set", "umbrella": "parasol",
    "wine glass": "wineglass, glass of wine, glass of red wine, glass of white wine",
}  # fmt: skip
# Names of what to find, but not of what something becomes: the bat that a bird turns into is another one. "Gloves" are worn.
_FOUND_AS = {"bat": "baseball bat", "bats": "baseball bat", "glove": "baseball glove"}
# Found as their category, but painted under their own name: "woman" is not just another word for "person".
_KINDS = {
    "person": "man, woman, boy, girl, child, baby, lady, gentleman, guy, kid, "
              "player, tennis player, baseball player, football player, soccer player, basketball player, batter, catcher, umpire, skier, "
              "snowboarder, surfer, skateboarder, skater, rider, cyclist, biker, motorcyclist, driver, passenger, pedestrian, worker, "
              "policeman, police officer, soldier, chef, waiter, waitress, bride, toddler, teenager, wife, husband, mother, father, mom, "
              "dad, son, daughter, brother, sister",
    "airplane": "jet, fighter jet, biplane", "bear": "cub, bear cub, polar bear, grizzly bear, panda",
    "bird": "duck, goose, swan, seagull, gull, pigeon, parrot, owl, eagle, penguin, rooster, hen",
    "boat": "sailboat, sail boat, sailing boat, canoe, kayak, ferry, yacht, speedboat, rowboat, rowing boat, cruise ship, fishing boat",
    "bus": "school bus, double decker, double decker bus, minibus", "cake": "cupcake",
    "car": "taxi, cab, van, minivan, jeep, suv, sedan, limousine, police car, sports car, race car", "cat": "kitten",
    "chair": "armchair, stool", "cow": "calf, bull", "dining table": "table", "dog": "puppy, pup", "handbag": "bag, shoulder bag, tote bag",
    "horse": "foal, pony, stallion, mare", "motorcycle": "scooter, moped, dirt bike", "mouse": "computer mouse", "oven": "stove",
    "remote": "controller, game controller", "sandwich": "burger, hamburger, cheeseburger", "sheep": "lamb",
    "sports ball": "ball, tennis ball, football, soccer ball, basketball, volleyball, baseball, beach ball",
    "teddy bear": "stuffed animal, stuffed toy", "tie": "bow tie, bowtie", "train": "locomotive, tram, streetcar",
    "truck": "pickup, pickup truck, fire truck, fire engine, tow truck, dump truck, garbage truck", "tv": "monitor, computer monitor",
}  # fmt: skip
# What each of the kinds that exclude each other is, from general to special: a boy is a child, and neither a man nor a girl.
_LINEAGE = {
    "man": ("man",), "guy": ("man",), "gentleman": ("man",), "woman": ("woman",), "lady": ("woman",), "child": ("child",),
    "kid": ("child",), "boy": ("child", "boy"), "girl": ("child", "girl"), "baby": ("child", "baby"),
}  # fmt: skip
# Known to mean something other than their last word.
_NO_SUCH = (
    "bean|tea|sleeping|garbage|trash|plastic|paper|grocery|punching bag|bags",
    "bag|bags of chips|crisps|popcorn|candy|food|groceries|rice|flour|garbage|trash", "boxing|oven|rubber|winter|work glove",
    "record|cd|dvd|mp3|media|music player|players", "pit bull|bulls", "rubber duck|ducks", "jet ski|skis",
    "truck|pickup bed|beds", "middle aged|finger",
)  # fmt: skip
# What belongs to an object but is not one that a detector knows, "the car door", "the wheel on the car"; and what is worn.
_PARTS = (
    "door window windshield windscreen wheel tyre tire roof hood bonnet bumper fender mirror headlight taillight engine propeller wing "
    "tail cockpit hull mast sail deck pedal handlebar saddle seat leg arm foot paw hoof hand finger head face eye ear nose mouth beak "
    "tooth tongue neck collar trunk tusk horn mane fur hair feather belly handle spout rim stem lid label strap zipper frame armrest "
    "backrest cushion dial crust blade logo stripe"
)
_WORN = (
    "shirt blouse sweater jumper hoodie jersey jacket coat vest dress skirt trousers pants jeans shorts shoe sneaker boot sock hat cap "
    "helmet scarf sunglasses belt leash sleeve uniform suit necklace"
)
_PARTS_BEHIND_OWNER = "bed top cover screen light"  # of a truck, a table, a book, a tv, a car; alone they are things of their own
_PLURALS = {
    "person": "people", "man": "men", "woman": "women", "child": "children", "gentleman": "gentlemen", "policeman": "policemen",
    "mouse": "mice", "computer mouse": "computer mice", "knife": "knives", "wife": "wives", "calf": "calves", "goose": "geese",
    "foot": "feet", "tooth": "teeth",
}  # fmt: skip
_COLOURS = {name: name for name in PHOTOGRAPHED}
_COLOURS |= {"gray": "grey", "golden": "gold", "violet": "purple"}
SHADES = set(  # of the colour behind them; "baby blue" is no baby
    "dark light bright darker lighter brighter pale deep vivid neon pastel shiny glossy matte metallic navy sky royal lime hot "
    "bluish reddish greenish greyish grayish yellowish pinkish purplish brownish whitish blackish half baby jet olive forest grass mint "
    "emerald apple mustard lemon ruby cherry blood chocolate snow rose midnight electric powder steel sea ocean sage wine burgundy".split()
)
_SELECTORS = {
    "left": "left, leftmost, left most, left hand, furthest left, farthest left",
    "right": "right, rightmost, right most, right hand, furthest right, farthest right",
    "top": "top, topmost, upper, uppermost, highest", "bottom": "bottom, bottommost, lower, lowest, lowermost",
    "largest": "largest, larger, large, biggest, bigger, big, huge", "smallest": "smallest, smaller, small, little, tiny, tiniest",
    "middle": "middle, middlemost, centre, center, central",
}  # fmt: skip
_PLAIN_SIZES = "large big huge small little tiny".split()  # beside a place they describe: "the little boat on the left" is the left one
# What the boxes of two objects can tell. "Behind" and "in front of" they cannot: a box has no depth.
_RELATIONS = {
    "above": "above, over, on top of, atop, higher than", "below": "below, under, underneath, beneath, lower than",
    "next to": "next to, adjacent to, beside, alongside, near, near to, nearer to, nearest to, nearest, close to, "
               "closer to, closest to, closest",
    "larger than": "larger than, bigger than", "smaller than": "smaller than",
}  # fmt: skip
_RANKS = {"first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "sixth": 6, "seventh": 7, "eighth": 8, "ninth": 9,
          "1st": 1, "2nd": 2, "3rd": 3, **{f"{n}th": n for n in range(4, 21)}}  # fmt: skip
ARTICLES = "a an the this that these those my your its his her their our".split()
_PRONOUNS = "it one ones me us them they he him she everything something anything everyone everybody someone somebody anyone".split()
TAILS = (
    "with without on in at of near next by behind under below above over beside between from to for off inside outside "
    "out within like as against around across along through among opposite past toward towards onto upon who which whose where while"
).split()
_STANDS = "that which who is are standing stands sitting sits lying lies located placed positioned".split()
BEHIND = "far farther farthest further furthest nearer closer most away up down here there so until".split()  # a noun, and not part of it
_SUBJECTS = "i you we he she they".split()
ASPECTS = "colour color view pose orientation direction".split()
PICTURE = "image|picture|photo|photograph|scene"
_CAMERA = "the camera|the viewer|me|us"
_STRAIGHT = "|straight|directly|right"  # "at the camera"
_OF_CENTRE = ("tail", "middle")  # "left of the middle", of no object


def _listed(table: dict[str, str]) -> dict[str, str]:
    return {phrase: name for name, phrases in table.items() for phrase in phrases.split(", ")}


def _plural(noun: str) -> str:
    if noun[-1] == "y" and noun[-2] not in "aeiou":  # ponies, but toys
        return noun[:-1] + "ies"
    return _PLURALS.get(noun) or noun + ("es" if noun.endswith(("s", "x", "sh", "ch")) else "s")


def _with_plurals(words: str) -> set[str]:
    return {form for word in words.split() for form in (word, _plural(word))}


PARTS = _with_plurals(_PARTS)
OWNED = PARTS | _with_plurals(_WORN)
COMPOUND = PARTS | _with_plurals(_PARTS_BEHIND_OWNER)


def _phrases(*parts: str) -> list[str]:
    """Every sequence of one choice per part; the choices are separated by "|" and may be empty."""
    return [" ".join(" ".join(choice).split()) for choice in product(*(part.split("|") for part in parts))]


def _things() -> Meanings:
    """Nouns and colours; "orange" comes out as a colour, and `_nouns` finds where it is the fruit."""
    words: Meanings = {}
    for noun, name in ({name: name for name in COCO_IDS} | _listed(_SYNONYMS) | _listed(_KINDS)).items():
        words |= {noun: ("noun", name), _plural(noun): ("noun", name)}
    for others in _NO_SUCH:
        words |= dict.fromkeys(_phrases(*others.split()), ("other", None))
    for word, colour in _COLOURS.items():
        words |= dict.fromkeys(_phrases("|in|from|coloured|colored|painted|a shade of", word, "|coloured|colored"), ("colour", colour))
    return words


def _poses_and_views() -> Meanings:
    words: Meanings = {}
    tilted, slightly = "tilt|tilted|tilting|leaning|slanted|slanting|inclined", "|slightly|slight|a bit|a little|a little bit"
    toward = "|to|to the|to its|toward the|towards the"
    lefts = ["", *_phrases(toward, "left|left side"), *"leftward leftwards counterclockwise anticlockwise".split(), "counter clockwise"]
    others = [*_phrases(toward, "right|right side|front"), *"rightward rightwards clockwise".split()]
    others += "forward forwards backward backwards down up".split()
    for sides, pose in ((lefts, ("pose", "tilted")), (others, ("other", None))):
        side = "|".join(sides)
        for phrase in ((tilted, slightly, side), (slightly, tilted, side), (tilted, side, slightly)):
            words |= dict.fromkeys(_phrases(*phrase), pose)
    words |= dict.fromkeys(_phrases(tilted, slightly, "in the left direction"), ("pose", "tilted"))
    overturned = ["upside down", "upsidedown", "overturned", "capsized", "up side down", "bottom up", "topsy turvy"]
    overturned = "|".join([*overturned, *_phrases("on|onto", "its|his|her", "head|roof")])
    words |= dict.fromkeys(_phrases("|from|flip|flipped|turned|standing|lying", overturned), ("pose", "upside down"))
    words |= dict.fromkeys(_phrases("turned|flipped", "over|180|180 degrees|by 180|by 180 degrees"), ("pose", "upside down"))
    words |= dict.fromkeys(("flipped", "flip over", "flipped vertically", "inverted"), ("pose", "upside down"))
    mirrored = _phrases("flipped|mirrored", "horizontally|sideways|left to right")
    words |= dict.fromkeys([*mirrored, "mirrored", "standing up", *_phrases("tipped|toppled|knocked", "|over")], ("other", None))
    words |= dict.fromkeys(_phrases("|from|standing|sitting", "upright"), ("pose", "upright"))
    words |= dict.fromkeys(_phrases("|the", "right side up|right way up"), ("pose", "upright"))
    toward = ["front", "forward", "forwards", *_phrases(_STRAIGHT, "|to|toward|towards", f"the front|{_CAMERA}")]
    words |= dict.fromkeys(_phrases("face|faces|facing|point|pointing", "|".join(toward)), ("view", "front"))
    words |= dict.fromkeys(_phrases("looks|looking", _STRAIGHT, "at|to|into|toward|towards", f"the front|{_CAMERA}"), ("view", "front"))
    words |= dict.fromkeys(["front facing", *_phrases("|seen", "head on"), *_phrases("|in", "|a|the", "frontal view")], ("view", "front"))
    words |= dict.fromkeys(["in profile", *_phrases("|in|from", "|a|the", "profile view"), *_phrases("|seen", "side on")], ("view", "side"))
    words |= dict.fromkeys(_phrases("facing|looks|looking", "|to the|to its|toward the|towards the", "left|right"), ("other", None))
    words |= dict.fromkeys(_phrases("lying|laid|turned|tipped", "on|onto", "its|his|her", "side|back"), ("other", None))
    for view in ("front", "side"):
        words |= dict.fromkeys(_phrases("|seen|viewed|shown|visible", "from", "|the|its", view), ("view", view))
        words |= dict.fromkeys([f"{view} view", *_phrases("in|with|from", "|a|the", f"{view} view")], ("view", view))
    return words


def _places() -> Meanings:
    """Which of several objects is meant, by its place, its size, or by counting: "on the left", "second", "from the left"."""
    words: Meanings = {word: ("rank", str(rank)) for word, rank in _RANKS.items()}
    last = ["", "next to", *_phrases("|".join(_RANKS), "|to")]
    words |= dict.fromkeys([*_phrases("|".join(last), "last"), "but one", "penultimate"], ("rank", "-1"))  # counted from no named side
    words["second hand"] = ("other", None)
    for word, selector in _listed(_SELECTORS).items():
        words[word] = ("selector", selector)
        if selector == "middle":
            words |= _behind(selector, _phrases("in|at", "|the", "|very", word))
        elif selector not in ("largest", "smallest"):
            words |= dict.fromkeys(_phrases("far|further|very|most", word), ("selector", selector))
            places = _phrases("on|at|in|to", "|the", "|far|very", word, "|side|edge|half|corner")
            furthest = _phrases("furthest|farthest|further|most|more|all the way", "on|to", "the", word, "|side")
            words |= dict.fromkeys(furthest, ("place", selector)) | _behind(selector, places)
            words |= dict.fromkeys(_phrases("from|counted from|counting from", "|the", "|far", word, "|side|edge"), ("order", selector))
            words[f"{word} of"] = ("tail", None)
    return words


def _behind(selector: str, places: list[str]) -> Meanings:
    """A selector as it stands behind its noun: "on the left (of the picture)"; "on the left of the road" is no place of an object."""
    words: Meanings = dict.fromkeys(places, ("place", selector))
    words |= {f"{place} of": ("tail", None) for place in places}
    return words | {f"{place} {whole}": ("place", selector) for place in places for whole in _phrases("of the", PICTURE)}


def _relations() -> Meanings:
    """What another object is needed for: "to the left of", "above", "next to"."""
    words: Meanings = {}
    for phrase, name in _listed(_RELATIONS).items():
        words |= dict.fromkeys(_phrases("|directly|immediately|slightly|right|just", phrase), ("relation", name))
    for side in ("left", "right"):
        places = _phrases("|on|at|in|to", "|the", "|immediate", f"{side}|{side} hand", "|side", "of")
        places += _phrases("directly|immediately|slightly|just", "|on|to", "|the", side, "of")
        words |= dict.fromkeys(places, ("relation", f"{side} of"))
    words |= {"over there": ("tail", None)} | dict.fromkeys(_phrases("left|right", "of", "|the", "centre|center|middle"), _OF_CENTRE)
    words |= dict.fromkeys(_phrases("near|nearer|nearest|close|closer|closest", "|to", _CAMERA), ("tail", None))  # which no box can tell
    return words


def _lexicon(*groups: Meanings) -> Lexicon:
    return {tuple(phrase.split()): meaning for words in groups for phrase, meaning in words.items()}


_SAY_NOTHING = dict.fromkeys([*ARTICLES, *_PRONOUNS, *"and then now is are was were whole entire only just".split()], ("skip", None))
_SAY_NOTHING |= dict.fromkeys(TAILS, ("tail", None))
_SAY_NOTHING |= dict.fromkeys(
    ["a bit", "a lot", "in colour", "in color", *_phrases("in|of|from", "the|this", PICTURE)], ("skip", None)
)
_SHARED = (_SAY_NOTHING, _things(), _poses_and_views())
_FOUND = {word: ("noun", name) for word, name in _FOUND_AS.items()}
SOURCE = _lexicon(*_SHARED, _FOUND, _places(), _relations())
# In a target "left" selects nothing, and "change the view of the car to front" can mean but one thing.
_ALONE = dict.fromkeys([*ASPECTS, *"all completely entirely fully totally really very more paint".split(), "paint job"], ("skip", None))
_TO_CAMERA = _phrases(_STRAIGHT, "at|to|into|toward|towards", _CAMERA)
_ALONE |= dict.fromkeys(["front", "frontal", "forward", *_TO_CAMERA, "towards the front"], ("view", "front"))
_ALONE["side"] = ("view", "side")
TARGET = _lexicon(*_SHARED, dict.fromkeys(_relations(), ("tail", None)), _ALONE)
_FIRST_WORDS = {phrase[0] for phrase in (*SOURCE, *TARGET)}
LONGEST = max(len(phrase) for phrase in (*SOURCE, *TARGET))
KIND_NAMES = {form: noun for noun in _listed(_KINDS) for form in (noun, _plural(noun))}


def exclusive(noun: str | None) -> bool:
    """Whether a noun is one of the kinds that exclude each other, as "women" is; a skier, or a puppy, may be called much else."""
    return KIND_NAMES.get(noun) in _LINEAGE


def sort_of(noun: str | None) -> list[str]:
    """The words of a noun that says more than its category but is not `exclusive`, ["tennis", "player"]; none for any other."""
    return noun.split() if noun in KIND_NAMES and not exclusive(noun) else []


def likes(noun: str) -> tuple[list[str], list[str]]:
    """What an object of an `exclusive` kind may be called, itself included, and what it may not: "girl" -> ["girl"], ["man", "boy", ...].

    A word that leaves it open is in neither: a girl is called a child, too, but not every child is one.
    """
    mine = _LINEAGE[KIND_NAMES[noun]]
    yes = [other for other, its in _LINEAGE.items() if its[: len(mine)] == mine]
    return yes, [other for other, its in _LINEAGE.items() if other not in yes and mine[: len(its)] != its]


def name_of(noun: str | None, category: str | None) -> str | None:
    """The word to paint an object under: COCO's, unless the noun says more than its category does."""
    return noun if category is None else KIND_NAMES.get(noun, category)


@dataclass
class Phrase:
    """One side of a prompt, read."""

    head: list[str]  # its words without leading articles, selector and place, up to the tail; "man's shirt" with its owner
    tail: list[str]
    attributes: dict[str, str]
    noun: str | None
    category: str | None
    selectors: set[str]
    extra: list[str]  # the words that neither the noun nor an attribute accounts for
    rank: int | None = None  # which one in the selector's order, where the words count
    relations: list[tuple[str, Phrase]] = field(default_factory=list)  # each relation in which it stands, and to what
    related: list[str] = field(default_factory=list)  # the words of those

    @property
    def name(self) -> str | None:
        """See `name_of`."""
        return name_of(self.noun, self.category)


@dataclass(eq=False)  # two items with the same word are still two
class Item:
    kind: str
    value: str | None
    words: list[str]


_NOTHING = Item("", None, [])
_ARTICLES_ALONE = [[word] for word in ARTICLES if word != "that"]


def scan(words: list[str], lexicon: Lexicon) -> list[Item]:
    """Cuts words into items, longest phrase first; a word that is not in the lexicon is "other", or begins a tail."""
    items, at = [], 0
    while at < len(words):
        item = Item("other", None, words[at : at + 1])
        for length in range(LONGEST if words[at] in _FIRST_WORDS else 0, 0, -1):
            meaning = lexicon.get(tuple(words[at : at + length]))
            if meaning and not (meaning == _OF_CENTRE and _begins_with_noun(words[at + length : at + length + 4])):
                item = Item(*meaning, words[at : at + length])
                break
        items.append(item)
        at += len(item.words)
    _begin_tails(items, lexicon is TARGET)
    _relate_nearest(items)
    return items


def _begins_with_noun(words: list[str]) -> bool:
    """Whether words go on with a noun, as in "left of the middle car", and not with what ends the phrase."""
    return next((item.kind for item in scan(words, SOURCE) if item.kind not in ("colour", "view", "pose")), "") == "noun"


def _begin_tails(items: list[Item], target: bool) -> None:
    """Marks what begins a tail because of where it stands: what follows it there only describes the noun.

    - "that" behind a noun, and its verb: "the dog that barks";
    - a verb behind one of COCO's nouns ("a man wearing a red hat": the hat is red, and the man is no "man wearing"), or at the
      very beginning ("wearing a hat");
    - behind a noun, and at the beginning of a target ("hit the ball"), any unknown word before an article ("the cup contains
      the spoon": else its last noun would be the object) or before "by";
    - behind a noun, what is not part of its name: "the car far from the bus";
    - a second noun: "the cup the man holds";
    - the colour or the place of something else: "a woman in blue jeans", "on the left bench".

    The "under" of "the box the cat sits under" relates the box to nothing. A number behind a noun counts ("car 2").
    """
    known = False  # whether one of COCO's nouns has come, and no tail
    for at, item in enumerate(items):
        before, after = items[at - 1] if at else _NOTHING, items[at + 1] if at + 1 < len(items) else _NOTHING
        known = known or item.kind == "noun"
        verb = item.kind == "other" and item.words[0].endswith(("ing", "ed")) and item.words[-1] not in COMPOUND  # "the airplane wing"
        named = before.kind == "noun" or before.kind == "other" and items[0].words in _ARTICLES_ALONE
        thing = next((later for later in items[at + 1 :] if later.kind != "selector"), _NOTHING)
        unknown_before_article = item.kind == "other" and after.words[:1] in (*_ARTICLES_ALONE, ["by"])
        if (
            item.words == ["that"] and before.kind in ("noun", "other", "colour", "place", "order")
            or item.kind == "other" and before.kind == "tail" and before.words[0] in ("that", "which", "who")
            or item.kind == "other" and before.kind == "noun" and (verb or item.words[0] in BEHIND)
            or named and (item.words == ["the"] and _names(thing) or item.words[0] in _SUBJECTS)
            or item.kind == "place" and after.kind == "noun"
            or unknown_before_article and (known or not at and (verb or target))
            or item.kind == "colour" and item.words[0] == "in" and known and _names(after)
        ):  # fmt: skip
            item.kind, known = "tail", False
        elif item.kind == "relation" and (
            after.words == ["which"] or is_stranded(items, at) and after.words not in _ARTICLES_ALONE and after.kind != "noun"
        ):
            item.kind = "tail"
        elif item.words[0] in ("top", "centre", "center") and item.kind == "selector" and _names(before) and after.kind in ("", "tail"):
            item.kind = "other"  # "the table top", "the shopping center"
        elif item.words[0].isdigit() and before.kind == "noun" and after is _NOTHING:
            item.kind, item.value = "rank", "-1"


def is_stranded(items: list[Item], at: int) -> bool:
    """Whether an item is a preposition that ends a clause: the "on" of "the chair that the man is sitting on".

    Its clause has a subject of its own, so the preposition stands behind a verb, and what follows does not belong to it.
    """
    begins = ("that", "which", "who", "the", *_SUBJECTS)
    clause = next((k for k in range(at) if items[k].kind == "tail" and items[k].words[0] in begins), at)
    subject = any(_names(item) or item.words[0] in _SUBJECTS for item in items[clause : at - 1])
    if items[at].kind not in ("tail", "relation") or items[at].words[-1] not in TAILS or not subject:
        return False
    verb = items[at - 1]
    return verb.kind in ("other", "tail") and verb.words[-1] not in TAILS or verb.words[0] in _STANDS


def _relate_nearest(items: list[Item]) -> None:
    """Reads a "nearest" before its noun as if it stood behind it: "the nearest car to the bus"; without a "to" it says nothing."""
    for at, item in enumerate(items):
        if item.words not in (["nearest"], ["closest"]) or item.kind != "relation" or any(_names(other) for other in items[:at]):
            continue
        item.kind = "other"
        noun = next((noun for noun in range(at + 1, len(items)) if _names(items[noun])), len(items))
        if noun + 1 < len(items) and items[noun + 1].words == ["to"]:
            item.kind = "skip"
            items[noun + 1].kind, items[noun + 1].value = "relation", "next to"


def _names(item: Item) -> bool:
    return item.kind in ("noun", "other")


def _nouns(head: list[Item], orange_is_a_noun: bool) -> list[Item]:
    """The items at the end of the head that make its noun: one of COCO's, or unknown words ("coffee pot")."""
    if orange_is_a_noun and not any(item.kind in ("noun", "other") for item in head):
        for item in reversed(head):
            if item.words == ["orange"]:
                item.kind = "noun"
                break
    run = [item for item in head if item.kind in ("noun", "other")][-1:]
    if run and run[0].kind == "other":
        at = next(at for at, item in enumerate(head) if item is run[0])
        while at and head[at - 1].kind in ("noun", "other"):
            at -= 1
            run.insert(0, head[at])
    return run


def _split_relations(items: list[Item]) -> tuple[list[Item], list[list[Item]]]:
    """What stands before the first relation, and each relation with all that it relates to, as items.

    "the cup left of the car and above the chair" holds two; in "the cup left of the car above the chair" the second
    belongs to the car.
    """
    starts = [at for at, item in enumerate(items) if item.kind == "relation"]
    starts = [at for at in starts if at == starts[0] or items[at - 1].words == ["and"]]
    ends = [at - 1 for at in starts[1:]] + [len(items)]
    before = items[: starts[0] if starts else None]
    while starts and before and before[-1].words[0] in _STANDS:
        before.pop()  # "the cup that stands left of the car"
    return before, [items[at:end] for at, end in zip(starts, ends)]


def _count(items: list[Item]) -> int | None:
    """The rank that the items name; what they count from is made a place: "the second car from the left"."""
    ranks = [item for item in items if item.kind == "rank"]
    for item in items:
        if item.kind == "order":
            item.kind = "place" if ranks else "tail"
    for item in ranks[1:]:  # "the first second car"
        item.kind = "other"
    return int(ranks[0].value) if ranks else None


def _words(items: list[Item]) -> list[str]:
    return [word for item in items for word in item.words]


def read_phrase(words: list[str], source: Phrase | None = None) -> Phrase:
    """Reads [article] [rank] [selector] [attributes] noun [attributes] [place] [tail] [relation noun phrase ...].

    As a target, if `source` is given; a target counts nothing and relates to nothing.
    """
    items, relations = _split_relations(scan(words, TARGET if source else SOURCE))
    rank = _count(items)
    cut = next((at for at, item in enumerate(items) if item.kind == "tail"), len(items))
    head, tail = items[:cut], items[cut:]
    indefinite = bool(items) and items[0].words in (["a"], ["an"])
    run = _nouns(head, orange_is_a_noun=not source or indefinite)
    shaded = next((b for a, b in zip(head, head[1:]) if run and a is run[-1]), _NOTHING)
    if source and shaded.kind == "colour" and run[-1].words[0] in SHADES:
        run = []
    elif source and run and run[-1].kind == "other":
        if source.noun and run[-1].words == source.noun.split()[-1:]:
            run = [item for item in run if item.words[0] in source.noun.split()]
        elif not indefinite or shaded.kind == "colour" and shaded.words[0] not in TAILS:  # "a bright red" is no red bright
            run = []
    owner = 0 if source else max((at + 1 for at, word in enumerate(_words(run)) if word.endswith("'s")), default=0)
    category = run[0].value if len(run) == 1 and run[0].kind == "noun" else None
    if run and run[-1].words == ["orange"]:
        category = "orange"

    said: dict[str, set[str]] = {}
    for item in head:
        if item.kind in ("colour", "view", "pose") and item not in run:
            said.setdefault(item.kind, set()).add(item.value)
    unclear = {kind for kind, values in said.items() if len(values) > 1}  # a black and white dog has neither colour
    places = [item for item in items if item.kind == "place"] + [item for item in head if item.kind == "selector"]
    placed = {item.value for item in places if item.value not in ("largest", "smallest")}
    meant = {item.value for item in places if not (placed and item.words[0] in _PLAIN_SIZES)}
    kept = [item for item in items if item not in places and item.kind != "rank"]
    extra = [item for item in head if item.kind in unclear or item.kind in ("noun", "other") and item not in run]
    extra += [item for item in tail if item.kind not in ("place", "skip")]
    was = [item for item in head if item.kind in ("colour", "pose") and item.words[0] == "from"]  # "the car from blue"
    kept_words = [word for item in kept if item in head and item not in was for word in item.words]
    while kept_words and kept_words[0] in (*ARTICLES, *_PRONOUNS):
        kept_words.pop(0)
    while kept_words and kept_words[-1] == "and":  # "the blue car and on the left"
        kept_words.pop()
    read = [(first.value, read_phrase(_words(rest))) for first, *rest in relations]
    return Phrase(
        head=[word for item in was for word in item.words[1:]] + kept_words,
        tail=[word for item in kept if item in tail for word in item.words],
        attributes={kind: min(values) for kind, values in said.items() if kind not in unclear},
        noun=" ".join(_words(run)[owner:]) or None,
        category=category,
        selectors=meant,
        extra=[word for word in _words(extra) if word not in ARTICLES] + [word for _, anchor in read for word in anchor.extra],
        rank=rank,
        relations=read,
        related=" and ".join(" ".join(_words(relation)) for relation in relations).split(),
    )
