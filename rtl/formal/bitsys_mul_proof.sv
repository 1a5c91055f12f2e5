// SPDX-License-Identifier: Apache-2.0

/// The claim that bitsys_mul answers every token, Latency cycles later, with its products and its tag, and says `valid`
/// exactly for valid tokens that no reset met on their way.
module bitsys_mul_proof #(
  /// Container width, bits.
  parameter int unsigned N = 4,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h16,
  /// Cells as LUT6_2 primitives.
  parameter bit PrimitiveCells = 1'b0,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from token to products.
  localparam int unsigned Latency = 2 * N + 1
) (
  /// Clock, rising edge.
  input  logic             clk_i,
  /// Any reset.
  input  logic             rst_ni,
  /// Any token, or none.
  input  logic             valid_i,
  /// Any mark.
  input  logic             last_i,
  /// Any mode code.
  input  logic [ModeW-1:0] mode_i,
  /// Any sign of a.
  input  logic             a_signed_i,
  /// Any sign of b.
  input  logic             b_signed_i,
  /// Any operand.
  input  logic [N-1:0]     a_i,
  /// Any operand.
  input  logic [N-1:0]     b_i,
  /// Bit k: bit k of the products is right, whether the token was valid or not.
  output logic [2*N-1:0]   product_ok_o,
  /// Last, mode and signs are those of the token.
  output logic             tag_ok_o,
  /// `valid` is right.
  output logic             valid_ok_o
);

  localparam int unsigned M = bitsys_pkg::num_widths(Widths);

  logic [2*N-1:0]     product;
  logic [2*N-1:0]     product_now;
  logic [2*N-1:0]     product_due;
  logic               valid;
  logic [ModeW+2:0]   tag;
  logic [ModeW+2:0]   tag_due;
  logic [ModeW-1:0]   mode_now;
  logic [Latency-1:0] valid_due;

  bitsys_mul #(
    .N(N),
    .Widths(Widths),
    .PrimitiveCells(PrimitiveCells)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .valid_i,
    .last_i,
    .mode_i,
    .a_signed_i,
    .b_signed_i,
    .a_i,
    .b_i,
    .valid_o(valid),
    .last_o(tag[ModeW+2]),
    .mode_o(tag[ModeW+1:2]),
    .a_signed_o(tag[1]),
    .b_signed_o(tag[0]),
    .product_o(product)
  );

  bitsys_product #(
    .N(N),
    .Widths(Widths),
    .ModeW(ModeW)
  ) u_product (
    .mode_i,
    .a_signed_i,
    .b_signed_i,
    .a_i,
    .b_i,
    .product_o(product_now)
  );

  bitsys_line #(
    .Width(2 * N),
    .Depth(Latency)
  ) u_product_due (
    .clk_i,
    .word_i(product_now),
    .word_o(product_due)
  );

  assign mode_now = 32'(mode_i) < M ? mode_i : ModeW'(M - 1);

  bitsys_line #(
    .Width(ModeW + 3),
    .Depth(Latency)
  ) u_tag_due (
    .clk_i,
    .word_i({last_i, mode_now, a_signed_i, b_signed_i}),
    .word_o(tag_due)
  );

  always_ff @(posedge clk_i) begin
    valid_due <= rst_ni ? {valid_due[Latency-2:0], valid_i} : '0;
  end

  assign product_ok_o = product ~^ product_due;
  assign tag_ok_o     = tag == tag_due;
  assign valid_ok_o   = valid == valid_due[Latency-1];

endmodule
