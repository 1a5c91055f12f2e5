// SPDX-License-Identifier: Apache-2.0

/// Accelerator around an output-stationary systolic array: a row is an output position, a column an output channel; each
/// row reads its own convolution window, and the results of a tile leave while the next one is computed.
///
/// Use: as accelerators_machine says.
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

  accelerators_machine #(
    .Systolic(1'b1),
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
  ) u_machine (
    .clk_i,
    .rst_ni,
    .host_valid_i,
    .host_target_i,
    .host_index_i,
    .host_data_i,
    .start_i,
    .count_i,
    .prefetch_i,
    .done_o,
    .weight_valid_i,
    .weight_ready_o,
    .weight_data_i,
    .sum_valid_o,
    .sum_index_o,
    .sum_o,
    .counters_valid_o,
    .counters_o
  );

endmodule
