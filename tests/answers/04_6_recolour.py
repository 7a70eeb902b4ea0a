# %% reference
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    parts = np.stack([b, np.ones(3)], 1)
    shares = pixels @ np.linalg.pinv(parts).T
    s, r = shares[..., :1], pixels - shares @ parts.T
    h = np.maximum(s, 0) * np.linalg.norm(b) / np.maximum(np.linalg.norm(pixels, axis=-1, keepdims=True), 1)
    own = np.minimum(1, 9 * h**2) * np.exp(-(r**2).sum(-1, keepdims=True) / (2 * 45.0**2))
    return pixels + own * (np.clip(s, 0, 1.3) * target - s * b)


# %% wrong: recolours what is grey, or of another colour, too
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    parts = np.stack([b, np.ones(3)], 1)
    shares = pixels @ np.linalg.pinv(parts).T
    s = shares[..., :1]
    return pixels + np.clip(s, 0, 1.3) * target - s * b


# %% wrong: knows shades but no tints, so that windows and highlights are in the way
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    s = (pixels @ b / (b @ b))[..., None]
    r = pixels - s * b
    h = np.maximum(s, 0) * np.linalg.norm(b) / np.maximum(np.linalg.norm(pixels, axis=-1, keepdims=True), 1)
    own = np.minimum(1, 9 * h**2) * np.exp(-(r**2).sum(-1, keepdims=True) / (2 * 45.0**2))
    return pixels + own * (np.clip(s, 0, 1.3) * target - s * b)


# %% wrong: lights are brighter than the palette allows
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    parts = np.stack([b, np.ones(3)], 1)
    shares = pixels @ np.linalg.pinv(parts).T
    s, r = shares[..., :1], pixels - shares @ parts.T
    h = np.maximum(s, 0) * np.linalg.norm(b) / np.maximum(np.linalg.norm(pixels, axis=-1, keepdims=True), 1)
    own = np.minimum(1, 9 * h**2) * np.exp(-(r**2).sum(-1, keepdims=True) / (2 * 45.0**2))
    return pixels + own * s * (target - b)


# %% wrong: a grey pixel is changed as much as a coloured one
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    parts = np.stack([b, np.ones(3)], 1)
    shares = pixels @ np.linalg.pinv(parts).T
    s, r = shares[..., :1], pixels - shares @ parts.T
    own = np.exp(-(r**2).sum(-1, keepdims=True) / (2 * 45.0**2))
    return pixels + own * (np.clip(s, 0, 1.3) * target - s * b)


# %% wrong: one flat colour, without its shades
def recolour(pixels, old, new):
    from textedit_lite.vocabulary import COLOUR_RGB

    b, target = np.array(COLOUR_RGB[old], float), np.array(COLOUR_RGB[new], float)
    near = np.abs(pixels - b).max(-1, keepdims=True) < 45
    return np.where(near, target, pixels)
