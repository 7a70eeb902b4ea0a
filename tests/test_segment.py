"""Masks by the object's shape: what the segmenters see, what an edit makes of it, and how it is asked for."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch")

from textedit_lite import segment  # noqa: E402
from textedit_lite.boxes import context_window  # noqa: E402
from textedit_lite.detect import Detections  # noqa: E402
from textedit_lite.editor import Editor, replay  # noqa: E402
from textedit_lite.errors import SettingsError, WeightsError  # noqa: E402
from textedit_lite.hub import Source  # noqa: E402
from textedit_lite.mask import build_mask  # noqa: E402
from textedit_lite.match import Reading  # noqa: E402
from textedit_lite.models import SEGMENTERS, lone_segmenter  # noqa: E402
from textedit_lite.plan import make_mask  # noqa: E402
from textedit_lite.prompt import parse  # noqa: E402
from textedit_lite.segment import shape_iou  # noqa: E402
from textedit_lite.training.score_masks import score_masks  # noqa: E402
from textedit_lite.wish import make_wish, outline  # noqa: E402
from textedit_lite.world.scenes import boxes, make_scene, render, visible_masks  # noqa: E402


def block(*box: int, size: tuple[int, int] = (40, 30)) -> np.ndarray:
    return segment.filled(box, size)


def full_sam(side: int = 64):
    """A SAM with random numbers that is shown whole pictures, as the full-size one is, and its processor."""
    from transformers import SamConfig, SamImageProcessorPil, SamMaskDecoderConfig, SamModel, SamPromptEncoderConfig, SamVisionConfig

    torch.manual_seed(0)
    vision = SamVisionConfig(hidden_size=32, output_channels=32, num_hidden_layers=2, num_attention_heads=2, image_size=side, patch_size=8,
                             window_size=4, global_attn_indexes=[1], num_pos_feats=16, initializer_range=0.2)  # fmt: skip
    prompt = SamPromptEncoderConfig(hidden_size=32, image_size=side, patch_size=8)
    decoder = SamMaskDecoderConfig(hidden_size=32, mlp_dim=32, num_attention_heads=2, iou_head_hidden_dim=32)
    config = SamConfig(vision_config=vision, prompt_encoder_config=prompt, mask_decoder_config=decoder, initializer_range=0.2)
    square = {"height": side, "width": side}
    return SamModel(config).eval(), SamImageProcessorPil(size={"longest_edge": side}, pad_size=square)


def query_model(kind: str):
    """A Mask2Former or a DETR with a panoptic head, small and with random numbers, and its processor."""
    from transformers import (
        DetrConfig,
        DetrForSegmentation,
        DetrImageProcessorPil,
        Mask2FormerConfig,
        Mask2FormerForUniversalSegmentation,
        Mask2FormerImageProcessorPil,
        ResNetConfig,
        SwinConfig,
    )

    torch.manual_seed(3)
    if kind == "detr":
        backbone = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16, 16, 16], depths=[1, 1, 1, 1], layer_type="basic",
                                out_features=["stage1", "stage2", "stage3", "stage4"])  # fmt: skip
        config = DetrConfig(backbone_config=backbone, d_model=32, encoder_layers=1, decoder_layers=1, encoder_attention_heads=8,
                            decoder_attention_heads=8, encoder_ffn_dim=32, decoder_ffn_dim=32, num_queries=12, num_labels=3)  # fmt: skip
        return DetrForSegmentation(config).eval(), DetrImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 128})
    backbone = SwinConfig(embed_dim=8, depths=[1, 1, 1, 1], num_heads=[1, 1, 2, 2], window_size=4, image_size=64,
                          out_features=["stage1", "stage2", "stage3", "stage4"])  # fmt: skip
    config = Mask2FormerConfig(backbone_config=backbone, feature_size=32, mask_feature_size=32, hidden_dim=32, encoder_feedforward_dim=32,
                               dim_feedforward=32, encoder_layers=1, decoder_layers=2, num_attention_heads=2, num_queries=12,
                               num_labels=3)  # fmt: skip
    processor = Mask2FormerImageProcessorPil(size={"shortest_edge": 64, "longest_edge": 128}, size_divisor=32, ignore_index=255)
    return Mask2FormerForUniversalSegmentation(config).eval(), processor


@pytest.fixture(scope="module")
def scene():
    """A scene in which objects overlap."""
    return make_scene(66, "test", 0)


# --- what the segmenters see -------------------------------------------------------------------------------------


def test_a_sam_that_sees_whole_pictures_answers_as_the_library_alone_does():
    from transformers import SamProcessor

    model, processor = full_sam()
    image = render(make_scene(0)).crop((0, 0, 200, 130))
    asked = [[20.0, 30.0, 90.0, 120.0], [100.0, 10.0, 180.0, 80.0], [0.0, 0.0, 200.0, 130.0]]
    inputs = SamProcessor(processor)(image, input_boxes=[asked], return_tensors="pt")
    with torch.inference_mode():
        output = model(pixel_values=inputs["pixel_values"], input_boxes=inputs["input_boxes"].float(), multimask_output=False)
    expected = processor.post_process_masks(output.pred_masks, inputs["original_sizes"], inputs["reshaped_input_sizes"])[0][:, 0].numpy()
    assert np.array_equal(segment.sam_shapes(image, np.array(asked), model, processor), expected)
    assert 0 < expected.mean() < 1 and not np.array_equal(expected[0], expected[1])


def test_the_masks_of_a_whole_picture_are_enlarged_one_at_a_time(monkeypatch):
    """All of a crowd's in float32, at the picture's size, would fill the memory."""
    model, processor = full_sam()
    sizes, enlarge = [], processor.post_process_masks
    monkeypatch.setattr(processor, "post_process_masks", lambda masks, *given: sizes.append(masks.shape[:2]) or enlarge(masks, *given))
    found = segment.sam_shapes(render(make_scene(0)), np.array([[20, 30, 90, 120], [100, 10, 180, 80], [0, 0, 200, 130]]), model, processor)
    assert found.shape == (3, 256, 256) and sizes == [(1, 1)] * 3


def test_without_boxes_there_are_no_shapes():
    model, processor = full_sam()
    image = Image.new("RGB", (50, 40))
    assert segment.sam_shapes(image, np.zeros((0, 4)), model, processor).shape == (0, 40, 50)


@pytest.mark.parametrize("kind", ["mask2former", "detr"])
def test_a_box_takes_the_shape_of_the_query_that_fits_it(kind):
    model, processor = query_model(kind)
    image = render(make_scene(1)).crop((0, 0, 256, 170))  # not square, so that padding and aspect are undone
    whole = np.array([[0, 0, 256, 170]], np.float32)
    shape = segment.query_shapes(image, whole, model, processor)[0]
    assert shape.shape == (170, 256) and segment.extent(shape) == (0, 0, 256, 170) and not shape.all()
    # Each box takes its own: where no query's shape fits, there is none.
    several = segment.query_shapes(image, np.array([[60, 40, 160, 120], whole[0]]), model, processor)
    assert not several[0].any() and np.array_equal(several[1], shape)


def test_a_shape_fits_a_box_by_what_lies_around_it():
    """Specks far away and a tail beyond the box do not keep a box from its shape; a background is nobody's shape."""
    speckled, part, everywhere = block(10, 10, 20, 20) | block(37, 27, 38, 28), block(10, 10, 17, 20), block(0, 0, 40, 30)
    seen, box = np.stack([everywhere, part, speckled]), (10, 10, 20, 20)
    sizes = seen.sum((1, 2))
    assert segment._fitting(seen, sizes, np.array([1.0, 1.0, 1.0]), box) == 2
    assert segment._fitting(seen, sizes, np.array([1.0, 1.0, 0.1]), box) == 1
    assert segment._fitting(seen[:1], sizes[:1], np.ones(1), box) is None


