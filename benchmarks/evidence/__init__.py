"""What the findings are worth: small networks of which it is known what was done to them.

`tasks` are what is learned, `networks` what learns, `training` how, many seeds at once;
`faults` is what is done to finished networks, `causes` the table of all of it. `workshop` makes
networks and keeps them, `auditing` audits them, `counts` adds up what was found, `tables` and
`explained` write it down.
"""
