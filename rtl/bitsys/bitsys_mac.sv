// SPDX-License-Identifier: Apache-2.0

/// Multiply-accumulate unit: dot products of containers, one token a cycle, in any mode and with any signs on any cycle.
/// `last` closes a dot product; the next may start in the following cycle and have any length, one token included.
///
/// A token is worth the sum of its N/p channel products; tokens of one dot product may differ in mode and signs. Sums
/// are exact modulo 2^AccWidth: whoever chooses AccWidth chooses after how many of the largest products they wrap.
module bitsys_mac #(
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Bits of the accumulator, from 2N to 64.
  parameter int unsigned AccWidth = 32,
  /// As in bitsys_mul.
  parameter bit PrimitiveCells = 1'b0,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from last token to sum: the multiplier's 2N + 1, a level for each halving of the number of channels,
  /// two of the accumulator. With width 1 listed that is 2N + 2 + log2(2N).
  localparam int unsigned Latency = 2 * N + 3 + $clog2(N / bitsys_pkg::width_of(Widths, 0))
) (
  /// Clock, rising edge.
  input  logic                clk_i,
  /// Synchronous reset, active low: tokens in flight become invalid, the dot product begun is forgotten.
  input  logic                rst_ni,
  /// A token enters in this cycle.
  input  logic                valid_i,
  /// It is the last one of its dot product.
  input  logic                last_i,
  /// Index of the token's width in the list, smallest first.
  input  logic [ModeW-1:0]    mode_i,
  /// Operand a is signed.
  input  logic                a_signed_i,
  /// Operand b is signed.
  input  logic                b_signed_i,
  /// Operand a, N/p channels.
  input  logic [N-1:0]        a_i,
  /// Operand b, N/p channels.
  input  logic [N-1:0]        b_i,
  /// The dot product that the token of Latency cycles ago closed is on sum_o, for this cycle.
  output logic                valid_o,
  /// As mode_i of the last token; the index of the widest listed width for a code beyond the list.
  output logic [ModeW-1:0]    mode_o,
  /// As a_signed_i of the last token.
  output logic                a_signed_o,
  /// As b_signed_i of the last token.
  output logic                b_signed_o,
  /// The dot product modulo 2^AccWidth; two's complement if any token had a signed operand.
  output logic [AccWidth-1:0] sum_o
);

  if (AccWidth < 2 * N || AccWidth > 64) begin : gen_bad_width
    $error("bitsys_mac: AccWidth = %0d must be from 2 N = %0d to 64", AccWidth, 2 * N);
  end

  logic                product_valid;
  logic                product_last;
  logic [ModeW-1:0]    product_mode;
  logic                product_a_signed;
  logic                product_b_signed;
  logic [2*N-1:0]      product;
  logic                value_valid;
  logic                value_last;
  logic [ModeW-1:0]    value_mode;
  logic                value_a_signed;
  logic                value_b_signed;
  logic signed [2*N:0] value;

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
    .valid_o(product_valid),
    .last_o(product_last),
    .mode_o(product_mode),
    .a_signed_o(product_a_signed),
    .b_signed_o(product_b_signed),
    .product_o(product)
  );

  bitsys_reduce #(
    .N(N),
    .Widths(Widths)
  ) u_reduce (
    .clk_i,
    .rst_ni,
    .valid_i(product_valid),
    .last_i(product_last),
    .mode_i(product_mode),
    .a_signed_i(product_a_signed),
    .b_signed_i(product_b_signed),
    .product_i(product),
    .valid_o(value_valid),
    .last_o(value_last),
    .mode_o(value_mode),
    .a_signed_o(value_a_signed),
    .b_signed_o(value_b_signed),
    .value_o(value)
  );

  bitsys_acc #(
    .ValueWidth(2 * N),
    .AccWidth(AccWidth)
  ) u_acc (
    .clk_i,
    .rst_ni,
    .valid_i(value_valid),
    .last_i(value_last),
    .value_i(value),
    .valid_o,
    .sum_o
  );

  logic [ModeW+1:0] tag_d;
  logic [ModeW+1:0] tag;
  assign tag_d = {value_mode, value_a_signed, value_b_signed};
  for (genvar b = 0; b < ModeW + 2; b++) begin : gen_tag
    bitsys_delay #(
      .Depth(2)
    ) u_tag (
      .clk_i,
      .d_i(tag_d[b]),
      .q_o(tag[b])
    );
  end
  assign {mode_o, a_signed_o, b_signed_o} = tag;

`ifndef SYNTHESIS
  localparam int unsigned M = bitsys_pkg::num_widths(Widths);

  // Cycles without reset, up to as many as a token needs.
  int unsigned quiet_q;
  always_ff @(posedge clk_i) quiet_q <= !rst_ni ? 0 : quiet_q == Latency ? Latency : quiet_q + 1;

  a_closed :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    valid_o |-> quiet_q == Latency && $past(valid_i && last_i, Latency))
  else $error("bitsys_mac: a sum without a last token %0d cycles ago", Latency);

  a_answered :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    quiet_q == Latency && $past(valid_i && last_i, Latency) |-> valid_o)
  else $error("bitsys_mac: no sum %0d cycles after a last token", Latency);

  a_signs :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    valid_o |-> {a_signed_o, b_signed_o} == $past({a_signed_i, b_signed_i}, Latency))
  else $error("bitsys_mac: the signs are not those of the last token, %0d cycles ago", Latency);

  a_mode :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    valid_o |-> mode_o == $past(32'(mode_i) < M ? mode_i : ModeW'(M - 1), Latency))
  else $error("bitsys_mac: the mode is not that of the last token, %0d cycles ago", Latency);
`endif

endmodule
