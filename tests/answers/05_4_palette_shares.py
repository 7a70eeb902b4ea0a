# %% reference
def palette_shares(rgb, weights):
    from textedit_lite.vocabulary import COLOUR_RGB, COLOURS

    def hue(r, g, b):
        return np.degrees(np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b)) % 360

    value, low = rgb.max(0), rgb.min(0)
    vivid = (value - low > 0.35 * value) & (value > 0.2)
    names = [name for name in COLOURS if name not in ("white", "black")]
    gaps = np.stack([np.abs((hue(*rgb) - hue(*COLOUR_RGB[name]) + 180) % 360 - 180) for name in names])
    nearest = np.array([COLOURS.index(name) for name in names])[gaps.argmin(0)]
    pale = np.where(value > 0.7, COLOURS.index("white"), np.where(value < 0.42, COLOURS.index("black"), 8))
    place = np.where(vivid, nearest, pale)
    shares = np.array([weights[place == i].sum() for i in range(9)])
    return shares / max(shares.sum(), 1e-6)


# %% wrong: the circle of hues has a gap at red
def palette_shares(rgb, weights):
    from textedit_lite.vocabulary import COLOUR_RGB, COLOURS

    def hue(r, g, b):
        return np.degrees(np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b)) % 360

    value, low = rgb.max(0), rgb.min(0)
    vivid = (value - low > 0.35 * value) & (value > 0.2)
    names = [name for name in COLOURS if name not in ("white", "black")]
    gaps = np.stack([np.abs(hue(*rgb) - hue(*COLOUR_RGB[name])) for name in names])
    nearest = np.array([COLOURS.index(name) for name in names])[gaps.argmin(0)]
    pale = np.where(value > 0.7, COLOURS.index("white"), np.where(value < 0.42, COLOURS.index("black"), 8))
    place = np.where(vivid, nearest, pale)
    shares = np.array([weights[place == i].sum() for i in range(9)])
    return shares / max(shares.sum(), 1e-6)


# %% wrong: every pixel counts alike
def palette_shares(rgb, weights):
    from textedit_lite.vocabulary import COLOUR_RGB, COLOURS

    def hue(r, g, b):
        return np.degrees(np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b)) % 360

    value, low = rgb.max(0), rgb.min(0)
    vivid = (value - low > 0.35 * value) & (value > 0.2)
    names = [name for name in COLOURS if name not in ("white", "black")]
    gaps = np.stack([np.abs((hue(*rgb) - hue(*COLOUR_RGB[name]) + 180) % 360 - 180) for name in names])
    nearest = np.array([COLOURS.index(name) for name in names])[gaps.argmin(0)]
    pale = np.where(value > 0.7, COLOURS.index("white"), np.where(value < 0.42, COLOURS.index("black"), 8))
    place = np.where(vivid, nearest, pale)
    shares = np.array([(place[weights > 0] == i).sum() for i in range(9)])
    return shares / max(shares.sum(), 1e-6)


# %% wrong: the nearest of the palette in RGB
def palette_shares(rgb, weights):
    from textedit_lite.vocabulary import COLOUR_RGB, COLOURS

    palette = np.array([COLOUR_RGB[name] for name in COLOURS]) / 255
    pixels = rgb.reshape(3, -1).T
    place = ((pixels[:, None] - palette[None]) ** 2).sum(-1).argmin(1)
    shares = np.bincount(place, weights.ravel(), 9)
    return shares / max(shares.sum(), 1e-6)


# %% wrong: no share for grey
def palette_shares(rgb, weights):
    from textedit_lite.vocabulary import COLOUR_RGB, COLOURS

    def hue(r, g, b):
        return np.degrees(np.arctan2(np.sqrt(3) * (g - b), 2 * r - g - b)) % 360

    value, low = rgb.max(0), rgb.min(0)
    vivid = (value - low > 0.35 * value) & (value > 0.2)
    names = [name for name in COLOURS if name not in ("white", "black")]
    gaps = np.stack([np.abs((hue(*rgb) - hue(*COLOUR_RGB[name]) + 180) % 360 - 180) for name in names])
    nearest = np.array([COLOURS.index(name) for name in names])[gaps.argmin(0)]
    place = np.where(vivid, nearest, np.where(value > 0.5, COLOURS.index("white"), COLOURS.index("black")))
    shares = np.array([weights[place == i].sum() for i in range(8)])
    return shares / max(shares.sum(), 1e-6)
