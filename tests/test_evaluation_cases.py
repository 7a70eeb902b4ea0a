"""What is edited: sets of every kind read alike, and cases that depend on the seed alone and can be asked for."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from textedit_lite.detect import Detections
from textedit_lite.errors import ImageError, SettingsError
from textedit_lite.evaluation import cases as chosen
from textedit_lite.evaluation import sets
from textedit_lite.evaluation.sets import Folder, Picture, Thing, object_mask, open_set
from textedit_lite.match import match
from textedit_lite.prompt import parse
from textedit_lite.vocabulary import COCO_IDS, TASKS
from textedit_lite.world.coco import write_set
from textedit_lite.world.scenes import make_scene, render, visible_masks

ALL = list(TASKS)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A COCO folder of five scenes."""
    return write_set(tmp_path_factory.mktemp("drawn"), 5, seed=2)


def square(box, crowd=0, category="bus", number=1, **attributes) -> dict:
    """A COCO annotation of a filled box, xyxy."""
    x0, y0, x1, y1 = box
    return {
        "id": number, "image_id": 1, "category_id": COCO_IDS[category], "iscrowd": crowd, "area": (x1 - x0) * (y1 - y0),
        "bbox": [x0, y0, x1 - x0, y1 - y0], "segmentation": [[x0, y0, x1, y0, x1, y1, x0, y1]], "attributes": attributes,
    }  # fmt: skip


def photograph(folder, *rows, colour=(200, 30, 30)):
    """A COCO folder of one picture of 100 x 100 pixels with these annotations, their boxes filled with a colour."""
    (folder / "images").mkdir(exist_ok=True)
    image = Image.new("RGB", (100, 100), (128, 128, 128))
    for row in rows:
        x, y, w, h = map(int, row["bbox"])
        image.paste(colour, (x, y, x + w, y + h))
    image.save(folder / "images" / "one.png")
    categories = [{"id": number, "name": name} for name, number in COCO_IDS.items()]
    images = [{"id": 1, "file_name": "one.png", "width": 100, "height": 100}]
    (folder / "instances.json").write_text(json.dumps({"images": images, "annotations": rows, "categories": categories}))
    return Folder(folder)


# --- sets --------------------------------------------------------------------------------------------------------


def test_a_drawn_folder_and_the_world_are_the_same_set(drawn):
    folder, world = open_set(str(drawn)), open_set("world", 2)
    for number in (1, 4):
        mine, theirs = folder.picture(number), world.picture(number)
        assert [(t.category, t.box, t.attributes) for t in mine.objects] == [(t.category, t.box, t.attributes) for t in theirs.objects]
        assert np.array_equal(folder.open(mine), world.open(theirs))
        assert folder.scene(mine) == world.scene(theirs) == make_scene(number - 1, "test", 2)
        truth = visible_masks(world.scene(theirs))
        for thing in mine.objects:
            assert np.array_equal(object_mask(mine, thing), truth[thing.attributes["order"]].astype(bool))


def test_masks_are_read_from_polygons_and_from_both_run_lengths():
    polygon = square((10, 20, 30, 50))["segmentation"]
    column = np.zeros((100, 100), bool)
    column[20:50, 10:30] = True
    runs = np.flatnonzero(np.diff(np.concatenate([[0], column.T.ravel(), [0]])))
    counts = np.diff(np.concatenate([[0], runs, [column.size]])).tolist()
    for segmentation in (polygon, {"size": [100, 100], "counts": counts}):
        thing = Thing(1, "bus", (10, 20, 30, 50), 600, False, segmentation)
        mask = object_mask(Picture(1, "one.png", 100, 100, (thing,)), thing)
        assert mask.shape == (100, 100) and np.array_equal(mask, column)


@pytest.mark.parametrize("spoil", ["nothing", "no json", "no categories"])
def test_a_folder_that_is_no_set_is_refused(spoil, tmp_path):
    if spoil != "nothing":
        (tmp_path / "images").mkdir()
        (tmp_path / "instances.json").write_text("{" if spoil == "no json" else '{"images": [], "annotations": []}')
    with pytest.raises(SettingsError, match="COCO"):
        Folder(tmp_path)


def test_a_picture_of_another_size_than_annotated_is_an_error(tmp_path):
    source = photograph(tmp_path, square((20, 20, 60, 60)))
    Image.new("RGB", (50, 100)).save(tmp_path / "images" / "one.png")
    with pytest.raises(ImageError, match="50x100"):
        source.open(source.picture(1))


def test_scenes_of_another_recipe_are_refused(drawn, tmp_path):
    for name in ("instances.json", "recipe.json"):
        (tmp_path / name).write_text((drawn / name).read_text())
    (tmp_path / "images").mkdir()
    (tmp_path / "recipe.json").write_text(json.dumps({"seed": 3, "size": [256, 256], "split": "test"}))
    source = Folder(tmp_path)
    with pytest.raises(SettingsError, match="draw it again"):
        for picture in source.pictures.values():
            source.scene(picture)


