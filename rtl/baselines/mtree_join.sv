// SPDX-License-Identifier: Apache-2.0

/// One node of the multiplier tree: the four products of halves become one product of twice the width, or the products
/// of the two channels in it stay side by side. Two cycles: the crossed products are added, then they are added to the
/// others. A node of two channels clears the crossed sum with the reset of its register, so the second adder adds zero.
module mtree_join #(
  /// Bits of each half of an operand.
  parameter int unsigned Half = 4
) (
  /// Clock, rising edge.
  input  logic              clk_i,
  /// The node holds two or more channels: do not combine them.
  input  logic              narrow_i,
  /// Operand a, of both halves, is signed.
  input  logic              a_signed_i,
  /// Operand b, of both halves, is signed.
  input  logic              b_signed_i,
  /// Lower half of a by lower half of b.
  input  logic [2*Half-1:0] low_i,
  /// Upper half of a, which carries the sign of a, by lower half of b.
  input  logic [2*Half-1:0] a_high_i,
  /// Lower half of a by upper half of b, which carries the sign of b.
  input  logic [2*Half-1:0] b_high_i,
  /// Upper half of a by upper half of b.
  input  logic [2*Half-1:0] high_i,
  /// The product, or the two.
  output logic [4*Half-1:0] product_o
);

  logic [2*Half+1:0] crossed_q;
  logic [4*Half-1:0] straight_q;

  always_ff @(posedge clk_i) begin
    if (narrow_i) crossed_q <= '0;
    else begin
      crossed_q <= {{2{a_signed_i & a_high_i[2*Half-1]}}, a_high_i} +
                   {{2{b_signed_i & b_high_i[2*Half-1]}}, b_high_i};
    end
  end

  // Each part is worth its place already; a signed upper product needs no extension, it ends where the result ends.
  always_ff @(posedge clk_i) straight_q <= {high_i, low_i};

  // The straight products come first: they then feed the carry chain themselves.
  always_ff @(posedge clk_i) begin
    product_o[Half-1:0] <= straight_q[Half-1:0];
    product_o[4*Half-1:Half] <= straight_q[4*Half-1:Half] + (3 * Half)'(signed'(crossed_q));
  end

endmodule
