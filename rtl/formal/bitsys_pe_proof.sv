// SPDX-License-Identifier: Apache-2.0

/// The claim that bitsys_pe_lut is bitsys_pe: both of each row and column with the same free inputs, for every tag that
/// bitsys_tag can send.
module bitsys_pe_proof #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Derived: listed widths.
  localparam int unsigned M = bitsys_pkg::num_widths(Widths),
  /// Derived: bits of a mode code.
  localparam int unsigned ModeW = bitsys_pkg::mode_bits(Widths)
) (
  /// Clock, rising edge.
  input  logic                clk_i,
  /// Any bit of a.
  input  logic                a_i,
  /// Any bit of b.
  input  logic                b_i,
  /// Any mode code.
  input  logic [ModeW-1:0]    mode_i,
  /// Any sign of a.
  input  logic                a_signed_i,
  /// Any sign of b.
  input  logic                b_signed_i,
  /// Element [i][j]: the partial products of cell (i, j) are equal.
  output logic [N-1:0][N-1:0] pp_ok_o,
  /// The bits passed down are equal.
  output logic [N-1:0][N-1:0] a_ok_o,
  /// The bits passed right are equal.
  output logic [N-1:0][N-1:0] b_ok_o
);

  logic [M-1:0] narrow;
  logic         bipolar;

  assign narrow[0] = 1'b0;
  for (genvar k = 1; k < M; k++) begin : gen_narrow
    assign narrow[k] = 32'(mode_i) < k;
  end
  assign bipolar = Widths[1] && a_signed_i && b_signed_i && (M == 1 || mode_i == '0);

  for (genvar i = 0; i < N; i++) begin : gen_row
    for (genvar j = 0; j < N; j++) begin : gen_col
      logic [1:0] pp;
      logic [1:0] a;
      logic [1:0] b;
      bitsys_pe #(
        .Widths(Widths),
        .Row(i),
        .Col(j)
      ) u_logic (
        .clk_i,
        .a_i,
        .b_i,
        .a_signed_i,
        .b_signed_i,
        .bipolar_i(bipolar),
        .narrow_i(narrow),
        .pp_o(pp[0]),
        .a_o(a[0]),
        .b_o(b[0])
      );
      bitsys_pe_lut #(
        .Widths(Widths),
        .Row(i),
        .Col(j)
      ) u_lut (
        .clk_i,
        .a_i,
        .b_i,
        .a_signed_i,
        .b_signed_i,
        .bipolar_i(bipolar),
        .narrow_i(narrow),
        .pp_o(pp[1]),
        .a_o(a[1]),
        .b_o(b[1])
      );
      assign pp_ok_o[i][j] = pp[0] == pp[1];
      assign a_ok_o[i][j]  = a[0] == a[1];
      assign b_ok_o[i][j]  = b[0] == b[1];
    end
  end

endmodule
