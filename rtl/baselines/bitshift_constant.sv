// SPDX-License-Identifier: Apache-2.0

/// The Baugh-Wooley constant of one bit of the sum, without the one at the top end of each channel, which would overflow
/// the channel if it were there from the beginning.
module bitshift_constant #(
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Which bit of the packed products.
  parameter int unsigned Bit = 0,
  /// Derived: listed widths.
  localparam int unsigned M = bitsys_pkg::num_widths(Widths)
) (
  /// Operand a of this token is signed.
  input  logic         a_signed_i,
  /// Operand b of this token is signed.
  input  logic         b_signed_i,
  /// Bit k: this token's width is smaller than listed width k.
  input  logic [M-1:0] narrow_i,
  /// The constant.
  output logic         constant_o
);

  logic one;
  logic both;

  bitsys_pick #(
    .M(M),
    .Flags(baselines_pkg::low_constants_one(Widths, Bit))
  ) u_one (
    .narrow_i,
    .flag_o(one)
  );

  bitsys_pick #(
    .M(M),
    .Flags(baselines_pkg::low_constants_both(Widths, Bit))
  ) u_both (
    .narrow_i,
    .flag_o(both)
  );

  assign constant_o = ((a_signed_i ^ b_signed_i) & one) | (a_signed_i & b_signed_i & both);

endmodule
