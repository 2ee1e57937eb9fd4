"""How fast measuring is: beside the least that it takes, and beside the reference tool.

`weights` makes seeded models, `floor` does the least on them, `reference` has the reference
tool work on the same files in its own interpreter, which runs `child`. `rows` are the lines of
the table that ``benchmarks/measure.py`` prints, each with what it must reach.
"""
