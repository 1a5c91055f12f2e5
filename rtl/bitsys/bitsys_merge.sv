// SPDX-License-Identifier: Apache-2.0

/// Two neighbouring fields become one of twice the width: their sum when they are products of different channels, both
/// side by side, unchanged, when they are halves of one product.
module bitsys_merge #(
  /// Bits of each field.
  parameter int unsigned Width = 2
) (
  /// Add the fields; otherwise join them.
  input  logic               add_i,
  /// The fields are two's complement.
  input  logic               signed_i,
  /// Lower field.
  input  logic [Width-1:0]   low_i,
  /// Upper field.
  input  logic [Width-1:0]   high_i,
  /// The sum, extended, or the upper field above the lower one.
  output logic [2*Width-1:0] field_o
);

  logic [Width:0] low;
  logic [Width:0] high;
  logic [Width:0] sum;

  assign low  = {signed_i & low_i[Width-1], low_i};
  assign high = add_i ? {signed_i & high_i[Width-1], high_i} : '0;

  // Three bits of a sum are three LUTs of six inputs; a carry chain would need as many before it.
  if (Width == 2) begin : gen_gates
    logic unused_carry;
    bitsys_adder #(
      .Width(3)
    ) u_add (
      .x_i(low),
      .y_i(high),
      .carry_i(1'b0),
      .sum_o({unused_carry, sum})
    );
  end else begin : gen_chain
    assign sum = low + high;
  end

  assign field_o[Width-1:0]       = sum[Width-1:0];
  assign field_o[2*Width-1:Width] = add_i ? {{Width - 1{signed_i & sum[Width]}}, sum[Width]} : high_i;

endmodule
