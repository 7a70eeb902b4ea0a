# %% reference
def assign(chances, apart, overlap):
    from scipy.optimize import linear_sum_assignment

    queries, objects = linear_sum_assignment(5 * apart - 2 * overlap - chances)
    result = np.zeros(chances.shape[1], int)
    result[objects] = queries
    return result


# %% wrong: each object takes its cheapest, also one that is taken
def assign(chances, apart, overlap):
    if chances.shape[1] == 0:
        return np.zeros(0, int)
    return (5 * apart - 2 * overlap - chances).argmin(0)


# %% wrong: who comes first takes first
def assign(chances, apart, overlap):
    cost, result = 5 * apart - 2 * overlap - chances, []
    for m in range(cost.shape[1]):
        free = [q for q in range(len(cost)) if q not in result]
        result.append(min(free, key=lambda q: cost[q, m]))
    return np.array(result, int)


# %% wrong: a good overlap costs
def assign(chances, apart, overlap):
    from scipy.optimize import linear_sum_assignment

    queries, objects = linear_sum_assignment(5 * apart + 2 * overlap - chances)
    return queries[np.argsort(objects)]


# %% wrong: the queries in their own order, not the objects'
def assign(chances, apart, overlap):
    from scipy.optimize import linear_sum_assignment

    return linear_sum_assignment(5 * apart - 2 * overlap - chances)[0]
