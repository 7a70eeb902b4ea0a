# %% reference
def guidance_scale(base, shown, round_index=0):
    p = min(max(shown, 0), 1)
    return min(1 + (base - 1) * (1 + (1 - p) / 4) * (1 + round_index / 4), 50)


# %% wrong: scales all of it, also the 1 that is no guidance
def guidance_scale(base, shown, round_index=0):
    p = min(max(shown, 0), 1)
    return min(base * (1 + (1 - p) / 4) * (1 + round_index / 4), 50)


# %% wrong: p may leave 0 to 1
def guidance_scale(base, shown, round_index=0):
    return min(1 + (base - 1) * (1 + (1 - shown) / 4) * (1 + round_index / 4), 50)


# %% wrong: no largest scale
def guidance_scale(base, shown, round_index=0):
    p = min(max(shown, 0), 1)
    return 1 + (base - 1) * (1 + (1 - p) / 4) * (1 + round_index / 4)


# %% wrong: pulls harder the more is there
def guidance_scale(base, shown, round_index=0):
    p = min(max(shown, 0), 1)
    return min(1 + (base - 1) * (1 + p / 4) * (1 + round_index / 4), 50)
