# %% reference
def changed_outside(before, after, mask):
    gap = np.abs(before.astype(int) - after.astype(int)).max(-1)
    gap = np.where(mask == 0, gap, 0)
    return int((gap > 0).sum()), int(gap.max())


# %% wrong: eight bits run over
def changed_outside(before, after, mask):
    gap = np.abs(before - after).max(-1)
    gap = np.where(mask == 0, gap, 0)
    return int((gap > 0).sum()), int(gap.max())


# %% wrong: counts channels, not pixels
def changed_outside(before, after, mask):
    gap = np.abs(before.astype(int) - after.astype(int))[mask == 0]
    return int((gap > 0).sum()), int(gap.max(initial=0))


# %% wrong: the mask's soft edge counts as outside
def changed_outside(before, after, mask):
    gap = np.abs(before.astype(int) - after.astype(int)).max(-1)
    gap = np.where(mask < 128, gap, 0)
    return int((gap > 0).sum()), int(gap.max())


# %% wrong: only what grows brighter
def changed_outside(before, after, mask):
    gap = (after.astype(int) - before.astype(int)).max(-1)
    gap = np.where(mask == 0, gap, 0)
    return int((gap > 0).sum()), int(gap.max())
