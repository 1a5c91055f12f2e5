"""Networks of integers for the accelerators: made, read, run and given their bits.

`integer` is a network with its executor, the oracle of everything here; `quantised` trains one with brevitas on the
`images`; `from_qonnx` reads one from a QONNX graph; `precision` chooses the bits of each layer; `listing` prints what a
machine is told.
"""
