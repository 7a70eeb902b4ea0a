# %% reference
def contrastive_loss(cosines, targets, scale):
    logits = scale * cosines.astype(float)
    rows = logits - logits.max(1, keepdims=True)
    rows = rows - np.log(np.exp(rows).sum(1, keepdims=True))
    columns = logits - logits.max(0, keepdims=True)
    columns = columns - np.log(np.exp(columns).sum(0, keepdims=True))
    by_crop = -rows[np.arange(len(targets)), targets].mean()
    by_caption = -np.mean([columns[targets == k, k].mean() for k in range(logits.shape[1])])
    return float((by_crop + by_caption) / 2)


# %% wrong: one half of it
def contrastive_loss(cosines, targets, scale):
    logits = scale * cosines.astype(float)
    rows = logits - logits.max(1, keepdims=True)
    rows = rows - np.log(np.exp(rows).sum(1, keepdims=True))
    return float(-rows[np.arange(len(targets)), targets].mean())


# %% wrong: only the first crop of a caption belongs to it
def contrastive_loss(cosines, targets, scale):
    logits = scale * cosines.astype(float)
    rows = logits - logits.max(1, keepdims=True)
    rows = rows - np.log(np.exp(rows).sum(1, keepdims=True))
    columns = logits - logits.max(0, keepdims=True)
    columns = columns - np.log(np.exp(columns).sum(0, keepdims=True))
    by_crop = -rows[np.arange(len(targets)), targets].mean()
    by_caption = -np.mean([columns[np.flatnonzero(targets == k)[0], k] for k in range(logits.shape[1])])
    return float((by_crop + by_caption) / 2)


# %% wrong: exp runs over
def contrastive_loss(cosines, targets, scale):
    with np.errstate(all="ignore"):
        chances = np.exp(np.float32(scale) * cosines)
        rows = np.log(chances / chances.sum(1, keepdims=True))
        columns = np.log(chances / chances.sum(0, keepdims=True))
        by_crop = -rows[np.arange(len(targets)), targets].mean()
        by_caption = -np.mean([columns[targets == k, k].mean() for k in range(cosines.shape[1])])
    return float((by_crop + by_caption) / 2)


# %% wrong: forgets the scale
def contrastive_loss(cosines, targets, scale):
    logits = cosines.astype(float)
    rows = logits - np.log(np.exp(logits).sum(1, keepdims=True))
    columns = logits - np.log(np.exp(logits).sum(0, keepdims=True))
    by_crop = -rows[np.arange(len(targets)), targets].mean()
    by_caption = -np.mean([columns[targets == k, k].mean() for k in range(logits.shape[1])])
    return float((by_crop + by_caption) / 2)
