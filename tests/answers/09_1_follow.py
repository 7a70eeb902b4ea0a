# %% reference
def follow(average, weights, step, decay=0.999):
    d = min(decay, (1 + step) / (10 + step))
    return d * average + (1 - d) * weights


# %% wrong: the shares change places
def follow(average, weights, step, decay=0.999):
    d = min(decay, (1 + step) / (10 + step))
    return (1 - d) * average + d * weights


# %% wrong: slow from the first step on
def follow(average, weights, step, decay=0.999):
    return decay * average + (1 - decay) * weights


# %% wrong: a plain mean of all steps
def follow(average, weights, step, decay=0.999):
    return average + (weights - average) / (step + 1)
