# %% reference
def shape_iou(a, b):
    a, b = np.asarray(a) > 0, np.asarray(b) > 0
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 0.0


# %% wrong: divided by the sum of both
def shape_iou(a, b):
    a, b = np.asarray(a) > 0, np.asarray(b) > 0
    both = a.sum() + b.sum()
    return float((a & b).sum() / both) if both else 0.0


# %% wrong: Dice, not IoU
def shape_iou(a, b):
    a, b = np.asarray(a) > 0, np.asarray(b) > 0
    both = a.sum() + b.sum()
    return float(2 * (a & b).sum() / both) if both else 0.0


# %% wrong: not a number where both are empty
def shape_iou(a, b):
    a, b = np.asarray(a) > 0, np.asarray(b) > 0
    with np.errstate(invalid="ignore"):
        return float(np.float64((a & b).sum()) / np.float64((a | b).sum()))


# %% wrong: two empty shapes are alike
def shape_iou(a, b):
    a, b = np.asarray(a) > 0, np.asarray(b) > 0
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 1.0


# %% wrong: of their boxes
def shape_iou(a, b):
    def box(shape):
        ys, xs = np.nonzero(shape)
        filled = np.zeros(shape.shape, bool)
        if len(ys):
            filled[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1] = True
        return filled

    a, b = box(np.asarray(a) > 0), box(np.asarray(b) > 0)
    union = (a | b).sum()
    return float((a & b).sum() / union) if union else 0.0


# %% wrong: sums of 255 in eight bits
def shape_iou(a, b):
    union = np.maximum(a, b).sum(dtype=np.uint8)
    return float(np.minimum(a, b).sum(dtype=np.uint8)) / float(union) if union else 0.0


# %% wrong: the share of pixels that agree
def shape_iou(a, b):
    return float(((np.asarray(a) > 0) == (np.asarray(b) > 0)).mean())
