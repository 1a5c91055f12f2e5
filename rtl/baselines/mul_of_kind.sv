// SPDX-License-Identifier: Apache-2.0

/// A multiplier of the kind that a parameter names, all behind the same ports: bitsys_mul or one of its rivals.
module mul_of_kind #(
  /// Which: a value of baselines_pkg::kind_e.
  parameter int unsigned Kind = baselines_pkg::BitSys,
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Extend the single product of the fixed kind to 2N bits, as an accumulator needs it.
  parameter bit Extend = 1'b0,
  /// Cells of the bitwise systolic kind as LUT6_2 primitives.
  parameter bit PrimitiveCells = 1'b0,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths)
) (
  /// Clock, rising edge.
  input  logic             clk_i,
  /// Synchronous reset, active low: every token in flight becomes invalid.
  input  logic             rst_ni,
  /// A token is offered; it enters if ready_o is set too.
  input  logic             valid_i,
  /// A token would enter in this cycle. Does not look at valid_i.
  output logic             ready_o,
  /// Last token of a dot product; carried, not used here.
  input  logic             last_i,
  /// Index of the token's width in the list, smallest first.
  input  logic [ModeW-1:0] mode_i,
  /// Operand a is signed.
  input  logic             a_signed_i,
  /// Operand b is signed.
  input  logic             b_signed_i,
  /// Operand a, N/p channels.
  input  logic [N-1:0]     a_i,
  /// Operand b, N/p channels.
  input  logic [N-1:0]     b_i,
  /// Products of a token are on product_o, baselines_pkg::mul_latency cycles after it entered.
  output logic             valid_o,
  /// As last_i of that token.
  output logic             last_o,
  /// As mode_i of that token; the index of the widest listed width for a code beyond the list.
  output logic [ModeW-1:0] mode_o,
  /// As a_signed_i of that token.
  output logic             a_signed_o,
  /// As b_signed_i of that token.
  output logic             b_signed_o,
  /// N/p products of 2p bits.
  output logic [2*N-1:0]   product_o
);

  if (Kind == baselines_pkg::BitSys) begin : gen_bitsys
    bitsys_mul #(
      .N(N),
      .Widths(Widths),
      .PrimitiveCells(PrimitiveCells)
    ) u_mul (
      .clk_i,
      .rst_ni,
      .valid_i,
      .last_i,
      .mode_i,
      .a_signed_i,
      .b_signed_i,
      .a_i,
      .b_i,
      .valid_o,
      .last_o,
      .mode_o,
      .a_signed_o,
      .b_signed_o,
      .product_o
    );
    assign ready_o = 1'b1;
  end else if (Kind == baselines_pkg::MTree) begin : gen_mtree
    mtree_mul #(
      .N(N),
      .Widths(Widths)
    ) u_mul (
      .clk_i,
      .rst_ni,
      .valid_i,
      .last_i,
      .mode_i,
      .a_signed_i,
      .b_signed_i,
      .a_i,
      .b_i,
      .valid_o,
      .last_o,
      .mode_o,
      .a_signed_o,
      .b_signed_o,
      .product_o
    );
    assign ready_o = 1'b1;
  end else if (Kind == baselines_pkg::BitShift) begin : gen_bitshift
    bitshift_mul #(
      .N(N),
      .Widths(Widths)
    ) u_mul (
      .clk_i,
      .rst_ni,
      .valid_i,
      .last_i,
      .mode_i,
      .a_signed_i,
      .b_signed_i,
      .a_i,
      .b_i,
      .valid_o,
      .last_o,
      .mode_o,
      .a_signed_o,
      .b_signed_o,
      .product_o
    );
    assign ready_o = 1'b1;
  end else if (Kind == baselines_pkg::BitSerial) begin : gen_bitserial
    bitserial_mul #(
      .N(N),
      .Widths(Widths)
    ) u_mul (
      .clk_i,
      .rst_ni,
      .valid_i,
      .ready_o,
      .last_i,
      .mode_i,
      .a_signed_i,
      .b_signed_i,
      .a_i,
      .b_i,
      .valid_o,
      .last_o,
      .mode_o,
      .a_signed_o,
      .b_signed_o,
      .product_o
    );
  end else if (Kind == baselines_pkg::Fixed) begin : gen_fixed
    fixed_mul #(
      .N(N),
      .Widths(Widths),
      .Extend(Extend)
    ) u_mul (
      .clk_i,
      .rst_ni,
      .valid_i,
      .last_i,
      .mode_i,
      .a_signed_i,
      .b_signed_i,
      .a_i,
      .b_i,
      .valid_o,
      .last_o,
      .mode_o,
      .a_signed_o,
      .b_signed_o,
      .product_o
    );
    assign ready_o = 1'b1;
  end else begin : gen_unknown
    $error("mul_of_kind: Kind = %0d is not one of baselines_pkg::kind_e", Kind);
  end

endmodule
