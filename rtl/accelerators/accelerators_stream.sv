// SPDX-License-Identifier: Apache-2.0

/// Double-buffered weights: the stream fills one half while the tokens of the other are issued. A token may be issued as
/// soon as its own line is there.
module accelerators_stream #(
  /// Bits of a line: the weights of one token.
  parameter int unsigned LineBits = 32,
  /// Bits of the port; divides LineBits.
  parameter int unsigned PortBits = 32,
  /// Lines of each half.
  parameter int unsigned Lines = 1024,
  /// Derived: bits of a line's number in a half.
  localparam int unsigned LineW = $clog2(Lines)
) (
  /// Clock, rising edge.
  input  logic                clk_i,
  /// Synchronous reset, active low.
  input  logic                rst_ni,
  /// The tile to be filled may be loaded: a layer is there and may be begun.
  input  logic                open_i,
  /// Lines of the tile to be filled.
  input  logic [19:0]         tokens_i,
  /// The tile to be filled is complete with this cycle.
  output logic                loaded_o,
  /// AXI4-Stream: a word is offered.
  input  logic                valid_i,
  /// AXI4-Stream: it is taken if valid_i is set too.
  output logic                ready_o,
  /// AXI4-Stream: the word, lowest bits of a line first.
  input  logic [PortBits-1:0] data_i,
  /// The line that is wanted.
  input  logic [19:0]         index_i,
  /// It is there.
  output logic                there_o,
  /// The tile's last token is issued in this cycle: its half is free.
  input  logic                release_i,
  /// The line, a cycle after it was wanted.
  output logic [LineBits-1:0] line_o
);

  localparam int unsigned Beats = LineBits / PortBits;
  localparam int unsigned BeatW = Beats > 1 ? $clog2(Beats) : 1;

  if (PortBits == 0 || LineBits % PortBits != 0) begin : gen_bad_port
    $error("accelerators_stream: PortBits = %0d must divide LineBits = %0d", PortBits, LineBits);
  end
  if (Lines < 2) begin : gen_bad_lines
    $error("accelerators_stream: Lines = %0d must be at least 2", Lines);
  end

  logic [LineBits-1:0] memory[2*Lines];
  logic [LineBits-1:0] line;
  logic [BeatW-1:0]    beat_q;
  logic [1:0]          full_q;
  logic                filling_q;
  logic                reading_q;
  logic [19:0]         count_q;
  logic                taken;
  logic                whole;

  assign ready_o  = open_i && !full_q[filling_q];
  assign taken    = valid_i && ready_o;
  assign whole    = taken && 32'(beat_q) == Beats - 1;
  assign loaded_o = whole && count_q == tokens_i - 20'd1;
  assign there_o  = full_q[reading_q] || (filling_q == reading_q && index_i < count_q);

  if (Beats == 1) begin : gen_single
    assign line = data_i;
  end else begin : gen_several
    logic [LineBits-PortBits-1:0] part_q;
    assign line = {data_i, part_q};
    always_ff @(posedge clk_i) if (taken) part_q <= line[LineBits-1:PortBits];
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      beat_q    <= '0;
      full_q    <= '0;
      filling_q <= 1'b0;
      reading_q <= 1'b0;
      count_q   <= '0;
    end else begin
      if (taken) beat_q <= whole ? '0 : beat_q + 1'b1;
      if (whole) count_q <= loaded_o ? '0 : count_q + 20'd1;
      if (loaded_o) begin
        full_q[filling_q] <= 1'b1;
        filling_q         <= !filling_q;
      end
      if (release_i) begin
        full_q[reading_q] <= 1'b0;
        reading_q         <= !reading_q;
      end
    end
  end

  always_ff @(posedge clk_i) begin
    if (whole) memory[{filling_q, count_q[LineW-1:0]}] <= line;
    line_o <= memory[{reading_q, index_i[LineW-1:0]}];
  end

endmodule
