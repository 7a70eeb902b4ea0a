# %% reference
def left_of(boxes, sharp=6.0):
    x, width = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 2] - boxes[:, 0]
    gap = x[None, :] - x[:, None]
    mean = (width[None, :] + width[:, None]) / 2
    pairs = 1 / (1 + np.exp(-np.clip(sharp * gap / mean, -50, 50)))
    return pairs * (1 - np.eye(len(boxes)))


# %% wrong: right instead of left
def left_of(boxes, sharp=6.0):
    x, width = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 2] - boxes[:, 0]
    gap = x[:, None] - x[None, :]
    mean = (width[None, :] + width[:, None]) / 2
    pairs = 1 / (1 + np.exp(-np.clip(sharp * gap / mean, -50, 50)))
    return pairs * (1 - np.eye(len(boxes)))


# %% wrong: an object is half left of itself
def left_of(boxes, sharp=6.0):
    x, width = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 2] - boxes[:, 0]
    gap = x[None, :] - x[:, None]
    mean = (width[None, :] + width[:, None]) / 2
    return 1 / (1 + np.exp(-np.clip(sharp * gap / mean, -50, 50)))


# %% wrong: the left edges instead of the centres
def left_of(boxes, sharp=6.0):
    x, width = boxes[:, 0], boxes[:, 2] - boxes[:, 0]
    gap = x[None, :] - x[:, None]
    mean = (width[None, :] + width[:, None]) / 2
    pairs = 1 / (1 + np.exp(-np.clip(sharp * gap / mean, -50, 50)))
    return pairs * (1 - np.eye(len(boxes)))


# %% wrong: yes or no
def left_of(boxes, sharp=6.0):
    x = (boxes[:, 0] + boxes[:, 2]) / 2
    return (x[:, None] < x[None, :]).astype(float)


# %% wrong: pixels instead of widths
def left_of(boxes, sharp=6.0):
    x = (boxes[:, 0] + boxes[:, 2]) / 2
    gap = x[None, :] - x[:, None]
    pairs = 1 / (1 + np.exp(-np.clip(sharp * gap, -50, 50)))
    return pairs * (1 - np.eye(len(boxes)))


# %% wrong: the first one's width alone
def left_of(boxes, sharp=6.0):
    x, width = (boxes[:, 0] + boxes[:, 2]) / 2, boxes[:, 2] - boxes[:, 0]
    gap = x[None, :] - x[:, None]
    pairs = 1 / (1 + np.exp(-np.clip(sharp * gap / width[:, None], -50, 50)))
    return pairs * (1 - np.eye(len(boxes)))
