// SPDX-License-Identifier: Apache-2.0

/// Counts what each layer took. What a token is worth is multiplied out in two further cycles, so everything is counted
/// two cycles late.
module accelerators_counters
  import accelerators_pkg::*;
#(
  /// Kind of multiplier: a value of baselines_pkg::kind_e.
  parameter int unsigned Kind = baselines_pkg::BitSys,
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Output positions of a tile.
  parameter int unsigned Positions = 4,
  /// Output channels of a tile.
  parameter int unsigned Outputs = 4
) (
  /// Clock, rising edge.
  input  logic         clk_i,
  /// Synchronous reset, active low.
  input  logic         rst_ni,
  /// What the cycle is spent on.
  input  phase_e       phase_i,
  /// The layer.
  input  instruction_t instruction_i,
  /// The token is of the last position tile.
  input  logic         last_rows_i,
  /// The token is of the last column tile.
  input  logic         last_columns_i,
  /// The token is the last word of a pixel.
  input  logic         last_word_i,
  /// It is the layer's last cycle.
  input  logic         leave_i,
  /// The counters of a layer are on counters_o, for this cycle.
  output logic         valid_o,
  /// They.
  output counters_t    counters_o
);

  phase_e      phase_q[2];
  logic        leave_q[2];
  logic [23:0] outputs_q;
  logic [4:0]  channels_q;
  logic [4:0]  room_q;
  logic [31:0] useful_q;
  logic [31:0] slots_q;
  counters_t   count_q;
  counters_t   count;

  logic [4:0]  room;
  logic [31:0] rows;
  logic [31:0] columns;

  if (Kind == baselines_pkg::Fixed) begin : gen_single
    assign room = 5'd1;
  end else begin : gen_channels
    always_comb begin
      room = 5'd1;
      for (int unsigned k = 0; k < bitsys_pkg::num_widths(Widths); k++) begin
        if (32'(instruction_i.mode) == k) room = 5'(N / bitsys_pkg::width_of(Widths, k));
      end
    end
  end

  assign rows    = last_rows_i ? 32'(instruction_i.last_rows) : Positions;
  assign columns = last_columns_i ? 32'(instruction_i.last_columns) : Outputs;

  always_comb begin
    count = count_q;
    unique case (phase_q[1])
      Busy: begin
        count.busy   = count_q.busy + 48'd1;
        count.useful = count_q.useful + 48'(useful_q);
        count.padded = count_q.padded + 48'(slots_q - useful_q);
      end
      Stalled: count.stalled = count_q.stalled + 48'd1;
      Gap: count.gap = count_q.gap + 48'd1;
      Fill: count.fill = count_q.fill + 48'd1;
      Drain: count.drain = count_q.drain + 48'd1;
      default: ;
    endcase
  end

  always_ff @(posedge clk_i) begin
    phase_q[0] <= phase_i;
    phase_q[1] <= phase_q[0];
    outputs_q  <= 24'(rows * columns);
    channels_q <= last_word_i ? instruction_i.last_channels : room;
    room_q     <= room;
    useful_q   <= 32'(outputs_q) * 32'(channels_q);
    slots_q    <= Positions * Outputs * 32'(room_q);
    leave_q[0] <= leave_i;
    leave_q[1] <= leave_q[0];
    counters_o <= count;
    count_q    <= leave_q[1] ? '0 : count;
    valid_o    <= leave_q[1];
    if (!rst_ni) begin
      phase_q <= '{default: Idle};
      leave_q <= '{default: 1'b0};
      count_q <= '0;
      valid_o <= 1'b0;
    end
  end

endmodule
