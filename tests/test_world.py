"""The small world: scenes, their truth, their places, and the COCO sets made of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from textedit_lite import data_path, open_image
from textedit_lite.errors import OutputError, SettingsError
from textedit_lite.vocabulary import COCO_IDS, COLOURS, POSES, VIEWS
from textedit_lite.world import scenes
from textedit_lite.world.backgrounds import KINDS, Background, draw_background
from textedit_lite.world.coco import write_set
from textedit_lite.world.samples import SAMPLES
from textedit_lite.world.scenes import (
    SPLITS,
    Scene,
    SceneObject,
    boxes,
    captions,
    changed,
    full_mask,
    ideal_edit,
    make_scene,
    relations,
    render,
    visible_masks,
)
from textedit_lite.world.sprites import CATEGORIES

EDGE = 12  # levels by which antialiased and shrunken edges may shine through


@pytest.fixture(scope="module")
def sample():
    """60 test scenes with their pictures and masks."""
    made = [make_scene(i, seed=5) for i in range(60)]
    return [(scene, np.asarray(render(scene)), visible_masks(scene)) for scene in made]


def differing(a: Image.Image | np.ndarray, b: Image.Image | np.ndarray, more_than: int = 0) -> np.ndarray:
    return (np.abs(np.asarray(a, int) - np.asarray(b, int)) > more_than).any(-1)


def grown(mask: np.ndarray, pixels: int) -> np.ndarray:
    return ndimage.binary_dilation(mask, iterations=pixels)


# --- making and drawing ------------------------------------------------------------------------------------------


def test_the_same_scene_is_drawn_from_the_same_numbers():
    first = [(make_scene(i, "validation", 3), render(make_scene(i, "validation", 3)).tobytes()) for i in range(6)]
    for cache in (scenes.stamp, scenes._background, scenes._extent, scenes._soft_shadow, scenes._contact_shadow,
                  scenes.sprite):  # fmt: skip
        cache.cache_clear()
    for i, (scene, pixels) in reversed(list(enumerate(first))):
        again = make_scene(i, "validation", 3)
        assert again == scene and hash(again) == hash(scene)
        assert render(again).tobytes() == pixels


@pytest.mark.parametrize("name", SAMPLES)
def test_the_world_is_drawn_as_the_shipped_samples_were(name):
    """As the models have learnt to see it: another stroke, colour or shadow is another world."""
    shipped, now = open_image(data_path("samples", f"{name}.png")), render(SAMPLES[name])
    assert differing(shipped, now, EDGE).mean() < 0.001


def test_scenes_are_those_that_the_models_and_the_tables_were_made_with():
    first = {split: make_scene(0, split) for split in SPLITS}
    assert {split: scene.background.kind for split, scene in first.items()} == {"train": "sea", "validation": "snow", "test": "room"}
    told = {split: [f"{thing.colour} {thing.category}" for thing in scene.objects] for split, scene in first.items()}
    assert told == {
        "train": ["blue chair", "white suitcase", "yellow chair", "black umbrella", "blue fire hydrant"],
        "validation": ["yellow airplane", "red airplane", "black airplane", "purple airplane", "black bus"],
        "test": ["white umbrella", "white bus"],
    }  # fmt: skip


def test_what_is_tilted_leans_to_the_left_and_what_hangs_throws_its_shadow_to_the_lower_right():
    clock = SceneObject("clock", "white", "front", "upright", 0.5, 0.5, 0.4)
    hydrant = SceneObject("fire hydrant", "red", "front", "tilted", 0.5, 0.5, 0.4)
    wall = Scene("test", 0, 0, 256, 256, Background("gradient", 5, None), (hydrant,))
    rows, columns = np.nonzero(full_mask(wall, 0))
    assert columns[rows < rows.min() + 20].mean() < columns[rows > rows.max() - 20].mean() - 10
    hung, bare = (np.asarray(render(replace(wall, objects=objects)), int).sum(-1) for objects in ((clock,), ()))
    rows, columns = np.nonzero((hung < bare - 30) & ~grown(full_mask(replace(wall, objects=(clock,)), 0), 2))
    assert len(rows) > 50 and rows.mean() > 128 and columns.mean() > 128


def test_what_is_drawn_can_be_seen():
    """Of each object's box others cover at most 40 %, and at least 75 % of it lies in the picture."""
    most = least = 0.0

    def shared(a: np.ndarray, b: np.ndarray) -> float:
        return float(np.prod(np.clip(np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2]), 0, None)))

    for index in range(150):
        scene = make_scene(index, "train", 4)
        extents = [np.array(scenes._object_box(thing)) for thing in scene.objects]
        for i, box in enumerate(extents):
            covered = sum(shared(box, front) for front in extents[i + 1 :]) / shared(box, box)
            outside = 1 - shared(box, np.array([0, 0, 1, 1])) / shared(box, box)
            assert covered <= 0.4 + 1e-9 and outside <= 0.25 + 1e-9
            most, least = max(most, covered), max(least, outside)
    assert most > 0.35 and least > 0.2, "and they do stand before each other, and at the border"


