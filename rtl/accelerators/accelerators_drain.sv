// SPDX-License-Identifier: Apache-2.0

/// Follows the results that leave the array: says of each beat whose it is, how it becomes an activation, and where that
/// goes. Walks through the instructions on its own, behind the sequencer that issued the tokens.
module accelerators_drain
  import accelerators_pkg::*;
#(
  /// Kind of multiplier: a value of baselines_pkg::kind_e.
  parameter int unsigned Kind = baselines_pkg::BitSys,
  /// Beats of a tile.
  parameter int unsigned Rows = 4,
  /// Beats are positions (systolic array); otherwise they are groups of channels of one position (bank).
  parameter bit Systolic = 1'b1,
  /// Bits of an instruction's number.
  parameter int unsigned PcW = 5
) (
  /// Clock, rising edge.
  input  logic         clk_i,
  /// Synchronous reset, active low.
  input  logic         rst_ni,
  /// Begin with the first instruction.
  input  logic         start_i,
  /// Number of the instruction whose results leave.
  output logic [PcW:0] pc_o,
  /// That instruction.
  input  instruction_t instruction_i,
  /// A beat leaves the array.
  input  logic         valid_i,
  /// Beats of the instruction's last tile have left.
  output logic         leaving_o,
  /// What is to be known of it.
  output beat_t        beat_o,
  /// The line of its thresholds.
  output logic [15:0]  table_o
);

  localparam int unsigned RowW = Rows > 1 ? $clog2(Rows) : 1;

  logic [RowW-1:0] row_q;
  logic [23:0]     position_q;
  logic [15:0]     column_q;
  logic [15:0]     base_group_q;
  logic [31:0]     base_q;
  logic [31:0]     line_q;
  logic [4:0]      window_q;
  logic [4:0]      tile_q;

  logic        row_end;
  logic        position_end;
  logic        column_end;
  logic        window_end;
  logic        in_tile;
  logic        there;
  logic        last_tile;
  logic [1:0]  slots;
  logic [15:0] group;
  logic [31:0] line;

  assign row_end      = row_q == RowW'(Rows - 1);
  assign position_end = position_q == instruction_i.position_tiles - 24'd1;
  assign column_end   = column_q == instruction_i.column_tiles - 16'd1;
  assign window_end   = window_q == instruction_i.window - 5'd1;
  assign in_tile      = tile_q == instruction_i.window_tiles - 5'd1;
  assign slots        = slots_log2(Kind, instruction_i.operation, instruction_i.out_log2);
  assign last_tile    = position_end && column_end;
  assign leaving_o    = last_tile && row_q != '0;

  if (Systolic) begin : gen_positions
    assign group = column_q;
    assign line  = row_q == '0 ? base_q + 32'(instruction_i.tile_top) : line_q;
    assign there = !position_end || RowW'(Rows - 1) - row_q < RowW'(instruction_i.last_rows - 8'd1) + 1'b1 ||
                   instruction_i.last_rows == 8'(Rows);
  end else begin : gen_groups
    assign group = base_group_q + 16'(row_q);
    assign line  = base_q;
    assign there = group < instruction_i.groups;
  end

  assign beat_o.valid        = valid_i && there;
  assign beat_o.finished     = valid_i && row_end && last_tile;
  assign beat_o.target       = instruction_i.target;
  assign beat_o.operation    = instruction_i.operation;
  assign beat_o.out_log2     = instruction_i.out_log2;
  assign beat_o.out_signed   = instruction_i.out_signed;
  assign beat_o.shift        = instruction_i.shift;
  assign beat_o.slot         = 3'(group & ((16'd1 << slots) - 16'd1));
  assign beat_o.line         = line + 32'(group >> slots);
  assign beat_o.place        = Systolic ? '0 : 8'(row_q);
  assign beat_o.window_first = window_q == '0;
  assign beat_o.window_last  = window_end;
  assign table_o             = instruction_i.table_ + group;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i) begin
      pc_o         <= '0;
      row_q        <= '0;
      position_q   <= '0;
      column_q     <= '0;
      base_group_q <= '0;
      base_q       <= '0;
      window_q     <= '0;
      tile_q       <= '0;
    end else if (valid_i) begin
      row_q <= row_end ? '0 : row_q + 1'b1;
      if (Systolic || row_end) window_q <= window_end ? '0 : window_q + 5'd1;
      if (row_end) begin
        position_q <= position_end ? '0 : position_q + 24'd1;
        tile_q     <= in_tile ? '0 : tile_q + 5'd1;
        if (position_end) base_q <= '0;
        else if (in_tile) base_q <= base_q + 32'(instruction_i.tile_lines);
        if (position_end) begin
          column_q     <= column_end ? '0 : column_q + 16'd1;
          base_group_q <= column_end ? '0 : base_group_q + 16'(Rows);
          if (column_end) pc_o <= pc_o + 1'b1;
        end
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (valid_i) line_q <= window_end ? line - 32'(instruction_i.out_lines) : line;
  end

endmodule
