"""BitSys (arXiv 2602.23334): a bitwise systolic multiplier whose precision changes at run time.

`model` says what the hardware must compute, from plain integers. `vectors` makes what is fed to it. `design`
names an RTL design and its parameters; `simulate` runs it under Verilator with cocotb, `verify` compares its answers
with the model, `synthesise` counts its resources with yosys. `cells` says which cells of the array work in which mode,
`draw` draws. `published` holds other people's numbers. `tools` and `builds` find the native tools and keep what they
make.
"""