@pytest.mark.parametrize("kind", ["mask2former", "detr"])
def test_a_segmenter_is_saved_and_loaded_whole(kind, tmp_path):
    model, processor = query_model(kind)
    model.save_pretrained(tmp_path), processor.save_pretrained(tmp_path)
    loaded, same = lone_segmenter(tmp_path, SEGMENTERS[kind])
    assert type(loaded) is type(model) and type(same) is type(processor)
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())


@pytest.mark.slow
def test_a_panoptic_detr_is_read_from_timms_names(tmp_path):
    """As the Hub has it: the ResNet-50 under timm's names, all four stages of which the head looks at."""
    import hub_cache
    from safetensors.torch import load_file, save_file
    from transformers import DetrConfig, DetrForSegmentation, DetrImageProcessorPil, ResNetConfig

    backbone = ResNetConfig(depths=[3, 4, 6, 3], out_features=["stage1", "stage2", "stage3", "stage4"])
    model = DetrForSegmentation(DetrConfig(backbone_config=backbone, d_model=64, encoder_layers=1, decoder_layers=1, num_queries=10))
    model.save_pretrained(tmp_path), DetrImageProcessorPil().save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    inner = {name.removeprefix("detr."): tensors.pop(name) for name in list(tensors) if name.startswith("detr.")}
    named = tensors | {f"detr.{name}": value for name, value in hub_cache.with_timm_names(inner).items()}
    assert "detr.model.backbone.conv_encoder.model.layer3.5.conv2.weight" in named
    save_file(named, tmp_path / "model.safetensors", {"format": "pt"})
    config = json.loads((tmp_path / "config.json").read_text())
    config.pop("backbone_config")
    (tmp_path / "config.json").write_text(json.dumps(config | {"backbone": "resnet50", "use_timm_backbone": True}))
    loaded, processor = lone_segmenter(tmp_path, "panoptic")
    assert all(torch.equal(value, loaded.state_dict()[name]) for name, value in model.state_dict().items())
    assert segment.query_shapes(render(make_scene(0)), np.array([[0, 0, 256, 256]]), loaded, processor).shape == (1, 256, 256)


