# %% reference
def mix(before, after, weight):
    before, after = before.astype(np.float32), after.astype(np.float32)
    mixed = before + weight[..., None] * (after - before)
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


# %% wrong: truncates
def mix(before, after, weight):
    before, after = before.astype(np.float32), after.astype(np.float32)
    mixed = before + weight[..., None] * (after - before)
    return mixed.clip(0, 255).astype(np.uint8)


# %% wrong: uint8 wraps around
def mix(before, after, weight):
    mixed = before + weight[..., None] * (after - before)
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


# %% wrong: the weights exchanged
def mix(before, after, weight):
    before, after = before.astype(np.float32), after.astype(np.float32)
    mixed = after + weight[..., None] * (before - after)
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


# %% wrong: floats
def mix(before, after, weight):
    before, after = before.astype(np.float32), after.astype(np.float32)
    mixed = before + weight[..., None] * (after - before)
    return np.rint(mixed).clip(0, 255)


# %% wrong: always a little of the painting
def mix(before, after, weight):
    before, after = before.astype(np.float32), after.astype(np.float32)
    mixed = before + np.clip(weight, 0.02, 1)[..., None] * (after - before)
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


# %% wrong: hard
def mix(before, after, weight):
    before, after = before.astype(np.float32), after.astype(np.float32)
    mixed = before + (weight > 0.5)[..., None] * (after - before)
    return np.rint(mixed).clip(0, 255).astype(np.uint8)


# %% wrong: the picture in two halves, each rounded
def mix(before, after, weight):
    before, after = before.astype(np.float32), after.astype(np.float32)
    return (np.floor((1 - weight[..., None]) * before) + np.floor(weight[..., None] * after)).astype(np.uint8)
