"""SAM's training: its examples, its loss, what is saved, and a run from end to end."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from textedit_lite.errors import SettingsError, WeightsError  # noqa: E402
from textedit_lite.models import lone_segmenter  # noqa: E402
from textedit_lite.segment import extent, sam_shapes  # noqa: E402
from textedit_lite.training import data, sam, score_masks  # noqa: E402
from textedit_lite.world.scenes import make_scene, render, visible_masks  # noqa: E402

SCENES = 6


@pytest.fixture(scope="module")
def drawn():
    """(images, maps, objects) of a few scenes."""
    scenes = [make_scene(i, "train", 0) for i in range(SCENES)]
    images = np.stack([np.asarray(render(scene)) for scene in scenes])
    maps = np.zeros(images.shape[:3], np.uint8)
    for shapes, scene in zip(maps, scenes):
        for number, mask in enumerate(visible_masks(scene), 1):
            shapes[mask > 0] = number
    return images, maps, sam.objects_of(maps)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return sam.build()


def test_the_model_fits_into_its_file(model):
    assert 2 * sum(parameter.numel() for parameter in model.parameters()) < 4 * 2**20
    assert model.config.context == pytest.approx(4 / 3)


def test_every_object_that_shows_is_listed_with_its_box(drawn):
    _, maps, objects = drawn
    for index, number, *box in objects:
        assert (maps[index] == number).sum() >= sam.LEAST
        assert tuple(box) == extent(maps[index] == number)
    shown = sum(int((maps[i] == n).sum() >= sam.LEAST) for i in range(SCENES) for n in range(1, int(maps[i].max()) + 1))
    assert len(objects) == shown > SCENES


def test_a_jittered_box_is_near_the_true_one_and_in_the_picture():
    rng = np.random.default_rng(0)
    boxes = np.stack([sam.jittered(np.array([0, 50, 100, 110]), rng, (256, 200)) for _ in range(400)])
    assert boxes[:, :2].min() >= 0 and 2 < boxes[:, 2].std() < 8 and 1.5 < boxes[:, 3].std() < 5
    assert np.abs(boxes.mean(0) - [2, 50, 100, 110]).max() < 1.5
    tiny = sam.jittered(np.array([3, 3, 5, 5]), rng, (256, 200))
    assert tiny[2] - tiny[0] >= 8 and tiny[3] - tiny[1] >= 8


def test_examples_show_the_object_in_their_box_and_follow_the_generator(drawn):
    batches = sam.batch_maker(*drawn)
    pixels, boxes, shapes = batches(0, torch.Generator().manual_seed(3))
    assert pixels.shape == (sam.BATCH, 3, sam.SIDE, sam.SIDE) and -1 <= pixels.min() < pixels.max() <= 1
    assert boxes.shape == (sam.BATCH, 1, 4) and 0 <= shapes.min() and shapes.max() == 1
    again = batches(7, torch.Generator().manual_seed(3))
    assert all(torch.equal(a, b) for a, b in zip((pixels, boxes, shapes), again))
    assert not torch.equal(batches(0, torch.Generator().manual_seed(4))[2], shapes)
    for box, shape in zip(boxes[:, 0].numpy(), shapes.numpy()):
        x0, y0, x1, y1 = extent(shape > 0.5)
        assert np.abs(box - [x0, y0, x1, y1]).max() < 0.25 * sam.SIDE
        inside = shape[max(0, int(box[1])) : int(box[3]) + 1, max(0, int(box[0])) : int(box[2]) + 1]
        assert inside.sum() > 0.75 * shape.sum()


def test_the_losses_by_hand():
    truth = torch.zeros(1, 4, 4)
    truth[:, :2] = 1
    sure = torch.where(truth > 0.5, 20.0, -20.0)
    assert float(sam.focal(sure, truth)) < 1e-6 and float(sam.dice(sure, truth)) < 1e-6
    assert float(sam.mask_iou(sure, truth)) == 1
    undecided = torch.zeros(1, 4, 4)
    assert float(sam.focal(undecided, truth)) == pytest.approx(0.5 * np.log(2))
    assert float(sam.dice(undecided, truth)) == pytest.approx(1 - (2 * 4 + 1) / (4 + 8 + 1))
    assert float(sam.mask_iou(-sure, truth)) == 0
    wide = torch.where(torch.arange(4)[:, None] < 3, 1.0, -1.0).expand(1, 4, 4)
    assert float(sam.mask_iou(wide, truth)) == pytest.approx(2 / 3)


def test_the_loss_has_its_three_parts():
    truth = torch.zeros(2, 4, 4)
    truth[:, :2] = 1
    logits = torch.where(torch.arange(4)[:, None] < 3, 1.0, -1.0).expand(2, 4, 4)  # an IoU of 2/3

    def model(pixel_values, input_boxes, multimask_output):
        assert (pixel_values, input_boxes, multimask_output) == ("pixels", "boxes", False)
        return SimpleNamespace(pred_masks=logits[:, None, None], iou_scores=torch.full((2, 1, 1), 0.5))

    total, parts = sam.loss(model, ("pixels", "boxes", truth))
    expected = {"focal": 5 * sam.focal(logits, truth), "dice": sam.dice(logits, truth), "self": torch.tensor((2 / 3 - 0.5) ** 2)}
    for name, value in expected.items():
        torch.testing.assert_close(parts[name], value)
    torch.testing.assert_close(total, sum(expected.values()))
    assert float(parts["iou"]) == pytest.approx(2 / 3)
    # How wrong a pixel is only weighs its cross-entropy: the slope is that of the cross-entropy, weighed.
    (slope,) = torch.autograd.grad(sam.focal(at := torch.zeros(1, 2, 2, requires_grad=True), torch.ones(1, 2, 2)), at)
    torch.testing.assert_close(slope, torch.full((1, 2, 2), 0.5 * -0.5 / 4))


def test_examples_are_mirrored_as_a_whole():
    """An object in the shape of an L is white, all else black: pixels and shape are the same picture, whichever way it looks."""
    maps = np.zeros((1, 256, 256), np.uint8)
    maps[0, 80:180, 90:120] = maps[0, 160:180, 90:170] = 1
    images = np.repeat(maps[..., None] * 255, 3, -1)
    pixels, _, shapes = sam.batch_maker(images, maps, sam.objects_of(maps))(0, torch.Generator().manual_seed(0))
    assert (pixels - (2 * shapes[:, None] - 1)).abs().max() < 0.03
    left = shapes[..., : sam.SIDE // 2].sum((1, 2)) > shapes[..., sam.SIDE // 2 :].sum((1, 2))
    assert 3 <= left.sum() <= 13


def test_it_learns(drawn):
    torch.manual_seed(1)
    model, batches = sam.build().train(), sam.batch_maker(*drawn)
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    batch, losses = batches(0, torch.Generator().manual_seed(0)), []
    for _ in range(14):
        total, parts = sam.loss(model, batch)
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(total.detach()))
    assert losses[-1] < 0.7 * losses[0] and set(parts) == {"focal", "dice", "self", "iou"}


def test_a_run_from_end_to_end_is_resumed_and_saved(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "PART", SCENES)
    options = {"scenes": tmp_path / "scenes", "count": SCENES, "scored": 3, "progress": False}
    sam.train(tmp_path / "sam", 0.02, **options)
    results = sam.train(tmp_path / "sam", 0.04, **options)
    assert 0 <= results["iou"] <= 1 and 0.4 < results["box"] < 0.9 and results["objects"] > 3
    facts = json.loads((tmp_path / "sam" / "results.json").read_text())
    assert facts["training"]["steps"] >= 1 and "train sam --minutes 0.04" in facts["training"]["command"]
    assert (tmp_path / "sam" / "model.safetensors").stat().st_size <= 4 * 2**20
    model, processor = lone_segmenter(tmp_path / "sam", "sam")
    assert model.config.context == pytest.approx(4 / 3)
    found = sam_shapes(render(make_scene(0)), np.array([[20, 20, 90, 100], [0, 0, 40, 30]]), model, processor)
    assert found.shape == (2, 256, 256) and found.dtype == bool


def test_what_is_no_training(tmp_path):
    with pytest.raises(SettingsError, match="above 0"):
        sam.train(tmp_path, 0)
    with pytest.raises(WeightsError, match="train sam"):
        lone_segmenter(tmp_path, "sam")


def test_which_box_shows_which_object():
    truth = np.zeros((3, 40, 40), bool)
    truth[0, 5:20, 5:20], truth[1, 25:39, 25:39], truth[2, 0:2, 0:2] = True, True, True
    found = np.array([[24, 26, 39, 39], [5, 5, 21, 20], [0, 0, 2, 2]], np.float32)
    assert score_masks.pairs(truth, found) == {0: 1, 1: 0}  # the third shows too little
    assert score_masks.pairs(truth, np.zeros((0, 4), np.float32)) == {}
