"""Relations on boxes: what stands left of what, next to what, and which is the second from the left."""

from __future__ import annotations

import numpy as np
import pytest

from textedit_lite.prompt import ORDERS, RELATIONS
from textedit_lite.relations import larger_than, left_of, middle, next_to, ordinal, related, relation

# A small one at the left, a large one in the middle and a flat one at the right, further down each time.
BOXES = np.array([[0, 0, 10, 10], [40, 20, 80, 60], [90, 70, 120, 80]], np.float32)
OPPOSITES = [("left of", "right of"), ("above", "below"), ("larger than", "smaller than")]


@pytest.mark.parametrize("name", RELATIONS)
def test_a_relation_is_a_probability_and_nothing_stands_in_it_to_itself(name):
    rng = np.random.default_rng(0)
    corner = rng.uniform(0, 200, (6, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(5, 90, (6, 2))], 1).astype(np.float32)
    pairs = relation(name, boxes)
    assert pairs.shape == (6, 6) and pairs.dtype == np.float32 and (pairs >= 0).all() and (pairs <= 1).all()
    assert (np.diag(pairs) == 0).all()
    assert relation(name, boxes[:0]).shape == (0, 0) and relation(name, boxes[:1]).tolist() == [[0]]
    scaled = relation(name, boxes * 7 + np.float32([30, 50, 30, 50]))
    assert np.allclose(pairs, scaled, atol=1e-4), "the size of the picture does not matter"


@pytest.mark.parametrize(("one", "other"), OPPOSITES)
def test_opposites(one, other):
    assert np.array_equal(relation(one, BOXES), relation(other, BOXES).T)
    off = ~np.eye(3, dtype=bool)
    assert np.allclose((relation(one, BOXES) + relation(other, BOXES))[off], 1, atol=1e-5)


def test_what_is_plain_is_sure_and_what_is_even_is_even():
    assert (left_of(BOXES)[[0, 0, 1], [1, 2, 2]] > 0.95).all() and (relation("above", BOXES)[[0, 0, 1], [1, 2, 2]] > 0.95).all()
    level = np.array([[0, 0, 20, 20], [0, 50, 20, 70]], np.float32)
    assert left_of(level)[0, 1] == pytest.approx(0.5) and larger_than(level)[0, 1] == pytest.approx(0.5)
    half = level + np.float32([[0], [0]]) + np.float32([[0, 0, 0, 0], [10, 0, 10, 0]])
    assert left_of(half)[0, 1] == pytest.approx(1 / (1 + np.exp(-3)), abs=1e-4)  # half a width apart


def test_the_larger_one_has_the_larger_area():
    assert larger_than(BOXES)[1, 0] > 0.95 and relation("smaller than", BOXES)[0, 1] > 0.95 and larger_than(BOXES)[2, 0] > 0.95
    assert larger_than(BOXES)[0, 1] < 0.05


def test_centres_and_not_edges_are_compared():
    wide, narrow = [0, 0, 100, 10], [20, 0, 30, 10]
    assert left_of(np.array([narrow, wide], np.float32))[0, 1] > 0.5


def test_the_nearest_is_next_to_it_be_it_ever_so_far():
    far = np.array([[0, 0, 10, 10], [500, 0, 510, 10], [900, 0, 910, 10]], np.float32)
    assert next_to(far)[1, 0] == pytest.approx(1) and next_to(far)[2, 0] < 0.01
    assert next_to(far)[0, 1] < 0.01 and next_to(far)[2, 1] == pytest.approx(1)
    among = np.array([True, False, True])
    assert next_to(far, among)[2, 0] == pytest.approx(1), "the second does not compete"
    assert next_to(far, np.array([True, False, False]))[0, 0] == 0, "nothing is next to itself"
    assert np.isfinite(next_to(far, np.zeros(3, bool))).all()


def test_which_one_is_related_to_the_anchor_whichever_that_is():
    pairs = left_of(BOXES)
    assert related(pairs, np.array([0, 0, 1])) == pytest.approx(pairs[:, 2])
    assert related(pairs, np.array([0, 0, 0.2])) == pytest.approx(pairs[:, 2]), "how well the words fit in all does not count"
    both = related(pairs, np.array([0.5, 0, 0.5]))
    assert both[1] == pytest.approx((pairs[1, 0] + pairs[1, 2]) / 2) and both[0] == pytest.approx(pairs[0, 2])
    assert related(pairs, np.zeros(3)).tolist() == [0, 0, 0]
    assert related(np.zeros((0, 0), np.float32), np.zeros(0)).shape == (0,)


@pytest.mark.parametrize(
    ("selector", "order"),
    [("left", [0, 1, 2]), ("right", [2, 1, 0]), ("top", [0, 1, 2]), ("bottom", [2, 1, 0]), ("largest", [1, 2, 0]), ("smallest", [0, 2, 1])],
)
def test_ordinals(selector, order):
    assert [ordinal(BOXES, selector, rank) for rank in (1, 2, 3)] == order
    assert ordinal(BOXES, selector, 4) is None and ordinal(BOXES, selector, 0) is None and ordinal(BOXES[:0], selector) is None


def test_of_boxes_that_tie_the_first_comes_first():
    same = np.repeat(BOXES[:1], 3, 0)
    assert [[ordinal(same, selector, rank) for rank in (1, 2, 3)] for selector in ORDERS] == [[0, 1, 2]] * 6


def test_the_middle_has_as_many_on_either_side():
    row = np.float32([[70, 0, 90, 30], [0, 5, 20, 25], [21, 0, 39, 30]])  # near the left one, and in the middle all the same
    assert middle(row) == 2 and middle(row[:, [1, 0, 3, 2]]) == 2  # a row, and a column
    assert middle(row[:1]) == 0
    assert middle(row[:2]) is None and middle(row[:0]) is None


def test_what_is_no_relation_is_a_key_error():
    with pytest.raises(KeyError):
        relation("behind", BOXES)
