"""The detector's training: its losses, the decoder's start, what is saved, and a run from end to end."""

import itertools
import json
import math

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


def test_the_weights_of_the_losses_by_hand():
    boxes = torch.tensor([[[0.5, 0.5, 0.2, 0.2], [0.3, 0.3, 0.2, 0.2]]])
    moved = boxes + torch.tensor([0.1, 0.0, 0.0, 0.0])  # half of each box is off: an IoU of 1/3, and GIoU too
    apart = 5 * 0.1 + 2 * (1 - 1 / 3)
    torch.testing.assert_close(losses.box_loss(moved[0], boxes[0]), torch.tensor([apart, apart]))
    labels = torch.tensor([[4, 7]])
    logits = torch.zeros(1, 1, 3, NOTHING + 1)
    logits[..., 2, :] = -9.0  # the third query is far from all, and says "car", if anything
    logits[..., 2, 0] = 9.0
    found = torch.cat([moved, torch.tensor([[[0.9, 0.9, 0.1, 0.1]]])], 1)[None]
    loss = losses.set_loss(logits, found, labels, boxes)
    unsure = math.log(NOTHING + 1)
    assert float(loss["class"]) == pytest.approx((2 * unsure + 0.1 * 18) / 2.1, rel=1e-4)  # "nothing" counts a tenth
    assert float(loss["box"]) == pytest.approx(apart), "the mean over the objects"
    grid, whole = (20, 20), torch.tensor([[[0.5, 0.5, 1.0, 1.0]]])
    classes, _ = losses.dense_targets(torch.tensor([[3]]), whole, grid, NOTHING)
    assert (classes == 3).sum() == 14 * 14, "of a box, the core of 0.7 of its sides"
    logits = torch.zeros(1, 400, NOTHING + 1).masked_fill(torch.arange(NOTHING + 1) == 0, 1.0)
    told = whole.expand(1, 400, 4) - torch.tensor([0.0, 0.0, 0.1, 0.0])
    loss = losses.dense_loss(logits, told, torch.tensor([[0]]), whole, grid)
    right, wrong = (-float(torch.log_softmax(logits[0, 0], 0)[i]) for i in (0, -1))
    assert float(loss["class"]) == pytest.approx((196 * right + 0.3 * 204 * wrong) / (196 + 0.3 * 204), rel=1e-4)
    assert float(loss["box"]) == pytest.approx(5 * 0.1 + 2 * 0.1, rel=1e-4), "the mean over the tokens that answer"


def test_layers_of_the_decoder_are_each_matched_with_their_own_scene():
    labels, boxes = torch.tensor([[2, -1], [5, 7]]), torch.rand(2, 2, 4, generator=torch.Generator().manual_seed(3)) * 0.3 + 0.3
    right = perfect(labels, boxes, 4)
    logits, found = (torch.cat([part, part]) for part in right)
    assert sum(float(v) for v in losses.set_loss(logits, found, labels, boxes).values()) < 1e-4


def test_what_says_the_right_class_is_matched_before_what_is_as_near():
    labels, boxes = torch.tensor([[6]]), torch.tensor([[[0.5, 0.5, 0.2, 0.2]]])
    logits = torch.zeros(1, 3, NOTHING + 1)
    logits[0, 1, 6] = 3.0
    assert losses.match(logits, boxes.expand(1, 3, 4), labels, boxes)[1].tolist() == [1]


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


def test_average_precision_is_that_of_the_boxes_sides():
    truth = Labelled((100, 100, 140, 140), "car", "red", "front", "upright", 1.0)
    car = detr.CATEGORIES.index("car")

    def ap(box, category=car):
        return measure.average_precision([[(category, 0.9, box)]], [[truth]], 256)

    assert ap((100, 100, 140, 170)) == {"ap": 0.2, "ap50": 1.0}, "an IoU of 4/7 is above 0.5 and 0.55, of ten"
    assert ap((120, 120, 160, 160)) == ap((100, 100, 140, 140), car + 1) == {"ap": 0.0, "ap50": 0.0}


def test_of_answers_that_overlap_the_surest_of_each_class_is_kept():
    labels, scores = torch.tensor([1, 1, 2, 1]), torch.tensor([0.5, 0.9, 0.4, 0.3])
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 11], [0, 0, 10, 10], [20, 0, 30, 10]])
    assert measure.suppress(labels, scores, boxes).tolist() == [1, 2, 3]


