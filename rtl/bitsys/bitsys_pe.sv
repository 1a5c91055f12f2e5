// SPDX-License-Identifier: Apache-2.0

/// One cell: the partial product of one bit of a and one bit of b, and the two registers that pass the bits along.
///
/// A cell is active when both bits belong to one channel. Going down its column, bit j of a leaves its channel for good
/// below row j, and going right, bit i of b leaves its own right of column i. So the bit is cleared in the register that
/// crosses the border of its channel, and a cell outside the channel sees a zero without looking at the mode. Partial
/// products of negative weight are inverted (Baugh-Wooley).
module bitsys_pe #(
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Row: which bit of b.
  parameter int unsigned Row = 0,
  /// Column: which bit of a.
  parameter int unsigned Col = 0,
  /// Derived: listed widths.
  localparam int unsigned M = bitsys_pkg::num_widths(Widths)
) (
  /// Clock, rising edge.
  input  logic         clk_i,
  /// Bit Col of a.
  input  logic         a_i,
  /// Bit Row of b.
  input  logic         b_i,
  /// Operand a of this token is signed.
  input  logic         a_signed_i,
  /// Operand b of this token is signed.
  input  logic         b_signed_i,
  /// This token is bipolar: width 1, both operands signed.
  input  logic         bipolar_i,
  /// Bit k: this token's width is smaller than listed width k.
  input  logic [M-1:0] narrow_i,
  /// Partial product, in the same cycle.
  output logic         pp_o,
  /// Bit of a for the cell below, one cycle later.
  output logic         a_o,
  /// Bit of b for the cell to the right, one cycle later.
  output logic         b_o
);

  localparam int unsigned First = bitsys_pkg::first_index(Widths, Row, Col);
  localparam int unsigned FirstBelow = bitsys_pkg::first_index(Widths, Row + 1, Col);
  localparam int unsigned FirstRight = bitsys_pkg::first_index(Widths, Row, Col + 1);

  // In which modes this cell is active, and in which of them its bit of a or b is a sign bit.
  localparam bitsys_pkg::flags_t Active = bitsys_pkg::flags_t'('1 << First);
  localparam bitsys_pkg::flags_t SignsOfA = Active & bitsys_pkg::tops(Widths, Col);
  localparam bitsys_pkg::flags_t SignsOfB = Active & bitsys_pkg::tops(Widths, Row);
  localparam bit Bipolar = Row == Col && bitsys_pkg::width_of(Widths, 0) == 1;

  logic a_negative;
  logic b_negative;

  bitsys_pick #(
    .M(M),
    .Flags(SignsOfA)
  ) u_a_sign (
    .narrow_i,
    .flag_o(a_negative)
  );

  bitsys_pick #(
    .M(M),
    .Flags(SignsOfB)
  ) u_b_sign (
    .narrow_i,
    .flag_o(b_negative)
  );

  always_comb begin
    pp_o = (a_i & b_i) ^ (a_signed_i & a_negative) ^ (b_signed_i & b_negative);
    if (First == bitsys_pkg::Never) pp_o = 1'b0;
    if (Bipolar && bipolar_i) pp_o = a_i ^ b_i;
  end

  if (Row >= Col && FirstBelow == bitsys_pkg::Never) begin : gen_a_ends
    assign a_o = 1'b0;
  end else begin : gen_a
    logic a_q;
    always_ff @(posedge clk_i) begin
      if (Row >= Col && FirstBelow != First && narrow_i[FirstBelow%M]) a_q <= 1'b0;
      else a_q <= a_i;
    end
    assign a_o = a_q;
  end

  if (Col >= Row && FirstRight == bitsys_pkg::Never) begin : gen_b_ends
    assign b_o = 1'b0;
  end else begin : gen_b
    logic b_q;
    always_ff @(posedge clk_i) begin
      if (Col >= Row && FirstRight != First && narrow_i[FirstRight%M]) b_q <= 1'b0;
      else b_q <= b_i;
    end
    assign b_o = b_q;
  end

endmodule
