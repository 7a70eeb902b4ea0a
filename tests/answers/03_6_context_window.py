# %% reference
def context_window(box, size, ratio=4 / 3, minimum=32):
    import math

    x0, y0, x1, y1 = box
    side = max(minimum, math.ceil(ratio * max(x1 - x0, y1 - y0)))
    corner = []
    for low, high, extent in ((x0, x1, size[0]), (y0, y1, size[1])):
        start = round((low + high - side) / 2)
        if side > extent:
            start = (extent - side) // 2
        else:
            start = min(max(start, 0), extent - side)
        corner.append(start)
    left, top = corner
    return left, top, left + side, top + side


# %% wrong: hangs over the border
def context_window(box, size, ratio=4 / 3, minimum=32):
    import math

    x0, y0, x1, y1 = box
    side = max(minimum, math.ceil(ratio * max(x1 - x0, y1 - y0)))
    left, top = round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2)
    return left, top, left + side, top + side


# %% wrong: cuts the window off, so that it is no square
def context_window(box, size, ratio=4 / 3, minimum=32):
    import math

    x0, y0, x1, y1 = box
    side = max(minimum, math.ceil(ratio * max(x1 - x0, y1 - y0)))
    left, top = round((x0 + x1 - side) / 2), round((y0 + y1 - side) / 2)
    return max(left, 0), max(top, 0), min(left + side, size[0]), min(top + side, size[1])


# %% wrong: the shorter side counts
def context_window(box, size, ratio=4 / 3, minimum=32):
    import math

    x0, y0, x1, y1 = box
    side = max(minimum, math.ceil(ratio * min(x1 - x0, y1 - y0)))
    corner = []
    for low, high, extent in ((x0, x1, size[0]), (y0, y1, size[1])):
        start = round((low + high - side) / 2)
        corner.append((extent - side) // 2 if side > extent else min(max(start, 0), extent - side))
    return corner[0], corner[1], corner[0] + side, corner[1] + side


# %% wrong: width and height of the picture change places
def context_window(box, size, ratio=4 / 3, minimum=32):
    import math

    x0, y0, x1, y1 = box
    side = max(minimum, math.ceil(ratio * max(x1 - x0, y1 - y0)))
    corner = []
    for low, high, extent in ((x0, x1, size[1]), (y0, y1, size[0])):
        start = round((low + high - side) / 2)
        corner.append((extent - side) // 2 if side > extent else min(max(start, 0), extent - side))
    return corner[0], corner[1], corner[0] + side, corner[1] + side


# %% wrong: no smallest window
def context_window(box, size, ratio=4 / 3, minimum=32):
    import math

    x0, y0, x1, y1 = box
    side = math.ceil(ratio * max(x1 - x0, y1 - y0))
    corner = []
    for low, high, extent in ((x0, x1, size[0]), (y0, y1, size[1])):
        start = round((low + high - side) / 2)
        corner.append((extent - side) // 2 if side > extent else min(max(start, 0), extent - side))
    return corner[0], corner[1], corner[0] + side, corner[1] + side