def test_the_lite_sam_shows_what_is_to_be_seen_of_an_object(models, scene):
    image, truth = render(scene), visible_masks(scene).astype(bool)
    found = segment.shapes(image, boxes(scene), "sam", models)
    overlaps = [shape_iou(a, b) for a, b in zip(found, truth)]
    filled = [shape_iou(a, b) for a, b in zip(segment.shapes(image, boxes(scene), "box", models), truth)]
    assert np.mean(overlaps) > 0.8 > np.mean(filled)


def test_the_lite_sam_works_at_any_size_and_at_the_border(models):
    scene = make_scene(0, "test", 0, size=(700, 500))
    image, truth = render(scene), visible_masks(scene).astype(bool)
    found = segment.shapes(image, boxes(scene), "sam", models)
    assert found.shape == truth.shape
    assert np.mean([shape_iou(a, b) for a, b in zip(found, truth)]) > 0.7


def test_nothing_is_fetched_for_a_silhouette(models):
    for optional in ({}, {"sam": Source("facebook/sam-vit-base", "0" * 40)}):
        without = replace(models, optional=optional, loaded={})
        assert not without.has_segmenter("sam", at_hand=True)
        assert segment.silhouette(render(make_scene(3)), boxes(make_scene(3))[0], without) is None


def test_a_silhouette_is_the_shape_in_one_box_and_a_large_object_is_looked_at_smaller(models):
    scene = make_scene(3)
    found = boxes(scene)
    for index, box in enumerate(found):
        seen, (shape,) = segment.silhouette(render(scene), box, models), segment.shapes(render(scene), box[None], "sam", models)
        near = segment.dilate(shape, segment.DILATE * (box[2:] - box[:2]).max())
        assert np.array_equal(np.asarray(seen) > 0, near) if shape.any() else seen is None, index
    large = replace(scene, width=1536, height=1536)
    index = int(np.argmax((found[:, 2:] - found[:, :2]).max(1)))
    seen = segment.silhouette(render(large), boxes(large)[index], models)
    shape = visible_masks(large)[index] > 0
    assert seen.size == (1536, 1536) and shape_iou(np.asarray(seen) >= 128, shape) > 0.75
    assert ((np.asarray(seen) >= 128) & shape).sum() > 0.97 * shape.sum()
    assert segment.silhouette(render(scene), (0, 0, 2, 2), models) is None


