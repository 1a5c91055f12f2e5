// SPDX-License-Identifier: Apache-2.0

/// Address generator and activation memory of one row: turns the tokens that pass by into words of its own output
/// position. Convolution windows are read as they stand in memory, and what lies outside the map is zero.
module accelerators_row
  import accelerators_pkg::*;
#(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Containers in a line of memory.
  parameter int unsigned Columns = 4,
  /// Lines of each half of the memory.
  parameter int unsigned Lines = 1024,
  /// Derived: bits of a line's number in a half.
  localparam int unsigned LineW = $clog2(Lines)
) (
  /// Clock, rising edge.
  input  logic                      clk_i,
  /// Synchronous reset, active low.
  input  logic                      rst_ni,
  /// The token.
  input  token_t                    token_i,
  /// The position that is the row's own when the token is the first of a tile.
  input  position_t                 position_i,
  /// Write these parts of a line.
  input  logic [N-1:0]              write_i,
  /// The line to write, half first.
  input  logic [LineW:0]            line_i,
  /// What to write.
  input  logic [N-1:0][Columns-1:0] data_i,
  /// The tag of the token of three cycles ago.
  output tag_t                      tag_o,
  /// Its word.
  output logic [N-1:0]              word_o
);

  localparam int unsigned LaneW = $clog2(Columns);
  localparam int unsigned WordW = LineW + LaneW;

  position_t        own_q;
  position_t        own;
  logic [12:0]      y;
  logic [12:0]      x;
  logic [23:0]      address;
  logic [WordW-1:0] word_q;
  logic             source_q;
  logic             zero_q;
  tag_t             tags_q[2];

  assign own     = token_i.first ? position_i : own_q;
  assign y       = own.y + 13'(token_i.kernel_y);
  assign x       = own.x + 13'(token_i.kernel_x);
  assign address = own.address + token_i.offset;

  always_ff @(posedge clk_i) begin
    own_q    <= own;
    word_q   <= address[WordW-1:0];
    source_q <= own.source;
    // Coordinates above or left of the map are negative, which is larger than any size.
    zero_q   <= y >= 13'(own.in_h) || x >= 13'(own.in_w);
  end

  always_ff @(posedge clk_i) begin
    tags_q[0] <= token_i.tag;
    tags_q[1] <= tags_q[0];
    tag_o     <= tags_q[1];
    if (!rst_ni) begin
      tags_q[0].valid <= 1'b0;
      tags_q[1].valid <= 1'b0;
      tag_o.valid     <= 1'b0;
    end
  end

  accelerators_memory #(
    .N(N),
    .Columns(Columns),
    .Lines(Lines)
  ) u_memory (
    .clk_i,
    .write_i,
    .line_i,
    .data_i,
    .read_line_i({source_q, word_q[WordW-1:LaneW]}),
    .read_lane_i(word_q[LaneW-1:0]),
    .read_zero_i(zero_q),
    .word_o
  );

endmodule
