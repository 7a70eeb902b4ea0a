# %% reference
def until_complete(paint, judge, rounds, seed=0):
    best, best_verified, best_rank = None, False, None
    for r in range(rounds):
        count = (1, 2, 4)[min(r, 2)]
        seeds = list(range(seed, seed + count))
        seed += count
        for painting in paint(r, seeds):
            verified, rank = judge(painting)
            if best_rank is None or rank > best_rank:
                best, best_verified, best_rank = painting, verified, rank
        if best_verified:
            break
    return best, best_verified, r + 1


# %% wrong: paints on although the edit is complete
def until_complete(paint, judge, rounds, seed=0):
    best, best_verified, best_rank = None, False, None
    for r in range(rounds):
        count = (1, 2, 4)[min(r, 2)]
        for painting in paint(r, list(range(seed, seed + count))):
            verified, rank = judge(painting)
            if best_rank is None or rank > best_rank:
                best, best_verified, best_rank = painting, verified, rank
        seed += count
    return best, best_verified, rounds


# %% wrong: returns the last painting, not the best
def until_complete(paint, judge, rounds, seed=0):
    for r in range(rounds):
        count = (1, 2, 4)[min(r, 2)]
        for painting in paint(r, list(range(seed, seed + count))):
            verified, rank = judge(painting)
        seed += count
        if verified:
            break
    return painting, verified, r + 1


# %% wrong: the same seeds in every round
def until_complete(paint, judge, rounds, seed=0):
    best, best_verified, best_rank = None, False, None
    for r in range(rounds):
        count = (1, 2, 4)[min(r, 2)]
        for painting in paint(r, list(range(seed, seed + count))):
            verified, rank = judge(painting)
            if best_rank is None or rank > best_rank:
                best, best_verified, best_rank = painting, verified, rank
        if best_verified:
            break
    return best, best_verified, r + 1


# %% wrong: takes the first that is verified, though a better one was painted beside it
def until_complete(paint, judge, rounds, seed=0):
    best, best_rank = None, None
    for r in range(rounds):
        count = (1, 2, 4)[min(r, 2)]
        for painting in paint(r, list(range(seed, seed + count))):
            verified, rank = judge(painting)
            if verified:
                return painting, True, r + 1
            if best_rank is None or rank > best_rank:
                best, best_rank = painting, rank
        seed += count
    return best, False, rounds


# %% wrong: of equals the last
def until_complete(paint, judge, rounds, seed=0):
    best, best_verified, best_rank = None, False, None
    for r in range(rounds):
        count = (1, 2, 4)[min(r, 2)]
        for painting in paint(r, list(range(seed, seed + count))):
            verified, rank = judge(painting)
            if best_rank is None or rank >= best_rank:
                best, best_verified, best_rank = painting, verified, rank
        seed += count
        if best_verified:
            break
    return best, best_verified, r + 1
