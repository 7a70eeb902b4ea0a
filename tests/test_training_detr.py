"""The detector's training: its losses, the decoder's start, what is saved, and a run from end to end."""

import itertools
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from textedit_lite.errors import SettingsError, WeightsError  # noqa: E402
from textedit_lite.training import data, detr, loop  # noqa: E402
from textedit_lite.training import detr_loss as losses  # noqa: E402
from textedit_lite.training import detr_model as parts  # noqa: E402
from textedit_lite.training import detr_score as measure  # noqa: E402
from textedit_lite.training.data import Labelled  # noqa: E402

NOTHING = len(detr.CATEGORIES)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return parts.build().eval()


def pictures(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (count, 256, 256, 3), dtype=np.uint8)


def perfect(labels, boxes, queries):
    """Logits and boxes of a detector that is right: its first queries say what is there, in reverse order."""
    logits = torch.full((1, len(labels), queries, NOTHING + 1), -20.0)
    logits[..., -1] = 20.0
    found = torch.full((1, len(labels), queries, 4), 0.5)
    for row, things in enumerate(labels):
        for place, thing in enumerate(reversed(range(int((things >= 0).sum())))):
            logits[0, row, place, -1] = -20.0
            logits[0, row, place, things[thing]] = 20.0
            found[0, row, place] = boxes[row, thing]
    return logits, found


def test_giou_by_hand():
    a = torch.tensor([0.0, 0.0, 2.0, 2.0])
    assert float(losses.giou(a, a)) == pytest.approx(1)
    assert float(losses.giou(a, torch.tensor([1.0, 0.0, 3.0, 2.0]))) == pytest.approx(2 / 6)
    assert float(losses.giou(a, torch.tensor([2.0, 0.0, 4.0, 2.0]))) == pytest.approx(0, abs=1e-6)
    assert float(losses.giou(a, torch.tensor([4.0, 0.0, 6.0, 2.0]))) == pytest.approx(-4 / 12)


def test_every_object_has_a_token_and_overlaps_go_to_the_nearer_one():
    labels = torch.tensor([[3, 7, 5, -1]])
    boxes = torch.tensor([[[0.3, 0.5, 0.4, 0.4], [0.6, 0.5, 0.4, 0.4], [0.98, 0.02, 0.01, 0.01], [0, 0, 0, 0]]])
    classes, where = losses.dense_targets(labels, boxes, (12, 12), NOTHING)
    grid = classes.view(12, 12)
    assert grid[6, 3] == 3 and grid[6, 7] == 7 and grid[0, 11] == 5 and grid[11, 0] == NOTHING
    assert torch.equal(where.view(12, 12, 4)[6, 7], boxes[0, 1])
    empty, _ = losses.dense_targets(torch.full((1, 4), -1), torch.zeros(1, 4, 4), (12, 12), NOTHING)
    assert (empty == NOTHING).all()


def test_matching_is_the_cheapest_of_all_pairings():
    generator = torch.Generator().manual_seed(1)
    logits, found = torch.randn(1, 4, NOTHING + 1, generator=generator), torch.rand(1, 4, 4, generator=generator)
    labels, boxes = torch.tensor([[1, 5, 9]]), torch.rand(1, 3, 4, generator=generator)

    def cost(query, thing):
        chance = float(logits[0, query].softmax(-1)[labels[0, thing]])
        return float(losses.box_loss(found[0, query], boxes[0, thing])) - chance

    best = min(itertools.permutations(range(4), 3), key=lambda order: sum(cost(q, t) for t, q in enumerate(order)))
    _, queries, things = losses.match(logits, found, labels, boxes)
    assert dict(zip(things.tolist(), queries.tolist(), strict=True)) == dict(enumerate(best))


def test_set_loss_is_nothing_for_the_truth_and_something_for_a_duplicate():
    labels = torch.tensor([[2, 4, -1], [0, -1, -1]])
    boxes = torch.rand(2, 3, 4, generator=torch.Generator().manual_seed(2)) * 0.3 + 0.3
    logits, found = perfect(labels, boxes, 5)
    assert sum(float(v) for v in losses.set_loss(logits, found, labels, boxes).values()) < 1e-4
    logits[0, 1, 4], found[0, 1, 4] = logits[0, 1, 0], found[0, 1, 0]  # the same object, said twice
    assert float(losses.set_loss(logits, found, labels, boxes)["class"]) > 0.1


def test_pictures_without_objects_train_the_class_only():
    logits, found = torch.randn(2, 1, 5, NOTHING + 1), torch.rand(2, 1, 5, 4)
    loss = losses.set_loss(logits, found, torch.full((1, 3), -1), torch.zeros(1, 3, 4))
    assert float(loss["class"]) > 0 and float(loss["box"]) == 0