def test_the_model_is_loaded_once_and_what_is_not_there_is_said(models):
    assert models.segmenter("sam") is models.segmenter("sam")
    with pytest.raises(WeightsError, match="no panoptic/ for masks by detr: choose box or sam"):
        segment.shapes(Image.new("RGB", (40, 30)), np.array([[0, 0, 9, 9]]), "detr", models)
    with pytest.raises(SettingsError, match="'lasso'"):
        segment.shapes(Image.new("RGB", (40, 30)), np.zeros((0, 4)), "lasso", models)


# --- what an edit makes of it ------------------------------------------------------------------------------------


def test_dilation_is_by_a_disc():
    dot = block(20, 15, 21, 16)
    grown = segment.dilate(dot, 5)
    y, x = np.mgrid[:30, :40]
    assert np.array_equal(grown, (x - 20) ** 2 + (y - 15) ** 2 <= 25)
    assert np.array_equal(segment.dilate(dot, 0), dot)
    assert not segment.dilate(np.zeros((4, 4), bool), 3).any()


def test_a_shape_turns_around_the_middle_of_its_box():
    shape = block(10, 10, 20, 14)
    half = segment.turned(shape, 180, (10, 10, 20, 14))
    assert shape_iou(half, shape) > 0.95
    quarter = segment.turned(shape, 90, (10, 10, 20, 14))
    assert np.abs(np.array(segment.extent(quarter)) - [13, 7, 17, 17]).max() <= 1
    head = shape | block(10, 6, 12, 10)  # something above on the left comes out below on the right
    assert segment.turned(head, 180, segment.extent(head))[8:14, 18:20].any()


def test_the_mask_follows_what_becomes_of_the_outline():
    box, own = (10, 8, 20, 18), block(10, 8, 20, 18) & ~block(10, 8, 14, 12)
    mask = Image.fromarray(np.where(block(7, 5, 23, 21), 255, 0).astype(np.uint8))
    neighbour = block(20, 10, 30, 20)
    same, name = segment.fit(mask, box, own, [neighbour], 0.0)
    same = np.asarray(same) == 255
    assert name == "shape" and (same >= own).all() and not (same & neighbour).any()
    assert np.array_equal(same, segment.dilate(own, 2) & ~neighbour)
    turn, name = segment.fit(mask, box, own, [], 180.0)
    assert name == "shape and its turn" and (np.asarray(turn) == 255)[8:18, 10:20].all()
    unknown, name = segment.fit(mask, box, own, [neighbour], None)
    assert name == "box without its neighbours"
    assert np.array_equal(np.asarray(unknown) == 255, block(7, 5, 23, 21) & ~neighbour)
    assert segment.fit(mask, box, np.zeros_like(own), [neighbour], 0.0) == (mask, "box")


def test_what_the_neighbour_claims_of_the_object_is_the_objects():
    box, own = (10, 8, 20, 18), block(10, 8, 20, 18)
    mask = Image.fromarray(np.where(block(7, 5, 23, 21), 255, 0).astype(np.uint8))
    for degrees in (0.0, 24.0, None):  # a second detection of the same object is no neighbour to keep clear of
        assert ((np.asarray(segment.fit(mask, box, own, [own], degrees)[0]) == 255) >= own).all()


def test_shapes_are_compared_by_their_overlap():
    a, b = block(0, 0, 10, 10), block(0, 5, 10, 15)
    assert shape_iou(a, b) == pytest.approx(1 / 3) and shape_iou(255 * a.astype(np.uint8), a) == 1
    assert shape_iou(a & ~a, b & ~b) == 0 == shape_iou(a, a & ~a)


@pytest.mark.parametrize("degrees", [0.0, 24.0, -180.0, None])
def test_no_shape_beyond_reach_matters_to_the_mask(degrees):
    """Shapes that fill their windows, the most that they can: what is out of reach takes nothing of the mask away."""
    rng, left_out = np.random.default_rng(5), 0
    for _ in range(20):
        corners = rng.integers(0, (250, 170), (8, 2))
        found = np.concatenate([corners, corners + rng.integers(4, 60, (8, 2))], 1).clip(0, (300, 200, 300, 200)).astype(np.float32)
        shapes = [segment.filled(context_window(tuple(box), (300, 200)), (300, 200)) for box in found]
        mask = build_mask((300, 200), found[0], "tilted" if degrees else None, grow=0.0)
        near = segment.within_reach(found, 0, mask, degrees)
        told, all_told = (segment.fit(mask, found[0], shapes[0], [shapes[i] for i in some if i], degrees)[0] for some in (near, range(8)))
        assert near == sorted(near) and near[0] == 0 and told.tobytes() == all_told.tobytes()
        left_out += 8 - len(near)
    assert left_out > 20, "or nothing is won"


