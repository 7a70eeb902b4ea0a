"""The LoRA for few steps by its id on the Hub: out of a cache laid out as the Hub's client does it, offline, in small."""

from __future__ import annotations

from fnmatch import fnmatch

import hub_cache
import pytest

from textedit_lite import hub
from textedit_lite.errors import WeightsError
from textedit_lite.evaluation.manifest import weights_of
from textedit_lite.models import FULL, OPTIONAL, fetch_weights, load_models


@pytest.fixture(scope="module")
def changes(tmp_path_factory):
    """What the LoRA in the cache adds to each layer; the cache is that of the client, which may not go out."""
    from huggingface_hub import constants

    root = tmp_path_factory.mktemp("hub")
    for part, folder in hub_cache.build(root / "made", hub_cache.SMALL_SIZE, detector_side=128).items():
        hub_cache.publish(root / "cache", FULL[part], folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(constants, "HF_HUB_CACHE", str(root / "cache"))
        patch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.MonkeyPatch.context() as early, pytest.raises(WeightsError, match="lcm-lora-sdv1-5 .*HF_HUB_OFFLINE"):
            early.setattr("textedit_lite.models._loaded", lambda *given: pytest.fail("the other models were loaded first"))
            load_models("full+lcm", device="cpu")
        made = hub_cache.build_lora(root / "lora", hub_cache.SMALL_SIZE)
        hub_cache.publish(root / "cache", OPTIONAL["lcm"], root / "lora")
        yield made


def test_only_the_lora_is_wanted_of_its_repository():
    there = ["pytorch_lora_weights.safetensors", "pytorch_lora_weights.bin", "README.md", "other.safetensors"]
    wanted = [name for name in there if any(fnmatch(name, pattern) for pattern in hub.patterns("lcm", None))]
    assert wanted == there[:1]


def test_it_is_fused_into_the_painter_and_paints_in_few_steps(changes):
    import torch
    from diffusers import LCMScheduler
    from PIL import Image

    from textedit_lite.inpaint import inpaint

    plain, few = load_models("full", device="cpu"), load_models("full+lcm", device="cpu")
    assert (plain.steps, plain.guidance) == (30, 7.5)
    assert (few.name, few.steps, few.guidance, few.temperature) == ("full+lcm", 4, 1.0, plain.temperature)
    assert isinstance(few.painter.scheduler, LCMScheduler) and not isinstance(plain.painter.scheduler, LCMScheduler)
    before, after = plain.painter.unet.state_dict(), few.painter.unet.state_dict()
    assert before.keys() == after.keys()
    for name, weight in before.items():
        assert torch.allclose(after[name], weight + changes.get(name, 0.0), atol=2e-3), name
    passes = []
    few.painter.unet.register_forward_hook(lambda unet, given, found: passes.append(len(found[0])))
    image, mask = hub_cache.a_drawn_photograph(), Image.new("L", (640, 480))
    mask.paste(255, (200, 150, 300, 250))
    (painting,) = inpaint(image, mask, "a photo of a red car", few.painter, steps=few.steps, guidance=few.guidance)
    assert passes == [1] * 4
    assert painting.refused or painting.image.size == image.size


def test_what_cannot_be_loaded_of_the_hubs_is_told_to_be_fetched(changes, monkeypatch):
    def damaged(*arguments, **options):
        raise ValueError("no")

    monkeypatch.setattr("textedit_lite.models.whole_model", damaged)
    for weights in ("full", "full+lcm"):
        with pytest.raises(WeightsError) as caught:
            load_models(weights, device="cpu")
        assert str(caught.value).endswith(f"`textedit-lite fetch {weights}` checks the files; or use lite.")


def test_fetch_and_the_manifest_name_it(changes, capsys):
    folders = fetch_weights("full+lcm")
    assert set(folders) == {*FULL, "lcm"} and set(fetch_weights("lcm")) == {"lcm"}
    assert "lcm: latent-consistency/lcm-lora-sdv1-5" in capsys.readouterr().out
    assert set(weights_of("full+lcm")) - set(weights_of("full")) == {"lcm/pytorch_lora_weights.safetensors"}
