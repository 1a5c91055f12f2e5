// SPDX-License-Identifier: Apache-2.0

/// The claim that bitsys_acc gives the sum of the values since the last one marked `last`, two cycles after the next one,
/// and `valid` then only.
///
/// For a proof by induction the claim must say what the state means while a sum is going on: these are the claims about
/// parts of it.
module bitsys_acc_proof #(
  /// Bits of a value without the one that extends its sign.
  parameter int unsigned ValueWidth = 16,
  /// Bits of the sum.
  parameter int unsigned AccWidth = 32
) (
  /// Clock, rising edge.
  input  logic                       clk_i,
  /// Any reset.
  input  logic                       rst_ni,
  /// Any value, or none.
  input  logic                       valid_i,
  /// Any mark.
  input  logic                       last_i,
  /// Any value.
  input  logic signed [ValueWidth:0] value_i,
  /// The sum is right when it is valid.
  output logic                       sum_ok_o,
  /// `valid` is right.
  output logic                       valid_ok_o,
  /// The state agrees with the sum so far, in each of the two steps.
  output logic                       state_ok_o
);

  logic                valid;
  logic [AccWidth-1:0] sum;

  bitsys_acc #(
    .ValueWidth(ValueWidth),
    .AccWidth(AccWidth)
  ) u_dut (
    .clk_i,
    .rst_ni,
    .valid_i,
    .last_i,
    .value_i,
    .valid_o(valid),
    .sum_o(sum)
  );

  // The sum in one step, and whether the next value starts another; both as they were a cycle ago.
  logic [AccWidth-1:0] total_q;
  logic [AccWidth-1:0] total_before_q;
  logic                fresh_q;
  logic                fresh_before_q;
  logic [1:0]          valid_due_q;

  always_ff @(posedge clk_i) begin
    if (valid_i) total_q <= (fresh_q ? '0 : total_q) + AccWidth'(value_i);
    total_before_q <= total_q;
    if (!rst_ni) begin
      fresh_q        <= 1'b1;
      fresh_before_q <= 1'b1;
      valid_due_q    <= '0;
    end else begin
      if (valid_i) fresh_q <= last_i;
      fresh_before_q <= fresh_q;
      valid_due_q    <= {valid_due_q[0], valid_i & last_i};
    end
  end

  assign sum_ok_o   = !valid || sum == total_before_q;
  assign valid_ok_o = valid == valid_due_q[1];
  assign state_ok_o = u_dut.fresh_q == fresh_q && u_dut.closing_q == valid_due_q[0] &&
                      (fresh_q || u_dut.low_q == total_q[ValueWidth-1:0]) &&
                      (fresh_before_q || sum == total_before_q);

endmodule
