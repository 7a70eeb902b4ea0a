# %% reference
def keep_best(boxes, probabilities, threshold):
    from textedit_lite.boxes import iou

    labels, scores = probabilities.argmax(1), probabilities.max(1)
    overlaps, sides = iou(boxes, boxes), boxes[:, 2:] - boxes[:, :2]
    kept = []
    for i in np.argsort(-scores):
        doubles = any(labels[i] == labels[j] and overlaps[i, j] > 0.7 for j in kept)
        if scores[i] >= threshold and sides[i].min() >= 1 and not doubles:
            kept.append(int(i))
    return kept


# %% wrong: in the queries' order
def keep_best(boxes, probabilities, threshold):
    from textedit_lite.boxes import iou

    labels, scores = probabilities.argmax(1), probabilities.max(1)
    overlaps, sides = iou(boxes, boxes), boxes[:, 2:] - boxes[:, :2]
    kept = []
    for i in range(len(scores)):
        doubles = any(labels[i] == labels[j] and overlaps[i, j] > 0.7 for j in kept)
        if scores[i] >= threshold and sides[i].min() >= 1 and not doubles:
            kept.append(int(i))
    return kept


# %% wrong: worst first
def keep_best(boxes, probabilities, threshold):
    from textedit_lite.boxes import iou

    labels, scores = probabilities.argmax(1), probabilities.max(1)
    overlaps, sides = iou(boxes, boxes), boxes[:, 2:] - boxes[:, :2]
    kept = []
    for i in np.argsort(scores):
        doubles = any(labels[i] == labels[j] and overlaps[i, j] > 0.7 for j in kept)
        if scores[i] >= threshold and sides[i].min() >= 1 and not doubles:
            kept.append(int(i))
    return kept


# %% wrong: whatever the label
def keep_best(boxes, probabilities, threshold):
    from textedit_lite.boxes import iou

    scores = probabilities.max(1)
    overlaps, sides = iou(boxes, boxes), boxes[:, 2:] - boxes[:, :2]
    kept = []
    for i in np.argsort(-scores):
        doubles = any(overlaps[i, j] > 0.7 for j in kept)
        if scores[i] >= threshold and sides[i].min() >= 1 and not doubles:
            kept.append(int(i))
    return kept


# %% wrong: a score at the threshold is not enough
def keep_best(boxes, probabilities, threshold):
    from textedit_lite.boxes import iou

    labels, scores = probabilities.argmax(1), probabilities.max(1)
    overlaps, sides = iou(boxes, boxes), boxes[:, 2:] - boxes[:, :2]
    kept = []
    for i in np.argsort(-scores):
        doubles = any(labels[i] == labels[j] and overlaps[i, j] > 0.7 for j in kept)
        if scores[i] > threshold and sides[i].min() >= 1 and not doubles:
            kept.append(int(i))
    return kept


# %% wrong: boxes thinner than a pixel
def keep_best(boxes, probabilities, threshold):
    from textedit_lite.boxes import iou

    labels, scores = probabilities.argmax(1), probabilities.max(1)
    overlaps = iou(boxes, boxes)
    kept = []
    for i in np.argsort(-scores):
        doubles = any(labels[i] == labels[j] and overlaps[i, j] > 0.7 for j in kept)
        if scores[i] >= threshold and not doubles:
            kept.append(int(i))
    return kept


# %% wrong: what was dropped drops others
def keep_best(boxes, probabilities, threshold):
    from textedit_lite.boxes import iou

    labels, scores = probabilities.argmax(1), probabilities.max(1)
    overlaps, sides = iou(boxes, boxes), boxes[:, 2:] - boxes[:, :2]
    kept = []
    for i in np.argsort(-scores):
        doubles = any(labels[i] == labels[j] and overlaps[i, j] > 0.7 for j in np.flatnonzero(scores > scores[i]))
        if scores[i] >= threshold and sides[i].min() >= 1 and not doubles:
            kept.append(int(i))
    return kept


# %% wrong: no double is dropped
def keep_best(boxes, probabilities, threshold):
    scores, sides = probabilities.max(1), boxes[:, 2:] - boxes[:, :2]
    return [int(i) for i in np.argsort(-scores) if scores[i] >= threshold and sides[i].min() >= 1]