def test_splits_never_meet():
    assert set(SPLITS) == {"train", "validation", "test"}
    assert len(set(SPLITS.values())) == 3, "the split is the first number of every scene's seed"
    assert all(0 <= number < 2**32 for number in SPLITS.values()), "one word of the seed each"
    contents: dict[str, set] = {}
    for split in SPLITS:
        for seed in (0, 1, 101, 102, 103):
            made = [make_scene(i, split, seed) for i in range(120)]
            contents.setdefault(split, set()).update((scene.background, scene.objects) for scene in made)
        assert len(contents[split]) == 600, "within a split no scene comes twice either"
    assert not contents["train"] & contents["test"]
    assert not contents["train"] & contents["validation"]
    assert not contents["validation"] & contents["test"]


def test_pictures_of_the_splits_differ():
    pictures = [render(make_scene(i, split, size=64)) for split in SPLITS for i in range(40)]
    digests = [hashlib.sha256(picture.tobytes()).digest() for picture in pictures]
    assert len(set(digests)) == len(digests)


def test_scenes_are_varied(sample):
    made = [make_scene(i, "train", 2) for i in range(400)]
    assert {len(scene.objects) for scene in made} == {1, 2, 3, 4, 5, 6}
    things = [thing for scene in made for thing in scene.objects]
    assert {thing.category for thing in things} == set(CATEGORIES) and len(CATEGORIES) >= 12
    assert {thing.colour for thing in things} == set(COLOURS) and len(COLOURS) >= 8
    assert {thing.view for thing in things} == set(VIEWS)
    assert {thing.pose for thing in things} == set(POSES)
    assert {scene.background.kind for scene in made} == set(KINDS) and len(KINDS) >= 6
    twins = [scene for scene in made if len({thing.category for thing in scene.objects}) < len(scene.objects)]
    assert len(twins) > 40, "several of one category"
    covered = cut = 0
    for scene, _, masks in sample:
        for i in range(len(scene.objects)):
            full = full_mask(scene, i)
            covered += masks[i].sum() < full.sum()
            cut += bool(full[0].any() or full[-1].any() or full[:, 0].any() or full[:, -1].any())
    assert covered > 10 and cut > 10, "objects in front of others, and at the border"


@pytest.mark.parametrize("size", [128, 512, (320, 200), (150, 400)])
def test_any_size(size):
    scene = make_scene(8, "test", 4, size)
    wanted = size if isinstance(size, tuple) else (size, size)
    assert render(scene).size == wanted and render(scene).mode == "RGB"
    assert visible_masks(scene).shape == (len(scene.objects), wanted[1], wanted[0])


def test_a_scene_shows_the_same_at_twice_the_size():
    scene = make_scene(3, size=256)
    small = np.asarray(render(scene), float)
    large = render(replace(scene, width=512, height=512)).resize((256, 256), Image.Resampling.BOX)
    assert np.abs(small - np.asarray(large, float)).mean() < 4


def test_bad_wishes_are_refused():
    with pytest.raises(SettingsError, match="train, validation, test"):
        make_scene(0, "exam")
    with pytest.raises(SettingsError, match="64"):
        make_scene(0, size=(400, 40))


