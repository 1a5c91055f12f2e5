// SPDX-License-Identifier: Apache-2.0

/// Activation memory with one port to write lines and one to read words. Both halves of the ping-pong are one memory: the
/// highest address bit tells them apart.
///
/// A line is stored as N memories of Columns bits, each with a write enable of its own: narrow results fill a line bit by
/// bit of their containers.
module accelerators_memory #(
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Containers in a line, a power of two.
  parameter int unsigned Columns = 4,
  /// Lines of each half.
  parameter int unsigned Lines = 1024,
  /// Derived: bits of a line's number in a half.
  localparam int unsigned LineW = $clog2(Lines),
  /// Derived: bits of a lane's number.
  localparam int unsigned LaneW = $clog2(Columns)
) (
  /// Clock, rising edge.
  input  logic                      clk_i,
  /// Write these parts of a line.
  input  logic [N-1:0]              write_i,
  /// The line to write, half first.
  input  logic [LineW:0]            line_i,
  /// What to write.
  input  logic [N-1:0][Columns-1:0] data_i,
  /// The line to read, half first.
  input  logic [LineW:0]            read_line_i,
  /// The lane to read.
  input  logic [LaneW-1:0]          read_lane_i,
  /// Read zero instead.
  input  logic                      read_zero_i,
  /// The word, two cycles later.
  output logic [N-1:0]              word_o
);

  logic [N-1:0][Columns-1:0] memory[2*Lines];
  logic [Columns-1:0][N-1:0] read_q;
  logic [LaneW-1:0]          lane_q;
  logic                      zero_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned b = 0; b < N; b++) if (write_i[b]) memory[line_i][b] <= data_i[b];
  end

  always_ff @(posedge clk_i) begin
    read_q <= memory[read_line_i];
    lane_q <= read_lane_i;
    zero_q <= read_zero_i;
    word_o <= zero_q ? '0 : read_q[lane_q];
  end

endmodule