@pytest.mark.parametrize("spoil", [lambda row: row["attributes"].clear(), lambda row: row["attributes"].update(order=99)])
def test_a_drawn_set_that_does_not_fit_its_recipe_is_refused(spoil, drawn, tmp_path):
    instances = json.loads((drawn / "instances.json").read_text())
    spoil(instances["annotations"][0])
    (tmp_path / "instances.json").write_text(json.dumps(instances))
    (tmp_path / "recipe.json").write_text((drawn / "recipe.json").read_text())
    (tmp_path / "images").mkdir()
    source = Folder(tmp_path)
    with pytest.raises(SettingsError, match="draw it again"):
        source.scene(source.picture(instances["annotations"][0]["image_id"]))


NO_OUTLINE = [{"segmentation": []}, {"segmentation": None}, {"segmentation": [[]]}, {"segmentation": [[10, 20, 30, 50]]}]


@pytest.mark.parametrize("changes", [*NO_OUTLINE, {"area": None}, {"attributes": ["occluded"]}])
def test_of_an_object_without_an_outline_the_box_is_taken(changes, tmp_path):
    row = square((20, 30, 70, 80)) | changes
    source = photograph(tmp_path, {key: value for key, value in row.items() if value is not None})
    picture = source.picture(1)
    wanted = np.zeros((100, 100), bool)
    wanted[30:80, 20:70] = True
    assert np.array_equal(object_mask(picture, picture.objects[0]), wanted) and picture.objects[0].area == 2500
    assert chosen.choose_cases(source, ["color", "tilt"], 5, 0)


@pytest.mark.parametrize("outline", [{"size": [50, 50], "counts": [0, 2500]}, {"size": [100, 100]}, {"counts": [0, 10000]}, "yes"])
def test_an_outline_that_cannot_be_read_fails_as_a_damaged_picture_does(outline, tmp_path):
    source = photograph(tmp_path, square((20, 30, 70, 80)) | {"segmentation": outline})
    picture = source.picture(1)
    with pytest.raises(ImageError, match="outline of object 1 of one.png .* annotate it again"):
        object_mask(picture, picture.objects[0])
    assert chosen.choose_cases(source, ["color"], 5, 0), "it is chosen, and its row says what is wrong"


def test_ids_that_are_no_whole_numbers_are_refused(tmp_path):
    photograph(tmp_path, square((20, 30, 70, 80)))
    text = (tmp_path / "instances.json").read_text()
    (tmp_path / "instances.json").write_text(text.replace('"images": [{"id": 1', '"images": [{"id": "1"'))
    with pytest.raises(SettingsError, match="no COCO instances"):
        Folder(tmp_path)


def test_a_set_by_any_name_is_read_as_coco_ships_it(tmp_path):
    photograph(tmp_path, square((20, 30, 70, 80)))
    (tmp_path / "annotations").mkdir()
    (tmp_path / "instances.json").rename(tmp_path / "annotations" / "instances_train.json")
    (tmp_path / "images").rename(tmp_path / "train")
    source = Folder(tmp_path)
    assert source.open(source.picture(1)).size == (100, 100)


@pytest.mark.parametrize(("size", "annotated", "first"), [((40, 60), (60, 40), "upright"), ((40, 60), (40, 60), "stored")])
def test_a_turned_photograph_is_read_as_it_was_annotated(size, annotated, first, tmp_path):
    """Stored on its side with a note in EXIF: some annotate what they see, others what is stored."""
    photograph(tmp_path, square((5, 5, 35, 35)))
    stored = Image.new("RGB", size, (0, 0, 250))
    stored.paste((250, 0, 0), (0, 0, 40, 10))  # the upper edge of what is stored, the right one of what is seen
    exif = Image.Exif()
    exif[0x0112] = 6
    stored.save(tmp_path / "images" / "one.png", exif=exif)
    text = (tmp_path / "instances.json").read_text()
    (tmp_path / "instances.json").write_text(text.replace('"width": 100, "height": 100', '"width": {}, "height": {}'.format(*annotated)))
    source = Folder(tmp_path)
    image = source.open(source.picture(1))
    assert image.size == annotated
    assert image.getpixel((annotated[0] - 1, annotated[1] - 1))[0] == (250 if first == "upright" else 0)


def test_a_world_that_is_drawn_otherwise_is_another_set(monkeypatch):
    before = open_set("world", 2).sha256
    assert open_set("world", 2).sha256 == before != open_set("world", 3).sha256
    monkeypatch.setattr(sets, "render", lambda scene: render(scene).rotate(180))
    assert open_set("world", 2).sha256 != before


# --- cases -------------------------------------------------------------------------------------------------------


def test_cases_depend_on_the_seed_alone():
    made = [chosen.choose_cases(open_set("world", seed), ALL, count, seed) for seed, count in ((0, 4), (0, 2), (1, 4))]
    assert made[0] == chosen.choose_cases(open_set("world", 0), ALL, 4, 0)
    assert made[0][:8] == made[1] and made[0] != made[2]
    assert [case.task for case in made[0]] == ALL * 4 and len({case.key for case in made[0]}) == 16


