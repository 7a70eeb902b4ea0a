# %% reference
def success_rates(rows):
    if not rows:
        return float("nan"), float("nan"), float("nan")
    returned = sum(bool(row[0]) for row in rows) / len(rows)
    success = sum(bool(row[1]) for row in rows) / len(rows)
    known = [row[2] for row in rows if row[2] is not None]
    return returned, success, sum(known) / len(known) if known else float("nan")


# %% wrong: failures are left out of the success
def success_rates(rows):
    back = [row for row in rows if row[0]]
    if not back:
        return float("nan"), float("nan"), float("nan")
    known = [row[2] for row in rows if row[2] is not None]
    kept = sum(known) / len(known) if known else float("nan")
    return len(back) / len(rows), sum(bool(row[1]) for row in back) / len(back), kept


# %% wrong: what is not known was not kept
def success_rates(rows):
    if not rows:
        return float("nan"), float("nan"), float("nan")
    return tuple(sum(bool(row[i]) for row in rows) / len(rows) for i in range(3))


# %% wrong: no answer for no edits
def success_rates(rows):
    known = [row[2] for row in rows if row[2] is not None]
    kept = sum(known) / len(known) if known else float("nan")
    return sum(bool(r[0]) for r in rows) / len(rows), sum(bool(r[1]) for r in rows) / len(rows), kept