@pytest.mark.parametrize("window", [(40, 60, 180, 200), (-20, 100, 90, 300)])
def test_a_window_is_a_part_of_the_picture(window):
    for i in range(4):
        scene = make_scene(i, seed=9)
        part, whole = render(scene, window), render(scene).crop(window)
        x0, y0, x1, y1 = window
        inside = (max(0, -x0), max(0, -y0), min(256, x1) - x0, min(256, y1) - y0)
        assert part.crop(inside).tobytes() == whole.crop(inside).tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_a_place_is_varied_pale_and_the_same_at_every_size(kind):
    horizon = 0.45 if KINDS[kind][1] else None
    first, again, other = (
        np.asarray(draw_background(Background(kind, seed, horizon), 120, 90)) for seed in (1, 1, 2)
    )
    assert first.shape == (90, 120, 3)
    assert (first == again).all() and (first != other).any()
    larger = draw_background(Background(kind, 1, horizon), 240, 180).resize((120, 90), Image.Resampling.BOX)
    assert np.abs(first.astype(float) - np.asarray(larger)).mean() < 6
    high, low = first.max(-1).astype(int), first.min(-1).astype(int)
    assert np.percentile((high - low) / np.maximum(high, 1), 95) < 0.42, "no background is as vivid as an object"


# --- truth -------------------------------------------------------------------------------------------------------


def test_masks_and_boxes_agree(sample):
    for scene, _, masks in sample:
        assert masks.dtype == np.uint8 and set(np.unique(masks)) <= {0, 1}
        assert masks.sum(0).max() <= 1, "a pixel shows one object"
        found = boxes(scene)
        assert found.shape == (len(scene.objects), 4) and found.dtype == np.float32
        for i, (mask, box) in enumerate(zip(masks, found, strict=True)):
            ys, xs = np.nonzero(mask)
            assert box.tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]
            full = full_mask(scene, i)
            covers = masks[i + 1 :].any(0) if i + 1 < len(masks) else np.zeros_like(mask)
            assert (mask <= full).all() and not (mask & covers).any()
            assert (full & ~mask.astype(bool) <= covers).all(), "only what is in front hides it"


def test_masks_are_where_the_pixels_are(sample):
    for scene, picture, masks in sample[:30]:
        for i, thing in enumerate(scene.objects):
            another = COLOURS[(COLOURS.index(thing.colour) + 3) % len(COLOURS)]
            differs = differing(picture, ideal_edit(scene, i, {"colour": another}), EDGE)
            assert not (differs & ~grown(masks[i], 3)).any(), "recolouring reaches no further than the mask's edge"
            assert differs[masks[i] > 0].mean() > 0.5, "and it reaches most of the mask"


def test_an_ideal_edit_changes_one_object_and_its_shadow(sample):
    for number, (scene, picture, masks) in enumerate(sample[:40]):
        i = number % len(scene.objects)
        thing = scene.objects[i]
        pose = next(pose for pose in POSES if pose != thing.pose)
        view = next(view for view in VIEWS if view != thing.view)
        for change in ({"pose": pose}, {"view": view}, {"colour": thing.colour}):
            edited = ideal_edit(scene, i, change)
            differs = differing(picture, edited)
            if "colour" in change:
                assert not differs.any(), "nothing was asked, nothing happens"
                continue
            if masks[i].sum() > 100:
                assert differs.any()
            ys, xs = np.mgrid[:256, :256] / 256
            reach = 0.7 * thing.size
            away = (abs(xs - thing.x) > reach) | (abs(ys - thing.y) > reach)
            assert not (differs & away).any()
            for front in masks[i + 1 :]:
                inner = ndimage.binary_erosion(front, iterations=3)
                assert not (differing(picture, edited, EDGE) & inner).any(), "what is in front stays"


def test_changed_leaves_the_rest(sample):
    scene = next(scene for scene, _, _ in sample if len(scene.objects) > 2)
    other = changed(scene, 1, colour="purple", pose="tilted")
    assert other.objects[1] == replace(scene.objects[1], colour="purple", pose="tilted")
    assert (other.objects[0], other.objects[2:]) == (scene.objects[0], scene.objects[2:])
    assert other.background == scene.background


