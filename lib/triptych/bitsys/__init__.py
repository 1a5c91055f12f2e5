"""BitSys (arXiv 2602.23334): a bitwise systolic multiplier whose precision changes at run time.

`model` says what the hardware must compute, from plain integers. `vectors` makes what is fed to it. `design` names an
RTL design and its parameters; `simulate` runs it under Verilator with cocotb, `verify` compares its answers with the
model. `measure` makes the table of designs, from `synthesise` (cells of an FPGA, by yosys), `netlist` and `place`
(speed on another FPGA, by nextpnr), `asic` (standard cells) and `activity` (what switches). `cells` says which cells of
the array work in which mode, `explain` does the algorithm step by step, `waveform` records the inside of a simulation
(`replay` drives it). `draw` and `lesson` draw, `dashboard` has sliders. `published` holds other people's numbers.
`tools` and `builds` find the native tools and keep what they make.
"""
