// SPDX-License-Identifier: Apache-2.0

/// The multiply-accumulate units of an accelerator behind registers: the part that is placed and routed by itself, to tell
/// how fast a dataflow and a multiplier let the clock run. The wires that bring operands to the units begin at registers
/// here, so that the fan-out of a broadcast word counts.
module accelerators_core
  import accelerators_pkg::*;
#(
  /// Systolic array; otherwise a bank that shares one activation word.
  parameter bit Systolic = 1'b1,
  /// Kind of multiplier: a value of baselines_pkg::kind_e.
  parameter int unsigned Kind = baselines_pkg::BitSys,
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
  /// Derived: words of activations.
  localparam int unsigned Positions = Systolic ? Rows : 1,
  /// Derived: words of weights.
  localparam int unsigned Outputs = Systolic ? Columns : Rows * Columns
) (
  /// Clock, rising edge.
  input  logic                             clk_i,
  /// Synchronous reset, active low.
  input  logic                             rst_ni,
  /// The tag of each word of activations.
  input  tag_t [Positions-1:0]             tag_i,
  /// Words of activations.
  input  logic [Positions-1:0][N-1:0]      a_i,
  /// Words of weights.
  input  logic [Outputs-1:0][N-1:0]        b_i,
  /// A beat of results is on sum_o.
  output logic                             valid_o,
  /// The results.
  output logic [Columns-1:0][AccWidth-1:0] sum_o
);

  if (Kind == baselines_pkg::BitSerial || Kind > baselines_pkg::Fixed) begin : gen_bad_kind
    $error("accelerators_core: Kind = %0d must take a token a cycle: 0, 1, 2 or 4", Kind);
  end
  if (Rows < 1 || Columns < 1) begin : gen_bad_size
    $error("accelerators_core: Rows = %0d, Columns = %0d must each be at least 1", Rows, Columns);
  end

  tag_t                        tag_q[Positions];
  logic [Positions-1:0][N-1:0] a_q;
  logic [Outputs-1:0][N-1:0]   b_q;

  always_ff @(posedge clk_i) begin
    for (int unsigned r = 0; r < Positions; r++) begin
      tag_q[r] <= tag_i[r];
      if (!rst_ni) tag_q[r].valid <= 1'b0;
    end
    a_q <= a_i;
    b_q <= b_i;
  end

  if (Systolic) begin : gen_array
    accelerators_array #(
      .Kind(Kind),
      .N(N),
      .Widths(Widths),
      .AccWidth(AccWidth),
      .Rows(Rows),
      .Columns(Columns)
    ) u_array (
      .clk_i,
      .rst_ni,
      .tag_i(tag_q),
      .a_i(a_q),
      .b_i(b_q),
      .valid_o,
      .sum_o
    );
  end else begin : gen_bank
    accelerators_bank #(
      .Kind(Kind),
      .N(N),
      .Widths(Widths),
      .AccWidth(AccWidth),
      .Rows(Rows),
      .Columns(Columns)
    ) u_bank (
      .clk_i,
      .rst_ni,
      .tag_i(tag_q[0]),
      .a_i(a_q),
      .b_i(b_q),
      .valid_o,
      .sum_o
    );
  end

endmodule
