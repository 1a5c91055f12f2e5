// SPDX-License-Identifier: Apache-2.0

/// Accelerator around an output-stationary systolic array: a row is an output position, a column an output channel; each
/// row reads its own convolution window, and the results of a tile leave while the next one is computed.
///
/// The rows may be cut into bands, each with its own weight stream and its own instructions, so that rows of one band work
/// in another mode, or on another network, than those of the next one in the same cycle. Bands share clock, reset, the data
/// of the host port and the columns' width, and nothing else.
///
/// Use: each band as accelerators_machine says.
module systolic
  import accelerators_pkg::*;
#(
  /// Kind of multiplier: a value of baselines_pkg::kind_e; the bit-serial kind has no place here.
  parameter int unsigned Kind = baselines_pkg::BitSys,
  /// Container width, bits: 8.
  parameter int unsigned N = 8,
  /// Listed widths as a set: bit w is width w, a power of two up to N.
  parameter int unsigned Widths = 32'h116,
  /// Bits of an accumulator: 32.
  parameter int unsigned AccWidth = 32,
  /// Rows of multiply-accumulate units of all bands, 1 to 64.
  parameter int unsigned Rows = 4,
  /// Bands that the rows are cut into; divides Rows.
  parameter int unsigned Bands = 1,
  /// Columns of multiply-accumulate units, a power of two from 2 to 64.
  parameter int unsigned Columns = 4,
  /// Bits of a band's weight port; divides those of a token's weights.
  parameter int unsigned PortBits = 32,
  /// Lines of each activation memory of a row.
  parameter int unsigned ActivationLines = 8192,
  /// Tokens that each half of a band's weight buffer holds.
  parameter int unsigned WeightLines = 4096,
  /// Lines of a band's tables.
  parameter int unsigned TableLines = 512,
  /// Instructions of a band.
  parameter int unsigned Instructions = 32,
  /// Derived: bits of an instruction's number.
  localparam int unsigned PcW = $clog2(Instructions),
  /// Derived: bits of the host port.
  localparam int unsigned HostW = Columns * AccWidth > InstructionW ? Columns * AccWidth : InstructionW
) (
  /// Clock, rising edge.
  input  logic                                             clk_i,
  /// Synchronous reset, active low.
  input  logic                                             rst_ni,
  /// Write to these bands through the host port, between their batches.
  input  logic      [Bands-1:0]                            host_valid_i,
  /// Where to: 0 a line of activation memory 0, 1 a table (line * 16 + node), 2 an instruction.
  input  logic      [1:0]                                  host_target_i,
  /// Which one.
  input  logic      [23:0]                                 host_index_i,
  /// What.
  input  logic      [HostW-1:0]                            host_data_i,
  /// These bands begin a batch.
  input  logic      [Bands-1:0]                            start_i,
  /// How many instructions each band has.
  input  logic      [Bands-1:0][PcW:0]                     count_i,
  /// Load weights of the next layer while the results of this one are on their way.
  input  logic                                             prefetch_i,
  /// A band's batch is finished; for a cycle.
  output logic      [Bands-1:0]                            done_o,
  /// AXI4-Stream of weights, one a band: a word is offered.
  input  logic      [Bands-1:0]                            weight_valid_i,
  /// AXI4-Stream of weights: it is taken if weight_valid_i is set too.
  output logic      [Bands-1:0]                            weight_ready_o,
  /// AXI4-Stream of weights: the word.
  input  logic      [Bands-1:0][PortBits-1:0]              weight_data_i,
  /// A line of the last layer's sums is there, for this cycle.
  output logic      [Bands-1:0]                            sum_valid_o,
  /// Which: position * groups + group.
  output logic      [Bands-1:0][31:0]                      sum_index_o,
  /// It.
  output logic      [Bands-1:0][Columns-1:0][AccWidth-1:0] sum_o,
  /// The counters of a layer are there, for this cycle.
  output logic      [Bands-1:0]                            counters_valid_o,
  /// They.
  output counters_t [Bands-1:0]                            counters_o
);

  if (Bands < 1 || Rows % (Bands == 0 ? 1 : Bands) != 0) begin : gen_bad_bands
    $error("systolic: Bands = %0d must divide Rows = %0d", Bands, Rows);
  end

  for (genvar b = 0; b < Bands; b++) begin : gen_band
    accelerators_machine #(
      .Systolic(1'b1),
      .Kind(Kind),
      .N(N),
      .Widths(Widths),
      .AccWidth(AccWidth),
      .Rows(Rows / Bands),
      .Columns(Columns),
      .PortBits(PortBits),
      .ActivationLines(ActivationLines),
      .WeightLines(WeightLines),
      .TableLines(TableLines),
      .Instructions(Instructions)
    ) u_machine (
      .clk_i,
      .rst_ni,
      .host_valid_i(host_valid_i[b]),
      .host_target_i,
      .host_index_i,
      .host_data_i,
      .start_i(start_i[b]),
      .count_i(count_i[b]),
      .prefetch_i,
      .done_o(done_o[b]),
      .weight_valid_i(weight_valid_i[b]),
      .weight_ready_o(weight_ready_o[b]),
      .weight_data_i(weight_data_i[b]),
      .sum_valid_o(sum_valid_o[b]),
      .sum_index_o(sum_index_o[b]),
      .sum_o(sum_o[b]),
      .counters_valid_o(counters_valid_o[b]),
      .counters_o(counters_o[b])
    );
  end

endmodule
