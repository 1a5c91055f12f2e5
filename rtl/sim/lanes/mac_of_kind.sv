// SPDX-License-Identifier: Apache-2.0

/// Stands in for mac_of_kind where an accelerator with many units is simulated: what the unit does is computed in C++
/// (lanes.cpp) for all units at once, a bit of a machine word for each, from the gates that yosys makes of the RTL of the
/// real one. Same ports, same cycles; sum_o is zero while valid_o is not set.
module mac_of_kind #(
  /// As in the real one; the C++ was made for the same.
  parameter int unsigned Kind = baselines_pkg::BitSys,
  /// Container width, bits: 8.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Bits of the accumulator: 32.
  parameter int unsigned AccWidth = 32,
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths)
) (
  /// Clock, rising edge.
  input  logic                clk_i,
  /// Synchronous reset, active low.
  input  logic                rst_ni,
  /// A token enters in this cycle.
  input  logic                valid_i,
  /// Always set: a kind that makes tokens wait has no place in an accelerator.
  output logic                ready_o,
  /// It is the last one of its dot product.
  input  logic                last_i,
  /// Index of the token's width in the list, smallest first.
  input  logic [ModeW-1:0]    mode_i,
  /// Operand a is signed.
  input  logic                a_signed_i,
  /// Operand b is signed.
  input  logic                b_signed_i,
  /// Operand a.
  input  logic [N-1:0]        a_i,
  /// Operand b.
  input  logic [N-1:0]        b_i,
  /// A dot product is on sum_o, for this cycle.
  output logic                valid_o,
  /// As mode_i of the last token, for this cycle.
  output logic [ModeW-1:0]    mode_o,
  /// As a_signed_i of the last token, for this cycle.
  output logic                a_signed_o,
  /// As b_signed_i of the last token, for this cycle.
  output logic                b_signed_o,
  /// The dot product.
  output logic [AccWidth-1:0] sum_o
);

  if (N != 8 || AccWidth != 32 || Kind == baselines_pkg::BitSerial) begin : gen_bad
    $error("mac_of_kind (lanes): Kind = %0d, N = %0d, AccWidth = %0d: not bit-serial, 8 and 32", Kind, N, AccWidth);
  end

  import "DPI-C" function int unsigned lanes_open();
  import "DPI-C" function longint unsigned lanes_clock(
    input int unsigned lane,
    input int unsigned token
  );

  int unsigned lane;
  initial lane = lanes_open();

  // Bit 31 is the reset, the rest as lanes.cpp takes it apart.
  logic [63:0] answer_q;
  logic        unused_answer;

  always_ff @(posedge clk_i) begin
    answer_q <= lanes_clock(lane, {rst_ni, 7'(mode_i), 4'b0, valid_i, last_i, a_signed_i, b_signed_i, b_i, a_i});
  end

  assign ready_o       = 1'b1;
  assign sum_o         = answer_q[AccWidth-1:0];
  assign mode_o        = answer_q[32+:ModeW];
  assign a_signed_o    = answer_q[60];
  assign b_signed_o    = answer_q[61];
  assign valid_o       = answer_q[63];
  assign unused_answer = ^answer_q;

endmodule
