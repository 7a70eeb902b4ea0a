"""What the training loop computes, step by step: its optimiser, rates, average, randomness and log, against the same written out."""

import copy
import json
import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from textedit_lite.training import loop


@pytest.fixture
def ticking(monkeypatch):
    """A clock on which each step takes a second, so that a run of n seconds has n steps."""
    looks = iter(range(10**6))
    monkeypatch.setattr(loop.time, "monotonic", lambda: float(next(looks)))


def a_model():
    torch.manual_seed(0)
    return nn.Sequential(nn.BatchNorm1d(3), nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))


def squares(model, batch):
    return F.mse_loss(model(batch)[:, 0], 10 * batch.sum(1)), {}


def test_a_run_is_adamw_on_its_schedule_and_ends_with_the_average(ticking, tmp_path):
    steps, lr, warmup, hold, betas, decay, clip, ema = 12, 0.1, 4, 0.5, (0.8, 0.9), 0.5, 2.0, 0.5
    seen, model = [], a_model()
    mine, average = copy.deepcopy(model), copy.deepcopy(model.state_dict())

    def batches(step, generator):
        seen.append(torch.randn(8, 3, generator=generator))
        return seen[-1]

    done = loop.run(
        model, batches, squares, tmp_path, steps / 60, lr, lr_scale=lambda name: 0.3 if name.startswith("1.") else 1.0,
        warmup=warmup, hold=hold, weight_decay=decay, betas=betas, clip=clip, ema=ema, progress=False,
    )  # fmt: skip

    groups = [{"params": [one], "scale": 0.3 if name.startswith("1.") else 1.0, "weight_decay": decay if one.ndim > 1 else 0.0}
              for name, one in mine.named_parameters()]  # fmt: skip
    optimizer = torch.optim.AdamW(groups, betas=betas)
    for step, batch in enumerate(seen):
        spent = step / steps
        falling = 1.0 if spent <= hold else (1 + math.cos(math.pi * (spent - hold) / (1 - hold))) / 2
        for group in optimizer.param_groups:
            group["lr"] = group["scale"] * lr * min(1.0, (step + 1) / warmup) * falling
        squares(mine, batch)[0].backward()
        assert nn.utils.clip_grad_norm_(mine.parameters(), clip) > clip, "it is clipped"
        optimizer.step()
        optimizer.zero_grad()
        kept = min(ema, (1 + step) / (10 + step))  # short at first, when the average would be of the untrained weights
        for key, value in mine.state_dict().items():
            average[key] = kept * average[key] + (1 - kept) * value if value.is_floating_point() else value.clone()

    assert done.steps == len(seen) == steps and done.minutes == pytest.approx(steps / 60) and not done.model.training
    for key, value in done.model.state_dict().items():
        torch.testing.assert_close(value, average[key], msg=key)
    stored = loop._read(tmp_path / loop.CHECKPOINT)[0]
    for key, value in mine.state_dict().items():
        torch.testing.assert_close(stored[f"model.{key}"], value, msg=key)


def test_each_step_and_seed_has_randomness_of_its_own_which_a_resumed_run_repeats(ticking, tmp_path):
    def drawn(name, steps, seed=0):
        found = []

        def loss(model, batch):
            found.append((float(batch[0, 0]), float(torch.randn(()))))  # the batch's, and torch's own, as of dropout
            return model(batch).mean(), {}

        loop.run(nn.Linear(3, 1), lambda step, generator: torch.randn(2, 3, generator=generator), loss, tmp_path / name,
                 steps / 60, 1e-3, seed=seed, progress=False)  # fmt: skip
        return found

    straight, other = drawn("straight", 6), drawn("other", 6, seed=1)
    assert len({number for pair in straight + other for number in pair}) == 24
    assert drawn("broken", 2) + drawn("broken", 6) == straight


def test_the_log_has_the_means_since_its_last_line_and_minutes(ticking, tmp_path, monkeypatch):
    monkeypatch.setattr(loop, "LOG_EVERY", 2.5)

    def batches(step, generator):
        return {"step": step, "x": torch.zeros(2, 3)}

    def loss(model, batch):
        return model(batch["x"]).mean(), {"n": batch["step"]}

    done = loop.run(nn.Linear(3, 1), batches, loss, tmp_path, 9 / 60, 1e-3, warmup=10, hold=1.0, progress=False)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [(line["step"], line["n"]) for line in lines] == [(3, 1), (6, 4), (9, 7)]
    assert [line["minutes"] for line in lines] == pytest.approx([0.05, 0.1, 0.15])
    assert [line["lr"] for line in lines] == pytest.approx([3e-4, 6e-4, 9e-4])
    assert done.losses["n"] == 7


@pytest.mark.parametrize("seconds", [0.7, 1.89, 3.77])  # of the last two, a 60th times 60 is more
def test_a_run_given_the_minutes_that_it_has_had_is_done(seconds, monkeypatch, tmp_path):
    def run(minutes):
        looks = iter(range(10))
        monkeypatch.setattr(loop.time, "monotonic", lambda: seconds * next(looks))
        return loop.run(nn.Linear(3, 1), lambda step, generator: torch.zeros(2, 3), lambda model, batch: (model(batch).mean(), {}),
                        tmp_path, minutes, 1e-3, progress=False)  # fmt: skip

    assert loop.minutes_spent(tmp_path) == 0
    assert run(seconds / 120).steps == 1
    assert run(loop.minutes_spent(tmp_path)).steps == 1
