// SPDX-License-Identifier: Apache-2.0

/// The N x N cells. Bits of a move down the columns, bits of b move right along the rows, one cell a cycle.
module bitsys_array #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Cells as LUT6_2 primitives (bitsys_pe_lut); else as logic that synthesis maps together with what follows.
  parameter bit PrimitiveCells = 1'b0,
  /// Derived: listed widths.
  localparam int unsigned M = bitsys_pkg::num_widths(Widths)
) (
  /// Clock, rising edge.
  input  logic                    clk_i,
  /// Skewed operand a: bit j of the token that entered j + 1 cycles ago.
  input  logic [N-1:0]            a_i,
  /// Skewed operand b: bit i of the token that entered i + 1 cycles ago.
  input  logic [N-1:0]            b_i,
  /// Operand a of the token on anti-diagonal d is signed.
  input  logic [2*N-2:0]          a_signed_d_i,
  /// Operand b of the token on anti-diagonal d is signed.
  input  logic [2*N-2:0]          b_signed_d_i,
  /// The token on anti-diagonal d is bipolar.
  input  logic [2*N-2:0]          bipolar_d_i,
  /// Bit k: the width of the token on anti-diagonal d is smaller than listed width k.
  input  logic [2*N-2:0][M-1:0]   narrow_d_i,
  /// Partial product of cell (i, j), for the token on anti-diagonal i + j.
  output logic [N-1:0][N-1:0]     pp_o
);

  // Element [i][j] enters cell (i, j); the last row and column leave the array and go nowhere.
  logic [N:0][N-1:0] a_down;
  logic [N-1:0][N:0] b_right;
  logic [2*N-1:0]    unused_ends;

  assign a_down[0] = a_i;

  for (genvar i = 0; i < N; i++) begin : gen_row
    assign b_right[i][0]      = b_i[i];
    assign unused_ends[i]     = b_right[i][N];
    assign unused_ends[N + i] = a_down[N][i];
    for (genvar j = 0; j < N; j++) begin : gen_col
      if (PrimitiveCells) begin : gen_lut
        bitsys_pe_lut #(
          .Widths(Widths),
          .Row(i),
          .Col(j)
        ) u_pe (
          .clk_i,
          .a_i(a_down[i][j]),
          .b_i(b_right[i][j]),
          .a_signed_i(a_signed_d_i[i+j]),
          .b_signed_i(b_signed_d_i[i+j]),
          .bipolar_i(bipolar_d_i[i+j]),
          .narrow_i(narrow_d_i[i+j]),
          .pp_o(pp_o[i][j]),
          .a_o(a_down[i+1][j]),
          .b_o(b_right[i][j+1])
        );
      end else begin : gen_logic
        bitsys_pe #(
          .Widths(Widths),
          .Row(i),
          .Col(j)
        ) u_pe (
          .clk_i,
          .a_i(a_down[i][j]),
          .b_i(b_right[i][j]),
          .a_signed_i(a_signed_d_i[i+j]),
          .b_signed_i(b_signed_d_i[i+j]),
          .bipolar_i(bipolar_d_i[i+j]),
          .narrow_i(narrow_d_i[i+j]),
          .pp_o(pp_o[i][j]),
          .a_o(a_down[i+1][j]),
          .b_o(b_right[i][j+1])
        );
      end
    end
  end

endmodule
