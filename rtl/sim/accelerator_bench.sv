// SPDX-License-Identifier: Apache-2.0

/// An accelerator with everything around it: reads programs, batches of activations and streams of weights from files, runs
/// batch after batch, and writes the sums and the counters of every layer to files. Nothing is judged here. All bands of a
/// systolic array begin a batch together; the next one begins when the last of them has finished.
///
/// Files in the folder +folder=: `bands.txt` (for each band its instructions, lines of a batch, words of a pass of the
/// stream), `host.hex` (band, target, index and data of each write), and for each band b `images<b>.hex` (lines of
/// activations, batch after batch) and `weights<b>.hex` (words of the weight port, one pass). Made: `sums.hex` (band, index
/// and numbers), `counters.txt` (band and counters of a layer) and `cycles.txt` (for each batch and band, the cycles from
/// start to done). Other plusargs: +batches=, +prefetch=, +throttle= cycles from one word of weights to the next, +idle=
/// percent of cycles in which none is offered, +seed=, +cycles= after which the watchdog ends it.
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
  /// Bands of a systolic array; 1 for a bank.
  parameter int unsigned Bands = 1,
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

  logic                                        rst_n;
  logic [Bands-1:0]                            host_valid;
  logic [1:0]                                  host_target;
  logic [23:0]                                 host_index;
  logic [HostW-1:0]                            host_data;
  logic [Bands-1:0]                            start;
  logic [Bands-1:0][PcW:0]                     count;
  logic                                        prefetch;
  logic [Bands-1:0]                            done;
  logic [Bands-1:0]                            weight_valid;
  logic [Bands-1:0]                            weight_ready;
  logic [Bands-1:0][PortBits-1:0]              weight_data;
  logic [Bands-1:0]                            sum_valid;
  logic [Bands-1:0][31:0]                      sum_index;
  logic [Bands-1:0][Columns-1:0][AccWidth-1:0] sum;
  logic [Bands-1:0]                            counters_valid;
  accelerators_pkg::counters_t [Bands-1:0]     counters;

  if (Systolic) begin : gen_systolic
    systolic #(
      .Kind(Kind),
      .N(N),
      .Widths(Widths),
      .AccWidth(AccWidth),
      .Rows(Rows),
      .Bands(Bands),
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
    if (Bands != 1) begin : gen_bad_bands
      $error("accelerator_bench: Bands = %0d, but a bank is not cut", Bands);
    end
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
      .host_valid_i(host_valid[0]),
      .host_target_i(host_target),
      .host_index_i(host_index),
      .host_data_i(host_data),
      .start_i(start[0]),
      .count_i(count[0]),
      .prefetch_i(prefetch),
      .done_o(done[0]),
      .weight_valid_i(weight_valid[0]),
      .weight_ready_o(weight_ready[0]),
      .weight_data_i(weight_data[0]),
      .sum_valid_o(sum_valid[0]),
      .sum_index_o(sum_index[0]),
      .sum_o(sum[0]),
      .counters_valid_o(counters_valid[0]),
      .counters_o(counters[0])
    );
  end

  state_e            state;
  string             folder;
  int unsigned       batches;
  int unsigned       throttle;
  int unsigned       idle;
  longint unsigned   limit;
  longint unsigned   cycle;
  int unsigned       batch;
  int unsigned       band;
  int unsigned       line;
  int unsigned       settle;
  int unsigned       lines       [Bands];
  int unsigned       beats       [Bands];
  int unsigned       offered     [Bands];
  int unsigned       wait_left   [Bands];
  int unsigned       chance      [Bands];
  logic [Bands-1:0]  running;
  int                host_file;
  int                images_file [Bands];
  int                weights_file[Bands];
  int                sums_file;
  int                counters_file;
  int                cycles_file;

  initial begin
    int unsigned want_prefetch;
    int unsigned seed;
    int unsigned instructions;
    int          bands_file;
    state = Reset;
    cycle = 0;
    rst_n = 1'b0;
    host_valid = '0;
    host_target = '0;
    host_index = '0;
    host_data = '0;
    start = '0;
    weight_valid = '0;
    weight_data = '0;
    running = '0;
    batch = 0;
    band = 0;
    line = 0;
    settle = 4;
    if (!$value$plusargs("folder=%s", folder) || !$value$plusargs("batches=%d", batches) ||
        !$value$plusargs("prefetch=%d", want_prefetch) || !$value$plusargs("throttle=%d", throttle) ||
        !$value$plusargs("idle=%d", idle) || !$value$plusargs("seed=%d", seed) ||
        !$value$plusargs("cycles=%d", limit)) begin
      $fatal(1, "accelerator_bench: a plusarg is missing");
    end
    prefetch = want_prefetch != 0;
    bands_file = $fopen({folder, "/bands.txt"}, "r");
    host_file = $fopen({folder, "/host.hex"}, "r");
    sums_file = $fopen({folder, "/sums.hex"}, "w");
    counters_file = $fopen({folder, "/counters.txt"}, "w");
    cycles_file = $fopen({folder, "/cycles.txt"}, "w");
    if (bands_file == 0 || host_file == 0 || sums_file == 0 || counters_file == 0 || cycles_file == 0) begin
      $fatal(1, "accelerator_bench: a file in %s cannot be opened", folder);
    end
    for (int unsigned b = 0; b < Bands; b++) begin
      if ($fscanf(bands_file, "%d %d %d", instructions, lines[b], beats[b]) != 3) begin
        $fatal(1, "accelerator_bench: bands.txt has no line for band %0d", b);
      end
      count[b] = (PcW + 1)'(instructions);
      offered[b] = 0;
      wait_left[b] = 0;
      chance[b] = seed + b;
      images_file[b] = $fopen($sformatf("%s/images%0d.hex", folder, b), "r");
      weights_file[b] = $fopen($sformatf("%s/weights%0d.hex", folder, b), "r");
      if (images_file[b] == 0 || weights_file[b] == 0) begin
        $fatal(1, "accelerator_bench: a file of band %0d in %s cannot be opened", b, folder);
      end
    end
    $fclose(bands_file);
  end

  // A word is offered until it is taken; the next one at the earliest `throttle` cycles after it, and later at random.
  task automatic offer(int unsigned b);
    if (offered[b] < beats[b] && wait_left[b] == 0 && (idle == 0 || (chance[b] >> 8) % 100 >= idle)) begin
      logic [PortBits-1:0] word;
      if ($fscanf(weights_file[b], "%h", word) != 1) begin
        $fatal(1, "accelerator_bench: the weights of band %0d end after %0d", b, offered[b]);
      end
      weight_data[b]  <= word;
      weight_valid[b] <= 1'b1;
      offered[b]      <= offered[b] + 1;
    end else begin
      weight_valid[b] <= 1'b0;
    end
    if (wait_left[b] != 0) wait_left[b] <= wait_left[b] - 1;
    chance[b] <= chance[b] * 1664525 + 1013904223;
  endtask

  always_ff @(posedge clk_i) begin
    logic [31:0] which;
    logic [31:0] target;
    logic [31:0] index;
    logic [HostW-1:0] wide;
    logic [N*Columns-1:0] narrow;
    cycle <= cycle + 1;
    host_valid <= '0;
    start <= '0;

    unique case (state)
      Reset: begin
        settle <= settle - 1;
        if (settle == 0) begin
          rst_n <= 1'b1;
          state <= Host;
        end
      end
      Host: begin
        if ($fscanf(host_file, "%h %h %h %h", which, target, index, wide) == 4) begin
          host_valid  <= Bands'(1) << which;
          host_target <= target[1:0];
          host_index  <= index[23:0];
          host_data   <= wide;
        end else begin
          state <= Load;
        end
      end
      Load: begin
        if ($fscanf(images_file[band], "%h", narrow) != 1) begin
          $fatal(1, "accelerator_bench: the activations of batch %0d, band %0d end after %0d lines", batch, band, line);
        end
        host_valid  <= Bands'(1) << band;
        host_target <= 2'd0;
        host_index  <= 24'(line);
        host_data   <= HostW'(narrow);
        line        <= line + 1;
        if (line == lines[band] - 1) begin
          line <= 0;
          band <= band + 1;
          if (band == Bands - 1) state <= Start;
        end
      end
      Start: begin
        start   <= '1;
        running <= '1;
        cycle   <= 0;
        state   <= Run;
        for (int unsigned b = 0; b < Bands; b++) offer(b);
      end
      Run: begin
        for (int unsigned b = 0; b < Bands; b++) begin
          if (!weight_valid[b] || weight_ready[b]) begin
            if (weight_valid[b] && throttle > 1) begin
              weight_valid[b] <= 1'b0;
              wait_left[b]    <= throttle - 2;
            end else begin
              offer(b);
            end
          end
          if (done[b]) $fwrite(cycles_file, "%0d %0d %0d\n", batch, b, cycle);
        end
        running <= running & ~done;
        if ((running & ~done) == '0) begin
          settle <= 4;
          state  <= Flush;
        end
      end
      default: begin
        settle <= settle - 1;
        if (settle == 0) begin
          batch        <= batch + 1;
          band         <= 0;
          line         <= 0;
          weight_valid <= '0;
          for (int unsigned b = 0; b < Bands; b++) begin
            offered[b]   <= 0;
            wait_left[b] <= 0;
            void'($rewind(weights_file[b]));
          end
          if (batch == batches - 1) begin
            $fclose(sums_file);
            $fclose(counters_file);
            $fclose(cycles_file);
            $finish;
          end
          state <= Load;
        end
      end
    endcase

    for (int unsigned b = 0; b < Bands; b++) begin
      if (sum_valid[b]) begin
        $fwrite(sums_file, "%h %h", b, sum_index[b]);
        for (int unsigned c = 0; c < Columns; c++) $fwrite(sums_file, " %h", sum[b][c]);
        $fwrite(sums_file, "\n");
      end
      if (counters_valid[b]) begin
        $fwrite(counters_file, "%0d %0d %0d %0d %0d %0d %0d %0d\n", b, counters[b].busy, counters[b].stalled,
                counters[b].gap, counters[b].fill, counters[b].drain, counters[b].useful, counters[b].padded);
      end
    end
    if (state == Run && cycle == limit) begin
      for (int unsigned b = 0; b < Bands; b++) begin
        if (running[b]) begin
          $fatal(1, "accelerator_bench: watchdog: batch %0d%s has not ended after %0d cycles; %0d of %0d words offered",
                 batch, Bands == 1 ? "" : $sformatf(" of band %0d", b), limit, offered[b], beats[b]);
        end
      end
    end
  end

endmodule
