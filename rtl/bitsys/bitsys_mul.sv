// SPDX-License-Identifier: Apache-2.0

/// Run-time reconfigurable multi-precision multiplier: N/p separate products of p-bit channels, packed in 2N bits, one
/// token a cycle. Width p, both signs and `last` are read with each token and may differ on every cycle.
///
/// Channel c of an operand is its bits [cp +: p], its product bits [2pc +: 2p] of the result. Both operands signed at
/// p = 1 means bipolar: bit 1 is +1, bit 0 is -1, products are -1 or +1 in two bits.
module bitsys_mul #(
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Cells as LUT6_2 primitives (bitsys_pe_lut); else as logic that synthesis maps together with what follows.
  parameter bit PrimitiveCells = 1'b0,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from token to products.
  localparam int unsigned Latency = 2 * N + 1
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

  if (!bitsys_pkg::container_ok(N)) begin : gen_bad_container
    $error("bitsys_mul: N = %0d is not a container width; choose 4, 8 or 16", N);
  end else if (!bitsys_pkg::widths_ok(N, Widths)) begin : gen_bad_widths
    $error("bitsys_mul: Widths = 32'h%0h must list powers of two up to N = %0d (bit w is width w)",
           Widths, N);
  end

  // N, or a small container while an illegal N is being refused: elaborating a huge or empty one could take for ever.
  localparam int unsigned Size = bitsys_pkg::container_ok(N) ? N : 4;
  localparam int unsigned M = bitsys_pkg::num_widths(Widths);

  logic [Size-1:0]          a_skewed;
  logic [Size-1:0]          b_skewed;
  logic [2*Size-1:0]        a_signed_d;
  logic [2*Size-1:0]        b_signed_d;
  logic [2*Size-1:0]        bipolar_d;
  logic [2*Size-1:0][M-1:0] narrow_d;
  logic [Size-1:0][Size-1:0]   pp;

  bitsys_skew #(
    .N(Size)
  ) u_skew_a (
    .clk_i,
    .word_i(a_i),
    .word_o(a_skewed)
  );

  bitsys_skew #(
    .N(Size)
  ) u_skew_b (
    .clk_i,
    .word_i(b_i),
    .word_o(b_skewed)
  );

  bitsys_tag #(
    .N(Size),
    .Widths(Widths)
  ) u_tag (
    .clk_i,
    .rst_ni,
    .valid_i,
    .last_i,
    .mode_i,
    .a_signed_i,
    .b_signed_i,
    .a_signed_d_o(a_signed_d),
    .b_signed_d_o(b_signed_d),
    .bipolar_d_o(bipolar_d),
    .narrow_d_o(narrow_d),
    .valid_o,
    .last_o,
    .mode_o,
    .a_signed_o,
    .b_signed_o
  );

  bitsys_array #(
    .N(Size),
    .Widths(Widths),
    .PrimitiveCells(PrimitiveCells)
  ) u_array (
    .clk_i,
    .a_i(a_skewed),
    .b_i(b_skewed),
    .a_signed_d_i(a_signed_d[2*Size-2:0]),
    .b_signed_d_i(b_signed_d[2*Size-2:0]),
    .bipolar_d_i(bipolar_d[2*Size-2:0]),
    .narrow_d_i(narrow_d[2*Size-2:0]),
    .pp_o(pp)
  );

  bitsys_outgen #(
    .N(Size),
    .Widths(Widths)
  ) u_outgen (
    .clk_i,
    .pp_i(pp),
    .a_signed_d_i(a_signed_d[2*Size-1:1]),
    .b_signed_d_i(b_signed_d[2*Size-1:1]),
    .bipolar_d_i(bipolar_d[2*Size-1:1]),
    .narrow_d_i(narrow_d[2*Size-1:1]),
    .product_o
  );

`ifndef SYNTHESIS
  // Cycles without reset, up to as many as a token needs.
  int unsigned quiet_q;
  always_ff @(posedge clk_i) quiet_q <= !rst_ni ? 0 : quiet_q == Latency ? Latency : quiet_q + 1;

  a_asked :
  assert property (@(posedge clk_i) disable iff (!rst_ni) valid_o |-> quiet_q == Latency && $past(valid_i, Latency))
  else $error("bitsys_mul: a result without the token of %0d cycles ago", Latency);

  a_answered :
  assert property (@(posedge clk_i) disable iff (!rst_ni) quiet_q == Latency && $past(valid_i, Latency) |-> valid_o)
  else $error("bitsys_mul: no result %0d cycles after a token", Latency);

  a_tag :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    valid_o |-> {last_o, a_signed_o, b_signed_o} == $past({last_i, a_signed_i, b_signed_i}, Latency))
  else $error("bitsys_mul: last or signs are not those of the token of %0d cycles ago", Latency);

  a_mode :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    valid_o |-> mode_o == $past(32'(mode_i) < M ? mode_i : ModeW'(M - 1), Latency))
  else $error("bitsys_mul: the mode is not that of the token of %0d cycles ago", Latency);

  a_mode_listed :
  assert property (@(posedge clk_i) disable iff (!rst_ni) valid_i |-> 32'(mode_i) < M)
  else $error("bitsys_mul: mode %0d of %0d listed widths; treated as the widest", mode_i, M);
`endif

endmodule
