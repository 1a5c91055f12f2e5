// SPDX-License-Identifier: Apache-2.0

/// The cell bitsys_pe as one LUT6_2 whose table is computed at elaboration, and the two registers. Same ports, same
/// function for every tag that bitsys_tag can send, whatever the list of widths.
///
/// Why one table is enough: a bit is the sign bit of its channel in the narrow widths and an inner bit in the wide ones,
/// and two bits share a channel in the wide widths only. So off the main diagonal at most one of the two bits can be the
/// sign of a channel that holds both, and it is in a range of widths: from the first in which the cell is active to the
/// last before the bit is an inner one. That takes one sign flag and two bits of `narrow`. On the main diagonal both bits
/// are signs together, up to some width: two sign flags, one bit of `narrow`, and the bipolar flag.
///
/// Where five inputs are enough, the second output is the bit that crosses the border of its channel, already cleared:
/// such registers need no reset, which packs better where the flip-flops of a slice share one.
module bitsys_pe_lut #(
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

  // The first index in which the cell is active, and the first in which the bit nearer to the end of their channel is an
  // inner bit, so that the other one may cross to the next cell.
  localparam int unsigned First = bitsys_pkg::first_index(Widths, Row, Col);
  localparam int unsigned Inner = Row >= Col ? bitsys_pkg::first_index(Widths, Row + 1, Col)
                                             : bitsys_pkg::first_index(Widths, Row, Col + 1);

  /// Table of a cell on the main diagonal: inputs a, b, both signs, bipolar, and whether the bits are signs.
  function automatic logic [63:0] diagonal_table();
    logic [63:0] found;
    logic a, b, a_signed, b_signed, bipolar, is_sign;
    for (int unsigned k = 0; k < 64; k++) begin
      {is_sign, bipolar, b_signed, a_signed, b, a} = 6'(k);
      found[k] = (a & b) ^ (is_sign & (a_signed ^ b_signed));
      if (bipolar && bitsys_pkg::width_of(Widths, 0) == 1) found[k] = a ^ b;
    end
    return found;
  endfunction

  /// Table of any other cell: inputs: the bit that crosses, the other bit, whose sign flag comes next, whether the width
  /// is too small for the cell, and whether it is too small to cross. Upper half the partial product, lower half the
  /// bit that crosses.
  function automatic logic [63:0] outer_table();
    logic [63:0] found;
    logic crossing, other, other_signed, inactive, stays;
    for (int unsigned k = 0; k < 32; k++) begin
      {stays, inactive, other_signed, other, crossing} = 5'(k);
      found[32+k] = First != bitsys_pkg::Never && ((crossing & other) ^ (other_signed & stays & ~inactive));
      found[k]    = crossing && !(stays && First != Inner);
    end
    return found;
  endfunction

  logic stays;
  logic a_d;
  logic b_d;

  if (Inner == bitsys_pkg::Never) begin : gen_stays_always
    assign stays = 1'b1;
  end else begin : gen_stays
    assign stays = narrow_i[Inner];
  end

  if (Row == Col) begin : gen_diagonal
    logic unused_five;
    LUT6_2 #(
      .INIT(diagonal_table())
    ) u_lut (
      .O6(pp_o),
      .O5(unused_five),
      .I0(a_i),
      .I1(b_i),
      .I2(a_signed_i),
      .I3(b_signed_i),
      .I4(bipolar_i),
      .I5(stays)
    );
    // All six inputs are taken, so here it is the registers that clear the bits.
    assign a_d = a_i;
    assign b_d = b_i;
  end else begin : gen_outer
    logic inactive;
    if (First == bitsys_pkg::Never) begin : gen_inactive_always
      assign inactive = 1'b1;
    end else begin : gen_inactive
      assign inactive = narrow_i[First];
    end
    if (Row > Col) begin : gen_below
      LUT6_2 #(
        .INIT(outer_table())
      ) u_lut (
        .O6(pp_o),
        .O5(a_d),
        .I0(a_i),
        .I1(b_i),
        .I2(b_signed_i),
        .I3(inactive),
        .I4(stays),
        .I5(1'b1)
      );
      assign b_d = b_i;
    end else begin : gen_right
      LUT6_2 #(
        .INIT(outer_table())
      ) u_lut (
        .O6(pp_o),
        .O5(b_d),
        .I0(b_i),
        .I1(a_i),
        .I2(a_signed_i),
        .I3(inactive),
        .I4(stays),
        .I5(1'b1)
      );
      assign a_d = a_i;
    end
  end

  if (Row >= Col && Inner == bitsys_pkg::Never) begin : gen_a_ends
    logic unused_a;
    assign unused_a = a_d;
    assign a_o = 1'b0;
  end else begin : gen_a
    always_ff @(posedge clk_i) begin
      if (Row == Col && First != Inner && stays) a_o <= 1'b0;
      else a_o <= a_d;
    end
  end

  if (Col >= Row && Inner == bitsys_pkg::Never) begin : gen_b_ends
    logic unused_b;
    assign unused_b = b_d;
    assign b_o = 1'b0;
  end else begin : gen_b
    always_ff @(posedge clk_i) begin
      if (Row == Col && First != Inner && stays) b_o <= 1'b0;
      else b_o <= b_d;
    end
  end

endmodule
