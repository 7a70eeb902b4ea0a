# %% reference
def iou(a, b):
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    union = area_a[:, None] + area_b[None] - shared
    return np.where(union > 0, shared / np.maximum(union, 1e-9), 0)


# %% wrong: two gaps multiply to an overlap
def iou(a, b):
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = (high - low).prod(-1)
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    return shared / np.maximum(area_a[:, None] + area_b[None] - shared, 1e-9)


# %% wrong: the union counts the overlap twice
def iou(a, b):
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area_a = (a[:, 2] - a[:, 0]) * (a[:, 3] - a[:, 1])
    area_b = (b[:, 2] - b[:, 0]) * (b[:, 3] - b[:, 1])
    return shared / (area_a[:, None] + area_b[None])


# %% wrong: pairs the boxes one to one
def iou(a, b):
    n = min(len(a), len(b))
    low, high = np.maximum(a[:n, :2], b[:n, :2]), np.minimum(a[:n, 2:], b[:n, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    union = (a[:n, 2:] - a[:n, :2]).prod(-1) + (b[:n, 2:] - b[:n, :2]).prod(-1) - shared
    return shared / np.maximum(union, 1e-9)


# %% wrong: counts both edges as pixels
def iou(a, b):
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low + 1, 0, None).prod(-1)
    area_a, area_b = (a[:, 2:] - a[:, :2] + 1).prod(-1), (b[:, 2:] - b[:, :2] + 1).prod(-1)
    return shared / (area_a[:, None] + area_b[None] - shared)


# %% wrong: divides nothing by nothing
def iou(a, b):
    low = np.maximum(a[:, None, :2], b[None, :, :2])
    high = np.minimum(a[:, None, 2:], b[None, :, 2:])
    shared = np.clip(high - low, 0, None).prod(-1)
    area_a, area_b = (a[:, 2:] - a[:, :2]).prod(-1), (b[:, 2:] - b[:, :2]).prod(-1)
    with np.errstate(invalid="ignore"):
        return shared / (area_a[:, None] + area_b[None] - shared)
