// SPDX-License-Identifier: Apache-2.0

/// Behaviour of AMD's (Xilinx') primitive of this name, for tools that do not have it: two look-up tables of five inputs
/// that share them, and a multiplexer.
module LUT6_2 #(
  /// Truth table: bit k is O6 for inputs that read k, I0 the lowest.
  parameter logic [63:0] INIT = '0
) (
  /// Any function of the six inputs.
  output logic O6,
  /// The lower half of the table, a function of I0 to I4.
  output logic O5,
  /// Input.
  input  logic I0,
  /// Input.
  input  logic I1,
  /// Input.
  input  logic I2,
  /// Input.
  input  logic I3,
  /// Input.
  input  logic I4,
  /// Input: chooses the upper half of the table for O6.
  input  logic I5
);

  logic [4:0] address;
  logic       upper;

  assign address = {I4, I3, I2, I1, I0};
  assign upper   = INIT[{1'b1, address}];
  assign O5      = INIT[{1'b0, address}];
  assign O6      = I5 ? upper : O5;

endmodule
