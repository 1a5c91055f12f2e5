// SPDX-License-Identifier: Apache-2.0

/// Rival: the multiply-accumulate unit around fixed_mul (plain multiplication of channel 0). Re-derived from the idea; the original RTL
/// is not public. Same ports and rules as bitsys_mac.
module fixed_mac #(
  /// Container width, bits: 4, 8 or 16.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Bits of the accumulator, from 2N to 64.
  parameter int unsigned AccWidth = 32,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths),
  /// Derived: cycles from last token to sum.
  localparam int unsigned Latency =
      baselines_pkg::mac_latency(baselines_pkg::Fixed, N, Widths, baselines_pkg::widest(Widths))
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

  logic unused_ready;

  mac_of_kind #(
    .Kind(baselines_pkg::Fixed),
    .N(N),
    .Widths(Widths),
    .AccWidth(AccWidth)
  ) u_mac (
    .clk_i,
    .rst_ni,
    .valid_i,
    .ready_o(unused_ready),
    .last_i,
    .mode_i,
    .a_signed_i,
    .b_signed_i,
    .a_i,
    .b_i,
    .valid_o,
    .mode_o,
    .a_signed_o,
    .b_signed_o,
    .sum_o
  );

endmodule
