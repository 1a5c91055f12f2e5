// SPDX-License-Identifier: Apache-2.0

/// Systolic array, output-stationary: activations move right, weights down, the tag with its activations. Column c works
/// c cycles behind column 0, row r r cycles behind row 0, so that a wavefront of one token passes through while others
/// follow, in any mode each.
///
/// Results leave down the columns, the last row's first, a beat a cycle; a tile of at least `Rows` tokens is hidden
/// behind the next one.
module accelerators_array
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
  /// Rows: output positions of a tile.
  parameter int unsigned Rows = 4,
  /// Columns: output channels of a tile.
  parameter int unsigned Columns = 4
) (
  /// Clock, rising edge.
  input  logic                             clk_i,
  /// Synchronous reset, active low.
  input  logic                             rst_ni,
  /// The tag of each row; row r gets a token r cycles after row 0.
  input  tag_t                             tag_i  [Rows],
  /// The word of each row, with its tag.
  input  logic [Rows-1:0][N-1:0]           a_i,
  /// The line of weights, with the tag of row 0.
  input  logic [Columns-1:0][N-1:0]        b_i,
  /// A beat of results is on sum_o.
  output logic                             valid_o,
  /// The results of a position, a channel a column.
  output logic [Columns-1:0][AccWidth-1:0] sum_o
);

  // A row takes results from above only while they are the last tile's: the rows above may hold new ones. Column c does it
  // c cycles after column 0.
  localparam int unsigned CountW = Rows > 1 ? $clog2(Rows) : 1;
  logic [CountW-1:0]  left_q;
  logic [Rows-1:0]    shift_q[Columns];
  logic [Columns-1:0] valid_q;

  tag_t                tags  [Rows][Columns+1];
  logic [N-1:0]        a     [Rows][Columns+1];
  logic [N-1:0]        b     [Rows+1][Columns];
  logic                ready [Rows][Columns];
  logic [AccWidth-1:0] chain [Rows+1][Columns];

  for (genvar r = 0; r < Rows; r++) begin : gen_edge
    assign tags[r][0] = tag_i[r];
    assign a[r][0]    = a_i[r];
  end

  for (genvar c = 0; c < Columns; c++) begin : gen_column
    assign chain[0][c] = '0;

    for (genvar i = 0; i < N; i++) begin : gen_skew
      bitsys_delay #(
        .Depth(c)
      ) u_weight (
        .clk_i,
        .d_i(b_i[c][i]),
        .q_o(b[0][c][i])
      );
    end

    for (genvar i = 0; i < AccWidth; i++) begin : gen_align
      bitsys_delay #(
        .Depth(Columns - 1 - c)
      ) u_sum (
        .clk_i,
        .d_i(chain[Rows][c][i]),
        .q_o(sum_o[c][i])
      );
    end

    for (genvar r = 0; r < Rows; r++) begin : gen_row
      accelerators_unit #(
        .Kind(Kind),
        .N(N),
        .Widths(Widths),
        .AccWidth(AccWidth)
      ) u_unit (
        .clk_i,
        .rst_ni,
        .tag_i(tags[r][c]),
        .a_i(a[r][c]),
        .b_i(b[r][c]),
        .shift_i(shift_q[c][r]),
        .chain_i(chain[r][c]),
        .ready_o(ready[r][c]),
        .chain_o(chain[r+1][c])
      );

      always_ff @(posedge clk_i) begin
        tags[r][c+1] <= tags[r][c];
        a[r][c+1]    <= a[r][c];
        b[r+1][c]    <= b[r][c];
        if (!rst_ni) tags[r][c+1].valid <= 1'b0;
      end
    end
  end

  // The last row's sum of column 0 is in the chain in the next cycle, and leaves in it.
  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      left_q  <= '0;
      shift_q <= '{default: '0};
      valid_q <= '0;
    end else begin
      if (ready[Rows-1][0]) left_q <= CountW'(Rows - 1);
      else if (left_q != '0) left_q <= left_q - 1'b1;
      for (int unsigned r = 0; r < Rows; r++) begin
        shift_q[0][r] <= r != 0 && (ready[Rows-1][0] || 32'(left_q) > Rows - r);
      end
      valid_q[0] <= ready[Rows-1][0] || left_q != '0;
      for (int unsigned c = 1; c < Columns; c++) begin
        shift_q[c] <= shift_q[c-1];
        valid_q[c] <= valid_q[c-1];
      end
    end
  end

  assign valid_o = valid_q[Columns-1];

endmodule
