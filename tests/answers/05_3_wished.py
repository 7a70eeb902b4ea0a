# %% reference
def wished(prompt, now, reads=("colour", "view", "pose")):
    wish = {}
    for name in ("colour", "view", "pose"):
        value = now.values[name]
        if name in reads and now.probabilities[name][value] >= 0.5:
            wish[name] = value
        if getattr(prompt, name):
            wish[name] = getattr(prompt, name)
        if name in prompt.changes:
            wish[name] = prompt.changes[name]
    return wish


# %% wrong: what the source names beats the change
def wished(prompt, now, reads=("colour", "view", "pose")):
    sure = {name: value for name, value in now.values.items() if name in reads and now.probabilities[name][value] >= 0.5}
    named = {name: getattr(prompt, name) for name in ("colour", "view", "pose") if getattr(prompt, name)}
    return {**sure, **prompt.changes, **named}


# %% wrong: believes CLIP however unsure it is
def wished(prompt, now, reads=("colour", "view", "pose")):
    named = {name: getattr(prompt, name) for name in ("colour", "view", "pose") if getattr(prompt, name)}
    return {**{name: now.values[name] for name in reads}, **named, **prompt.changes}


# %% wrong: just sure is not sure
def wished(prompt, now, reads=("colour", "view", "pose")):
    sure = {name: value for name, value in now.values.items() if name in reads and now.probabilities[name][value] > 0.5}
    named = {name: getattr(prompt, name) for name in ("colour", "view", "pose") if getattr(prompt, name)}
    return {**sure, **named, **prompt.changes}


# %% wrong: CLIP beats the prompt's own words
def wished(prompt, now, reads=("colour", "view", "pose")):
    sure = {name: value for name, value in now.values.items() if name in reads and now.probabilities[name][value] >= 0.5}
    named = {name: getattr(prompt, name) for name in ("colour", "view", "pose") if getattr(prompt, name)}
    return {**named, **sure, **prompt.changes}


# %% wrong: believes CLIP in what it was not taught to read
def wished(prompt, now, reads=("colour", "view", "pose")):
    sure = {name: value for name, value in now.values.items() if now.probabilities[name][value] >= 0.5}
    named = {name: getattr(prompt, name) for name in ("colour", "view", "pose") if getattr(prompt, name)}
    return {**sure, **named, **prompt.changes}
