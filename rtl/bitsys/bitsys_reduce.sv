// SPDX-License-Identifier: Apache-2.0

/// Sums the channel products of a token into one value, by a tree of registered levels; mode and signs travel with it.
///
/// Level k meets fields of 2 w bits, w = 2^k times the smallest listed width. A token of width up to w has products, or
/// sums of them, in these fields, which are added in pairs; in a wider token they are parts of one product and are
/// joined. Both give half as many fields of twice the width, so there is one word of 2N bits between any two levels, and
/// log2(N / smallest width) levels make one field of it.
///
/// Products are two's complement when either operand is signed, at width 1 too: {0, -1} with one signed operand, -1 and
/// +1 when both are and the token is bipolar.
module bitsys_reduce #(
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from products to value, one a level.
  localparam int unsigned Latency = $clog2(N / bitsys_pkg::width_of(Widths, 0))
) (
  /// Clock, rising edge.
  input  logic                  clk_i,
  /// Synchronous reset, active low: every token in flight becomes invalid.
  input  logic                  rst_ni,
  /// Products enter in this cycle.
  input  logic                  valid_i,
  /// Last token of a dot product; carried, not used here.
  input  logic                  last_i,
  /// Index of the token's width in the list, smallest first.
  input  logic [ModeW-1:0]      mode_i,
  /// Operand a was signed.
  input  logic                  a_signed_i,
  /// Operand b was signed.
  input  logic                  b_signed_i,
  /// N/p products of 2p bits.
  input  logic [2*N-1:0]        product_i,
  /// The value of the token of Latency cycles ago is on value_o.
  output logic                  valid_o,
  /// As last_i of that token.
  output logic                  last_o,
  /// As mode_i of that token.
  output logic [ModeW-1:0]      mode_o,
  /// As a_signed_i of that token.
  output logic                  a_signed_o,
  /// As b_signed_i of that token.
  output logic                  b_signed_o,
  /// Sum of the token's products; its top bit extends the sign, so that both kinds of product fit.
  output logic signed [2*N:0]   value_o
);

  if (!bitsys_pkg::container_ok(N)) begin : gen_bad_container
    $error("bitsys_reduce: N = %0d is not a container width; choose 4, 8 or 16", N);
  end else if (!bitsys_pkg::widths_ok(N, Widths)) begin : gen_bad_widths
    $error("bitsys_reduce: Widths = 32'h%0h must list powers of two up to N = %0d (bit w is width w)",
           Widths, N);
  end

  localparam int unsigned Stages = Latency == 0 ? 1 : Latency;

  // Element k enters level k; the last one leaves the tree.
  logic [Latency:0][2*N-1:0] word;
  logic [Latency:0]          valid;
  logic [Stages-1:0]         is_signed;
  logic                      extension;

  assign word[0]      = product_i;
  assign valid[0]     = valid_i;
  assign is_signed[0] = a_signed_i | b_signed_i;

  for (genvar k = 0; k < Latency; k++) begin : gen_level
    localparam int unsigned W = bitsys_pkg::width_of(Widths, 0) << k;
    localparam int unsigned Wider = bitsys_pkg::first_index(Widths, 0, W);  // the first listed width above w

    logic           add;
    logic [2*N-1:0] merged;
    logic [2*N-1:0] word_q;
    logic           valid_q;

    // Decoded at the entrance: the level itself has no time for it.
    if (Wider == bitsys_pkg::Never) begin : gen_always
      assign add = 1'b1;
    end else begin : gen_by_mode
      bitsys_delay #(
        .Depth(k)
      ) u_add (
        .clk_i,
        .d_i(32'(mode_i) < Wider),
        .q_o(add)
      );
    end

    for (genvar f = 0; f < N / (2 * W); f++) begin : gen_pair
      bitsys_merge #(
        .Width(2 * W)
      ) u_merge (
        .add_i(add),
        .signed_i(is_signed[k]),
        .low_i(word[k][4*W*f+:2*W]),
        .high_i(word[k][4*W*f+2*W+:2*W]),
        .field_o(merged[4*W*f+:4*W])
      );
    end

    always_ff @(posedge clk_i) word_q <= merged;

    // Only valid is control: it alone is reset.
    always_ff @(posedge clk_i) begin
      if (!rst_ni) valid_q <= 1'b0;
      else valid_q <= valid[k];
    end

    assign word[k+1]  = word_q;
    assign valid[k+1] = valid_q;

    if (k < Latency - 1) begin : gen_sign
      logic signed_q;
      always_ff @(posedge clk_i) signed_q <= is_signed[k];
      assign is_signed[k+1] = signed_q;
    end else begin : gen_extension
      logic extension_q;
      always_ff @(posedge clk_i) extension_q <= is_signed[k] & merged[2*N-1];
      assign extension = extension_q;
    end
  end

  if (Latency == 0) begin : gen_no_level
    logic unused_control;
    assign unused_control = ^{clk_i, rst_ni};
    assign extension = is_signed[0] & product_i[2*N-1];
  end

  assign value_o = {extension, word[Latency]};
  assign valid_o = valid[Latency];

  // What only passes through.
  logic [ModeW+2:0] tag_d;
  logic [ModeW+2:0] tag;
  assign tag_d = {last_i, mode_i, a_signed_i, b_signed_i};
  for (genvar b = 0; b < ModeW + 3; b++) begin : gen_tag
    bitsys_delay #(
      .Depth(Latency)
    ) u_tag (
      .clk_i,
      .d_i(tag_d[b]),
      .q_o(tag[b])
    );
  end
  assign {last_o, mode_o, a_signed_o, b_signed_o} = tag;

`ifndef SYNTHESIS
  if (Latency > 0) begin : gen_check
    a_latency :
    assert property (@(posedge clk_i) disable iff (!rst_ni) valid_o |-> $past(valid_i, Latency))
    else $error("bitsys_reduce: a value without the products of %0d cycles ago", Latency);
  end
`endif

endmodule
