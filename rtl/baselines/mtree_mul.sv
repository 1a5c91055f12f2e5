// SPDX-License-Identifier: Apache-2.0

/// Rival: a tree of multipliers. Leaves multiply 2 x 2 bits; four products of halves become one of twice the width, or
/// stay separate where a channel ends. Re-derived from the idea; the original RTL is not public.
///
/// One token a cycle; same ports, arithmetic and rules as bitsys_mul. Signs cost next to nothing: a leaf is a table that
/// knows the signs of its operands, and only the crossed products of a node are extended.
module mtree_mul #(
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from token to products: operands, leaves, two for each further level.
  localparam int unsigned Latency = 2 * $clog2(N)
) (
  /// Clock, rising edge.
  input  logic             clk_i,
  /// Synchronous reset, active low: every token in flight becomes invalid.
  input  logic             rst_ni,
  /// A token enters in this cycle.
  input  logic             valid_i,
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
  /// Products of the token of Latency cycles ago are on product_o.
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

  localparam int unsigned M = bitsys_pkg::num_widths(Widths);
  localparam int unsigned Levels = $clog2(N);  // level k multiplies blocks of 2^k bits; leaves are level 1

  logic [M-1:0] narrow;

  baselines_tag #(
    .N(N),
    .Widths(Widths),
    .Latency(Latency)
  ) u_tag (
    .clk_i,
    .rst_ni,
    .valid_i,
    .last_i,
    .mode_i,
    .a_signed_i,
    .b_signed_i,
    .narrow_o(narrow),
    .valid_o,
    .last_o,
    .mode_o,
    .a_signed_o,
    .b_signed_o
  );

  logic [N-1:0] a_q;
  logic [N-1:0] b_q;

  always_ff @(posedge clk_i) begin
    a_q <= a_i;
    b_q <= b_i;
  end

  for (genvar k = 1; k <= Levels; k++) begin : gen_level
    localparam int unsigned W = 1 << k;
    localparam int unsigned Blocks = N / W;
    localparam int unsigned Depth = 2 * k - (k == 1 ? 1 : 2);  // cycles from the token to this level

    // What the level does with its token: whether its blocks hold several channels, and, for each block of an operand,
    // whether its top bit is the sign of a channel. The latter is of no meaning where the former is set.
    localparam int unsigned Own = baselines_pkg::index_from(Widths, W);
    logic [Blocks-1:0] a_signed_d;
    logic [Blocks-1:0] b_signed_d;
    logic              apart;

    if (Own == bitsys_pkg::Never) begin : gen_never
      assign apart = 1'b1;
    end else if (Own == 0) begin : gen_always
      assign apart = 1'b0;
    end else begin : gen_by_mode
      bitsys_delay #(
        .Depth(Depth)
      ) u_apart (
        .clk_i,
        .d_i(narrow[Own%M]),
        .q_o(apart)
      );
    end

    for (genvar c = 0; c < Blocks; c++) begin : gen_signs
      // The block ends with the channel in widths up to the largest power of two that divides its end.
      localparam int unsigned End = (c + 1) * W;
      localparam int unsigned Beyond = baselines_pkg::index_from(Widths, 2 * (End & ~(End - 1)));
      logic ends;
      assign ends = Beyond == bitsys_pkg::Never || narrow[Beyond%M];
      bitsys_delay #(
        .Depth(Depth)
      ) u_a_signed (
        .clk_i,
        .d_i(a_signed_i & ends),
        .q_o(a_signed_d[c])
      );
      bitsys_delay #(
        .Depth(Depth)
      ) u_b_signed (
        .clk_i,
        .d_i(b_signed_i & ends),
        .q_o(b_signed_d[c])
      );
    end

    // Element [r][c]: block r of b by block c of a.
    logic [Blocks-1:0][Blocks-1:0][2*W-1:0] product_q;

    for (genvar r = 0; r < Blocks; r++) begin : gen_row
      for (genvar c = 0; c < Blocks; c++) begin : gen_col
        if (k == 1) begin : gen_leaf
          logic [3:0] product;
          mtree_leaf #(
            .Pairs(r == c)
          ) u_leaf (
            .a_i(a_q[2*c+:2]),
            .b_i(b_q[2*r+:2]),
            .a_signed_i(a_signed_d[c]),
            .b_signed_i(b_signed_d[r]),
            .pair_i(apart),
            .product_o(product)
          );
          always_ff @(posedge clk_i) product_q[r][c] <= product;
        end else begin : gen_join
          mtree_join #(
            .Half(W / 2)
          ) u_join (
            .clk_i,
            .narrow_i(apart),
            .a_signed_i(a_signed_d[c]),
            .b_signed_i(b_signed_d[r]),
            .low_i(gen_level[k-1].product_q[2*r][2*c]),
            .a_high_i(gen_level[k-1].product_q[2*r][2*c+1]),
            .b_high_i(gen_level[k-1].product_q[2*r+1][2*c]),
            .high_i(gen_level[k-1].product_q[2*r+1][2*c+1]),
            .product_o(product_q[r][c])
          );
        end
      end
    end
  end

  assign product_o = gen_level[Levels].product_q;

`ifndef SYNTHESIS
  a_latency :
  assert property (@(posedge clk_i) disable iff (!rst_ni) valid_o |-> $past(valid_i, Latency))
  else $error("mtree_mul: a result without the token of %0d cycles ago", Latency);
`endif

endmodule
