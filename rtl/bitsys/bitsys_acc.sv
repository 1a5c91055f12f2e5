// SPDX-License-Identifier: Apache-2.0

/// Accumulates values until one is marked last, then gives the sum and starts anew with the next value, which may come in
/// the very next cycle.
///
/// In two steps, so that no carry chain is longer than a value: the bits of the value first; the bits above them, where
/// only its sign and the carry arrive, one cycle later. The sum wraps: it is exact modulo 2^AccWidth.
module bitsys_acc #(
  /// Bits of a value without the one that extends its sign.
  parameter int unsigned ValueWidth = 16,
  /// Bits of the sum, from ValueWidth to 64.
  parameter int unsigned AccWidth = 32,
  /// Derived: cycles from the last value to the sum.
  localparam int unsigned Latency = 2
) (
  /// Clock, rising edge.
  input  logic                       clk_i,
  /// Synchronous reset, active low: the sum begun is forgotten and the next value starts another.
  input  logic                       rst_ni,
  /// A value enters in this cycle.
  input  logic                       valid_i,
  /// It is the last one of its sum.
  input  logic                       last_i,
  /// The value.
  input  logic signed [ValueWidth:0] value_i,
  /// The sum that the value of Latency cycles ago closed is on sum_o, for this cycle.
  output logic                       valid_o,
  /// The sum modulo 2^AccWidth; two's complement if any value was negative.
  output logic [AccWidth-1:0]        sum_o
);

  if (AccWidth < ValueWidth || AccWidth > 64) begin : gen_bad_width
    $error("bitsys_acc: AccWidth = %0d must be from ValueWidth = %0d to 64", AccWidth, ValueWidth);
  end

  // Control: whether the next value starts a sum, and the marks that follow a value into the second step.
  logic fresh_q;
  logic closing_q;

  always_ff @(posedge clk_i) begin
    if (!rst_ni) begin
      fresh_q   <= 1'b1;
      closing_q <= 1'b0;
      valid_o   <= 1'b0;
    end else begin
      if (valid_i) fresh_q <= last_i;
      closing_q <= valid_i & last_i;
      valid_o   <= closing_q;
    end
  end

  logic [ValueWidth-1:0] low_q;
  logic                  carry;
  logic [ValueWidth-1:0] low;

  // The value comes first: it then feeds the carry chain itself and the gate fits the LUT of each bit.
  assign {carry, low} = {1'b0, value_i[ValueWidth-1:0]} + {1'b0, fresh_q ? ValueWidth'(0) : low_q};

  always_ff @(posedge clk_i) if (valid_i) low_q <= low;
  always_ff @(posedge clk_i) sum_o[ValueWidth-1:0] <= low_q;

  if (AccWidth > ValueWidth) begin : gen_high
    localparam int unsigned HighW = AccWidth - ValueWidth;
    logic             second_q;
    logic             start_q;
    logic             carry_q;
    logic             negative_q;
    logic [HighW-1:0] high;
    logic             unused_lsb;

    // A value that reset overtakes here adds to a sum that is forgotten anyway.
    always_ff @(posedge clk_i) begin
      second_q   <= valid_i;
      start_q    <= fresh_q;
      carry_q    <= carry;
      negative_q <= value_i[ValueWidth];
    end

    assign {high, unused_lsb} = {{HighW{negative_q}}, carry_q} +
                                {start_q ? HighW'(0) : sum_o[AccWidth-1:ValueWidth], carry_q};

    always_ff @(posedge clk_i) if (second_q) sum_o[AccWidth-1:ValueWidth] <= high;
  end else begin : gen_no_high
    logic unused_top;
    assign unused_top = ^{value_i[ValueWidth], carry};
  end

`ifndef SYNTHESIS
  a_closed :
  assert property (@(posedge clk_i) disable iff (!rst_ni) valid_o |-> $past(valid_i && last_i, Latency))
  else $error("bitsys_acc: a sum without a last value %0d cycles ago", Latency);

  a_answered :
  assert property (@(posedge clk_i) disable iff (!rst_ni)
    $past(rst_ni && valid_i && last_i, Latency) && $past(rst_ni) |-> valid_o)
  else $error("bitsys_acc: no sum %0d cycles after a last value", Latency);
`endif

endmodule
