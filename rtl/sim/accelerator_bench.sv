// SPDX-License-Identifier: Apache-2.0

/// An accelerator with everything around it: reads a program, batches of activations and the stream of weights from
/// files, runs batch after batch, and writes the sums and the counters of every layer to files. Nothing is judged here.
///
/// Files in the folder +folder=: `host.hex` (target, index and data of each write), `images.hex` (lines of activations,
/// batch after batch), `weights.hex` (words of the weight port, one pass); made: `sums.hex` (index and numbers), and
/// `counters.txt`. Other plusargs: +count= instructions, +batches=, +lines= of a batch, +beats= of a pass, +prefetch=,
/// +throttle= cycles from one word of weights to the next, +idle= percent of cycles in which none is offered, +seed=,
/// +cycles= after which the watchdog ends it.
module accelerator_bench #(
  /// Which dataflow.
  parameter bit Systolic = 1'b1,
  /// Kind of multiplier.
  parameter int unsigned Kind = 0,
  /// Container width, bits.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w.
  parameter int unsigned Widths = 32'h116,
  /// Bits of an accumulator.
  parameter int unsigned AccWidth = 32,
  /// Rows of units.
  parameter int unsigned Rows = 4,
  /// Columns of units.
  parameter int unsigned Columns = 4,
  /// Bits of the weight port.
  parameter int unsigned PortBits = 32,
  /// Lines of each activation memory.
  parameter int unsigned ActivationLines = 8192,
  /// Tokens that each half of the weight buffer holds.
  parameter int unsigned WeightLines = 4096,
  /// Lines of the tables.
  parameter int unsigned TableLines = 512,
  /// Instructions.
  parameter int unsigned Instructions = 32
) (
  /// Clock, rising edge.
  input logic clk_i
);

  localparam int unsigned PcW = $clog2(Instructions);
  localparam int unsigned HostW = Columns * AccWidth > accelerators_pkg::InstructionW ? Columns * AccWidth :
                                  accelerators_pkg::InstructionW;

  typedef enum {
    Reset,
    Host,
    Load,
    Start,
    Run,
    Flush
  } state_e;

  logic                             rst_n;
  logic                             host_valid;
  logic [1:0]                       host_target;
  logic [23:0]                      host_index;
  logic [HostW-1:0]                 host_data;
  logic                             start;
  logic [PcW:0]                     count;
  logic                             prefetch;
  logic                             done;
  logic                             weight_valid;
  logic                             weight_ready;
  logic [PortBits-1:0]              weight_data;
  logic                             sum_valid;
  logic [31:0]                      sum_index;
  logic [Columns-1:0][AccWidth-1:0] sum;
  logic                             counters_valid;
  accelerators_pkg::counters_t      counters;

  if (Systolic) begin : gen_systolic
    systolic #(
      .Kind(Kind),
      .N(N),
      .Widths(Widths),
      .AccWidth(AccWidth),
      .Rows(Rows),
      .Columns(Columns),
      .PortBits(PortBits),
      .ActivationLines(ActivationLines),
      .WeightLines(WeightLines),
      .TableLines(TableLines),
      .Instructions(Instructions)
    ) u_dut (
      .clk_i,
      .rst_ni(rst_n),
      .host_valid_i(host_valid),
      .host_target_i(host_target),
      .host_index_i(host_index),
      .host_data_i(host_data),
      .start_i(start),
      .count_i(count),
      .prefetch_i(prefetch),
      .done_o(done),
      .weight_valid_i(weight_valid),
      .weight_ready_o(weight_ready),
      .weight_data_i(weight_data),
      .sum_valid_o(sum_valid),
      .sum_index_o(sum_index),
      .sum_o(sum),
      .counters_valid_o(counters_valid),
      .counters_o(counters)
    );
  end else begin : gen_single_layer
    single_layer #(
      .Kind(Kind),
      .N(N),
      .Widths(Widths),
      .AccWidth(AccWidth),
      .Rows(Rows),
      .Columns(Columns),
      .PortBits(PortBits),
      .ActivationLines(ActivationLines),
      .WeightLines(WeightLines),
      .TableLines(TableLines),
      .Instructions(Instructions)
    ) u_dut (
      .clk_i,
      .rst_ni(rst_n),
      .host_valid_i(host_valid),
      .host_target_i(host_target),
      .host_index_i(host_index),
      .host_data_i(host_data),
      .start_i(start),
      .count_i(count),
      .prefetch_i(prefetch),
      .done_o(done),
      .weight_valid_i(weight_valid),
      .weight_ready_o(weight_ready),
      .weight_data_i(weight_data),
      .sum_valid_o(sum_valid),
      .sum_index_o(sum_index),
      .sum_o(sum),
      .counters_valid_o(counters_valid),
      .counters_o(counters)
    );
  end

  state_e          state;
  string           folder;
  int unsigned     instructions;
  int unsigned     batches;
  int unsigned     lines;
  int unsigned     beats;
  int unsigned     throttle;
  int unsigned     idle;
  int unsigned     seed;
  longint unsigned limit;
  longint unsigned cycle;
  int unsigned     batch;
  int unsigned     line;
  int unsigned     offered;
  int unsigned     wait_left;
  int unsigned     settle;
  int              host_file;
  int              images_file;
  int              weights_file;
  int              sums_file;
  int              counters_file;

  initial begin
    int unsigned want_prefetch;
    state = Reset;
    cycle = 0;
    rst_n = 1'b0;
    host_valid = 1'b0;
    host_target = '0;
    host_index = '0;
    host_data = '0;
    start = 1'b0;
    weight_valid = 1'b0;
    weight_data = '0;
    batch = 0;
    line = 0;
    offered = 0;
    wait_left = 0;
    settle = 4;
    if (!$value$plusargs("folder=%s", folder) || !$value$plusargs("count=%d", instructions) ||
        !$value$plusargs("batches=%d", batches) || !$value$plusargs("lines=%d", lines) ||
        !$value$plusargs("beats=%d", beats) || !$value$plusargs("prefetch=%d", want_prefetch) ||
        !$value$plusargs("throttle=%d", throttle) || !$value$plusargs("idle=%d", idle) ||
        !$value$plusargs("seed=%d", seed) || !$value$plusargs("cycles=%d", limit)) begin
      $fatal(1, "accelerator_bench: a plusarg is missing");
    end
    count = (PcW + 1)'(instructions);
    prefetch = want_prefetch != 0;
    host_file = $fopen({folder, "/host.hex"}, "r");
    images_file = $fopen({folder, "/images.hex"}, "r");
    weights_file = $fopen({folder, "/weights.hex"}, "r");
    sums_file = $fopen({folder, "/sums.hex"}, "w");
    counters_file = $fopen({folder, "/counters.txt"}, "w");
    if (host_file == 0 || images_file == 0 || weights_file == 0 || sums_file == 0 || counters_file == 0) begin
      $fatal(1, "accelerator_bench: a file in %s cannot be opened", folder);
    end
  end

  // A word is offered until it is taken; the next one at the earliest `throttle` cycles after it, and later at random.
  task automatic offer();
    if (offered < beats && wait_left == 0 && (idle == 0 || (seed >> 8) % 100 >= idle)) begin
      logic [PortBits-1:0] word;
      if ($fscanf(weights_file, "%h", word) != 1) $fatal(1, "accelerator_bench: the weights end after %0d", offered);
      weight_data  <= word;
      weight_valid <= 1'b1;
      offered      <= offered + 1;
    end else begin
      weight_valid <= 1'b0;
    end
    if (wait_left != 0) wait_left <= wait_left - 1;
    seed <= seed * 1664525 + 1013904223;
  endtask

  always_ff @(posedge clk_i) begin
    logic [31:0] target;
    logic [31:0] index;
    logic [HostW-1:0] wide;
    logic [N*Columns-1:0] narrow;
    cycle <= cycle + 1;
    host_valid <= 1'b0;
    start <= 1'b0;

    unique case (state)
      Reset: begin
        settle <= settle - 1;
        if (settle == 0) begin
          rst_n <= 1'b1;
          state <= Host;
        end
      end
      Host: begin
        if ($fscanf(host_file, "%h %h %h", target, index, wide) == 3) begin
          host_valid  <= 1'b1;
          host_target <= target[1:0];
          host_index  <= index[23:0];
          host_data   <= wide;
        end else begin
          state <= Load;
        end
      end
      Load: begin
        if ($fscanf(images_file, "%h", narrow) != 1) begin
          $fatal(1, "accelerator_bench: the activations of batch %0d end after %0d lines", batch, line);
        end
        host_valid  <= 1'b1;
        host_target <= 2'd0;
        host_index  <= 24'(line);
        host_data   <= HostW'(narrow);
        line        <= line + 1;
        if (line == lines - 1) state <= Start;
      end
      Start: begin
        start <= 1'b1;
        cycle <= 0;
        state <= Run;
        offer();
      end
      Run: begin
        if (!weight_valid || weight_ready) begin
          if (weight_valid && throttle > 1) begin
            weight_valid <= 1'b0;
            wait_left    <= throttle - 2;
          end else begin
            offer();
          end
        end
        if (done) begin
          settle <= 4;
          state  <= Flush;
        end
      end
      default: begin
        settle <= settle - 1;
        if (settle == 0) begin
          batch     <= batch + 1;
          line      <= 0;
          offered   <= 0;
          wait_left <= 0;
          weight_valid <= 1'b0;
          void'($rewind(weights_file));
          if (batch == batches - 1) begin
            $fclose(sums_file);
            $fclose(counters_file);
            $finish;
          end
          state <= Load;
        end
      end
    endcase

    if (sum_valid) begin
      $fwrite(sums_file, "%h", sum_index);
      for (int unsigned c = 0; c < Columns; c++) $fwrite(sums_file, " %h", sum[c]);
      $fwrite(sums_file, "\n");
    end
    if (counters_valid) begin
      $fwrite(counters_file, "%0d %0d %0d %0d %0d %0d %0d\n", counters.busy, counters.stalled, counters.gap,
              counters.fill, counters.drain, counters.useful, counters.padded);
    end
    if (state == Run && cycle == limit) begin
      $fatal(1, "accelerator_bench: watchdog: batch %0d has not ended after %0d cycles; %0d of %0d words offered",
             batch, limit, offered, beats);
    end
  end

endmodule
