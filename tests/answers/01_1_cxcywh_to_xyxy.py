# %% reference
def cxcywh_to_xyxy(boxes):
    half = boxes[:, 2:] / 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1)


# %% wrong: the whole size instead of half of it
def cxcywh_to_xyxy(boxes):
    return np.concatenate([boxes[:, :2] - boxes[:, 2:], boxes[:, :2] + boxes[:, 2:]], 1)


# %% wrong: takes the centre for a corner
def cxcywh_to_xyxy(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], 1)


# %% wrong: x0, x1, y0, y1
def cxcywh_to_xyxy(boxes):
    cx, cy, w, h = boxes.T
    return np.stack([cx - w / 2, cx + w / 2, cy - h / 2, cy + h / 2], 1)


# %% wrong: rounds half sizes down
def cxcywh_to_xyxy(boxes):
    half = boxes[:, 2:] // 2
    return np.concatenate([boxes[:, :2] - half, boxes[:, :2] + half], 1)


# %% wrong: works in the input
def cxcywh_to_xyxy(boxes):
    boxes[:, :2] -= boxes[:, 2:] / 2
    boxes[:, 2:] += boxes[:, :2]
    return boxes.copy()
