"""The red team: scripted attackers, honest agents, and builds of the environment with one protection taken out.

`arena` is where one agent plays one run and what an independent judge sees of it; `attack` says what an attack is;
`scripts`, `rows`, `requests` and `files` hold the attackers by their reach; `honest` the agents that must never be
flagged; `suite` plays them all and tells the result.
"""
