// SPDX-License-Identifier: Apache-2.0

/// Bank of multiply-accumulate units that share one activation word: an output channel each. Results leave as those of
/// the systolic array do, a row of units a beat, the last row first.
module accelerators_bank
  import accelerators_pkg::*;
#(
  /// Kind of multiplier: a value of baselines_pkg::kind_e.
  parameter int unsigned Kind = baselines_pkg::BitSys,
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Bits of an accumulator.
  parameter int unsigned AccWidth = 32,
  /// Rows of units: beats of a tile.
  parameter int unsigned Rows = 4,
  /// Units in a row.
  parameter int unsigned Columns = 4
) (
  /// Clock, rising edge.
  input  logic                               clk_i,
  /// Synchronous reset, active low.
  input  logic                               rst_ni,
  /// What rides with the operands.
  input  tag_t                               tag_i,
  /// The word that all units get.
  input  logic [N-1:0]                       a_i,
  /// The line of weights: a container for each unit, row by row.
  input  logic [Rows-1:0][Columns-1:0][N-1:0] b_i,
  /// A beat of results is on sum_o.
  output logic                               valid_o,
  /// The results of a row of units.
  output logic [Columns-1:0][AccWidth-1:0]   sum_o
);

  localparam int unsigned CountW = Rows > 1 ? $clog2(Rows) : 1;
  logic [CountW-1:0] left_q;
  logic              shift_q;

  logic                ready [Rows][Columns];
  logic [AccWidth-1:0] chain [Rows+1][Columns];

  for (genvar c = 0; c < Columns; c++) begin : gen_column
    assign chain[0][c] = '0;
    assign sum_o[c]    = chain[Rows][c];

    for (genvar r = 0; r < Rows; r++) begin : gen_row
      accelerators_unit #(
        .Kind(Kind),
        .N(N),
        .Widths(Widths),
        .AccWidth(AccWidth)
      ) u_unit (
        .clk_i,
        .rst_ni,
        .tag_i,
        .a_i,
        .b_i(b_i[r][c]),
        .shift_i(shift_q),
        .chain_i(chain[r][c]),
        .ready_o(ready[r][c]),
        .chain_o(chain[r+1][c])
      );
    end
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      left_q  <= '0;
      shift_q <= 1'b0;
      valid_o <= 1'b0;
    end else begin
      if (ready[0][0]) left_q <= CountW'(Rows - 1);
      else if (left_q != '0) left_q <= left_q - 1'b1;
      shift_q <= ready[0][0] ? Rows > 1 : (left_q >> 1) != '0;
      valid_o <= ready[0][0] || left_q != '0;
    end
  end

endmodule
