"""Mask2Former's training: its start, its examples, its loss, and a run from end to end."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from textedit_lite.errors import SettingsError  # noqa: E402
from textedit_lite.models import lone_segmenter  # noqa: E402
from textedit_lite.resources import data_path  # noqa: E402
from textedit_lite.segment import query_shapes  # noqa: E402
from textedit_lite.training import data, mask2former  # noqa: E402
from textedit_lite.world.scenes import make_scene, render  # noqa: E402


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return mask2former.build(data_path("models", "lite", "detr"))


def test_the_model_fits_into_its_file_and_starts_from_the_detectors_backbone(model):
    from safetensors.torch import load_file

    assert 2 * sum(value.numel() for value in model.state_dict().values()) < 4 * 2**20
    trained = load_file(data_path("models", "lite", "detr") / "model.safetensors")
    key = next(key for key in trained if "stages.2.layers.1" in key and key.endswith("convolution.weight"))
    ours = model.model.pixel_level_module.encoder.state_dict()[key.rsplit("model.", 1)[1]]
    assert torch.equal(ours, trained[key].float())


def test_a_backbone_of_other_layers_is_no_start(tmp_path):
    from safetensors.torch import save_file

    save_file({"model.backbone.model.x.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(SettingsError, match="another backbone"):
        mask2former.build(tmp_path)


def test_an_earlier_training_goes_on_with_all_of_its_weights(tmp_path):
    shipped = data_path("models", "lite", "mask2former")
    from safetensors.torch import load_file

    stored, state = load_file(shipped / "model.safetensors"), mask2former.build(shipped).state_dict()
    assert stored.keys() == state.keys()
    assert all((state[key] == value.to(state[key].dtype)).all() for key, value in stored.items())
    with pytest.raises(SettingsError, match="holds no model to begin from"):
        mask2former.build(tmp_path)


def test_maps_are_made_smaller_by_the_pixel_in_the_middle():
    maps = np.arange(36, dtype=np.uint8).reshape(1, 6, 6)
    assert mask2former.small_maps(maps, 2)[0].tolist() == [[7, 10], [25, 28]]
    assert np.array_equal(mask2former.small_maps(maps, 6), maps)


def test_examples_and_loss(model, monkeypatch):
    monkeypatch.setattr(mask2former, "BATCH", 2)
    images = np.random.default_rng(0).integers(0, 255, (1, 192, 192, 3), dtype=np.uint8)
    maps = np.zeros((1, 192, 192), np.uint8)
    maps[0, 20:80, 30:90], maps[0, 100:180, 60:150], maps[0, 0, 0] = 1, 2, 3  # the third shows too little
    batches = mask2former.batch_maker(images, maps, [[4, 7, 1]])
    pixels, shapes, classes = batches(0, torch.Generator().manual_seed(1))
    assert pixels.shape == (2, 3, 192, 192) and [part.tolist() for part in classes] == [[4, 7]] * 2
    assert [int(shape.sum()) for shape in shapes[0]] == [3600, 7200]
    drawn = [batches(0, torch.Generator().manual_seed(i))[1][0] for i in range(8)]
    assert len({int(shape[0, 40].nonzero().min()) for shape in drawn}) == 2  # as it is, and mirrored
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-4)
    losses = []
    for _ in range(8):
        total, _ = mask2former.loss(model.train(), (pixels, shapes, classes))
        total.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(float(total.detach()))
    assert losses[-1] < 0.88 * losses[0]


def test_pictures_are_mirrored_with_their_shapes_and_normalised():
    """A white object on black: what is bright is its shape, whichever way the picture looks."""
    maps = np.zeros((1, 64, 64), np.uint8)
    maps[0, 8:40, 4:20] = 1
    batches = mask2former.batch_maker(np.repeat(maps[..., None] * 255, 3, -1), maps, [[5]])
    places = set()
    for seed in range(3):
        pixels, shapes, _ = batches(0, torch.Generator().manual_seed(seed))
        for picture, shape in zip(pixels, shapes):
            assert torch.equal(picture[0] > 0, shape[0] > 0)
            places.add(tuple(shape[0].nonzero()[0].tolist()))
    assert places == {(8, 4), (8, 44)}
    white = (1 - torch.tensor([0.485, 0.456, 0.406])) / torch.tensor([0.229, 0.224, 0.225])
    torch.testing.assert_close(pixels.amax((0, 2, 3)), white)


def test_what_the_detector_has_learnt_is_trained_more_slowly(tmp_path, monkeypatch):
    class Begun(Exception):
        """Training has begun: nothing more is asked."""

    def run(model, *arguments, lr_scale, **options):
        rates = {name.split(".")[2]: set() for name, _ in model.named_parameters() if name.startswith("model.pixel_level")}
        for name, _ in model.named_parameters():
            rates.setdefault(name.split(".")[2] if name.startswith("model.pixel_level") else "other", set()).add(lr_scale(name))
        assert rates == {"encoder": {mask2former.BACKBONE_RATE}, "decoder": {1.0}, "other": {1.0}}
        raise Begun

    monkeypatch.setattr(mask2former, "run", run)
    monkeypatch.setattr(mask2former, "scene_cache", lambda *given: data.SceneCache(np.zeros((1, 256, 256, 3), np.uint8), [[]]))
    monkeypatch.setattr(mask2former, "shape_maps", lambda *given: np.zeros((1, 256, 256), np.uint8))
    with pytest.raises(Begun):
        mask2former.train(tmp_path, 1, count=1, progress=False)


def test_a_run_from_end_to_end(tmp_path, monkeypatch):
    monkeypatch.setattr(data, "PART", 4)
    monkeypatch.setattr(mask2former, "BATCH", 2)
    results = mask2former.train(tmp_path / "m", 0.01, scenes=tmp_path / "scenes", count=4, scored=2, progress=False)
    assert 0 <= results["iou"] <= results["found"] <= 1 and results["objects"] > 1
    assert "train mask2former" in json.loads((tmp_path / "m" / "results.json").read_text())["training"]["command"]
    found = query_shapes(render(make_scene(0)), np.array([[0, 0, 256, 256]]), *lone_segmenter(tmp_path / "m", "mask2former"))
    assert found.shape == (1, 256, 256)
    earlier = {"init": data_path("models", "lite", "mask2former"), "scenes": tmp_path / "scenes", "count": 4}
    with pytest.raises(SettingsError, match=r"init \w{12}, not \w{12}"):
        mask2former.train(tmp_path / "m", 0.02, **earlier, progress=False)
    with pytest.raises(SettingsError, match="above 0"):
        mask2former.train(tmp_path, 0)