@pytest.mark.parametrize("dense", [False, True])
def test_a_model_in_training_is_checked_by_what_it_says_of_objects(dense, model, monkeypatch):
    """An unsure answer counts as its likeliest object; the encoder's tokens say an object many times, and once is enough."""
    car = detr.CATEGORIES.index("car")
    logits = torch.zeros(2, 3, NOTHING + 1)
    logits[..., car], logits[..., -1] = 4.0, 5.0
    logits[:, 2, car] = 3.0  # less sure, and elsewhere
    boxes = torch.tensor([[0.5, 0.25, 0.25, 0.25], [0.5, 0.26, 0.25, 0.25], [0.1, 0.9, 0.1, 0.1]]).expand(2, 3, 4)
    tokens, states = torch.zeros(2, 3, 1), torch.ones(1, 2, 3, 1)
    monkeypatch.setattr(parts, "encode", lambda model, pixels: (tokens, None, None))
    monkeypatch.setattr(parts, "decode", lambda model, tokens, positions: states)
    monkeypatch.setattr(parts, "heads", lambda model, given: (logits, boxes) if given.mean() == float(not dense) else None)
    found = []
    monkeypatch.setattr(measure, "average_precision", lambda answers, scenes, size: found.extend(answers) or {})
    measure.check(model, np.zeros((2, 192, 192, 3), np.uint8), [[], []], 256, dense)
    assert [len(one) for one in found] == [2 if dense else 3] * 2
    label, score, box = found[0][0]
    assert label == car and 0.2 < score < 0.3 and box == pytest.approx([96, 32, 160, 96])


@pytest.mark.parametrize("phase", ["dense", "decoder", "joint"])
def test_each_phase_weighs_and_trains_its_parts(phase):
    torch.manual_seed(0)
    model = parts.build().train()
    before = {name: value.clone() for name, value in model.named_buffers() if "backbone" in name}
    batch = torch.randn(2, 3, 64, 64), torch.tensor([[3, -1], [5, 1]]), torch.rand(2, 2, 4) * 0.3 + 0.3
    total, told = detr.phase_loss(phase)(model, batch)
    told = {name: float(value.detach()) for name, value in told.items()}
    weights = {
        "dense": {"dense class": 1, "dense box": 1}, "decoder": {"set class": 2, "set box": 1},
        "joint": {"dense class": 0.5, "dense box": 0.5, "set class": 2, "set box": 1},
    }[phase]  # fmt: skip
    assert told.keys() == weights.keys()
    assert float(total.detach()) == pytest.approx(sum(weights[name] * value for name, value in told.items()), rel=1e-5)
    total.backward()
    learning = {name.split(".")[1] for name, one in model.named_parameters() if name.startswith("model.") and one.grad is not None}
    encoder, decoder = {"backbone", "input_projection", "encoder"}, {"decoder", "query_position_embeddings"}
    assert learning == {"dense": encoder, "decoder": decoder, "joint": encoder | decoder}[phase]
    moved = any(not torch.equal(value, before[name]) for name, value in model.named_buffers() if name in before)
    assert moved == (phase != "decoder"), "a frozen backbone's norms stay as they are"


def test_the_phases_are_run_as_they_are_listed(tmp_path, monkeypatch):
    seen, drawn, started = [], [], []

    def scenes(folder, split, count, seed):
        drawn.append((split, count, seed))
        thing = Labelled((10, 10, 90, 90), "car", "red", "front", "upright", 1.0)
        return data.SceneCache(pictures(2), [[thing]] * 2)

    def run(model, batches, loss, out, minutes, lr, **options):
        shapes = {batches(0, torch.Generator().manual_seed(i))[0].shape[2:] for i in range(12)}
        learning = {name.split(".")[1] for name, one in model.named_parameters() if one.requires_grad and name.startswith("model.")}
        seen.append((options["name"], out.name, minutes, lr, options["hold"], learning, len(shapes) > 1, bool(started)))
        assert options["settings"]["phase"]["name"] == out.name and options["seed"] == 3
        return loop.Run(model, 1, minutes, {"lr": lr})

    monkeypatch.setattr(detr, "BATCH", 1)
    monkeypatch.setattr(detr, "scene_cache", scenes)
    monkeypatch.setattr(loop, "run", run)
    monkeypatch.setattr(parts, "start_decoder", lambda model: started.append(True))
    monkeypatch.setattr(detr, "check", lambda *given, dense: {"ap": float(dense), "ap50": 0.0})
    monkeypatch.setattr(detr, "say", lambda *given: None)
    monkeypatch.setattr(detr, "finish", lambda out, done, phases, **options: phases)
    told = detr.train(tmp_path, 100, seed=3, count=2, progress=False)
    assert drawn == [("train", 2, 3), ("validation", detr.CHECKED, 3)]
    assert {name: ap["ap"] for name, ap in told.items()} == {"dense": 1, "decoder": 0, "joint": 0}
    encoder, decoder = {"backbone", "input_projection", "encoder"}, {"decoder", "query_position_embeddings"}
    assert seen == [
        ("detr dense", "dense", 44, 1e-3, 0.75, encoder | decoder, False, False),
        ("detr decoder", "decoder", 8, 5e-4, 0.7, decoder, False, True),
        ("detr joint", "joint", pytest.approx(48), 5e-4, 0.3, encoder | decoder, True, True),
    ]


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