def test_captions_and_relations_are_true(sample):
    opposite = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}
    several = 0
    for scene, _, _ in sample:
        short, full = captions(scene)
        for thing in scene.objects:
            assert thing.caption in full and f"{thing.colour} {thing.category}" in short
        assert short.endswith(KINDS[scene.background.kind][2])
        found = set(relations(scene))
        several += len(found) > 0
        for i, relation, j in found:
            a, b = scene.objects[i], scene.objects[j]
            if relation == "in front of":
                assert i > j
                assert (grown(full_mask(scene, i), 40) & full_mask(scene, j)).any()
            else:
                assert (j, opposite[relation], i) in found
                assert (i, opposite[relation], j) not in found
                assert {"left of": a.x < b.x, "right of": a.x > b.x, "above": a.y < b.y, "below": a.y > b.y}[relation]
    assert several > 30


# --- COCO --------------------------------------------------------------------------------------------------------


def test_a_set_loads_in_pycocotools(tmp_path):
    from pycocotools.coco import COCO

    out = write_set(tmp_path / "set", 5, seed=7, size=(200, 160), split="validation")
    coco, sentences = COCO(out / "instances.json"), COCO(out / "captions.json")
    assert sorted(coco.imgs) == [1, 2, 3, 4, 5] == sorted(sentences.imgs)
    assert {row["name"]: row["id"] for row in coco.cats.values()} == {name: COCO_IDS[name] for name in CATEGORIES}
    for image_id, row in coco.imgs.items():
        scene = make_scene(image_id - 1, "validation", 7, (200, 160))
        with Image.open(out / "images" / row["file_name"]) as stored:
            assert stored.size == (row["width"], row["height"]) == (200, 160)
            assert stored.convert("RGB").tobytes() == render(scene).tobytes()
        rows = coco.loadAnns(coco.getAnnIds(imgIds=image_id))
        shown = [(thing, mask) for thing, mask in zip(scene.objects, visible_masks(scene), strict=True) if mask.any()]
        assert len(rows) == len(shown)
        for annotation, (thing, mask) in zip(rows, shown, strict=True):
            assert (coco.annToMask(annotation) == mask).all()
            x, y, w, h = annotation["bbox"]
            assert [x, y, x + w, y + h] == list(scenes.mask_box(mask))
            assert annotation["area"] == mask.sum() and annotation["iscrowd"] == 0
            assert coco.cats[annotation["category_id"]]["name"] == thing.category
            told = annotation["attributes"]
            assert (told["colour"], told["view"], told["pose"]) == (thing.colour, thing.view, thing.pose)
            mine = scene.objects.index(thing)
            assert {(mine, relation, j) for relation, j in told["relations"]} == {one for one in relations(scene) if one[0] == mine}
        told = [sentence["caption"] for sentence in sentences.loadAnns(sentences.getAnnIds(imgIds=image_id))]
        assert told == captions(scene)
    assert len({annotation["id"] for annotation in coco.anns.values()}) == len(coco.anns)


def test_a_set_is_continued_and_never_mixed(tmp_path):
    write_set(tmp_path, 2, seed=1, size=64)
    first = tmp_path / "images" / "000000000001.png"
    before = first.stat().st_mtime_ns
    write_set(tmp_path, 3, seed=1, size=64)
    assert first.stat().st_mtime_ns == before, "what is drawn is not drawn again"
    assert len(json.loads((tmp_path / "instances.json").read_text())["images"]) == 3
    with pytest.raises(OutputError, match="another set"):
        write_set(tmp_path, 2, seed=2, size=64)
    with pytest.raises(SettingsError):
        write_set(tmp_path / "none", 0)
    with pytest.raises(SettingsError, match="split"):
        write_set(tmp_path / "none", 1, split="exam")
    with pytest.raises(SettingsError):
        write_set(tmp_path / "none", 1, size=32)
    assert not (tmp_path / "none").exists(), "what is refused leaves nothing behind"