def test_training_sees_what_the_processor_gives(model, tmp_path):
    from PIL import Image
    from transformers import AutoImageProcessor

    detr.save(model, tmp_path)
    processor = AutoImageProcessor.from_pretrained(tmp_path, backend="pil")
    images = pictures(2)
    theirs = processor([Image.fromarray(image) for image in images], return_tensors="pt")["pixel_values"]
    ours = parts.normalise(torch.from_numpy(detr.shrink(images, parts.SIDE)))
    assert theirs.shape == (2, 3, parts.SIDE, parts.SIDE)
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=0)


def test_the_decoder_starts_on_any_device():
    from torch.utils._python_dispatch import TorchDispatchMode

    class OneDevice(TorchDispatchMode):
        """Refuses what a GPU refuses: tensors of two devices in one operation, but for a copy, a single number or an index."""

        def __torch_dispatch__(self, function, types, arguments=(), named=None):
            places = {one.device.type for one in arguments if isinstance(one, torch.Tensor) and one.ndim}
            assert len(places) < 2 or function is torch.ops.aten.copy_.default, f"{function} on {places}"
            return function(*arguments, **(named or {}))

    model = parts.build().to("meta")  # which computes nothing
    with OneDevice():
        parts.start_decoder(model)
    assert {weight.device.type for weight in model.parameters()} == {"meta"}


def test_a_saved_model_answers_as_the_trained_one(tmp_path):
    from transformers import DetrForObjectDetection

    torch.manual_seed(0)
    model = parts.build().train()
    pixels = parts.normalise(torch.from_numpy(detr.shrink(pictures(4), parts.SIDE)))
    parts.encode(model, pixels)  # moves the norms' statistics
    parts.start_decoder(model.eval())
    detr.save(model, tmp_path)
    loaded, report = DetrForObjectDetection.from_pretrained(tmp_path, dtype=torch.float32, output_loading_info=True)
    assert not report["missing_keys"] and not report["unexpected_keys"]
    with torch.inference_mode():
        tokens, positions, _ = parts.encode(model, pixels)
        logits, boxes = parts.heads(model, parts.decode(model, tokens, positions)[-1])
        answer = loaded.eval()(pixels)
    torch.testing.assert_close(answer.logits, logits, atol=0.05, rtol=0.02)  # float16 on disk
    torch.testing.assert_close(answer.pred_boxes, boxes, atol=5e-3, rtol=0)
    assert (tmp_path / "model.safetensors").stat().st_size < 6 * 2**20


