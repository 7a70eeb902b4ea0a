# %% reference
def softmax(similarities, scale=1.0):
    logits = scale * similarities
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


# %% wrong: without the scale
def softmax(similarities, scale=1.0):
    logits = similarities
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


# %% wrong: divides by the scale
def softmax(similarities, scale=1.0):
    logits = similarities / scale
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


# %% wrong: down the columns
def softmax(similarities, scale=1.0):
    logits = scale * similarities
    weights = np.exp(logits - logits.max(0, keepdims=True))
    return weights / weights.sum(0, keepdims=True)


# %% wrong: over the whole matrix
def softmax(similarities, scale=1.0):
    logits = scale * similarities
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


# %% wrong: exp overflows
def softmax(similarities, scale=1.0):
    with np.errstate(all="ignore"):
        weights = np.exp(scale * similarities)
        return weights / weights.sum(1, keepdims=True)
