# %% reference
def verdict(scores, fits, bar=0.15):
    order = [i for i in np.argsort(-scores, kind="stable") if fits[i]]
    if not order:
        return None, "not_found", 0.0
    second = scores[order[1]] if len(order) > 1 else 0.0
    margin = float(scores[order[0]] - second)
    if len(order) > 1 and margin < bar:
        return None, "ambiguous", margin
    return int(order[0]), "found", margin


# %% wrong: counts those that do not fit
def verdict(scores, fits, bar=0.15):
    order = [i for i in np.argsort(-scores, kind="stable")]
    if not order:
        return None, "not_found", 0.0
    second = scores[order[1]] if len(order) > 1 else 0.0
    margin = float(scores[order[0]] - second)
    if len(order) > 1 and margin < bar:
        return None, "ambiguous", margin
    return int(order[0]), "found", margin


# %% wrong: a single weak one is called ambiguous
def verdict(scores, fits, bar=0.15):
    order = [i for i in np.argsort(-scores, kind="stable") if fits[i]]
    if not order:
        return None, "not_found", 0.0
    second = scores[order[1]] if len(order) > 1 else 0.0
    margin = float(scores[order[0]] - second)
    if margin < bar:
        return None, "ambiguous", margin
    return int(order[0]), "found", margin


# %% wrong: guesses where it is ambiguous
def verdict(scores, fits, bar=0.15):
    order = [i for i in np.argsort(-scores, kind="stable") if fits[i]]
    if not order:
        return None, "not_found", 0.0
    second = scores[order[1]] if len(order) > 1 else 0.0
    margin = float(scores[order[0]] - second)
    if len(order) > 1 and margin < bar:
        return int(order[0]), "ambiguous", margin
    return int(order[0]), "found", margin


# %% wrong: one bar for all
def verdict(scores, fits, bar=0.15):
    order = [i for i in np.argsort(-scores, kind="stable") if fits[i]]
    if not order:
        return None, "not_found", 0.0
    second = scores[order[1]] if len(order) > 1 else 0.0
    margin = float(scores[order[0]] - second)
    if len(order) > 1 and margin < 0.15:
        return None, "ambiguous", margin
    return int(order[0]), "found", margin


# %% wrong: the place among those that fit
def verdict(scores, fits, bar=0.15):
    fitting = np.sort(scores[fits])[::-1]
    if not len(fitting):
        return None, "not_found", 0.0
    margin = float(fitting[0] - (fitting[1] if len(fitting) > 1 else 0.0))
    if len(fitting) > 1 and margin < bar:
        return None, "ambiguous", margin
    return int(scores[fits].argmax()), "found", margin


# %% wrong: the best of all, and then whether it fits
def verdict(scores, fits, bar=0.15):
    if not len(scores) or not fits[scores.argmax()]:
        return None, "not_found", 0.0
    fitting = np.sort(scores[fits])[::-1]
    margin = float(fitting[0] - (fitting[1] if len(fitting) > 1 else 0.0))
    if len(fitting) > 1 and margin < bar:
        return None, "ambiguous", margin
    return int(scores.argmax()), "found", margin
