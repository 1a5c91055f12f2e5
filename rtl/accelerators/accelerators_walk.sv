// SPDX-License-Identifier: Apache-2.0

/// Walks over the output positions of a layer, one a cycle for each row of a tile: row r looks in the cycle in which the
/// tile's first token reaches it. Windows of the pooling are walked one after another, so that their positions are
/// neighbours.
module accelerators_walk
  import accelerators_pkg::*;
#(
  /// Positions in a tile.
  parameter int unsigned Rows = 4
) (
  /// Clock, rising edge.
  input  logic         clk_i,
  /// Synchronous reset, active low.
  input  logic         rst_ni,
  /// The first token of a tile is issued; its first position is shown in the next cycle.
  input  logic         start_i,
  /// And it is the layer's first tile, or that of another column tile.
  input  logic         restart_i,
  /// The layer of that token.
  input  instruction_t instruction_i,
  /// The position.
  output position_t    position_o
);

  localparam int unsigned RowW = $clog2(Rows + 1);

  // What is left of the instruction when the tokens have moved on to the next one.
  typedef struct packed {
    logic [3:0]  pool;
    logic [11:0] out_w;
    logic [11:0] out_h;
    logic [23:0] move_dx;
    logic [23:0] move_dy;
    logic [23:0] move_x;
    logic [23:0] move_y;
    logic [23:0] move_image;
    logic [3:0]  stride;
    logic [7:0]  back;
    logic [3:0]  pad;
  } walk_t;

  walk_t           walk_q;
  position_t       now_q;
  logic [RowW-1:0] left_q;
  logic [3:0]      dx_q;
  logic [3:0]      dy_q;
  logic [11:0]     x_q;
  logic [11:0]     y_q;

  logic dx_end;
  logic dy_end;
  logic x_end;
  logic y_end;

  assign dx_end     = dx_q == walk_q.pool - 4'd1;
  assign dy_end     = dx_end && dy_q == walk_q.pool - 4'd1;
  assign x_end      = dy_end && x_q == walk_q.out_w - 12'd1;
  assign y_end      = x_end && y_q == walk_q.out_h - 12'd1;
  assign position_o = now_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) left_q <= '0;
    else if (start_i) left_q <= RowW'(Rows);
    else if (left_q != '0) left_q <= left_q - 1'b1;
  end

  always_ff @(posedge clk_i) begin
    if (left_q != '0) begin
      dx_q <= dx_end ? '0 : dx_q + 4'd1;
      if (dx_end) dy_q <= dy_end ? '0 : dy_q + 4'd1;
      if (dy_end) x_q <= x_end ? '0 : x_q + 12'd1;
      if (x_end) y_q <= y_end ? '0 : y_q + 12'd1;
      now_q.address <= now_q.address + (!dx_end ? walk_q.move_dx : !dy_end ? walk_q.move_dy : !x_end ? walk_q.move_x :
                                        !y_end ? walk_q.move_y : walk_q.move_image);
      if (!dx_end || dy_end && !x_end) now_q.x <= now_q.x + 13'(walk_q.stride);
      else if (!dy_end) now_q.x <= now_q.x - 13'(walk_q.back);
      else now_q.x <= -13'(walk_q.pad);
      if (y_end) now_q.y <= -13'(walk_q.pad);
      else if (x_end || dx_end && !dy_end) now_q.y <= now_q.y + 13'(walk_q.stride);
      else if (dy_end) now_q.y <= now_q.y - 13'(walk_q.back);
    end
    if (start_i) begin
      walk_q.pool       <= instruction_i.pool;
      walk_q.out_w      <= instruction_i.out_w;
      walk_q.out_h      <= instruction_i.out_h;
      walk_q.move_dx    <= instruction_i.move_dx;
      walk_q.move_dy    <= instruction_i.move_dy;
      walk_q.move_x     <= instruction_i.move_x;
      walk_q.move_y     <= instruction_i.move_y;
      walk_q.move_image <= instruction_i.move_image;
      walk_q.stride     <= instruction_i.stride;
      walk_q.back       <= instruction_i.back;
      walk_q.pad        <= instruction_i.pad;
      now_q.source      <= instruction_i.source;
      now_q.in_h        <= instruction_i.in_h;
      now_q.in_w        <= instruction_i.in_w;
    end
    if (restart_i) begin
      dx_q          <= '0;
      dy_q          <= '0;
      x_q           <= '0;
      y_q           <= '0;
      now_q.address <= instruction_i.origin;
      now_q.y       <= -13'(instruction_i.pad);
      now_q.x       <= -13'(instruction_i.pad);
    end
  end

endmodule
