# %% reference
def bootstrap_interval(values, statistic=np.mean, level=0.95, resamples=1000, seed=0):
    numbers = np.array([value for value in values if value is not None], float)
    numbers = numbers[~np.isnan(numbers)]
    if len(numbers) == 0:
        return float("nan"), float("nan")
    picks = np.random.default_rng(seed).integers(0, len(numbers), (resamples, len(numbers)))
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(statistic(numbers[picks], axis=1), (tail, 100 - tail))
    return float(low), float(high)


# %% wrong: what is missing counts as 0
def bootstrap_interval(values, statistic=np.mean, level=0.95, resamples=1000, seed=0):
    numbers = np.nan_to_num(np.array([value if value is not None else 0 for value in values], float))
    if len(numbers) == 0:
        return float("nan"), float("nan")
    picks = np.random.default_rng(seed).integers(0, len(numbers), (resamples, len(numbers)))
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(statistic(numbers[picks], axis=1), (tail, 100 - tail))
    return float(low), float(high)


# %% wrong: both tails as long as the two together
def bootstrap_interval(values, statistic=np.mean, level=0.95, resamples=1000, seed=0):
    numbers = np.array([value for value in values if value is not None], float)
    numbers = numbers[~np.isnan(numbers)]
    if len(numbers) == 0:
        return float("nan"), float("nan")
    picks = np.random.default_rng(seed).integers(0, len(numbers), (resamples, len(numbers)))
    low, high = np.percentile(statistic(numbers[picks], axis=1), (100 * (1 - level), 100 * level))
    return float(low), float(high)


# %% wrong: the spread of the values, not of their statistic
def bootstrap_interval(values, statistic=np.mean, level=0.95, resamples=1000, seed=0):
    numbers = np.array([value for value in values if value is not None], float)
    numbers = numbers[~np.isnan(numbers)]
    if len(numbers) == 0:
        return float("nan"), float("nan")
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(numbers, (tail, 100 - tail))
    return float(low), float(high)


# %% wrong: always the mean
def bootstrap_interval(values, statistic=np.mean, level=0.95, resamples=1000, seed=0):
    numbers = np.array([value for value in values if value is not None], float)
    numbers = numbers[~np.isnan(numbers)]
    if len(numbers) == 0:
        return float("nan"), float("nan")
    picks = np.random.default_rng(seed).integers(0, len(numbers), (resamples, len(numbers)))
    tail = 100 * (1 - level) / 2
    low, high = np.percentile(numbers[picks].mean(axis=1), (tail, 100 - tail))
    return float(low), float(high)
