# %% reference
def step_schedule(round_index, steps):
    import math

    return min(math.ceil(steps * (1 + round_index / 2)), 1000)


# %% wrong: rounds down
def step_schedule(round_index, steps):
    return min(int(steps * (1 + round_index / 2)), 1000)


# %% wrong: rounds to the nearest
def step_schedule(round_index, steps):
    return min(round(steps * (1 + round_index / 2)), 1000)


# %% wrong: more than the schedule has
def step_schedule(round_index, steps):
    import math

    return math.ceil(steps * (1 + round_index / 2))


# %% wrong: half of the round in whole numbers
def step_schedule(round_index, steps):
    return min(steps * (1 + round_index // 2), 1000)