def test_the_decoder_starts_as_a_copy_of_the_dense_detector(model):
    pixels = parts.normalise(torch.from_numpy(detr.shrink(pictures(2), parts.SIDE)))
    with torch.inference_mode():
        tokens, positions, (height, width) = parts.encode(model, pixels)
        tokens = tokens.view(2, height, width, -1)
        tokens = tokens[:, height // 2, width // 2][:, None].expand(-1, height * width, -1)  # the same words everywhere
    parts.start_decoder(model)
    with torch.inference_mode():
        states = parts.decode(model, tokens, positions)
    expected = tokens[:, :1].expand(-1, parts.GRID**2, -1)
    assert float((states[-1] - expected).abs().mean() / expected.abs().mean()) < 0.2


def test_every_query_starts_at_its_own_point(model):
    parts.start_decoder(model)
    core, tokens = model.model, parts.SIDE // parts.STRIDE
    positions = core.position_embedding((1, 128, tokens, tokens), "cpu", torch.float32).flatten(2).transpose(1, 2)
    attention = core.decoder.layers[0].encoder_attn
    with torch.inference_mode():
        queries = attention.q_proj(core.query_position_embeddings.weight)[:, :32]
        keys = attention.k_proj(positions)[0, :, :32]
        weights = (queries @ keys.T / 32**0.5).softmax(-1)
    centre = torch.arange(parts.GRID).add(0.5).mul(tokens / parts.GRID).floor().long()
    expected = (centre[:, None] * tokens + centre).flatten()
    assert torch.equal(weights.argmax(-1), expected)


def test_mirrored_batches_keep_boxes_on_their_objects():
    images = np.zeros((1, 192, 192, 3), np.uint8)
    images[0, 40:80, 10:50] = 255
    labels, boxes = detr.truth([[Labelled((10, 40, 50, 80), "car", "red", "front", "upright", 1.0)]], 192)
    pixels, _, where = detr.batch_maker(images, labels, boxes)(0, torch.Generator().manual_seed(0))
    lit = pixels[:, 0] > 0
    seen = set()
    for picture, box in zip(lit, losses.corners(where[:, 0]) * 192, strict=True):
        x0, y0, x1, y1 = (round(v) for v in box.tolist())
        assert picture[y0:y1, x0:x1].all() and picture.sum() == 1600
        seen.add(x0)
    assert seen == {10, 142}


@pytest.mark.parametrize("across", [True, False])
def test_longer_pictures_keep_boxes_on_their_objects(across):
    def drawn(x, y):
        images = np.zeros((1, 192, 192, 3), np.uint8)
        images[0, y : y + 40, x : x + 40] = 255
        return images, [Labelled((x, y, x + 40, y + 40), "car", "red", "front", "upright", 1.0)]

    def scene(*objects):
        images, things = zip(*(drawn(*place) for place in objects), strict=True)
        labels, boxes = detr.truth([sum(things, [])], 192)
        return torch.from_numpy(np.maximum.reduce(images)), torch.from_numpy(labels), torch.from_numpy(boxes)

    first, second = scene((10, 10)), scene((20, 20), (70, 70), (90, 90), (140, 140))
    # The cut at 96 leaves the object at 70 more than half, that at 90 hardly, that at 140 nothing.
    pixels, labels, boxes = detr.lengthen(first, second, 0.5, across)
    assert pixels.shape == ((1, 192, 288, 3) if across else (1, 288, 192, 3))
    assert (labels >= 0).sum() == 3 and (labels[0, :3] >= 0).all()
    scale = torch.tensor([pixels.shape[2], pixels.shape[1]] * 2)
    for box in losses.corners(boxes[0, :3]) * scale:
        x0, y0, x1, y1 = (round(v) for v in box.tolist())
        assert (pixels[0, y0:y1, x0:x1] == 255).all() and (x1 - x0) * (y1 - y0) in (40 * 40, 26 * 40)


def test_average_precision_of_the_truth_and_of_nothing():
    car = Labelled((10, 20, 60, 80), "car", "red", "front", "upright", 1.0)
    cup = Labelled((5, 5, 50, 50), "cup", "blue", "side", "tilted", 1.0)
    scenes = [[car], [cup, car]]
    found = [[(detr.CATEGORIES.index(t.category), 0.9, t.box) for t in things] for things in scenes]
    assert measure.average_precision(found, scenes, 256) == {"ap": 1.0, "ap50": 1.0}
    assert measure.average_precision([[], []], scenes, 256) == {"ap": 0.0, "ap50": 0.0}


def test_a_run_from_end_to_end_goes_on_where_it_was(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "PART", 8)
    monkeypatch.setattr(detr, "CHECKED", 8)
    monkeypatch.setattr(detr, "BATCH", 2)
    results = detr.train(tmp_path, 0.03, count=8, scored=4, progress=False)
    assert set(results) >= {"ap", "ap50"}
    steps = json.loads((tmp_path / "results.json").read_text())["training"]["steps"]
    again = detr.train(tmp_path, 0.03, count=8, scored=4, progress=False)
    assert again == results and json.loads((tmp_path / "results.json").read_text())["training"]["steps"] == steps
    detr.train(tmp_path / "more", 0.01, count=8, scored=4, init=tmp_path, scenes=tmp_path / "scenes", progress=False)
    assert detr.score(tmp_path / "more", count=4, progress=False).keys() == results.keys()


def test_added_time_goes_to_the_phase_that_is_last():
    shares = [0.44, 0.08, 0.48]
    assert [phase["share"] for phase in detr.PHASES] == shares
    for spent, given in (
        ((0, 0, 0), (44, 8, 48)), ((20, 0, 0), (44, 8, 48)),  # nothing follows yet: each has its share
        ((22, 2, 0), (22, 8, 70)), ((22, 4, 24), (22, 4, 74)), ((22, 4, 0), (22, 8, 70)),
        ((44.1, 8.1, 20), (44.1, 8.1, 48)), ((90, 20, 96), (90, 20, 48)),  # goes on, or is done
    ):  # fmt: skip
        assert detr.allot(100, detr.PHASES, spent) == pytest.approx(given), spent
    assert detr.allot(100, ({"share": 1.0},), [30]) == [100]


def test_more_minutes_leave_the_earlier_phases_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "PART", 8)
    monkeypatch.setattr(detr, "CHECKED", 8)
    monkeypatch.setattr(detr, "BATCH", 2)
    checkpoints = [tmp_path / "training" / phase["name"] / loop.CHECKPOINT for phase in detr.PHASES]
    detr.train(tmp_path, 0.03, count=8, scored=4, progress=False)
    before = [path.read_bytes() for path in checkpoints]
    detr.train(tmp_path, 0.06, count=8, scored=4, progress=False)
    after = [path.read_bytes() for path in checkpoints]
    assert before[:2] == after[:2] and before[2] != after[2]
    training = json.loads((tmp_path / "results.json").read_text())["training"]
    assert 0.06 <= training["minutes"] == pytest.approx(sum(loop.minutes_spent(path.parent) for path in checkpoints), abs=0.01)


def test_plain_words_for_what_cannot_be(tmp_path):
    with pytest.raises(SettingsError, match="minutes"):
        detr.train(tmp_path, 0)
    with pytest.raises(WeightsError, match="detector"):
        detr.score(tmp_path)
