// SPDX-License-Identifier: Apache-2.0

/// Max-pool and packing: takes the finished codes of a beat, keeps the largest of a window, and writes it where it belongs
/// in its line. The first results of a line clear the rest of it, so that fields without a channel hold zeros.
module accelerators_write
  import accelerators_pkg::*;
#(
  /// Kind of multiplier: a value of baselines_pkg::kind_e.
  parameter int unsigned Kind = baselines_pkg::BitSys,
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Columns: results in a beat, containers in a line.
  parameter int unsigned Columns = 4,
  /// Beats of a tile that belong to the same position.
  parameter int unsigned Places = 1,
  /// Lines of each half of the activation memory.
  parameter int unsigned Lines = 1024,
  /// Derived: bits of a line's number in a half.
  localparam int unsigned LineW = $clog2(Lines)
) (
  /// Clock, rising edge.
  input  logic                      clk_i,
  /// Synchronous reset, active low.
  input  logic                      rst_ni,
  /// The beat.
  input  beat_t                     beat_i,
  /// Its codes.
  input  logic [Columns-1:0][7:0]   code_i,
  /// Parts of a line to write, in the next cycle.
  output logic [N-1:0]              write_o,
  /// The line, half first.
  output logic [LineW:0]            line_o,
  /// What to write.
  output logic [N-1:0][Columns-1:0] data_o,
  /// The instruction's last result is written with that.
  output logic                      finished_o
);

  logic [Columns-1:0][7:0]   pool_q[Places];
  logic [Columns-1:0][7:0]   largest;
  logic [Columns-1:0][7:0]   value;
  logic [2:0]                spacing;
  logic [N-1:0]              write;
  logic [N-1:0][Columns-1:0] data;
  logic [7:0]                top;

  localparam int unsigned PlaceW = Places > 1 ? $clog2(Places) : 1;
  logic [PlaceW-1:0] place;
  assign place = beat_i.place[PlaceW-1:0];
  assign top   = 8'd1 << ((4'd1 << beat_i.out_log2) - 4'd1);

  for (genvar c = 0; c < Columns; c++) begin : gen_column
    assign largest[c] = beat_i.window_first || code_i[c] > pool_q[place][c] ? code_i[c] : pool_q[place][c];
    assign value[c]   = largest[c] ^ (beat_i.out_signed ? top : 8'd0);
  end

  // The fixed kind keeps a value to a container.
  assign spacing = Kind == baselines_pkg::Fixed ? 3'($clog2(N)) : beat_i.out_log2;

  always_comb begin
    logic [N*Columns-1:0] narrow;
    logic [N-1:0]         part;
    narrow = '0;
    for (int unsigned c = 0; c < Columns; c++) begin
      unique case (spacing)
        3'd0: narrow[c] = value[c][0];
        3'd1: narrow[c*2+:2] = value[c][1:0];
        3'd2: narrow[c*4+:4] = value[c][3:0];
        default: narrow[c*8+:8] = value[c];
      endcase
    end
    part  = N'((9'd1 << (4'd1 << spacing)) - 9'd1);
    write = beat_i.slot == '0 ? '1 : part << (32'(beat_i.slot) << spacing);
    data  = '0;
    for (int unsigned k = 0; k < N; k++) begin
      if (beat_i.slot == '0) data[k] = narrow[k*Columns+:Columns];
      else data[k] = narrow[(k & ((1<<spacing) - 1))*Columns+:Columns];
    end
    if (!beat_i.valid || !beat_i.window_last || beat_i.operation == Raw) write = '0;
  end

  always_ff @(posedge clk_i) begin
    if (beat_i.valid) pool_q[place] <= largest;
    data_o <= data;
    line_o <= {beat_i.target, beat_i.line[LineW-1:0]};
  end

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      write_o    <= '0;
      finished_o <= 1'b0;
    end else begin
      write_o    <= write;
      finished_o <= beat_i.finished;
    end
  end

endmodule