@pytest.mark.parametrize("prompt", ["make the {} upside down", "the {} changes to a red {}", "the {} -> a {} facing the front"])
def test_the_mask_of_an_edit_is_that_of_all_shapes(models, prompt):
    for number, size in ((66, (256, 256)), (3, (700, 500))):
        scene = make_scene(number, "test", 0, size=size)
        image = render(scene)
        found = Detections(boxes(scene), np.ones(len(scene.objects), np.float32), tuple(one.category for one in scene.objects), 0.0)
        every = segment.shapes(image, found.boxes, "sam", models)
        for index, thing in enumerate(scene.objects):
            wish = make_wish(image, found.boxes[index], parse(prompt.format(thing.category, thing.category)), models)
            others = [shape for i, shape in enumerate(every) if i != index]
            mask = build_mask(image.size, found.boxes[index], **wish.turned)
            expected, kind = segment.fit(mask, found.boxes[index], every[index], others, wish.degrees)
            made, own_kind = make_mask(image, found, index, wish, models, "sam")
            assert kind == own_kind and shape_iou(made, expected) > 0.995, "what is computed together decides the last digits"


def test_only_what_may_touch_the_mask_is_asked_for(models, monkeypatch):
    asked = []

    def seen(image, some, *given):
        asked.append(some)
        return np.zeros((len(some), image.height, image.width), bool)

    monkeypatch.setattr("textedit_lite.plan.shapes", seen)
    found = Detections(np.array([[300, 10, 380, 80], [20, 20, 60, 60], [50, 10, 90, 60]], np.float32), np.ones(3), ("car",) * 3, 0.0)
    image = Image.new("RGB", (400, 100))
    make_mask(image, found, 1, make_wish(image, found.boxes[1], parse("make the car red"), models), models, "sam")
    assert np.array_equal(asked[0], found.boxes[1:])


def test_what_a_mask_covers_of_its_neighbours():
    mask = block(0, 0, 10, 10)
    assert segment.covered(mask, [block(5, 0, 15, 10), block(20, 0, 30, 10)]) == pytest.approx(0.25)
    assert segment.covered(mask, []) == 0
    assert segment.plausible(mask, (0, 0, 10, 10)) and not segment.plausible(mask, (0, 0, 40, 30))


@pytest.mark.parametrize(
    ("prompt", "degrees"),
    [("the car changes to a red car", 0.0), ("make the car upside down", 180.0), ("the car -> a car facing the front", None),
     ("the car changes to a boat", None), ("the car changes to a car tilted slightly to the left", 24.0)],
)  # fmt: skip
def test_the_outline_is_known_or_not(prompt, degrees):
    now = Reading({"colour": {"blue": 1.0}, "view": {"side": 1.0}, "pose": {"upright": 1.0}}, {})
    wish = parse(prompt)
    wanted = {name: value for name, value in wish.changes.items() if name in ("colour", "view", "pose")}
    assert outline(wish, wanted, now) == degrees
    if degrees:  # a CLIP that was not taught to read poses does not know from where it turns
        assert outline(wish, wanted, now, ("colour",)) is None


@pytest.mark.parametrize(("words", "degrees"), [("upside down", 156.0), ("upright", -24.0), ("tilted slightly to the left", 0.0)])
def test_an_outline_turns_from_the_pose_that_it_has(words, degrees):
    now = Reading({"colour": {"blue": 1.0}, "view": {"side": 1.0}, "pose": {"tilted": 0.9, "upright": 0.1}}, {})
    wish = parse(f"the car changes to a car {words}")
    assert outline(wish, dict(wish.changes), now) == degrees


