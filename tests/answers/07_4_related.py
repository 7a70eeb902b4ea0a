# %% reference
def related(pairs, anchors):
    weights = np.where(np.eye(len(anchors), dtype=bool), 0, anchors[None, :])
    total = weights.sum(1)
    return (pairs * weights).sum(1) / np.where(total > 0, total, 1)


# %% wrong: the weights do not sum to one
def related(pairs, anchors):
    weights = np.where(np.eye(len(anchors), dtype=bool), 0, anchors[None, :])
    return (pairs * weights).sum(1)


# %% wrong: an object may be its own anchor
def related(pairs, anchors):
    total = anchors.sum()
    return pairs @ anchors / (total if total > 0 else 1)


# %% wrong: the other way round
def related(pairs, anchors):
    weights = np.where(np.eye(len(anchors), dtype=bool), 0, anchors[None, :])
    total = weights.sum(1)
    return (pairs.T * weights).sum(1) / np.where(total > 0, total, 1)


# %% wrong: no anchor is a division by zero
def related(pairs, anchors):
    weights = np.where(np.eye(len(anchors), dtype=bool), 0, anchors[None, :])
    with np.errstate(invalid="ignore", divide="ignore"):
        return (pairs * weights).sum(1) / weights.sum(1)


# %% wrong: the best anchor alone
def related(pairs, anchors):
    return pairs[:, anchors.argmax()] * (anchors.max() > 0)
