# %% reference
def contrast_mask(contrast, threshold):
    return np.stack([one > threshold * one.mean() for one in contrast])


# %% wrong: one mean for all pictures
def contrast_mask(contrast, threshold):
    return contrast > threshold * contrast.mean()


# %% wrong: of the largest, not of the mean
def contrast_mask(contrast, threshold):
    return contrast > threshold * contrast.max((1, 2), keepdims=True) / 3


# %% wrong: an absolute threshold
def contrast_mask(contrast, threshold):
    return contrast > threshold


# %% wrong: where they agree
def contrast_mask(contrast, threshold):
    return contrast <= threshold * contrast.mean((1, 2), keepdims=True)


# %% wrong: the median
def contrast_mask(contrast, threshold):
    return contrast > threshold * np.median(contrast, (1, 2), keepdims=True)


# %% wrong: at least, so that a picture without any contrast is all mask
def contrast_mask(contrast, threshold):
    return contrast >= threshold * contrast.mean((1, 2), keepdims=True)