def test_every_case_can_be_asked_for(drawn):
    source = open_set(str(drawn))
    for case in chosen.choose_cases(source, ALL, 100, 5):
        picture = source.picture(case.image_id)
        thing = picture.objects[case.index]
        attribute, value = TASKS[case.task]
        assert thing.id == case.object_id and thing.category == case.category and not thing.crowd
        assert thing.attributes[attribute] != case.change[attribute] and value in (None, case.change[attribute])
        assert 0.02 <= thing.area / (picture.width * picture.height) <= 0.6
        said = parse(case.prompt)
        assert (said.category, said.task, said.changes) == (case.category, case.task, case.change)
        fits = [other for other in picture.objects if other.category == said.category and said.colour in (None, other.colour)]
        assert fits == [thing], "the words name it, and nothing else"


def test_a_set_with_fewer_pictures_gives_all_that_it_has(drawn):
    source = open_set(str(drawn))
    found = chosen.choose_cases(source, ["color"], 100, 0)
    assert 0 < len(found) <= 5 and len({case.image_id for case in found}) == len(found)


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        ([square((20, 20, 60, 60))], True),
        ([square((20, 20, 60, 60), crowd=1)], False),
        ([square((20, 20, 30, 30))], False),  # 1 %
        ([square((5, 5, 95, 95))], False),  # 81 %
        *(([square(box)], False) for box in ((0, 20, 60, 60), (20, 0, 60, 60), (40, 20, 100, 60), (20, 40, 60, 100))),  # cut
        ([square((20, 20, 60, 60)), square((70, 70, 90, 90), number=2)], False),  # two buses: which?
        ([square((20, 20, 60, 60)), square((70, 70, 90, 90), crowd=1, number=2)], False),  # nor with a crowd of them
        ([square((20, 20, 60, 60)), square((70, 70, 90, 90), number=2, category="car")], True),
        ([square((20, 20, 60, 60), colour="red"), square((70, 70, 90, 90), number=2, colour="blue")], True),
        ([square((20, 20, 60, 60), colour="red"), square((70, 70, 90, 90), number=2)], False),
        ([square((20, 20, 60, 60), pose="tilted")], False),  # shows it already
    ],
)
def test_only_what_is_whole_and_can_be_named_is_edited(rows, named, tmp_path):
    source = photograph(tmp_path, *rows)
    assert (0 in chosen.candidates(source, source.picture(1), "tilt")) == named


def test_a_photograph_is_not_asked_for_the_colour_that_it_has(tmp_path):
    source = photograph(tmp_path, square((20, 20, 60, 60)), colour=(215, 40, 40))
    asked = {chosen.choose_cases(source, ["color"], 1, seed)[0].change["colour"] for seed in range(40)}
    assert "red" not in asked and len(asked) > 4


def test_a_damaged_picture_is_chosen_all_the_same(tmp_path):
    source = photograph(tmp_path, square((20, 20, 60, 60)))
    (tmp_path / "images" / "one.png").write_bytes(b"no picture")
    assert len(chosen.choose_cases(source, ALL, 3, 0)) == 4


@pytest.mark.parametrize(("tasks", "count", "words"), [(["sideways"], 1, "no task"), ([], 1, "each task once"),
                                                       (["tilt", "tilt"], 1, "each task once"), (["tilt"], 0, "at least 1")])  # fmt: skip
def test_a_wrong_wish_is_refused(tasks, count, words):
    with pytest.raises(SettingsError, match=words):
        chosen.choose_cases(open_set("world", 0), tasks, count, 0)


def test_a_set_without_a_case_is_refused(tmp_path):
    with pytest.raises(SettingsError, match="another set"):
        chosen.choose_cases(photograph(tmp_path, square((20, 20, 30, 30))), ["tilt"], 1, 0)


def test_real_photographs_have_cases(coco_val):
    source = open_set(str(coco_val))
    found = chosen.choose_cases(source, ALL, 1000, 0)
    assert len(found) > 100
    for case in found:
        said = parse(case.prompt)
        assert (said.category, said.task, said.changes) == (case.category, case.task, case.change)
        picture = source.picture(case.image_id)
        assert object_mask(picture, picture.objects[case.index]).any()


def test_of_a_real_photograph_the_one_of_its_category_is_chosen(coco_val, models):
    source = open_set(str(coco_val))
    right = []
    for picture in source.pictures.values():
        whole = [thing for thing in picture.objects if not thing.crowd]
        names = [thing.category for thing in whole]
        for at, name in enumerate(names):
            if names.count(name) > 1 or name not in models.known_words:
                continue
            boxes = np.array([thing.box for thing in whole], np.float32)
            found = Detections(boxes, np.full(len(names), 0.99, np.float32), tuple(names), 0.5)
            right.append(match(source.open(picture), found, parse(f"the {name} becomes red"), models).index == at)
    assert len(right) > 10 and all(right)


def test_the_world_is_drawn_as_scenes_are():
    world = open_set("world", 7)
    picture = world.picture(3)
    assert np.array_equal(world.open(picture), render(make_scene(2, "test", 7)))
