# %% reference
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    s = (pixels @ b / (b @ b))[..., None]
    r = pixels - s * b
    own = np.exp(-(r**2).sum(-1, keepdims=True) / (2 * 45.0**2))
    return pixels + own * (np.clip(s, 0, 1.3) * target + r - pixels)


# %% wrong: recolours what is of another colour too
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    s = (pixels @ b / (b @ b))[..., None]
    r = pixels - s * b
    return np.clip(s, 0, 1.3) * target + r


# %% wrong: divides by the length, not by its square
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    s = (pixels @ b / np.linalg.norm(b))[..., None]
    r = pixels - s * b
    own = np.exp(-(r**2).sum(-1, keepdims=True) / (2 * 45.0**2))
    return pixels + own * (np.clip(s, 0, 1.3) * target + r - pixels)


# %% wrong: lights are brighter than the palette allows
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    s = (pixels @ b / (b @ b))[..., None]
    r = pixels - s * b
    own = np.exp(-(r**2).sum(-1, keepdims=True) / (2 * 45.0**2))
    return pixels + own * (s * target + r - pixels)


# %% wrong: one flat colour, without its shades
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    near = np.abs(pixels - b).max(-1, keepdims=True) < 45
    return np.where(near, target, pixels)
