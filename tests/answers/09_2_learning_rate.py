# %% reference
def learning_rate(peak, step, spent, warmup=100, hold=0.0):
    rise = min(1.0, (step + 1) / warmup)
    fall = 0.0 if hold >= 1 else max(0.0, (min(spent, 1.0) - hold) / (1 - hold))
    return peak * rise * 0.5 * (1 + np.cos(np.pi * fall))


# %% wrong: falls from the start, whatever the hold
def learning_rate(peak, step, spent, warmup=100, hold=0.0):
    return peak * min(1.0, (step + 1) / warmup) * 0.5 * (1 + np.cos(np.pi * min(spent, 1.0)))


# %% wrong: the first step has no rate
def learning_rate(peak, step, spent, warmup=100, hold=0.0):
    fall = 0.0 if hold >= 1 else max(0.0, (min(spent, 1.0) - hold) / (1 - hold))
    return peak * min(1.0, step / warmup) * 0.5 * (1 + np.cos(np.pi * fall))


# %% wrong: a straight line instead of a cosine
def learning_rate(peak, step, spent, warmup=100, hold=0.0):
    fall = 0.0 if hold >= 1 else max(0.0, (min(spent, 1.0) - hold) / (1 - hold))
    return peak * min(1.0, (step + 1) / warmup) * (1 - fall)


# %% wrong: rises again when the time is over
def learning_rate(peak, step, spent, warmup=100, hold=0.0):
    fall = 0.0 if hold >= 1 else max(0.0, (spent - hold) / (1 - hold))
    return peak * min(1.0, (step + 1) / warmup) * 0.5 * (1 + np.cos(np.pi * fall))


# %% wrong: divides by nothing where all is held
def learning_rate(peak, step, spent, warmup=100, hold=0.0):
    fall = max(0.0, (min(spent, 1.0) - hold) / (1 - hold))
    return peak * min(1.0, (step + 1) / warmup) * 0.5 * (1 + np.cos(np.pi * fall))
