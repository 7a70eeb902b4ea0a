# %% reference
def ring(mask, width=2):
    near = mask.copy()
    for _ in range(width):
        wide = np.pad(near, 1)
        near = wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    return near & ~mask


# %% wrong: the mask is in it
def ring(mask, width=2):
    near = mask.copy()
    for _ in range(width):
        wide = np.pad(near, 1)
        near = wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    return near


# %% wrong: one step whatever the width
def ring(mask, width=2):
    near = mask.copy()
    for _ in range(1):
        wide = np.pad(near, 1)
        near = wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
    return near & ~mask


# %% wrong: down and to the right only
def ring(mask, width=2):
    near = mask.copy()
    for _ in range(width):
        wide = np.pad(near, 1)
        near = wide[1:-1, 1:-1] | wide[:-2, 1:-1] | wide[1:-1, :-2]
    return near & ~mask


# %% wrong: goes round the picture and comes in on the other side
def ring(mask, width=2):
    near = mask.copy()
    for _ in range(width):
        near = near | np.roll(near, 1, 0) | np.roll(near, -1, 0) | np.roll(near, 1, 1) | np.roll(near, -1, 1)
    return near & ~mask


# %% wrong: steps across corners, too
def ring(mask, width=2):
    from scipy.ndimage import binary_dilation

    return binary_dilation(mask, np.ones((3, 3), bool), iterations=width) & ~mask


# %% wrong: the ring inside
def ring(mask, width=2):
    from scipy.ndimage import binary_erosion

    return mask & ~binary_erosion(mask, iterations=width)


# %% wrong: works in the input
def ring(mask, width=2):
    from scipy.ndimage import binary_dilation

    before = mask.copy()
    mask |= binary_dilation(mask, iterations=width)
    return mask & ~before
