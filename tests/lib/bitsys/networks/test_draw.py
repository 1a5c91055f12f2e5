"""Labels in crowded pictures."""

from __future__ import annotations

import numpy as np

from triptych.bitsys.networks import draw


def boxes(places, sides):
    wide, high = draw.WORD
    return [(x + dx, y + dy, x + dx + wide, y + dy + high) for (x, y), (dx, dy) in zip(places, sides, strict=True)]


def test_labels_cover_neither_marks_nor_one_another():
    crowded = np.array([[0, 0], [9, 3], [4, -12], [200, 40], [208, 52], [207, 30], [222, 60]], float)
    found = boxes(crowded, draw.offsets(crowded))
    for number, (left, low, right, top) in enumerate(found):
        for x, y in crowded:
            assert not (left < x < right and low < y < top)
        for other in found[:number]:
            assert right <= other[0] or other[2] <= left or top <= other[1] or other[3] <= low


def test_a_label_that_has_room_stands_right_of_its_mark():
    assert draw.offsets(np.array([[0, 0], [300, 0]], float)) == [(7, 3), (7, 3)]
