// SPDX-License-Identifier: Apache-2.0

/// A ripple-carry adder of a few bits, written as gates: at one to three bits LUTs are smaller and faster than the
/// dedicated carry chain that `+` would ask for.
module bitsys_adder #(
  /// Bits of each addend.
  parameter int unsigned Width = 3
) (
  /// First addend.
  input  logic [Width-1:0] x_i,
  /// Second addend.
  input  logic [Width-1:0] y_i,
  /// Carry in.
  input  logic             carry_i,
  /// Sum with carry out.
  output logic [Width:0]   sum_o
);

  logic [Width:0] carry;

  assign carry[0] = carry_i;
  for (genvar k = 0; k < Width; k++) begin : gen_bit
    assign sum_o[k]   = x_i[k] ^ y_i[k] ^ carry[k];
    assign carry[k+1] = (x_i[k] & y_i[k]) | (carry[k] & (x_i[k] | y_i[k]));
  end
  assign sum_o[Width] = carry[Width];

endmodule
