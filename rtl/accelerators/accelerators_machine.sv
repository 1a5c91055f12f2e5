// SPDX-License-Identifier: Apache-2.0

/// An accelerator of either dataflow, complete: sequencer, weight port and buffer, address generator and activation
/// memories, multiply-accumulate units, activation functions, pooling, counters. `systolic` and `single_layer` are it
/// under their own names, with the dataflow chosen.
///
/// Use: write instructions, tables and a batch of activations through the host port; set start_i for a cycle; feed the
/// weights; take the sums of the last layer as they come; done_o ends the batch.
module accelerators_machine
  import accelerators_pkg::*;
#(
  /// Systolic array; otherwise a bank that shares one activation word.
  parameter bit Systolic = 1'b1,
  /// Kind of multiplier: a value of baselines_pkg::kind_e; the bit-serial kind has no place here.
  parameter int unsigned Kind = baselines_pkg::BitSys,
  /// Container width, bits: 8.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Bits of an accumulator: 32.
  parameter int unsigned AccWidth = 32,
  /// Rows of multiply-accumulate units, 1 to 64.
  parameter int unsigned Rows = 4,
  /// Columns of multiply-accumulate units, a power of two from 2 to 64.
  parameter int unsigned Columns = 4,
  /// Bits of the weight port; divides those of a token's weights.
  parameter int unsigned PortBits = 32,
  /// Lines of each activation memory.
  parameter int unsigned ActivationLines = 8192,
  /// Tokens that each half of the weight buffer holds.
  parameter int unsigned WeightLines = 4096,
  /// Lines of the tables.
  parameter int unsigned TableLines = 512,
  /// Instructions.
  parameter int unsigned Instructions = 32,
  /// Derived: bits of an instruction's number.
  localparam int unsigned PcW = $clog2(Instructions),
  /// Derived: bits of the host port.
  localparam int unsigned HostW = Columns * AccWidth > InstructionW ? Columns * AccWidth : InstructionW
) (
  /// Clock, rising edge.
  input  logic                             clk_i,
  /// Synchronous reset, active low.
  input  logic                             rst_ni,
  /// Write through the host port, between batches.
  input  logic                             host_valid_i,
  /// Where to: 0 a line of activation memory 0, 1 a table (line * 16 + node), 2 an instruction.
  input  logic [1:0]                       host_target_i,
  /// Which one.
  input  logic [23:0]                      host_index_i,
  /// What.
  input  logic [HostW-1:0]                 host_data_i,
  /// Begin a batch.
  input  logic                             start_i,
  /// How many instructions there are.
  input  logic [PcW:0]                     count_i,
  /// Load weights of the next layer while the results of this one are on their way.
  input  logic                             prefetch_i,
  /// The batch is finished; for a cycle.
  output logic                             done_o,
  /// AXI4-Stream of weights: a word is offered.
  input  logic                             weight_valid_i,
  /// AXI4-Stream of weights: it is taken if weight_valid_i is set too.
  output logic                             weight_ready_o,
  /// AXI4-Stream of weights: the word.
  input  logic [PortBits-1:0]              weight_data_i,
  /// A line of the last layer's sums is there, for this cycle.
  output logic                             sum_valid_o,
  /// Which: position * groups + group.
  output logic [31:0]                      sum_index_o,
  /// It.
  output logic [Columns-1:0][AccWidth-1:0] sum_o,
  /// The counters of a layer are there, for this cycle.
  output logic                             counters_valid_o,
  /// They.
  output counters_t                        counters_o
);

  localparam int unsigned Positions = Systolic ? Rows : 1;
  localparam int unsigned Outputs = Systolic ? Columns : Rows * Columns;
  localparam int unsigned LineBits = Outputs * N;
  localparam int unsigned LineW = $clog2(ActivationLines);
  localparam int unsigned TableW = $clog2(TableLines);

  if (N != 8 || AccWidth != 32) begin : gen_bad_container
    $error("accelerators_machine: N = %0d, AccWidth = %0d must be 8 and 32", N, AccWidth);
  end
  if (Kind == baselines_pkg::BitSerial || Kind > baselines_pkg::Fixed) begin : gen_bad_kind
    $error("accelerators_machine: Kind = %0d must take a token a cycle: 0, 1, 2 or 4", Kind);
  end
  if (Rows < 1 || Rows > 64) begin : gen_bad_rows
    $error("accelerators_machine: Rows = %0d must be from 1 to 64", Rows);
  end
  if (Columns < 2 || Columns > 64 || (Columns & (Columns - 1)) != 0) begin : gen_bad_columns
    $error("accelerators_machine: Columns = %0d must be a power of two from 2 to 64", Columns);
  end
  if (ActivationLines < 2 || WeightLines < 2 || TableLines < 2 || Instructions < 2) begin : gen_bad_memory
    $error("accelerators_machine: ActivationLines = %0d, WeightLines = %0d, TableLines = %0d, Instructions = %0d %s",
           ActivationLines, WeightLines, TableLines, Instructions, "must each be at least 2");
  end

  // Instructions, with a reader each for weights, tokens and results.
  logic [InstructionW-1:0] program_q[Instructions];
  logic [PcW:0]            load_pc_q;
  logic [PcW:0]            issue_pc;
  logic [PcW:0]            drain_pc;
  logic [PcW:0]            written_q;
  instruction_t            load;
  instruction_t            issue;
  instruction_t            following;
  instruction_t            drain;

  always_ff @(posedge clk_i) begin
    if (host_valid_i && host_target_i == 2'd2) program_q[host_index_i[PcW-1:0]] <= host_data_i[InstructionW-1:0];
  end

  assign load      = program_q[load_pc_q[PcW-1:0]];
  assign issue     = program_q[issue_pc[PcW-1:0]];
  assign following = program_q[PcW'(issue_pc + 1'b1)];
  assign drain     = program_q[drain_pc[PcW-1:0]];

  // Weights.
  logic        running_q;
  logic        open;
  logic        loaded;
  logic [15:0] load_tile_q;
  logic [19:0] index;
  logic        there;
  logic        restart;
  logic        release_;
  phase_e      phase;
  logic [LineBits-1:0] weights;

  assign open = running_q && load_pc_q < count_i &&
                (prefetch_i || !load.wait_ || load_pc_q < issue_pc ||
                 load_pc_q == issue_pc && phase inside {Busy, Stalled, Gap});

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      running_q   <= 1'b0;
      load_pc_q   <= '0;
      load_tile_q <= '0;
    end else if (start_i) begin
      running_q   <= 1'b1;
      load_pc_q   <= '0;
      load_tile_q <= '0;
    end else begin
      if (done_o) running_q <= 1'b0;
      if (loaded) begin
        load_tile_q <= load_tile_q == load.column_tiles - 16'd1 ? '0 : load_tile_q + 16'd1;
        if (load_tile_q == load.column_tiles - 16'd1) load_pc_q <= load_pc_q + 1'b1;
      end
    end
  end

  accelerators_stream #(
    .LineBits(LineBits),
    .PortBits(PortBits),
    .Lines(WeightLines)
  ) u_stream (
    .clk_i,
    .rst_ni,
    .open_i(open),
    .tokens_i(load.tokens),
    .loaded_o(loaded),
    .valid_i(weight_valid_i),
    .ready_o(weight_ready_o),
    .data_i(weight_data_i),
    .index_i(index),
    .there_o(there),
    .release_i(release_),
    .line_o(weights)
  );

  // Tokens.
  token_t token;
  logic   leave;
  logic   leaving;
  logic   last_rows;
  logic   last_columns;
  logic   last_word;
  logic   beat_valid;
  beat_t  beat;

  accelerators_issue #(
    .PcW(PcW)
  ) u_issue (
    .clk_i,
    .rst_ni,
    .start_i,
    .count_i,
    .pc_o(issue_pc),
    .instruction_i(issue),
    .next_waits_i(following.wait_),
    .written_i(written_q),
    .leaving_i(drain_pc > issue_pc || drain_pc == issue_pc && leaving),
    .index_o(index),
    .there_i(there),
    .token_o(token),
    .restart_o(restart),
    .release_o(release_),
    .last_rows_o(last_rows),
    .last_columns_o(last_columns),
    .last_word_o(last_word),
    .phase_o(phase),
    .leave_o(leave),
    .done_o
  );

  accelerators_counters #(
    .Kind(Kind),
    .N(N),
    .Widths(Widths),
    .Positions(Positions),
    .Outputs(Outputs)
  ) u_counters (
    .clk_i,
    .rst_ni,
    .phase_i(phase),
    .instruction_i(issue),
    .last_rows_i(last_rows),
    .last_columns_i(last_columns),
    .last_word_i(last_word),
    .leave_i(leave),
    .valid_o(counters_valid_o),
    .counters_o
  );

  position_t position;

  accelerators_walk #(
    .Rows(Positions)
  ) u_walk (
    .clk_i,
    .rst_ni,
    .start_i(token.first),
    .restart_i(restart),
    .instruction_i(issue),
    .position_o(position)
  );

  // Activations: what is written goes to the memories of all rows.
  logic [N-1:0]              result_write;
  logic [LineW:0]            result_line;
  logic [N-1:0][Columns-1:0] result_data;
  logic                      finished;
  logic                      host_line;
  logic [N-1:0]              write;
  logic [LineW:0]            line;
  logic [N-1:0][Columns-1:0] data;
  token_t                    token_q[Positions];
  tag_t [Positions-1:0]      tags;
  logic [Positions-1:0][N-1:0] words;

  assign host_line = host_valid_i && host_target_i == 2'd0;
  assign write     = host_line ? '1 : result_write;
  assign line      = host_line ? {1'b0, host_index_i[LineW-1:0]} : result_line;
  assign data      = host_line ? host_data_i[N*Columns-1:0] : result_data;

  for (genvar r = 0; r < Positions; r++) begin : gen_row
    always_ff @(posedge clk_i) begin
      token_q[r] <= r == 0 ? token : token_q[r==0?0 : r-1];
      if (!rst_ni) token_q[r].tag.valid <= 1'b0;
    end

    accelerators_row #(
      .N(N),
      .Columns(Columns),
      .Lines(ActivationLines)
    ) u_row (
      .clk_i,
      .rst_ni,
      .token_i(token_q[r]),
      .position_i(position),
      .write_i(write),
      .line_i(line),
      .data_i(data),
      .tag_o(tags[r]),
      .word_o(words[r])
    );
  end

  // The weights are read a cycle after their token was issued; words come three later.
  logic [LineBits-1:0] weights_q[3];
  always_ff @(posedge clk_i) begin
    weights_q[0] <= weights;
    weights_q[1] <= weights_q[0];
    weights_q[2] <= weights_q[1];
  end

  // Sums.
  logic [Columns-1:0][AccWidth-1:0] sums;

  accelerators_core #(
    .Systolic(Systolic),
    .Kind(Kind),
    .N(N),
    .Widths(Widths),
    .AccWidth(AccWidth),
    .Rows(Rows),
    .Columns(Columns)
  ) u_core (
    .clk_i,
    .rst_ni,
    .tag_i(tags),
    .a_i(words),
    .b_i(weights_q[2]),
    .valid_o(beat_valid),
    .sum_o(sums)
  );

  // Results.
  logic [15:0]             table_line;
  beat_t                   beat_q[ActivateLatency];
  logic [Columns-1:0][7:0] codes;
  logic [Columns-1:0][AccWidth-1:0] raw;

  accelerators_drain #(
    .Kind(Kind),
    .Rows(Rows),
    .Systolic(Systolic),
    .PcW(PcW)
  ) u_drain (
    .clk_i,
    .rst_ni,
    .start_i,
    .pc_o(drain_pc),
    .instruction_i(drain),
    .valid_i(beat_valid),
    .leaving_o(leaving),
    .beat_o(beat),
    .table_o(table_line)
  );

  for (genvar c = 0; c < Columns; c++) begin : gen_activate
    accelerators_activate #(
      .AccWidth(AccWidth),
      .Lines(TableLines)
    ) u_activate (
      .clk_i,
      .write_i(host_valid_i && host_target_i == 2'd1),
      .write_line_i(host_index_i[TableW+3:4]),
      .write_node_i(host_index_i[3:0]),
      .write_data_i(host_data_i[c*AccWidth+:AccWidth]),
      .sum_i(sums[c]),
      .line_i(table_line[TableW-1:0]),
      .operation_i(beat.operation),
      .out_log2_i(beat.out_log2),
      .out_signed_i(beat.out_signed),
      .shift_i(beat.shift),
      .code_o(codes[c]),
      .raw_o(raw[c])
    );
  end

  always_ff @(posedge clk_i) begin
    beat_q[0] <= beat;
    for (int unsigned k = 1; k < ActivateLatency; k++) beat_q[k] <= beat_q[k-1];
    if (!rst_ni) for (int unsigned k = 0; k < ActivateLatency; k++) {beat_q[k].valid, beat_q[k].finished} <= '0;
  end

  accelerators_write #(
    .Kind(Kind),
    .N(N),
    .Columns(Columns),
    .Places(Systolic ? 1 : Rows),
    .Lines(ActivationLines)
  ) u_write (
    .clk_i,
    .rst_ni,
    .beat_i(beat_q[ActivateLatency-1]),
    .code_i(codes),
    .write_o(result_write),
    .line_o(result_line),
    .data_o(result_data),
    .finished_o(finished)
  );

  assign sum_valid_o = beat_q[ActivateLatency-1].valid && beat_q[ActivateLatency-1].operation == Raw;
  assign sum_index_o = beat_q[ActivateLatency-1].line;
  assign sum_o       = raw;

  always_ff @(posedge clk_i) begin
    if (!rst_ni || start_i) written_q <= '0;
    else if (finished) written_q <= written_q + 1'b1;
  end

endmodule
