# %% reference
def turns(wanted, now):
    result = {}
    for name in ("pose", "view"):
        value = wanted.get(name)
        result[name] = value if value != now.values[name] else None
    return result


# %% wrong: the object turns to what it is
def turns(wanted, now):
    return {name: wanted.get(name) for name in ("pose", "view")}


# %% wrong: a new colour is a turn
def turns(wanted, now):
    return {name: wanted.get(name) if wanted.get(name) != now.values[name] else None for name in now.values}


# %% wrong: leaves out what it keeps
def turns(wanted, now):
    return {name: wanted[name] for name in ("pose", "view") if name in wanted and wanted[name] != now.values[name]}
