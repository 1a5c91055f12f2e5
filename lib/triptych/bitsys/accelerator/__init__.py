"""Two accelerators around a multiplier, from a network of integers to the sums that leave the machine.

`layers` says what a network of integers is, `machine` what can be built, `program` turns one into the other's
instruction words (`instruction`), tables and stream of weights. `simulate` runs a program on the RTL, `cycles` says
beforehand how long it takes.
"""
