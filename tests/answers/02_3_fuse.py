# %% reference
def fuse(clip_score, detr_score, weight=0.6):
    return clip_score**weight * detr_score ** (1 - weight)


# %% wrong: a sum, in which no is outvoted
def fuse(clip_score, detr_score, weight=0.6):
    return weight * clip_score + (1 - weight) * detr_score


# %% wrong: the weights exchanged
def fuse(clip_score, detr_score, weight=0.6):
    return clip_score ** (1 - weight) * detr_score**weight


# %% wrong: a product without weights
def fuse(clip_score, detr_score, weight=0.6):
    return clip_score * detr_score


# %% wrong: one weight for all
def fuse(clip_score, detr_score, weight=0.6):
    return clip_score**0.6 * detr_score**0.4


# %% wrong: the logarithm of nothing
def fuse(clip_score, detr_score, weight=0.6):
    import math

    return math.exp(weight * math.log(clip_score) + (1 - weight) * math.log(detr_score))
