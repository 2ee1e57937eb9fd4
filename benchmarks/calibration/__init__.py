"""How often every check is wrong: seeded matrices of known kinds, audited like any version.

`shapes` and `matrices` make tensors, `kinds` says what is planted in them and which check
should see it, `auditing` audits them, `reference` asks the reference tool about the same
ones, `trained` takes real weights. `campaign` runs it all and keeps what was found, `rates`
counts, `tables` and `page` write it down.
"""
