// Files of the core for Verilator, slang and the like: `verilator -f rtl/bitsys.f`, paths from the root of the checkout.
rtl/bitsys/bitsys_pkg.sv
rtl/bitsys/bitsys_acc.sv
rtl/bitsys/bitsys_adder.sv
rtl/bitsys/bitsys_array.sv
rtl/bitsys/bitsys_constant.sv
rtl/bitsys/bitsys_delay.sv
rtl/bitsys/bitsys_mac.sv
rtl/bitsys/bitsys_merge.sv
rtl/bitsys/bitsys_mul.sv
rtl/bitsys/bitsys_outgen.sv
rtl/bitsys/bitsys_pe.sv
rtl/bitsys/bitsys_pe_lut.sv
rtl/bitsys/bitsys_pick.sv
rtl/bitsys/bitsys_popcount.sv
rtl/bitsys/bitsys_reduce.sv
rtl/bitsys/bitsys_skew.sv
rtl/bitsys/bitsys_tag.sv
