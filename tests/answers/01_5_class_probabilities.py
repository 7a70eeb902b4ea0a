# %% reference
def class_probabilities(logits):
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return (weights / weights.sum(1, keepdims=True))[:, :-1]


# %% wrong: exp overflows
def class_probabilities(logits):
    with np.errstate(all="ignore"):
        weights = np.exp(logits)
        return (weights / weights.sum(1, keepdims=True))[:, :-1]


# %% wrong: leaves "no object" out before the softmax
def class_probabilities(logits):
    logits = logits[:, :-1]
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


# %% wrong: leaves the first class out
def class_probabilities(logits):
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return (weights / weights.sum(1, keepdims=True))[:, 1:]


# %% wrong: over the queries
def class_probabilities(logits):
    weights = np.exp(logits - logits.max(0, keepdims=True, initial=-1e9))
    with np.errstate(all="ignore"):
        return (weights / weights.sum(0, keepdims=True))[:, :-1]


# %% wrong: keeps "no object"
def class_probabilities(logits):
    weights = np.exp(logits - logits.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True)


# %% wrong: one largest logit for all queries
def class_probabilities(logits):
    weights = np.exp(logits - logits.max(initial=-1e9))
    with np.errstate(all="ignore"):
        return (weights / weights.sum(1, keepdims=True))[:, :-1]
