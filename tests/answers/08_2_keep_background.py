# %% reference
def keep_background(latents, level, mask):
    return np.where(mask[:, None], latents, level)


# %% wrong: the other way round
def keep_background(latents, level, mask):
    return np.where(mask[:, None], level, latents)


# %% wrong: black outside
def keep_background(latents, level, mask):
    return latents * mask[:, None]


# %% wrong: half of each inside
def keep_background(latents, level, mask):
    return np.where(mask[:, None], (latents + level) / 2, level)


# %% wrong: the first picture's mask for all
def keep_background(latents, level, mask):
    return np.where(mask[:1, None], latents, level)


# %% wrong: works in place
def keep_background(latents, level, mask):
    latents[~np.broadcast_to(mask[:, None], latents.shape)] = level[~np.broadcast_to(mask[:, None], latents.shape)]
    return latents