def test_neighbours_are_the_shapes_of_those_that_reach_the_object(models):
    scene = make_scene(62)
    image, places, wanted = render(scene), boxes(scene), visible_masks(scene) > 0
    whole = (0, 0, *image.size)
    seen = np.asarray(segment.neighbours(image, whole, places[1:], models)) >= 128
    assert segment.shape_iou(seen, wanted[1:].any(0)) > 0.85 and not (seen & wanted[0]).sum() > 0.03 * wanted[0].sum()
    assert segment.neighbours(image, (0, 0, 3, 3), places, models) is None  # nobody reaches it
    assert segment.neighbours(image, places[0], places[:1], models) is None  # it is no neighbour of its own
    assert segment.neighbours(image, whole, np.zeros((0, 4)), models) is None


# --- how it is asked for -----------------------------------------------------------------------------------------


def test_a_mask_is_narrowed_to_the_shapes_before_and_after():
    mask, before, after = (Image.new("L", (40, 30)) for _ in range(3))
    mask.paste(255, (5, 5, 35, 25))
    before.paste(255, (0, 8, 12, 20))
    after.paste(200, (20, 10, 30, 20))
    after.paste(90, (30, 10, 33, 20))  # SAM is not sure
    expected = np.zeros((30, 40), bool)
    expected[8:20, 5:12] = expected[10:20, 20:30] = True
    np.testing.assert_array_equal(np.asarray(segment.narrowed(mask, before, after)), 255 * expected)
    nothing = Image.new("L", (40, 30))
    for pair in ((None, after), (before, None), (nothing, nothing)):
        assert segment.narrowed(mask, *pair) is mask


def test_an_edit_by_the_shape_keeps_the_neighbours_and_is_made_again(models, scene, tmp_path):
    from textedit_lite.images import save_png

    save_png(render(scene), tmp_path / "in.png")
    editor, truth = Editor(models), visible_masks(scene).astype(bool)
    thing = scene.objects[-1]
    colour = "red" if thing.colour != "red" else "blue"
    prompt = f"the {thing.colour} {thing.category} changes to a {colour} {thing.category}"
    by_box = editor.edit(tmp_path / "in.png", prompt, rounds=1)
    by_shape = editor.edit(tmp_path / "in.png", prompt, rounds=1, mask="sam")
    assert (by_box.mask_kind, by_shape.mask_kind) == ("box", "shape") and by_shape.settings.mask == "sam"
    others = truth[:-1]
    covered = [segment.covered(np.asarray(result.mask) > 0, others) for result in (by_box, by_shape)]
    assert covered[1] < 0.3 * covered[0]
    outside = np.asarray(by_shape.mask) == 0
    assert np.array_equal(np.asarray(by_shape.image)[outside], np.asarray(render(scene))[outside])
    by_shape.save(tmp_path / "out.png")
    assert json.loads((tmp_path / "out.json").read_text())["mask_kind"] == "shape"
    assert replay(tmp_path / "out.png", models).image.tobytes() == by_shape.image.tobytes()
    batch = editor.edit_batch([render(scene)] * 2, [prompt] * 2, masks=["sam", None], rounds=1)
    assert [result.mask_kind for result in batch] == ["shape", "box"]
    together, alone = (np.asarray(result.image, int) for result in (batch[0], by_shape))
    assert np.abs(together - alone).max() <= 1  # what is computed together decides the last digits


def test_a_file_that_is_called_sam_is_reached_as_a_path(tmp_path):
    from pathlib import Path

    from textedit_lite.cli import build_parser

    def parsed(text):
        return build_parser().parse_args(["edit", "in.png", "x", "--mask", text]).mask

    assert parsed("sam") == "sam" and parsed("./sam") == Path("sam") and parsed("mine.png") == Path("mine.png")


def test_the_score_of_the_masks(models):
    found = score_masks(models, 6, 1, progress=False)
    assert found["iou"]["box"] < 0.75 < found["iou"]["sam"] and found["iou_detr"]["sam"] > 0.75
    for task in ("color", "tilt", "updown"):
        assert found["covered"][task]["sam"] <= found["covered"][task]["box"]
    with pytest.raises(SettingsError):
        score_masks(models, 0)
