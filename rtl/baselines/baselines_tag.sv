// SPDX-License-Identifier: Apache-2.0

/// The tag of a rival multiplier: the mode code, decoded once at the entrance, and everything that has to come out again
/// with the products.
module baselines_tag #(
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Cycles from tag in to tag out, at least one.
  parameter int unsigned Latency = 1,
  /// Derived: listed widths.
  localparam int unsigned M = bitsys_pkg::num_widths(Widths),
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths)
) (
  /// Clock, rising edge.
  input  logic             clk_i,
  /// Synchronous reset, active low: every token in flight becomes invalid.
  input  logic             rst_ni,
  /// A token enters in this cycle.
  input  logic             valid_i,
  /// Last token of a dot product.
  input  logic             last_i,
  /// Index of the token's width in the list, smallest first; a code beyond the list acts as the widest.
  input  logic [ModeW-1:0] mode_i,
  /// Operand a is signed.
  input  logic             a_signed_i,
  /// Operand b is signed.
  input  logic             b_signed_i,
  /// In the same cycle: bit k is set when the token's width is smaller than the listed width of index k.
  output logic [M-1:0]     narrow_o,
  /// valid_i, Latency cycles later.
  output logic             valid_o,
  /// As last_i of that token.
  output logic             last_o,
  /// As mode_i of that token; the index of the widest listed width for a code beyond the list.
  output logic [ModeW-1:0] mode_o,
  /// As a_signed_i of that token.
  output logic             a_signed_o,
  /// As b_signed_i of that token.
  output logic             b_signed_o
);

  if (!bitsys_pkg::container_ok(N)) begin : gen_bad_container
    $error("baselines_tag: N = %0d is not a container width; choose 4, 8 or 16", N);
  end else if (!bitsys_pkg::widths_ok(N, Widths)) begin : gen_bad_widths
    $error("baselines_tag: Widths = 32'h%0h must list powers of two up to N = %0d (bit w is width w)",
           Widths, N);
  end

  logic [Latency:0]   valid;
  logic [Latency-1:0] valid_q;
  logic [ModeW-1:0]   mode;
  logic [ModeW+2:0]   tag_d;
  logic [ModeW+2:0]   tag;

  for (genvar k = 0; k < M; k++) begin : gen_narrow
    assign narrow_o[k] = (k != 0) && (32'(mode_i) < k);
  end

  // Only valid is control: it alone is reset.
  assign valid = {valid_q, valid_i};
  always_ff @(posedge clk_i) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= valid[Latency-1:0];
  end
  assign valid_o = valid[Latency];

  assign mode  = 32'(mode_i) < M ? mode_i : ModeW'(M - 1);
  assign tag_d = {last_i, mode, a_signed_i, b_signed_i};
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
  // Cycles without reset, up to as many as a token needs.
  int unsigned quiet_q;
  always_ff @(posedge clk_i) quiet_q <= !rst_ni ? 0 : quiet_q == Latency ? Latency : quiet_q + 1;

  a_latency :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    quiet_q == Latency |-> valid_o == $past(valid_i, Latency))
  else $error("baselines_tag: valid_o is not the valid_i of %0d cycles ago", Latency);

  a_tag :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    valid_o |-> {last_o, a_signed_o, b_signed_o} == $past({last_i, a_signed_i, b_signed_i}, Latency))
  else $error("baselines_tag: the tag is not the one of %0d cycles ago", Latency);

  a_mode_listed :
  assert property (@(posedge clk_i) disable iff (!rst_ni) valid_i |-> 32'(mode_i) < M)
  else $error("baselines_tag: mode %0d of %0d listed widths; treated as the widest", mode_i, M);
`endif

endmodule
